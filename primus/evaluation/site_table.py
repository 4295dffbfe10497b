"""Table and metrics of the site checks (see `primus.evaluation.sites`)."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from primus.evaluation.settings import FewShotParams
from primus.evaluation.sites import class_from_site, known_sites
from primus.evaluation.tables import estimate_curves
from primus.evaluation.tasks import Task

COLUMNS = ["dataset", "check", "method", "shots", "accuracy", "accuracy_lo", "accuracy_hi", "balanced_accuracy", "chance"]


def site_table(tasks: list[Task], segments: pd.DataFrame, counts: Mapping[str, pd.DataFrame], params: FewShotParams) -> pd.DataFrame:
    """One row per data set, check and method; "class_from_site" has no method and no shots, it looks at the whole pool's labels.

    Args:
        tasks: of the sweep.
        segments: the segment table, for the sites.
        counts: check -> prediction counts.
        params: replicates and seed of the intervals.
    """
    rows: list[dict[str, Any]] = []
    for check, table in counts.items():
        curves = estimate_curves(table, replicates=params.bootstrap, seed=params.seed)
        for (dataset, method, _, _), points in curves.items():
            classes = table.loc[table["dataset"] == dataset, "label"].nunique()
            for shots, found in points.items():
                score = found["accuracy"]
                rows.append(
                    {
                        "dataset": dataset,
                        "check": check,
                        "method": method,
                        "shots": shots,
                        "accuracy": score.mean,
                        "accuracy_lo": score.lo,
                        "accuracy_hi": score.hi,
                        "balanced_accuracy": found["balanced_accuracy"].mean,
                        "chance": 1 / classes,
                    }
                )
    for dataset in sorted({task.dataset for task in tasks}):
        if known_sites(segments, dataset):
            mine = [task for task in tasks if task.dataset == dataset]
            share = sum(class_from_site(task, segments) * len(task.test) for task in mine) / sum(len(task.test) for task in mine)
            rows.append(
                {"dataset": dataset, "check": "class_from_site", "method": "", "shots": 0, "accuracy": share, "chance": 1 / len(mine[0].classes)}
            )
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["dataset", "check", "method"], kind="stable", ignore_index=True)


def site_metrics(table: pd.DataFrame, dataset: str) -> dict[str, Any]:
    """Nested scalars of one data set: check -> method -> score; empty where its sites are not known."""
    found: dict[str, Any] = {}
    for row in table[table["dataset"] == dataset].to_dict("records"):
        if row["check"] == "class_from_site":
            found["class_from_site"] = row["accuracy"]
        else:
            scores = {name: row[name] for name in ("accuracy", "accuracy_lo", "accuracy_hi", "balanced_accuracy")}
            found.setdefault(str(row["check"]), {"chance": row["chance"], "shots": row["shots"]})[str(row["method"])] = scores
    return found
