"""Options that several commands share, and what is checked of them before any work."""

from pathlib import Path
from typing import Annotated

import typer

from primus.errors import UserError

MODEL_HELP = "Folder of a model (config.json, model.safetensors), or a Hugging Face id."

Model = Annotated[str, typer.Option(help=MODEL_HELP)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def folder_to_write(out: Path, made_by: str, option: str = "--out") -> Path:
    """The folder itself, if writing it loses nothing: it is replaced as a whole.

    Args:
        out: as the person gave it.
        made_by: a file by which an earlier result is known; only such a folder, or an empty one, is replaced.
        option: what the person calls it.

    Raises:
        UserError: it is a file, the working folder or one above it, or a folder of other things.
    """
    resolved = out.resolve()
    if Path.cwd().is_relative_to(resolved) or out.name == "..":
        raise UserError(
            f"{option} {out} is the working folder or one above it, and would be replaced as a whole; give a new folder, e.g. {out / 'result'}"
        )
    if out.exists() and not out.is_dir():
        raise UserError(f"{option} {out} is a file; give a folder to write")
    if out.is_dir() and not (out / made_by).is_file() and any(out.iterdir()):
        raise UserError(f"{option} {out} is a folder of other things (it has no {made_by}), and would be replaced as a whole; give a new folder")
    return out


def file_to_write(out: Path, ending: str) -> Path:
    """The file itself, if its name says what will be in it; so no model, recording or folder can be taken for an earlier result.

    Args:
        out: as the person gave it.
        ending: of its name, e.g. ".parquet".

    Raises:
        UserError: it is a folder, or its name ends otherwise.
    """
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; give the {ending} file to write, e.g. {out / f'result{ending}'}")
    if not out.name.lower().endswith(ending):
        raise UserError(f"--out {out} does not end in {ending}, which is what is written; give e.g. {out.with_suffix(ending)}")
    return out
