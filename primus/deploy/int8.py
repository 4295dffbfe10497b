"""8-bit weights, kept only where they really shrink the file and a probe on somebody's labels hardly notices."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from primus.adapt.cross_validation import plan_folds, require_classes
from primus.adapt.labelled import LabelledRows
from primus.adapt.probe_training import ProbeSettings, probe_scores
from primus.artifacts import atomic_path
from primus.deploy.onnx_file import OnnxEncoder, quantise_onnx, write_onnx
from primus.deploy.parity import Parity, compare
from primus.errors import UserError
from primus.inference.encoding import BATCH
from primus.models.encoder import ImuEncoder

LARGEST_SHARE = 0.75
"""Of the float file's bytes that the 8-bit file may have."""

LARGEST_LOSS = 0.01
"""Of accuracy or macro F1, whichever loses more: one point."""


@dataclass(frozen=True)
class Int8Check:
    """What 8 bits cost and save.

    Attributes:
        float_bytes, int8_bytes: of the files.
        loss: metric -> score of the float file minus that of the 8-bit file, cross-validated on the same folds.
        windows, groups: that they were scored on.
        parity: largest differences of the outputs.
    """

    float_bytes: int
    int8_bytes: int
    loss: dict[str, float]
    windows: int
    groups: int
    parity: Parity

    @property
    def worst_loss(self) -> float:
        return max(self.loss.values())


def write_int8(encoder: ImuEncoder, path: Path, rows: LabelledRows, settings: ProbeSettings, projection: bool = True) -> Int8Check:
    """Write an ONNX file with 8-bit products, if it is worth it.

    Args:
        rows: labelled windows that a probe is cross-validated on, once with either file's features.

    Raises:
        UserError: the file does not shrink, or the probe loses more than a point; nothing is left behind.
    """
    require_classes(rows)
    if rows.imu is None:
        raise UserError("8 bits are judged on windows, and a file of features has none; give recordings with labels")
    plan = plan_folds(rows, settings.folds, settings.seed)
    with TemporaryDirectory(prefix="primus-") as folder, atomic_path(path) as temporary:
        plain = Path(folder) / "float.onnx"
        write_onnx(encoder, plain, "unrolled", projection)
        quantise_onnx(plain, temporary)
        sizes = plain.stat().st_size, temporary.stat().st_size
        if sizes[1] > LARGEST_SHARE * sizes[0]:
            raise UserError(f"8 bits do not shrink this model ({sizes[0]} to {sizes[1]} bytes); nothing was kept, export it without --int8")
        scores = [probe_scores(replace(rows, feature=_features(OnnxEncoder(file), rows.imu)), plan, settings.c) for file in (plain, temporary)]
        loss = {name: scores[0].estimates[name].mean - scores[1].estimates[name].mean for name in ("accuracy", "macro_f1")}
        check = Int8Check(*sizes, loss, len(rows), len(plan.groups), compare(encoder, OnnxEncoder(temporary)))
        if check.worst_loss > LARGEST_LOSS:
            raise UserError(
                f"with 8 bits a probe on these labels loses {100 * check.worst_loss:.1f} points, more than {100 * LARGEST_LOSS:.0f}; "
                "nothing was kept, export it without --int8"
            )
        return check


def _features(run: OnnxEncoder, imu: np.ndarray) -> np.ndarray:
    return np.concatenate([run(imu[begin : begin + BATCH])["feature"] for begin in range(0, len(imu), BATCH)])
