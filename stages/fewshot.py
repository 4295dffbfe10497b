"""Few-shot probes over data sets, methods, representations, folds, pretraining seeds, episodes and numbers of shots.

Writes data/<profile>/fewshot/{rows,predictions,scores,differences}.parquet, metrics/fewshot.json and metrics/plots/fewshot.csv.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.errors import UserError
from primus.evaluation.episodes import Episode, ShotsUnit, draw_episodes
from primus.evaluation.fewshot import Scored, score_task
from primus.evaluation.probes.choose import ProbeName, choose_probe
from primus.evaluation.probes.probe import Probe
from primus.evaluation.probes.standardise import Statistics
from primus.evaluation.statistics import Estimate
from primus.evaluation.tables import Complete, Curves, area, completeness, difference_table, estimate_curves, fit_rows, prediction_counts, score_table
from primus.evaluation.tasks import Task, build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.params import Compute, load, load_value, profile_name
from primus.stage import StageLog, progress, stage


@dataclass(frozen=True)
class FewShotParams:
    """Section `fewshot` of params.yaml.

    Attributes:
        shots: labelled shots per class, increasing.
        shots_unit: what one shot is (segment | nonoverlapping | take).
        episodes: independent draws of shots.
        probe: classifier on the frozen features (logistic | knn | prototype).
        c: inverse penalty of the logistic probe, as in scikit-learn.
        neighbours: of the knn probe.
        standardise: rows that mean and deviation come from (pool | shots | none).
        bootstrap: replicates of the intervals.
        seed: of the draws of shots and of the bootstrap.
    """

    shots: tuple[int, ...]
    shots_unit: ShotsUnit
    episodes: int
    probe: ProbeName
    c: float
    neighbours: int
    standardise: Statistics
    bootstrap: int
    seed: int

    def __post_init__(self) -> None:
        if not self.shots or min(self.shots) < 1 or list(self.shots) != sorted(set(self.shots)):
            raise ValueError(f"fewshot.shots must be increasing whole numbers >= 1, found {list(self.shots)}")
        for name in ("episodes", "neighbours", "bootstrap"):
            if getattr(self, name) < 1:
                raise ValueError(f"fewshot.{name} must be >= 1, found {getattr(self, name)}")
        if self.c <= 0:
            raise ValueError(f"fewshot.c must be > 0, found {self.c}")


def feature_files(folder: Path) -> list[KeyedArrays]:
    """The method's feature files; none where the method was skipped."""
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist; run `dvc repro features`")
    if (folder / "skipped.json").exists():
        return []
    files = [KeyedArrays(path) for path in sorted(folder.glob("*.h5"))]
    if not files:
        raise UserError(f"{folder} holds neither features nor skipped.json; run `dvc repro -f features`")
    return files


@dataclass(frozen=True)
class Job:
    """One representation of one encoder on one task; its features are read when its turn comes."""

    task: Task
    episodes: list[Episode]
    method: str
    representation: str
    file: KeyedArrays

    def run(self, probe: Probe, params: FewShotParams) -> list[Scored]:
        """Fit and score all episodes and sizes."""
        pool, test = (self.file.rows(self.representation, table["segment_id"].tolist()) for table in (self.task.pool, self.task.test))
        try:
            return score_task(self.task, pool, test, episodes=self.episodes, shots=params.shots, probe=probe, standardise=params.standardise)
        except ArithmeticError as error:
            raise UserError(f"{self.method} on {self.task.dataset}: {error}; lower fewshot.c") from None


def jobs_of(task: Task, files: Mapping[str, list[KeyedArrays]], params: FewShotParams) -> Iterator[Job]:
    """Every encoder of the task's fold, in its own representation and in `feature`; all of them get the same episodes."""
    episodes = draw_episodes(
        task.pool, unit=params.shots_unit, episodes=params.episodes, most=max(params.shots), seed=params.seed, names=(task.dataset, task.fold)
    )
    for method, of_method in files.items():
        for file in of_method:
            if file.attrs["fold"] == task.fold:
                for representation in dict.fromkeys((str(file.attrs["representation"]), "feature")):
                    yield Job(task, episodes, method, representation, file)


