"""What the few-shot probe keeps of its accuracy when the tested windows are degraded and the shots are not.

The probe, its shots and its features are those of the few-shot stage at `robustness.shots` (the head sgd starts at random and keeps its last
epoch); the test set is a seeded part of it, as equal over the classes as it allows. Windows are degraded one by one (see
`primus.evaluation.degrade`): a segment is all that is stored of a recording. So "rate" holds the outermost slow sample for up to half a slow period
at both ends; a window shorter than the encoder can take (2 s) is played back and forth to the usual length; a longer one (10 s) is joined from
segments of the same take and label that follow each other without a gap or overlap, and compared with its first segment alone on those segments that
have such a follower; where none has, the condition is skipped.

Writes
- metrics/robustness.json: `skipped` (1: nothing could be tested), `skipped_methods` (name -> 1), `skipped_conditions` (data set -> condition -> 1),
  and per data set `shots`, `complete`, `episodes`, `folds`, `test_participants`, `test_segments`, and per method and condition (`matched`, `rate_10`,
  `gyro_lost`, ...) `test_segments`, the few-shot stage's metrics and, except under `matched`, `retention` (shifted / matched accuracy of the same
  segments), each with `_lo` and `_hi`;
- metrics/plots/robustness.csv: dataset, method, representation, condition, kind, severity (empty where there is none), shots, test_segments, the
  metrics and retention with `_lo` and `_hi`; retention of `matched` is 1;
- data/<profile>/robustness/: scores.parquet (the same rows), skipped.json (`stage`, `methods`, `conditions`: reasons).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.errors import UserError
from primus.evaluation.degrade import Degradation
from primus.evaluation.encoders import SavedEncoder, comparable_encoders
from primus.evaluation.episodes import draw_episodes
from primus.evaluation.feature_files import features_path
from primus.evaluation.metrics import METRICS
from primus.evaluation.probes.choose import choose_probe
from primus.evaluation.protocols import apply_protocol
from primus.evaluation.robustness import (
    MATCHED,
    SAME_ROWS,
    Shifted,
    blocks_of,
    choose_tests,
    degraded_tests,
    encode_tests,
    next_rows,
    retention,
    score_blocks,
)
from primus.evaluation.scalars import with_bounds
from primus.evaluation.settings import FewShotParams
from primus.evaluation.statistics import Estimate, Resampling, estimates
from primus.evaluation.tasks import Task, build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder
from primus.params import Compute, load, load_value, profile_name
from primus.stage import StageLog, progress, stage

COLUMNS = ["dataset", "method", "representation", "condition", "kind", "severity", "shots", "test_segments"]
SCORES = [f"{name}{ending}" for name in (*METRICS, "retention") for ending in ("", "_lo", "_hi")]


@dataclass(frozen=True)
class RobustnessParams:
    """Section `robustness` of params.yaml.

    Attributes:
        conditions: see `primus.evaluation.degrade.Degradation`.
        shots: labelled shots per class that the probe is fitted on.
        windows: most test segments per data set and fold; null: all.
        encoders: most pretraining seeds per method and fold, the first ones.
        seed: of the draws.
    """

    conditions: tuple[Degradation, ...]
    shots: int
    windows: int | None
    encoders: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("shots", "encoders"):
            if getattr(self, name) < 1:
                raise ValueError(f"robustness.{name} must be >= 1, found {getattr(self, name)}")
        if self.windows is not None and self.windows < 1:
            raise ValueError(f"robustness.windows must be >= 1 or null, found {self.windows}")
        labels = [condition.label for condition in self.conditions]
        if len(set(labels)) < len(labels):
            raise ValueError(f"robustness.conditions names {next(label for label in labels if labels.count(label) > 1)} twice")


@dataclass
class Tally:
    """Counts (S, E, U, C, C) of one method on one data set by condition, folds added up, and the tested segments."""

    representation: str
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    complete: bool = True

    def add(self, label: str, place: int, seeds: int, counted: np.ndarray) -> None:
        """Add the predictions of one fold under the encoder of number `place`."""
        if label not in self.counts:
            self.counts[label], self.segments[label] = np.zeros((seeds, *counted.shape), dtype=np.int64), 0
        self.counts[label][place] += counted
        self.segments[label] += int(counted[0].sum()) if place == 0 else 0


@dataclass(frozen=True)
class Prober:
    """Fits the few-shot probe and counts its predictions on every condition; see `run`."""

    root: Path
    params: RobustnessParams
    fewshot: FewShotParams
    threads: int
    tallies: dict[tuple[str, str], Tally]

    def run(self, task: Task, tests: Sequence[Shifted], encoders: Mapping[str, list[SavedEncoder]]) -> None:
        """Add every method's predictions on one task to the tallies."""
        fewshot, shots = self.fewshot, self.params.shots
        episodes = draw_episodes(
            task.pool, unit=fewshot.shots_unit, episodes=fewshot.episodes, most=shots, seed=fewshot.seed, names=(task.dataset, task.fold)
        )
        probe = choose_probe(fewshot.probe, c=fewshot.c, neighbours=fewshot.neighbours, trees=fewshot.trees, sgd=fewshot.sgd, seed=fewshot.seed)
        for method, saved in encoders.items():
            mine = sorted((one for one in saved if one.fold == task.fold), key=lambda one: one.seed)[: self.params.encoders]
            for place, one in enumerate(mine):
                features = encode_tests(ImuEncoder.from_pretrained(one.folder), tests, one.representation, self.threads)
                with KeyedArrays(features_path(self.root / "features" / method, one.folder.name)) as file:
                    pool, clean = (file.rows(one.representation, table["segment_id"].tolist()) for table in (task.pool, task.test))
                blocks = blocks_of(clean, tests, features)
                try:
                    counted, complete = score_blocks(task, pool, blocks, episodes=episodes, shots=shots, probe=probe, standardise=fewshot.standardise)
                except ArithmeticError as error:
                    raise UserError(f"{method} on {task.dataset}: {error}; lower fewshot.c") from None
                tally = self.tallies.setdefault((task.dataset, method), Tally(one.representation))
                tally.complete &= complete
                for block, counts in zip(blocks, counted, strict=True):
                    tally.add(block.condition, place, len(mine), counts)


