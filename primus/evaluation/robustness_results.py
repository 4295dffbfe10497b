"""What the tallies of stage robustness come to: scores and retention with intervals, as a table and as nested numbers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from primus.evaluation.metrics import METRICS
from primus.evaluation.plan import size_of_tests
from primus.evaluation.robustness import MATCHED, SAME_ROWS, retention
from primus.evaluation.robustness_run import RobustnessParams, Tally
from primus.evaluation.scalars import with_bounds
from primus.evaluation.settings import FewShotParams
from primus.evaluation.statistics import Estimate, Resampling, estimates
from primus.evaluation.tasks import Task

COLUMNS = ["dataset", "method", "representation", "condition", "kind", "severity", "shots", "test_segments"]
SCORES = [f"{name}{ending}" for name in (*METRICS, "retention") for ending in ("", "_lo", "_hi")]


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


def robustness_metrics(tasks: list[Task], tallies: Mapping[tuple[str, str], Tally], scores: pd.DataFrame, shots: int) -> dict[str, Any]:
    """Nested scalars: data set -> method -> condition -> score."""
    found: dict[str, Any] = {}
    for dataset in sorted({dataset for dataset, _ in tallies}):
        mine = [task for task in tasks if task.dataset == dataset]
        of_dataset = [tally for (name, _), tally in tallies.items() if name == dataset]
        found[dataset] = {
            "shots": shots,
            "complete": int(all(tally.complete for tally in of_dataset)),
            "episodes": of_dataset[0].counts[MATCHED].shape[1],
        } | size_of_tests(mine)
        for row in scores[scores["dataset"] == dataset].to_dict("records"):
            here = found[dataset].setdefault(str(row["method"]), {})
            kept = [name for name in SCORES if row["condition"] != MATCHED or not name.startswith("retention")]
            here[str(row["condition"])] = {name: row[name] for name in kept} | {"test_segments": row["test_segments"]}
    return found
