"""Features of every labelled segment under one method's frozen encoders: data/<profile>/features/<method>/seed<k>[-fold<f>].h5.

A method of hand-made statistics gets files of the same kind.
"""

from pathlib import Path
from typing import Annotated, get_args

import torch
import typer

from primus.artifacts import atomic_folder, read_table
from primus.errors import UserError
from primus.evaluation.encoders import read_encoder
from primus.evaluation.feature_files import encoder_attributes, features_path, hand_made_files
from primus.evaluation.features import encode_batches
from primus.evaluation.protocols import Protocol, segments_to_encode
from primus.evaluation.window_statistics import statistic_names, window_statistics
from primus.keyed_arrays import KeyedArrays, KeyedWriter
from primus.models.encoder import ImuEncoder
from primus.params import Compute, load, profile_name, resolve
from primus.run_folder import HandMade, read_skipped, read_statistics, run_folders, write_skipped
from primus.stage import StageLog, progress, stage
from primus.typed import nearest

ROWS = 4096  # windows whose statistics are computed at once


def encode(model: Path, imu: KeyedArrays, keys: list[str], target: Path, method: str, threads: int) -> int:
    """Write the features of segments `keys` under the encoder in folder `model`; returns the number of rows."""
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
    attrs = encoder_attributes(method, read_encoder(model))
    batches = encode_batches(encoder, lambda start, stop: windows[positions[start:stop]], len(keys), threads)
    written = 0
    with KeyedWriter(target, {name: ((width,), "float32") for name, width in widths.items()}, attrs) as writer:
        for batch in batches:
            count = len(batch["feature"])
            writer.append(keys[written : written + count], batch)
            written += count
    return written


def describe(made: HandMade, imu: KeyedArrays, keys: list[str], out: Path, method: str) -> None:
    """Write hand-made statistics of segments `keys` for every fold."""
    names, positions = statistic_names(), imu.positions(keys)
    windows, rate_hz = imu.memmap("imu"), float(imu.attrs["rate_hz"])
    for target, attrs in hand_made_files(out, method, made, names).items():
        with KeyedWriter(target, {"feature": ((len(names),), "float32")}, attrs) as writer:
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
    folders, statistics = run_folders(models), read_statistics(models)
    with atomic_folder(root / "features" / method) as out:
        if not folders and statistics is None:
            reason = read_skipped(models) or "pretraining left no model"
            write_skipped(out, reason)
            print(f"{method}: skipped ({reason})")
            return
        segments = read_table(root / "segments" / "segments.parquet", columns=["segment_id", "dataset", "purpose", "label"])
        keys = segments_to_encode(segments, chosen_protocol())
        if not keys:
            raise UserError(f"{root}/segments/segments.parquet has no probe segment; give a data set of the profile the purpose 'probe'")
        with KeyedArrays(root / "segments" / "imu.h5") as imu:
            if statistics is not None:
                describe(statistics, imu, keys, out, method)
            for folder in progress(folders, f"features {method}", unit="model") if folders else ():
                count = encode(folder, imu, keys, features_path(out, folder.name), method, threads)
                log.event("encoded", method=method, model=folder.name, segments=count)
    print(f"{method}: {len(keys)} segments " + (f"under {len(folders)} encoder(s)" if folders else "described by statistics"))


if __name__ == "__main__":
    typer.run(main)
