"""Write a take or a check into the kind of file that its name asks for."""

from pathlib import Path

from primus.artifacts import atomic_path
from primus.errors import UserError
from primus.inspection.embeddings_page import embeddings_page
from primus.inspection.neighbours import EmbeddingCheck
from primus.inspection.take_page import take_page
from primus.inspection.take_picture import write_take_picture
from primus.inspection.takes import InspectedTake


def draw_take(take: InspectedTake, target: Path) -> None:
    """A page (.html) or a picture (.png) of a take; the file appears whole or not at all.

    Raises:
        UserError: `target` ends otherwise, or cannot be written.
    """
    if _kind(target, (".html", ".png")) == ".png":
        write_take_picture(take, target)
    else:
        _write(take_page(take), target)


def draw_embeddings(check: EmbeddingCheck, target: Path) -> None:
    """A page (.html) of a check of embeddings.

    Raises:
        UserError: `target` ends otherwise, or cannot be written.
    """
    _kind(target, (".html",))
    _write(embeddings_page(check), target)


def _kind(target: Path, known: tuple[str, ...]) -> str:
    suffix = target.suffix.lower()
    if suffix not in known:
        raise UserError(f"--out {target} ends in {suffix or 'no suffix'!r}; expected {' or '.join(known)}")
    return suffix


def _write(document: str, target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text(document, encoding="utf-8")
