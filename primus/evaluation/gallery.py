"""Galleries: validation segments of pretraining that have every modality of the corpus, equally many in every fold, with their embeddings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from primus.artifacts import read_table
from primus.embeddings.store import read_embeddings
from primus.embeddings.text import clean_text
from primus.evaluation.leakage import groups
from primus.evaluation.retrieval import choose_gallery, codes_of, same

MODALITIES = ("video", "text")


@dataclass(frozen=True)
class Gallery:
    """The segments of one fold: table, and by modality embeddings (N, D) and which items are the same (N, N)."""

    fold: int
    table: pd.DataFrame
    embeddings: dict[str, np.ndarray]
    same: dict[str, np.ndarray]


def gallery_candidates(root: Path, modalities: tuple[str, ...]) -> dict[int, pd.DataFrame]:
    """Validation segments with every modality, by fold."""
    segments = read_table(root / "segments" / "segments.parquet")
    splits = read_table(root / "segments" / "splits.parquet")
    segments = segments[segments["purpose"] == "pretrain"].assign(group=groups)
    for name in modalities:
        with read_embeddings(root / "embeddings" / f"{name}.h5") as stored:
            segments = segments[segments["segment_id"].isin(stored.keys.tolist())]
    validation = splits.loc[splits["split"] == "val", ["fold", "dataset", "take_uid"]]
    joined = validation.merge(segments, on=["dataset", "take_uid"])
    return {int(fold): joined[joined["fold"] == fold].sort_values("segment_id").reset_index(drop=True) for fold in sorted(splits["fold"].unique())}


def draw_galleries(root: Path, modalities: tuple[str, ...], most: int, seed: int) -> list[Gallery]:
    """The galleries of all folds, equally large; none where a fold has fewer than two candidates.

    Args:
        root: data/<profile>.
        modalities: that every segment must have.
        most: segments per gallery.
        seed: of the draw.
    """
    tables = [
        (fold, table.iloc[choose_gallery(table, most, seed, fold)].reset_index(drop=True))
        for fold, table in gallery_candidates(root, modalities).items()
    ]
    size = min((len(table) for _, table in tables), default=0)
    return [_with_embeddings(root, fold, table.head(size), modalities) for fold, table in tables] if size >= 2 else []


def _with_embeddings(root: Path, fold: int, table: pd.DataFrame, modalities: tuple[str, ...]) -> Gallery:
    """Read the frozen embeddings of a gallery, and tell which of them are the same."""
    embeddings, equal = {}, {}
    for name in modalities:
        with read_embeddings(root / "embeddings" / f"{name}.h5") as stored:
            embeddings[name] = stored.rows("embedding", table["segment_id"].tolist())
        said = None
        if name == "text":
            said = codes_of([tuple(sorted({clean_text(text).casefold() for text in texts})) for texts in table["texts"]])
        equal[name] = same(codes_of(embeddings[name]), said)
    return Gallery(fold, table, embeddings, equal)


def stored_modalities(root: Path) -> tuple[str, ...]:
    """Modalities of which the corpus has an embedding."""
    found = []
    for name in MODALITIES:
        with read_embeddings(root / "embeddings" / f"{name}.h5") as stored:
            if len(stored) > 0:
                found.append(name)
    return tuple(found)


def gallery_table(galleries: list[Gallery]) -> pd.DataFrame:
    """Fold, place and segment_id of every item."""
    places = [gallery.table.assign(place=range(len(gallery.table)))[["fold", "place", "segment_id"]] for gallery in galleries]
    return pd.concat(places) if places else pd.DataFrame(columns=["fold", "place", "segment_id"])


def gallery_sizes(galleries: list[Gallery], asked: int) -> dict[str, int]:
    """Size of the galleries; numbers of distinct answers are those of the first fold."""
    first = galleries[0]
    return {
        "segments": len(first.table),
        "asked": asked,
        "complete": int(len(first.table) == asked),
        "folds": len(galleries),
        "queries": sum(len(gallery.table) for gallery in galleries),
        "participants": len({group for gallery in galleries for group in gallery.table["group"]}),
    } | {f"distinct_{name}": len(np.unique(equal.argmax(axis=1))) for name, equal in first.same.items()}
