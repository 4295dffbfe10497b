"""Methods in which nothing is trained here: the authors' released encoder, and hand-made statistics in place of an encoder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from primus import run_folder
from primus.artifacts import atomic_folder
from primus.models.encoder import InputContract
from primus.models.weights import load_released_checkpoint


def checkpoint_file(spec: str, dvc_root: Path) -> Path | str:
    """The file a `checkpoint` setting names, or why there is none.

    `$NAME` or `$NAME/file` is read from the environment, and a relative value there is taken from `dvc_root`; any other setting is a path as it is.
    """
    if not spec.startswith("$"):
        path = Path(spec).expanduser()
        return path if path.is_file() else f"the checkpoint {spec} is not a file"
    name, _, below = spec[1:].partition("/")
    value = os.environ.get(name.strip("{}"), "")
    if not value:
        return (
            f"the environment variable {name} is not set; export it with the path of the authors' checkpoint, then `dvc repro -f pretrain@<method>`"
        )
    path = dvc_root / Path(value).expanduser() / below
    return path if path.is_file() else f"{name}={value} is not a file; expected the authors' checkpoint"


def write_released(folder: Path, spec: str, folds: Sequence[int], inputs: InputContract, facts: Mapping[str, Any]) -> str:
    """Write the released encoder as the model of every fold, or `skipped.json`; returns the reason where it was skipped, else "".

    Args:
        folder: the method's folder of models.
        spec: see `checkpoint_file`.
        folds: of the splits; the encoder is the same in all of them.
        inputs: what the segments are; the released encoder knows windows of 5 s at 50 Hz only.
        facts: for config.json, beside seed, fold and representation.

    Raises:
        UserError: the file is no released checkpoint.
    """
    path = checkpoint_file(spec, Path(os.environ.get("DVC_ROOT", ".")))
    with atomic_folder(folder) as out:
        if isinstance(path, str):
            return _skip(out, path)
        encoder = load_released_checkpoint(path)
        wanted = encoder.inputs
        if (wanted.rate_hz, wanted.window_s) != (inputs.rate_hz, inputs.window_s):
            return _skip(
                out,
                f"the released encoder takes windows of {wanted.window_s:g} s at {wanted.rate_hz:g} Hz, "
                f"the segments have {inputs.window_s:g} s at {inputs.rate_hz:g} Hz",
            )
        for fold in folds:
            encoder.save_pretrained(out / run_folder.run_name(0, fold, len(folds)), **{**encoder.metadata, **facts, "seed": 0, "fold": fold})
    return ""


def write_statistics(folder: Path, folds: Sequence[int], probe: str | None) -> None:
    """Say that the method's features are hand-made, for which folds, and the head it is judged by."""
    with atomic_folder(folder) as out:
        run_folder.write_statistics(out, run_folder.HandMade(folds, probe))


def _skip(out: Path, reason: str) -> str:
    run_folder.write_skipped(out, reason)
    return reason
