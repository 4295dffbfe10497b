"""Classes without labels: zero-shot accuracy from frozen class prompts, for every method whose multimodal projection was trained.

Writes
- metrics/zeroshot.json: `skipped` (1: nothing could be scored), `skipped_methods` and `skipped_datasets` (name -> 1), and per data set `classes`,
  `chance` (1 / classes), `wordings`, `folds`, `test_participants`, `test_segments`, and per method, for each metric of the few-shot stage, its mean,
  `_lo` and `_hi` (participants and pretraining seeds resampled, with the few-shot stage's draws) and `_wording_sd`, `_wording_min`, `_wording_max`
  over the wordings each by itself;
- metrics/plots/zeroshot.csv: one row per data set and method, with the columns of metrics/plots/fewshot.csv at `shots` 0, so that the two can be
  joined, and the `_wording_` columns;
- data/<profile>/zeroshot/: scores.parquet (the same rows), wordings.parquet (dataset, method, wording, template, phrase, then the metrics),
  predictions.parquet (dataset, method, seed, participant, label, predicted, count), skipped.json (`stage`, `methods`, `datasets`: reasons).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.embeddings.clip import EncoderIdentity
from primus.embeddings.jobs import EncoderChoice
from primus.evaluation.encoders import Comparable, SavedEncoder, comparable_encoders
from primus.evaluation.feature_files import features_path
from primus.evaluation.metrics import METRICS
from primus.evaluation.prompts import ClassPrompts, has_prompts, load_prompts
from primus.evaluation.protocols import apply_protocol
from primus.evaluation.scalars import with_bounds
from primus.evaluation.settings import FewShotParams, ZeroShotParams
from primus.evaluation.statistics import Resampling, estimates
from primus.evaluation.tasks import Task, build_tasks
from primus.evaluation.zeroshot import ZeroShot, encode_prompts, require_encoder, score_zeroshot, stored, wording_scores
from primus.keyed_arrays import KeyedArrays
from primus.params import load, load_value, profile_name
from primus.stage import StageLog, stage

REPRESENTATION = "multimodal"
COLUMNS = ["dataset", "method", "representation", "shots", "complete"]
BOUNDS = [f"{name}{ending}" for name in METRICS for ending in ("", "_lo", "_hi")]
SPREAD = [f"{name}_wording_{kind}" for name in METRICS for kind in ("sd", "min", "max")]
WORDING_COLUMNS = ["dataset", "method", "wording", "template", "phrase", *METRICS]
PREDICTION_COLUMNS = ["dataset", "method", "seed", "participant", "label", "predicted", "count"]


@dataclass(frozen=True)
class Found:
    """What one method scored on one data set: the tasks of all folds, and per pretraining seed their counts together."""

    tasks: list[Task]
    prompts: ClassPrompts
    seeds: dict[int, ZeroShot]

    def row(self, dataset: str, method: str, fewshot: FewShotParams) -> dict[str, Any]:
        """The row of the score table."""
        counts = np.stack([found.counts for found in self.seeds.values()])[:, None]  # (S, 1, U, C, C)
        resampling = Resampling.draw(fewshot.bootstrap, len(counts), 1, counts.shape[2], fewshot.seed, dataset)
        row: dict[str, Any] = dict(zip(COLUMNS, (dataset, method, REPRESENTATION, 0, 1), strict=True))
        for name, value in estimates(counts, METRICS, resampling).items():
            row |= with_bounds(name, value)
        for name, values in self.by_wording().items():
            row |= {f"{name}_wording_sd": values.std(), f"{name}_wording_min": values.min(), f"{name}_wording_max": values.max()}
        return row

    def by_wording(self) -> dict[str, np.ndarray]:
        """Metric -> (W,)."""
        return wording_scores(np.stack([found.by_wording for found in self.seeds.values()]))

    def wordings(self, dataset: str, method: str) -> pd.DataFrame:
        """One row per wording."""
        pairs = self.prompts.wordings
        said = {
            "dataset": dataset,
            "method": method,
            "wording": range(len(pairs)),
            "template": [t for t, _ in pairs],
            "phrase": [p for _, p in pairs],
        }
        return pd.DataFrame(said | self.by_wording())

    def predictions(self, dataset: str, method: str) -> pd.DataFrame:
        """How often each participant's segments of a class were taken for another; zero counts are left out."""
        task, parts = self.tasks[0], []
        classes, people = np.array(task.classes, dtype=object), np.array(task.participants, dtype=object)
        for seed, found in self.seeds.items():
            person, label, predicted = np.nonzero(found.counts)
            count = found.counts[person, label, predicted]
            values = (dataset, method, seed, people[person], classes[label], classes[predicted], count)
            parts.append(pd.DataFrame(dict(zip(PREDICTION_COLUMNS, values, strict=True))))
        return pd.concat(parts, ignore_index=True)


def score(root: Path, tasks: list[Task], prompts: ClassPrompts, vectors: np.ndarray, encoders: Mapping[str, list[SavedEncoder]]) -> dict[str, Found]:
    """Score every method on the folds of one data set."""
    found: dict[str, Found] = {}
    for method, saved in encoders.items():
        seeds: dict[int, ZeroShot] = {}
        for task in tasks:
            for encoder in (one for one in saved if one.fold == task.fold):
                with KeyedArrays(features_path(root / "features" / method, encoder.folder.name)) as file:
                    projections = file.rows(REPRESENTATION, task.test["segment_id"].tolist())
                scored = score_zeroshot(task, projections, vectors)
                seeds[encoder.seed] = seeds[encoder.seed] + scored if encoder.seed in seeds else scored
        found[method] = Found(tasks, prompts, dict(sorted(seeds.items())))
    return found


