"""Histories of several runs of one method -> nested metrics and rows for plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from primus.training.loop import TrainingResult
from primus.training.run import Run

PLOT_COLUMNS = ["step", "epoch", "term", "value", "seed", "fold"]
LISTED_RUNS = 5  # up to so many runs are also listed one by one


def nested(flat: Mapping[str, float]) -> dict[str, Any]:
    """{"a/b": 1} -> {"a": {"b": 1}}."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split("/")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean by name over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: fmean(row[name] for row in rows if name in row) for name in names}


def _ends(run: Run) -> tuple[dict[str, float], dict[str, float]]:
    """The history rows of the end and of the best validation."""
    history = run.result.progress.history
    best = next(row for row in history if int(row["step"]) == run.result.progress.best_step)
    return history[-1], best


def _chosen(row: Mapping[str, float]) -> dict[str, float]:
    """Where the best validation was and what it found."""
    return {name: value for name, value in row.items() if name in ("step", "epoch") or name.startswith("val/")}


def metrics(runs: Sequence[Run]) -> dict[str, Any]:
    """Means over runs of the last and the best row of the history and of the run's sizes; each run's own numbers where there are few."""
    ends = [_ends(run) for run in runs]
    summary: dict[str, Any] = {
        "runs": len(runs),
        "final": nested(_mean([last for last, _ in ends])),
        "best": nested(_mean([_chosen(best) for _, best in ends])),
        "data": _mean([run.result.facts for run in runs]),
    }
    if 1 < len(runs) <= LISTED_RUNS:
        for run, (last, best) in zip(runs, ends, strict=True):
            own = {"final": {"train": nested(last).get("train", {})}, "best": {"step": best["step"]} | nested(best).get("val", {})}
            summary[f"seed{run.seed}" + (f"_fold{run.fold}" if len({r.fold for r in runs}) > 1 else "")] = own
    return summary


def history_table(result: TrainingResult) -> pd.DataFrame:
    """One row per validation, one column per number."""
    table = pd.DataFrame(result.progress.history)
    return table[["step", "epoch", *sorted(set(table.columns) - {"step", "epoch"})]]


def plot_rows(runs: Sequence[Run]) -> pd.DataFrame:
    """Long form of all histories: step, epoch, term ("train/ss", "val/total", "tau_ss", ...), value, seed, fold."""
    rows = [
        {"step": int(row["step"]), "epoch": row["epoch"], "term": name, "value": value, "seed": run.seed, "fold": run.fold}
        for run in runs
        for row in run.result.progress.history
        for name, value in row.items()
        if name not in ("step", "epoch")
    ]
    return pd.DataFrame(rows, columns=PLOT_COLUMNS)
