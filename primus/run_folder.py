"""A method's folder of models: one folder per encoder, called by its seed and fold, or what stands there in place of encoders.

Without an encoder there is `skipped.json`, the reason in words, or `statistics.json`, where hand-made statistics of a window take its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from primus.artifacts import read_json, write_json
from primus.errors import UserError

SKIPPED, STATISTICS = "skipped.json", "statistics.json"


def run_name(seed: int, fold: int, folds: int) -> str:
    """`seed<k>`, or `seed<k>-fold<f>` where there is more than one fold."""
    return f"seed{seed}" + (f"-fold{fold}" if folds > 1 else "")


def run_folders(folder: Path) -> list[Path]:
    """The folders of a method's encoders, sorted by name; none where `folder` does not exist."""
    return [path for path in sorted(folder.glob("seed*")) if path.is_dir()]


def require_name(folder: Path, seed: int, fold: int) -> None:
    """Raise UserError if the folder of an encoder is not called by the seed and fold that it was pretrained with."""
    expected = run_name(seed, fold, 1), run_name(seed, fold, 2)
    if folder.name not in expected:
        raise UserError(
            f"{folder} holds an encoder of seed {seed} and fold {fold}, expected it in {' or '.join(expected)}; remove it and rerun pretraining"
        )


def write_skipped(folder: Path, reason: str) -> None:
    """Say why a method has no encoders, or no features."""
    write_json(folder / SKIPPED, {"reason": reason})


def read_skipped(folder: Path) -> str | None:
    """Why a method was skipped; None where it was not.

    Raises:
        UserError: the file holds no reason in words.
    """
    path = folder / SKIPPED
    if not path.exists():
        return None
    said = read_json(path)
    if not isinstance(said, dict) or not isinstance(said.get("reason", ""), str):
        raise UserError(f"{path} holds no reason in words; rerun pretraining")
    return said.get("reason") or "pretraining left no model"


@dataclass(frozen=True)
class HandMade:
    """A method whose features are hand-made.

    Attributes:
        folds: of the splits.
        probe: the head it is judged by; None for the one that all methods take.
    """

    folds: Sequence[int]
    probe: str | None


def write_statistics(folder: Path, made: HandMade) -> None:
    """Say that the method's features are hand-made."""
    write_json(folder / STATISTICS, asdict(made))


def read_statistics(folder: Path) -> HandMade | None:
    """What `write_statistics` was told; None where there is no such file.

    Raises:
        UserError: the file does not name its folds and head.
    """
    path = folder / STATISTICS
    if not path.exists():
        return None
    said = read_json(path)
    try:
        return HandMade([int(fold) for fold in said["folds"]], said["probe"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} does not state folds and probe; rerun pretraining") from None