def usable(datasets: list[str], params: ZeroShotParams) -> tuple[dict[str, ClassPrompts], dict[str, str]]:
    """Prompts by data set, and why a data set has none."""
    named = {dataset: params.prompts.get(dataset, dataset) for dataset in datasets}
    without = {
        dataset: f"no prompts; write primus/evaluation/class_prompts/{name}.json with the phrases of its classes"
        for dataset, name in named.items()
        if dataset not in params.prompts and not has_prompts(name)
    }
    return {dataset: load_prompts(name) for dataset, name in named.items() if dataset not in without}, without


def reason_for_nothing(root: Path, encoders: Comparable, prompts: Mapping[str, ClassPrompts]) -> str:
    """Why nothing can be scored, or ""."""
    if not any(stored(root / "embeddings" / f"{name}.h5") for name in ("text", "video")):
        return "the corpus has neither narrations nor video, so no projection was aligned with texts"
    if not encoders.encoders:
        return "no method has a trained multimodal projection"
    return "" if prompts else "no data set has class prompts"


def metrics(by_dataset: Mapping[str, Mapping[str, Found]], scores: pd.DataFrame) -> dict[str, Any]:
    """Nested scalars: dataset -> method -> score."""
    found: dict[str, Any] = {}
    for dataset, methods in by_dataset.items():
        any_method = next(iter(methods.values()))
        tasks = any_method.tasks
        found[dataset] = {
            "classes": len(tasks[0].classes),
            "chance": 1 / len(tasks[0].classes),
            "wordings": len(any_method.prompts.wordings),
            "folds": len(tasks),
            "test_participants": len(tasks[0].participants),
            "test_segments": sum(len(task.test) for task in tasks),
        }
        for row in scores[scores["dataset"] == dataset].to_dict("records"):
            found[dataset][str(row["method"])] = {name: row[name] for name in (*BOUNDS, *SPREAD)}
    return found


@stage("zeroshot")
def main() -> None:
    """Score every data set with prompts under every method with a trained multimodal projection."""
    params, root, log = load(ZeroShotParams, "zeroshot"), Path("data") / profile_name(), StageLog("zeroshot")
    choice = load(EncoderChoice, "embed.encoder")
    fewshot = load(FewShotParams, "fewshot")
    segments, splits = (read_table(root / "segments" / f"{name}.parquet") for name in ("segments", "splits"))
    tasks = build_tasks(*apply_protocol(fewshot.protocol, segments, splits, fewshot.seed))
    encoders = comparable_encoders(root / "models", load_value("methods"), {task.fold for task in tasks}).multimodal()
    prompts, without = usable(sorted({task.dataset for task in tasks}), params)
    nothing = reason_for_nothing(root, encoders, prompts)

    by_dataset: dict[str, dict[str, Found]] = {}
    if not nothing:
        identity = prompt_encoder(choice, root)
        for dataset, of_dataset in prompts.items():
            mine = [task for task in tasks if task.dataset == dataset]
            vectors = encode_prompts(of_dataset.texts(mine[0].classes), choice, identity)
            by_dataset[dataset] = score(root, mine, of_dataset, vectors, encoders.encoders)
            log.event("scored", dataset=dataset, methods=len(encoders.encoders), prompts=vectors.shape[0] * vectors.shape[1])
    every = [(dataset, method, found) for dataset, methods in by_dataset.items() for method, found in methods.items()]
    scores = pd.DataFrame([found.row(dataset, method, fewshot) for dataset, method, found in every], columns=[*COLUMNS, *BOUNDS, *SPREAD])
    with atomic_folder(root / "zeroshot") as out:
        write_table(out / "scores.parquet", scores)
        write_table(out / "wordings.parquet", together([found.wordings(dataset, method) for dataset, method, found in every], WORDING_COLUMNS))
        write_table(
            out / "predictions.parquet", together([found.predictions(dataset, method) for dataset, method, found in every], PREDICTION_COLUMNS)
        )
        write_json(out / "skipped.json", {"stage": nothing, "methods": encoders.skipped, "datasets": without})
    head = {"skipped": int(bool(nothing)), "skipped_methods": dict.fromkeys(encoders.skipped, 1), "skipped_datasets": dict.fromkeys(without, 1)}
    write_json("metrics/zeroshot.json", head | metrics(by_dataset, scores))
    write_csv("metrics/plots/zeroshot.csv", scores)
    for name, reason in (encoders.skipped | without | ({"zeroshot": nothing} if nothing else {})).items():
        print(f"{name}: skipped, {reason}")
    print(f"zeroshot: {len(scores)} score(s) on {len(by_dataset)} data set(s)")


def prompt_encoder(choice: EncoderChoice, root: Path) -> EncoderIdentity:
    """Load the frozen text encoder and check that the stored embeddings are its own."""
    from primus.embeddings.weights import shared_encoder  # open_clip takes seconds to import, and a corpus without embeddings needs none

    identity = shared_encoder(choice.model, choice.weights, choice.device).identity
    require_encoder(identity, root / "embeddings" / "text.h5", root / "embeddings" / "video.h5")
    return identity


def together(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """One table of these columns, also where there is nothing to put together."""
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


if __name__ == "__main__":
    typer.run(main)
