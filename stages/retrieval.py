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

from pathlib import Path
from typing import Any

import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.evaluation.encoders import comparable_encoders
from primus.evaluation.gallery import draw_galleries, gallery_sizes, gallery_table, stored_modalities
from primus.evaluation.retrieval_run import (
    RetrievalParams,
    chance_of,
    curve_table,
    estimates_of,
    rank_table,
    reason_for_nothing,
    retrieval_metrics,
    search,
)
from primus.params import Compute, load, load_value, profile_name
from primus.stage import StageLog, stage


@stage("retrieval")
def main() -> None:
    """Rank video and narrations by IMU, and IMU by them, under every method with a trained multimodal projection."""
    params, root, log = load(RetrievalParams, "retrieval"), Path("data") / profile_name(), StageLog("retrieval")
    torch.set_num_threads(1)  # each batch is encoded on one core, as in the features stage
    modalities = stored_modalities(root)
    galleries = draw_galleries(root, modalities, params.gallery, params.seed) if modalities else []
    folds = read_table(root / "segments" / "splits.parquet", columns=["fold"])["fold"].unique().tolist()
    encoders = comparable_encoders(root / "models", load_value("methods"), folds).multimodal()
    nothing = reason_for_nothing(galleries, modalities, encoders)
    found = {} if nothing else search(root, galleries, encoders, load(Compute, "compute").threads)
    log.event("searched", methods=len(found), queries=sum(len(gallery.table) for gallery in galleries))

    chance = chance_of(galleries)
    scores = {method: estimates_of(by_seed, galleries, params) for method, by_seed in found.items()}
    with atomic_folder(root / "retrieval") as out:
        write_table(out / "gallery.parquet", gallery_table(galleries))
        write_table(out / "ranks.parquet", rank_table(found, galleries))
        write_json(out / "skipped.json", {"stage": nothing, "methods": encoders.skipped})
    metrics: dict[str, Any] = {"skipped": int(bool(nothing)), "skipped_methods": dict.fromkeys(encoders.skipped, 1), "chance": chance}
    metrics |= {"gallery": gallery_sizes(galleries, params.gallery)} if galleries else {}
    write_json("metrics/retrieval.json", metrics | retrieval_metrics(scores))
    write_csv("metrics/plots/retrieval.csv", curve_table(scores, chance))
    for name, reason in (encoders.skipped | ({"retrieval": nothing} if nothing else {})).items():
        print(f"{name}: skipped, {reason}")
    print(f"retrieval: {len(scores)} method(s) on {len(galleries)} galler{'y' if len(galleries) == 1 else 'ies'}")


if __name__ == "__main__":
    typer.run(main)