def estimated(tally: Tally, dataset: str, fewshot: FewShotParams) -> dict[str, dict[str, Estimate]]:
    """Condition -> metric, and `retention`, with intervals; all from the same draws as the few-shot stage's."""
    seeds, episodes, people = tally.counts[MATCHED].shape[:3]
    resampling = Resampling.draw(fewshot.bootstrap, seeds, episodes, people, fewshot.seed, dataset)
    every = {label: estimates(counts, METRICS, resampling) for label, counts in tally.counts.items()}
    found = {}
    for label, values in every.items():
        if not label.startswith(SAME_ROWS):
            base = every.get(SAME_ROWS + label, every[MATCHED])
            found[label] = {**values, "retention": retention(values["accuracy"], base["accuracy"])}
    return found


def score_rows(tallies: Mapping[tuple[str, str], Tally], params: RobustnessParams, fewshot: FewShotParams) -> pd.DataFrame:
    """One row per data set, method and condition."""
    known = {condition.label: condition for condition in params.conditions}
    rows = []
    for (dataset, method), tally in tallies.items():
        for label, values in estimated(tally, dataset, fewshot).items():
            condition = known.get(label)
            row: dict[str, Any] = {
                "dataset": dataset,
                "method": method,
                "representation": tally.representation,
                "condition": label,
                "kind": condition.name if condition else MATCHED,
                "severity": condition.severity if condition else None,
                "shots": params.shots,
                "test_segments": tally.segments[label],
            }
            for name, value in values.items():
                row |= with_bounds(name, value)
            rows.append(row)
    return pd.DataFrame(rows, columns=[*COLUMNS, *SCORES]).astype({"severity": float})


