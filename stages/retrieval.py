"""Retrieval between IMU and video, and IMU and narrations, on a fixed gallery of validation segments.

The gallery: segments of pretraining's validation split that have every modality the corpus has, no two of a take overlapping, a seeded draw of at
most `retrieval.gallery`; the same number in every fold. Answers with the same embedding, or the same narrations, are all correct. No encoder was
trained on these segments, but the epoch that is exported was chosen by their loss.

Writes
- metrics/retrieval.json: `skipped` (1: there is no gallery, or no method), `skipped_methods` (name -> 1), `gallery` (segments, asked, complete,
  folds, queries, participants, and distinct_<modality>), `chance` (direction -> metric: what guessing scores) and per method, direction
  (imu_to_video, video_to_imu, imu_to_text, text_to_imu) and metric (r1, r5, r10, median_rank, mrr) the value, `_lo` and `_hi`;
- metrics/plots/retrieval.csv: method, direction, metric, value, lo, hi, chance;
- data/<profile>/retrieval/: ranks.parquet (one row per method, seed, fold, direction and query: expected rank, r1, r5, r10, reciprocal rank, and
  how many answers were correct), gallery.parquet (fold, place, segment_id), skipped.json (`stage`, `methods`: reasons).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.embeddings.store import read_embeddings
from primus.embeddings.text import clean_text
from primus.evaluation.encoders import Comparable, comparable_encoders
from primus.evaluation.features import encode_batches
from primus.evaluation.leakage import groups
from primus.evaluation.retrieval import METRICS, by_chance, choose_gallery, codes_of, estimate, first_correct, same, summary
from primus.evaluation.scalars import with_bounds
from primus.evaluation.statistics import Estimate, Resampling
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder
from primus.params import Compute, load, load_value, profile_name
from primus.stage import StageLog, progress, stage

MODALITIES = ("video", "text")
RANK_COLUMNS = ["method", "seed", "fold", "direction", "segment_id", "correct", "rank", "r1", "r5", "r10", "reciprocal_rank"]
CURVE_COLUMNS = ["method", "direction", "metric", "value", "lo", "hi", "chance"]
Values = dict[str, np.ndarray]


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


@dataclass(frozen=True)
class Gallery:
    """The segments of one fold: table, and by modality embeddings (N, D) and which items are the same (N, N)."""

    fold: int
    table: pd.DataFrame
    embeddings: dict[str, np.ndarray]
    same: dict[str, np.ndarray]


def candidates(root: Path, modalities: tuple[str, ...]) -> dict[int, pd.DataFrame]:
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


def draw(root: Path, modalities: tuple[str, ...], params: RetrievalParams) -> list[Gallery]:
    """The galleries of all folds, equally large; none where a fold has fewer than two candidates."""
    tables = [
        (fold, table.iloc[choose_gallery(table, params.gallery, params.seed, fold)].reset_index(drop=True))
        for fold, table in candidates(root, modalities).items()
    ]
    size = min((len(table) for _, table in tables), default=0)
    return [with_embeddings(root, fold, table.head(size), modalities) for fold, table in tables] if size >= 2 else []


def with_embeddings(root: Path, fold: int, table: pd.DataFrame, modalities: tuple[str, ...]) -> Gallery:
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


def directions(gallery: Gallery, projections: np.ndarray) -> dict[str, Values]:
    """Direction -> expected scores of every query."""
    found = {}
    for name, vectors in gallery.embeddings.items():
        found[f"imu_to_{name}"] = first_correct(projections, vectors, gallery.same[name]).expected()
        found[f"{name}_to_imu"] = first_correct(vectors, projections, gallery.same[name]).expected()
    return found


def project(folder: Path, gallery: Gallery, imu: KeyedArrays, threads: int) -> np.ndarray:
    """Multimodal projections (N, D) float32 of a gallery's segments."""
    windows, positions = imu.memmap("imu"), imu.positions(gallery.table["segment_id"].tolist())
    encoder = ImuEncoder.from_pretrained(folder)
    batches = encode_batches(encoder, lambda start, stop: windows[positions[start:stop]], len(positions), threads)
    return np.concatenate([batch["multimodal"] for batch in batches])


def search(root: Path, galleries: list[Gallery], encoders: Comparable, threads: int) -> dict[str, dict[int, dict[int, dict[str, Values]]]]:
    """method -> pretraining seed -> fold -> direction -> expected scores."""
    found: dict[str, dict[int, dict[int, dict[str, Values]]]] = {}
    with KeyedArrays(root / "segments" / "imu.h5") as imu:
        for method, saved in progress(encoders.encoders.items(), "retrieval", len(encoders.encoders), unit="method"):
            for gallery in galleries:
                for encoder in (one for one in saved if one.fold == gallery.fold):
                    scored = directions(gallery, project(encoder.folder, gallery, imu, threads))
                    found.setdefault(method, {}).setdefault(encoder.seed, {})[gallery.fold] = scored
    return found


