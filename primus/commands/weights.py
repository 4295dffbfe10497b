"""Commands that turn published weights into files of this project."""

from pathlib import Path
from typing import Annotated

import typer

from primus.commands.options import folder_to_write
from primus.errors import UserError


def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="The authors' released Lightning checkpoint (622 MB).")],
    out: Annotated[Path, typer.Argument(help="Folder to write: config.json and model.safetensors (<= 6 MB).")],
) -> None:
    """Turn the released checkpoint into a small folder that `ImuEncoder.from_pretrained` reads. Nothing but tensors is unpickled."""
    from primus.models.pretrained import CARD, CONFIG, WEIGHTS
    from primus.models.weights import load_released_checkpoint

    folder_to_write(out, CONFIG, "OUT")
    beside = sorted(path.name for path in out.iterdir() if path.name not in (CARD, CONFIG, WEIGHTS)) if out.is_dir() else []
    if beside:
        raise UserError(f"OUT {out} holds {', '.join(beside[:3])} beside a model, which would no longer belong together; give a new folder")
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
