"""Files of features in data/<profile>/features/<method>/: named like the encoders' folders, written by one stage and read by those after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from primus.errors import UserError
from primus.evaluation.encoders import SavedEncoder
from primus.keyed_arrays import Attribute, KeyedArrays
from primus.run_folder import HandMade, read_skipped, run_name


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """Features of one encoder of one method, or hand-made ones.

    Attributes:
        file: its features by segment.
        method, seed, fold: which.
        representation: the output its method is judged by.
        head: the head that its method names for itself, "" where it takes the one that all methods take.
        text_trained: whether its multimodal projection was trained against text.
        model: folder of its weights; None where there are none to train (hand-made statistics).
    """

    file: KeyedArrays
    method: str
    seed: int
    fold: int
    representation: str
    head: str
    text_trained: bool
    model: Path | None


def features_path(folder: Path, run: str) -> Path:
    """Where the features of the encoder in folder `run` of a method lie; `folder` is data/<profile>/features/<method>."""
    return folder / f"{run}.h5"


def encoder_attributes(method: str, encoder: SavedEncoder) -> dict[str, Attribute]:
    """Attributes of the file of an encoder's features."""
    return {
        "method": method,
        "seed": encoder.seed,
        "fold": encoder.fold,
        "representation": encoder.representation,
        "probe": encoder.head,
        "text_trained": encoder.text_trained,
    }


def hand_made_files(folder: Path, method: str, made: HandMade, columns: list[str]) -> Mapping[Path, dict[str, Attribute]]:
    """Path and attributes of the files of hand-made features, one per fold; `columns` are the statistics' names."""
    common: dict[str, Attribute] = {"method": method, "seed": 0, "representation": "feature", "probe": made.probe or "", "columns": ",".join(columns)}
    return {features_path(folder, run_name(0, fold, len(made.folds))): common | {"fold": fold} for fold in made.folds}


def read_feature_files(root: Path, method: str) -> list[FeatureFile] | str:
    """A method's files of features, sorted by name, or the reason for which it was skipped; `root` is data/<profile>.

    Raises:
        UserError: the features stage has not run, or left nothing.
    """
    folder = root / "features" / method
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist; run `dvc repro features`")
    reason = read_skipped(folder)
    if reason is not None:
        return reason
    found = [_described(path, method, root / "models" / method / path.stem) for path in sorted(folder.glob("*.h5"))]
    if not found:
        raise UserError(f"{folder} holds neither features nor skipped.json; run `dvc repro -f features`")
    return found


def _described(path: Path, method: str, model: Path) -> FeatureFile:
    file = KeyedArrays(path)
    attrs = file.attrs
    return FeatureFile(
        file,
        method,
        int(attrs["seed"]),
        int(attrs["fold"]),
        str(attrs["representation"]),
        str(attrs.get("probe", "")),
        bool(attrs.get("text_trained", False)),
        model if (model / "model.safetensors").exists() else None,
    )