def metrics(tasks: list[Task], tallies: Mapping[tuple[str, str], Tally], scores: pd.DataFrame, shots: int) -> dict[str, Any]:
    """Nested scalars: data set -> method -> condition -> score."""
    found: dict[str, Any] = {}
    for dataset in sorted({dataset for dataset, _ in tallies}):
        mine = [task for task in tasks if task.dataset == dataset]
        of_dataset = [tally for (name, _), tally in tallies.items() if name == dataset]
        found[dataset] = {
            "shots": shots,
            "complete": int(all(tally.complete for tally in of_dataset)),
            "episodes": of_dataset[0].counts[MATCHED].shape[1],
            "folds": len(mine),
            "test_participants": len({group for task in mine for group in task.test["group"]}),
            "test_segments": sum(len(task.test) for task in mine),
        }
        for row in scores[scores["dataset"] == dataset].to_dict("records"):
            here = found[dataset].setdefault(str(row["method"]), {})
            kept = [name for name in SCORES if row["condition"] != MATCHED or not name.startswith("retention")]
            here[str(row["condition"])] = {name: row[name] for name in kept} | {"test_segments": row["test_segments"]}
    return found


@stage("robustness")
def main() -> None:
    """Test the probes of every method on degraded windows."""
    params, fewshot, root, log = (
        load(RobustnessParams, "robustness"),
        load(FewShotParams, "fewshot"),
        Path("data") / profile_name(),
        StageLog("robustness"),
    )
    torch.set_num_threads(1)  # each batch is encoded on one core, as in the features stage
    segments, splits = (read_table(root / "segments" / f"{name}.parquet") for name in ("segments", "splits"))
    segments, splits = apply_protocol(fewshot.protocol, segments, splits, fewshot.seed)
    tasks = [choose_tests(task, params.windows, params.seed) for task in build_tasks(segments, splits)]
    encoders = comparable_encoders(root / "models", load_value("methods"), {task.fold for task in tasks}).frozen()
    nothing = "fewshot.probe is finetune, which has no frozen features" if fewshot.probe == "finetune" else ""
    nothing = nothing or ("" if encoders.encoders else "no method has frozen features")

    without: dict[str, dict[str, str]] = {}
    prober = Prober(root, params, fewshot, load(Compute, "compute").threads, {})
    with KeyedArrays(root / "segments" / "imu.h5") as imu:
        following = next_rows(segments[segments["purpose"] == "probe"], 0.5 / float(imu.attrs["rate_hz"]))
        for dataset in sorted({task.dataset for task in tasks}) if not nothing else ():
            mine = [task for task in tasks if task.dataset == dataset]
            tests = [degraded_tests(task, imu, following, params.conditions, params.seed) for task in mine]
            without[dataset] = {label: reason for _, refused in tests for label, reason in refused.items()}
            for task, (found, _) in zip(progress(mine, f"robustness {dataset}", unit="fold"), tests, strict=True):
                prober.run(task, [test for test in found if test.label not in without[dataset]], encoders.encoders)
            log.event("tested", dataset=dataset, folds=len(mine), conditions=len(params.conditions) - len(without[dataset]))
    scores = score_rows(prober.tallies, params, fewshot)
    with atomic_folder(root / "robustness") as out:
        write_table(out / "scores.parquet", scores)
        write_json(out / "skipped.json", {"stage": nothing, "methods": encoders.skipped, "conditions": without})
    head = {
        "skipped": int(bool(nothing)),
        "skipped_methods": dict.fromkeys(encoders.skipped, 1),
        "skipped_conditions": {dataset: dict.fromkeys(reasons, 1) for dataset, reasons in without.items() if reasons},
    }
    write_json("metrics/robustness.json", head | metrics(tasks, prober.tallies, scores, params.shots))
    write_csv("metrics/plots/robustness.csv", scores)
    said = encoders.skipped | {f"{dataset}, {label}": reason for dataset, reasons in without.items() for label, reason in reasons.items()}
    for name, reason in (said | ({"robustness": nothing} if nothing else {})).items():
        print(f"{name}: skipped, {reason}")
    print(f"robustness: {len(scores)} score(s) of {len({method for _, method in prober.tallies})} method(s)")


if __name__ == "__main__":
    typer.run(main)
