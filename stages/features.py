"""Features of every labelled segment under one method's frozen encoders: data/<profile>/features/<method>/seed<k>[-fold<f>].h5."""

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from primus.artifacts import atomic_folder, read_json, read_table, write_json
from primus.errors import UserError
from primus.evaluation.features import REPRESENTATIONS, encode_batches
from primus.keyed_arrays import Attribute, KeyedArrays, KeyedWriter
from primus.models.encoder import ImuEncoder
from primus.params import Compute, load, profile_name
from primus.stage import StageLog, progress, stage

MODEL = re.compile(r"seed(?P<seed>\d+)(-fold(?P<fold>\d+))?")


def represented(encoder: ImuEncoder, folder: Path) -> str:
    """The representation to be probed, as the model's config.json names it."""
    name = encoder.metadata.get("representation")
    if name not in REPRESENTATIONS:
        raise UserError(f"{folder}/config.json: training.representation is {name!r}, expected one of {', '.join(REPRESENTATIONS)}; rerun pretraining")
    return str(name)


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
    attrs: dict[str, Attribute] = {
        "method": method,
        "seed": int(named["seed"]),
        "fold": int(named["fold"] or 0),
        "representation": represented(encoder, model),
    }
    batches = encode_batches(encoder, lambda start, stop: windows[positions[start:stop]], len(keys), threads)
    written = 0
    with KeyedWriter(target, {name: ((width,), "float32") for name, width in widths.items()}, attrs) as writer:
        for batch in batches:
            count = len(batch["feature"])
            writer.append(keys[written : written + count], batch)
            written += count
    return written


@stage("features")
def main(method: Annotated[str, typer.Argument(help="a name under `methods` in params.yaml")]) -> None:
    """Encode every probe segment with every encoder (seed, fold) of METHOD."""
    threads = load(Compute, "compute").threads
    torch.set_num_threads(1)  # each batch is encoded on one core, `threads` of them at a time
    root = Path("data") / profile_name()
    models, log = root / "models" / method, StageLog("features")
    folders = sorted(path for path in models.glob("seed*") if path.is_dir()) if models.is_dir() else []
    with atomic_folder(root / "features" / method) as out:
        if not folders:
            skipped = read_json(models / "skipped.json") if (models / "skipped.json").exists() else {"reason": "pretraining left no model"}
            write_json(out / "skipped.json", skipped)
            print(f"{method}: skipped ({skipped.get('reason', 'no reason given')})")
            return
        segments = read_table(root / "segments" / "segments.parquet", columns=["segment_id", "purpose"])
        keys = np.sort(segments.loc[segments["purpose"] == "probe", "segment_id"].to_numpy(dtype=str)).tolist()
        if not keys:
            raise UserError(f"{root}/segments/segments.parquet has no probe segment; give a data set of the profile the purpose 'probe'")
        with KeyedArrays(root / "segments" / "imu.h5") as imu:
            for folder in progress(folders, f"features {method}", unit="model"):
                count = encode(folder, imu, keys, out / f"{folder.name}.h5", method, threads)
                log.event("encoded", method=method, model=folder.name, segments=count)
    print(f"{method}: {len(keys)} segments under {len(folders)} encoder(s)")


if __name__ == "__main__":
    typer.run(main)
