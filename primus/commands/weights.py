"""Commands that turn published weights into files of this project."""

from pathlib import Path
from typing import Annotated

import typer


def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="The authors' released Lightning checkpoint (622 MB).")],
    out: Annotated[Path, typer.Argument(help="Folder to write: config.json and model.safetensors (<= 6 MB).")],
) -> None:
    """Turn the released checkpoint into a small folder that `ImuEncoder.from_pretrained` reads. Nothing but tensors is unpickled."""
    from primus.models.weights import load_released_checkpoint

    load_released_checkpoint(file).save_pretrained(out)
    print(f"wrote {out}")


def convert_clip(
    folder: Annotated[
        Path, typer.Argument(help="CLIP4Clip (or CLIP) in Hugging Face format: config.json and model.safetensors or pytorch_model.bin.")
    ],
    out: Annotated[Path, typer.Argument(help="Where to write: a folder, or a .safetensors file.")],
) -> None:
    """Convert CLIP4Clip weights from Hugging Face format to open_clip, checking outputs and not only shapes."""
    from primus.embeddings.convert import convert_clip as convert

    print(f"wrote {convert(folder, out)}")