def sweep(
    tasks: list[Task], files: Mapping[str, list[KeyedArrays]], params: FewShotParams, threads: int, log: StageLog
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every fit of the sweep: (rows, prediction counts), in a fixed order.

    Jobs run side by side, each on one thread: its matrices are too small to share, and so no result depends on the number of threads.
    """
    probe = choose_probe(params.probe, c=params.c, neighbours=params.neighbours)
    torch.set_num_threads(1)
    rows, counts = [], []
    with ThreadPoolExecutor(threads) as executor:
        for task in tasks:
            jobs = list(jobs_of(task, files, params))
            done = executor.map(lambda job: job.run(probe, params), jobs)
            for job, scored in zip(jobs, progress(done, f"few-shot {task.dataset}, fold {task.fold}", len(jobs), unit="encoder"), strict=True):
                identity = (task, job.method, job.representation, int(job.file.attrs["seed"]))
                rows += [fit_rows(*identity, size) for size in scored]
                counts += [prediction_counts(*identity, size) for size in scored]
            log.event("probed", dataset=task.dataset, fold=task.fold)
    return pd.concat(rows, ignore_index=True), pd.concat(counts, ignore_index=True)


def metrics(tasks: list[Task], curves: Curves, probed: Mapping[str, str], complete: Complete) -> dict[str, Any]:
    """Nested scalars: dataset -> method -> k<shots> -> score, for the representation each method is probed on."""
    found: dict[str, Any] = {}
    for dataset in sorted({task.dataset for task in tasks}):
        mine = [task for task in tasks if task.dataset == dataset]
        found[dataset] = {
            "classes": len(mine[0].classes),
            "test_participants": len(mine[0].participants),
            "test_segments": sum(len(task.test) for task in mine),
            "folds": len(mine),
        }
        for method, representation in probed.items():
            points = curves[dataset, method, representation]
            scores: dict[str, Any] = {}
            for shots, point in sorted(points.items()):
                scores[f"k{shots}"] = {"complete": int(complete[dataset, method, representation, shots])}
                for name, found_at in point.items():
                    scores[f"k{shots}"] |= with_bounds(name, found_at)
            whole = area(points, [shots for shots in points if complete[dataset, method, representation, shots]])
            found[dataset][method] = scores | (with_bounds("area_under_curve", whole) if whole else {})
    return found


def with_bounds(name: str, value: Estimate) -> dict[str, float]:
    """A mean and its bounds as siblings `name`, `name_lo`, `name_hi`."""
    return {name: value.mean, f"{name}_lo": value.lo, f"{name}_hi": value.hi}


def main() -> None:
    """Fit and score every probe."""
    params = load(FewShotParams, "fewshot")
    root, log = Path("data") / profile_name(), StageLog("fewshot")
    splits = read_table(root / "segments" / "splits.parquet")
    tasks = build_tasks(read_table(root / "segments" / "segments.parquet"), splits)
    files = {method: feature_files(root / "features" / method) for method in load_value("methods")}
    folds = {task.fold for task in tasks}
    # A method that pretraining could not serve in every fold would be compared on fewer people than the others.
    lacking = {method: sorted(folds - {int(file.attrs["fold"]) for file in of_method}) for method, of_method in files.items()}
    skipped = [method for method, absent in lacking.items() if absent]
    files = {method: of_method for method, of_method in files.items() if method not in skipped}
    if not files:
        raise UserError("every method was skipped: there is nothing to probe; see the metrics of the pretrain stages")
    probed = {method: str(of_method[0].attrs["representation"]) for method, of_method in files.items()}

    rows, counts = sweep(tasks, files, params, load(Compute, "compute").threads, log)
    complete = completeness(rows)
    curves = estimate_curves(counts, replicates=params.bootstrap, seed=params.seed)
    scores = score_table(curves, complete, probed)
    with atomic_folder(root / "fewshot") as out:
        write_table(out / "rows.parquet", rows)
        write_table(out / "predictions.parquet", counts)
        write_table(out / "scores.parquet", scores)
        write_table(out / "differences.parquet", difference_table(curves, probed))
    summary = metrics(tasks, curves, probed, complete) | {"skipped": dict.fromkeys(skipped, 1)}
    write_json("metrics/fewshot.json", summary)
    own = scores[scores["probed"]].drop(columns="probed")
    write_csv("metrics/plots/fewshot.csv", own.assign(complete=own["complete"].astype(int)))
    for method in skipped:
        absent = ", ".join(map(str, lacking[method]))
        print(f"{method}: skipped, no encoder for fold {absent} of {len(folds)}; metrics/pretrain/{method}.json says why")
    print(f"{len(rows)} fits on {len(tasks)} task(s); {len(probed)} method(s)" + (f", skipped: {', '.join(skipped)}" if skipped else ""))
    log.event("fitted", fits=len(rows))


if __name__ == "__main__":
    typer.run(stage("fewshot")(main))
