"""Retrieval under every encoder of a run: expected scores of every query, what they come to, and what guessing would score."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primus.evaluation.encoders import Comparable
from primus.evaluation.features import encode_batches
from primus.evaluation.gallery import Gallery
from primus.evaluation.retrieval import METRICS, by_chance, codes_of, estimate, first_correct, summary
from primus.evaluation.scalars import with_bounds
from primus.evaluation.statistics import Estimate, Resampling
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder
from primus.stage import progress

RANK_COLUMNS = ["method", "seed", "fold", "direction", "segment_id", "correct", "rank", "r1", "r5", "r10", "reciprocal_rank"]
CURVE_COLUMNS = ["method", "direction", "metric", "value", "lo", "hi", "chance"]

Values = dict[str, np.ndarray]
"""Metric -> (N,) expected score of every query of a gallery."""

BySeed = dict[int, dict[int, dict[str, Values]]]
"""Pretraining seed -> fold -> direction -> scores."""

Scores = dict[str, dict[str, dict[str, Estimate]]]
"""Method -> direction -> metric -> estimate."""


@dataclass(frozen=True)
class RetrievalParams:
    """Section `retrieval` of params.yaml.

    Attributes:
        gallery: most segments to choose from.
        bootstrap: replicates of the intervals.
        seed: of the draw of the gallery and of the bootstrap.
    """

    gallery: int
    bootstrap: int
    seed: int

    def __post_init__(self) -> None:
        if self.gallery < 2 or self.bootstrap < 1:
            raise ValueError(f"retrieval.gallery must be >= 2 and .bootstrap >= 1, found {self.gallery} and {self.bootstrap}")


def directions(gallery: Gallery, projections: np.ndarray) -> dict[str, Values]:
    """Direction -> expected scores of every query."""
    found = {}
    for name, vectors in gallery.embeddings.items():
        found[f"imu_to_{name}"] = first_correct(projections, vectors, gallery.same[name]).expected()
        found[f"{name}_to_imu"] = first_correct(vectors, projections, gallery.same[name]).expected()
    return found


def _project(folder: Path, gallery: Gallery, imu: KeyedArrays, threads: int) -> np.ndarray:
    """Multimodal projections (N, D) float32 of a gallery's segments."""
    windows, positions = imu.memmap("imu"), imu.positions(gallery.table["segment_id"].tolist())
    encoder = ImuEncoder.from_pretrained(folder)
    batches = encode_batches(encoder, lambda start, stop: windows[positions[start:stop]], len(positions), threads)
    return np.concatenate([batch["multimodal"] for batch in batches])


def search(root: Path, galleries: list[Gallery], encoders: Comparable, threads: int) -> dict[str, BySeed]:
    """method -> pretraining seed -> fold -> direction -> expected scores."""
    found: dict[str, BySeed] = {}
    with KeyedArrays(root / "segments" / "imu.h5") as imu:
        for method, saved in progress(encoders.encoders.items(), "retrieval", len(encoders.encoders), unit="method"):
            for gallery in galleries:
                for encoder in (one for one in saved if one.fold == gallery.fold):
                    scored = directions(gallery, _project(encoder.folder, gallery, imu, threads))
                    found.setdefault(method, {}).setdefault(encoder.seed, {})[gallery.fold] = scored
    return found


def estimates_of(by_seed: BySeed, galleries: list[Gallery], params: RetrievalParams) -> dict[str, dict[str, Estimate]]:
    """Direction -> metric -> estimate."""
    people = codes_of([group for gallery in galleries for group in gallery.table["group"]])
    resampling = Resampling.draw(params.bootstrap, len(by_seed), 1, int(people.max()) + 1, params.seed, "retrieval")
    found: dict[str, dict[str, Estimate]] = {}
    for direction in next(iter(by_seed.values()))[galleries[0].fold]:
        values = {
            name: np.stack(
                [np.concatenate([by_fold[gallery.fold][direction][name] for gallery in galleries]) for _, by_fold in sorted(by_seed.items())]
            )
            for name in METRICS
        }
        found[direction] = estimate(values, people, resampling)
    return found


def chance_of(galleries: list[Gallery]) -> dict[str, dict[str, float]]:
    """Direction -> metric -> what guessing scores; both directions of a modality have the same."""
    found: dict[str, dict[str, float]] = {}
    for name in galleries[0].same if galleries else ():
        parts = [by_chance(gallery.same[name]) for gallery in galleries]
        guessed = summary({metric: np.concatenate([part[metric] for part in parts]) for metric in METRICS})
        found |= {f"imu_to_{name}": guessed, f"{name}_to_imu": guessed}
    return found


def rank_table(found: Mapping[str, BySeed], galleries: list[Gallery]) -> pd.DataFrame:
    """One row per query."""
    parts = []
    for method, by_seed in found.items():
        for seed, by_fold in by_seed.items():
            for gallery in galleries:
                for direction, values in by_fold[gallery.fold].items():
                    modality = direction.replace("imu", "").strip("_").removeprefix("to_").removesuffix("_to")
                    columns = (method, seed, gallery.fold, direction, gallery.table["segment_id"], gallery.same[modality].sum(axis=1))
                    scores = (values[name] for name in ("median_rank", "r1", "r5", "r10", "mrr"))
                    parts.append(pd.DataFrame(dict(zip(RANK_COLUMNS, (*columns, *scores), strict=True))))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=RANK_COLUMNS)


def curve_table(scores: Scores, chance: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """One row per method, direction and metric."""
    rows = [
        (method, direction, name, value.mean, value.lo, value.hi, chance[direction][name])
        for method, by_direction in scores.items()
        for direction, values in by_direction.items()
        for name, value in values.items()
    ]
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def retrieval_metrics(scores: Scores) -> dict[str, Any]:
    """Nested scalars: method -> direction -> metric."""
    return {
        method: {
            direction: {key: number for name, value in values.items() for key, number in with_bounds(name, value).items()}
            for direction, values in by_direction.items()
        }
        for method, by_direction in scores.items()
    }


def reason_for_nothing(galleries: list[Gallery], modalities: tuple[str, ...], encoders: Comparable) -> str:
    """Why nothing can be retrieved, or ""."""
    if not modalities:
        return "the corpus has neither narrations nor video"
    if not galleries:
        return f"a fold has fewer than two validation segments with {' and '.join(modalities)}"
    return "" if encoders.encoders else "no method has a trained multimodal projection"