def estimates_of(by_seed: Mapping[int, Mapping[int, Mapping[str, Values]]], galleries: list[Gallery], params: RetrievalParams) -> dict[str, Any]:
    """Direction -> metric -> estimate."""
    people = codes_of([group for gallery in galleries for group in gallery.table["group"]])
    resampling = Resampling.draw(params.bootstrap, len(by_seed), 1, int(people.max()) + 1, params.seed, "retrieval")
    found: dict[str, Any] = {}
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


def rank_table(found: Mapping[str, Mapping[int, Mapping[int, Mapping[str, Values]]]], galleries: list[Gallery]) -> pd.DataFrame:
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


def described(galleries: list[Gallery], params: RetrievalParams) -> dict[str, int]:
    """Size of the galleries; numbers of distinct answers are those of the first fold."""
    first = galleries[0]
    return {
        "segments": len(first.table),
        "asked": params.gallery,
        "complete": int(len(first.table) == params.gallery),
        "folds": len(galleries),
        "queries": sum(len(gallery.table) for gallery in galleries),
        "participants": len({group for gallery in galleries for group in gallery.table["group"]}),
    } | {f"distinct_{name}": len(np.unique(equal.argmax(axis=1))) for name, equal in first.same.items()}


def reason_for_nothing(galleries: list[Gallery], modalities: tuple[str, ...], encoders: Comparable) -> str:
    """Why nothing can be retrieved, or ""."""
    if not modalities:
        return "the corpus has neither narrations nor video"
    if not galleries:
        return f"a fold has fewer than two validation segments with {' and '.join(modalities)}"
    return "" if encoders.encoders else "no method has a trained multimodal projection"


@stage("retrieval")
def main() -> None:
    """Rank video and narrations by IMU, and IMU by them, under every method with a trained multimodal projection."""
    params, root, log = load(RetrievalParams, "retrieval"), Path("data") / profile_name(), StageLog("retrieval")
    torch.set_num_threads(1)  # each batch is encoded on one core, as in the features stage
    modalities = tuple(name for name in MODALITIES if has_embeddings(root / "embeddings" / f"{name}.h5"))
    galleries = draw(root, modalities, params) if modalities else []
    folds = read_table(root / "segments" / "splits.parquet", columns=["fold"])["fold"].unique().tolist()
    encoders = comparable_encoders(root / "models", load_value("methods"), folds).multimodal()
    nothing = reason_for_nothing(galleries, modalities, encoders)
    found = {} if nothing else search(root, galleries, encoders, load(Compute, "compute").threads)
    log.event("searched", methods=len(found), queries=sum(len(gallery.table) for gallery in galleries))

    chance = chance_of(galleries)
    scores: dict[str, dict[str, dict[str, Estimate]]] = {method: estimates_of(by_seed, galleries, params) for method, by_seed in found.items()}
    curves = [
        (method, direction, name, value.mean, value.lo, value.hi, chance[direction][name])
        for method, by_direction in scores.items()
        for direction, values in by_direction.items()
        for name, value in values.items()
    ]
    places = [gallery.table.assign(place=range(len(gallery.table)))[["fold", "place", "segment_id"]] for gallery in galleries]
    with atomic_folder(root / "retrieval") as out:
        write_table(out / "gallery.parquet", pd.concat(places) if places else pd.DataFrame(columns=["fold", "place", "segment_id"]))
        write_table(out / "ranks.parquet", rank_table(found, galleries))
        write_json(out / "skipped.json", {"stage": nothing, "methods": encoders.skipped})
    metrics: dict[str, Any] = {"skipped": int(bool(nothing)), "skipped_methods": dict.fromkeys(encoders.skipped, 1), "chance": chance}
    metrics |= {"gallery": described(galleries, params)} if galleries else {}
    for method, by_direction in scores.items():
        metrics[method] = {
            direction: {key: number for name, value in values.items() for key, number in with_bounds(name, value).items()}
            for direction, values in by_direction.items()
        }
    write_json("metrics/retrieval.json", metrics)
    write_csv("metrics/plots/retrieval.csv", pd.DataFrame(curves, columns=CURVE_COLUMNS))
    for name, reason in (encoders.skipped | ({"retrieval": nothing} if nothing else {})).items():
        print(f"{name}: skipped, {reason}")
    print(f"retrieval: {len(scores)} method(s) on {len(galleries)} galler{'y' if len(galleries) == 1 else 'ies'}")


def has_embeddings(path: Path) -> bool:
    """Whether a file of embeddings has a row."""
    with read_embeddings(path) as found:
        return len(found) > 0


if __name__ == "__main__":
    typer.run(main)
