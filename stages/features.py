"""Features of every labelled segment under one method's frozen encoders: data/<profile>/features/<method>/seed<k>[-fold<f>].h5.

A method of hand-made statistics gets files of the same kind.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import torch
import typer

from primus.artifacts import atomic_folder, read_json, read_table, write_json
from primus.errors import UserError
from primus.evaluation.features import REPRESENTATIONS, encode_batches
from primus.evaluation.protocols import Protocol, segments_to_encode
from primus.evaluation.window_statistics import statistic_names, window_statistics
from primus.keyed_arrays import Attribute, KeyedArrays, KeyedWriter
from primus.models.encoder import ImuEncoder
from primus.params import Compute, load, nearest, profile_name, resolve
from primus.stage import StageLog, progress, stage
from primus.training.given import STATISTICS

ROWS = 4096  # windows whose statistics are computed at once
MODEL = re.compile(r"seed(?P<seed>\d+)(-fold(?P<fold>\d+))?")


def represented(encoder: ImuEncoder, folder: Path) -> str:
    """The representation to be probed, as the model's config.json names it."""
    name = encoder.metadata.get("representation")
    if name not in REPRESENTATIONS:
        raise UserError(f"{folder}/config.json: training.representation is {name!r}, expected one of {', '.join(REPRESENTATIONS)}; rerun pretraining")
    return str(name)


def trained_with_text(objective: Mapping[str, Any]) -> bool:
    """Whether the multimodal projection was trained against text, by the settings in the model's config.json."""
    neighbours = float(objective.get("lambda_nn", 0)) > 0 and (objective.get("nn") or {}).get("terms") == "both"
    aligned = float(objective.get("lambda_mm", 0)) > 0 or neighbours
    return objective.get("objective") == "released" or (aligned and "text" in objective.get("modalities", ()))


def encode(model: Path, imu: KeyedArrays, keys: list[str], target: Path, method: str, threads: int) -> int:
    """Write the features of segments `keys` under the encoder in folder `model`; returns the number of rows."""
    named = MODEL.fullmatch(model.name)
    if named is None:
        raise UserError(f"{model} is not called seed<k> or seed<k>-fold<f>; remove it and rerun pretraining")
    encoder = ImuEncoder.from_pretrained(model)
    wanted, found = (encoder.inputs.rate_hz, encoder.inputs.window_s), (imu.attrs["rate_hz"], imu.attrs["window_s"])
    if wanted != found:
        raise UserError(
            f"{model} was trained on windows of {wanted[1]:g} s at {wanted[0]:g} Hz, the segments have {found[1]:g} s at {found[0]:g} Hz; "
            "rerun pretraining on these segments"
        )
    windows, positions = imu.memmap("imu"), imu.positions(keys)
    widths = {"feature": encoder.feature_dim}
    if encoder.ssl_head is not None:
        widths |= dict.fromkeys(("self_supervised", "multimodal"), encoder.projection_dim)
    objective = encoder.metadata.get("objective") or {}
    attrs: dict[str, Attribute] = {
        "method": method,
        "seed": int(named["seed"]),
        "fold": int(named["fold"] or 0),
        "representation": represented(encoder, model),
        "probe": str(objective.get("probe") or ""),
        "text_trained": trained_with_text(objective),
    }
    batches = encode_batches(encoder, lambda start, stop: windows[positions[start:stop]], len(keys), threads)
    written = 0
    with KeyedWriter(target, {name: ((width,), "float32") for name, width in widths.items()}, attrs) as writer:
        for batch in batches:
            count = len(batch["feature"])
            writer.append(keys[written : written + count], batch)
            written += count
    return written


def describe(found: dict[str, Any], imu: KeyedArrays, keys: list[str], out: Path, method: str) -> None:
    """Write hand-made statistics of segments `keys` for every fold that `found`, the method's statistics.json, names."""
    names, positions = statistic_names(), imu.positions(keys)
    windows, rate_hz = imu.memmap("imu"), float(imu.attrs["rate_hz"])
    for fold in found["folds"]:
        attrs: dict[str, Attribute] = {"method": method, "seed": 0, "fold": int(fold), "representation": "feature", "probe": found["probe"] or ""}
        target = out / (f"seed0-fold{fold}.h5" if len(found["folds"]) > 1 else "seed0.h5")
        with KeyedWriter(target, {"feature": ((len(names),), "float32")}, attrs | {"columns": ",".join(names)}) as writer:
            for start in range(0, len(keys), ROWS):
                writer.append(keys[start : start + ROWS], {"feature": window_statistics(windows[positions[start : start + ROWS]], rate_hz)})


def chosen_protocol() -> Protocol:
    """`fewshot.protocol`: the one setting of the few-shot stage that decides which segments need features."""
    found = resolve("fewshot.protocol")
    known = {str(name): name for name in get_args(Protocol)}
    if found not in known:
        raise UserError(f"fewshot.protocol is {found!r}{nearest(str(found), known)}")
    return known[found]


@stage("features")
def main(method: Annotated[str, typer.Argument(help="a name under `methods` in params.yaml")]) -> None:
    """Encode every probe segment with every encoder (seed, fold) of METHOD."""
    threads = load(Compute, "compute").threads
    torch.set_num_threads(1)  # each batch is encoded on one core, `threads` of them at a time
    root = Path("data") / profile_name()
    models, log = root / "models" / method, StageLog("features")
    folders = sorted(path for path in models.glob("seed*") if path.is_dir()) if models.is_dir() else []
    statistics = read_json(models / STATISTICS) if (models / STATISTICS).exists() else None
    with atomic_folder(root / "features" / method) as out:
        if not folders and statistics is None:
            skipped = read_json(models / "skipped.json") if (models / "skipped.json").exists() else {"reason": "pretraining left no model"}
            write_json(out / "skipped.json", skipped)
            print(f"{method}: skipped ({skipped.get('reason', 'no reason given')})")
            return
        segments = read_table(root / "segments" / "segments.parquet", columns=["segment_id", "dataset", "purpose", "label"])
        keys = segments_to_encode(segments, chosen_protocol())
        if not keys:
            raise UserError(f"{root}/segments/segments.parquet has no probe segment; give a data set of the profile the purpose 'probe'")
        with KeyedArrays(root / "segments" / "imu.h5") as imu:
            if statistics is not None:
                describe(statistics, imu, keys, out, method)
            for folder in progress(folders, f"features {method}", unit="model") if folders else ():
                count = encode(folder, imu, keys, out / f"{folder.name}.h5", method, threads)
                log.event("encoded", method=method, model=folder.name, segments=count)
    print(f"{method}: {len(keys)} segments " + (f"under {len(folders)} encoder(s)" if folders else "described by statistics"))


if __name__ == "__main__":
    typer.run(main)
