"""Few-shot scores of finished experiments as one table: metrics/ablations.csv."""

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primus.errors import UserError
from primus.evaluation.run_comparison import Sweep, compare_sweeps
from primus.experiments.composing import in_hydra
from primus.experiments.listing import Experiment, Group, Variant

TABLE = "metrics/ablations.csv"
COLUMNS = (
    "group",
    "variant",
    "x",
    "method",
    "dataset",
    "shots",
    "mean",
    "lo",
    "hi",
    "n_seeds",
    "profile",
    "reference",
    "difference",
    "difference_lo",
    "difference_hi",
    "difference_lo_90",
    "difference_hi_90",
    "participants",
    "effective_rank",
    "collapsed",
    "settings",
    "commit",
)
"""One row per variant, method, data set and number of shots: accuracy of the method's own output and head with its 95 % interval, its paired
difference from the group's reference with its 95 % interval and the 90 % bounds (two one-sided tests at 5 %), health of the judged projection at the
end of pretraining, what was set, and the commit it ran on."""

_DIFFERENCE = {"difference": "difference"} | {name: f"difference_{name}" for name in ("lo", "hi", "lo_90", "hi_90")}
"""Columns of `compare_sweeps`, and what they are called here."""


@dataclass(frozen=True)
class Measured:
    """What a finished experiment left: metrics/plots/fewshot.csv, the predictions behind it, metrics/pretrain/<method>.json, and its commit."""

    scores: pd.DataFrame
    predictions: pd.DataFrame
    pretraining: Mapping[str, Mapping[str, Any]]
    commit: str


def group_rows(group: Group, read: Callable[[Experiment], Measured | None]) -> pd.DataFrame:
    """Rows of the group's finished variants, in the list's order; those without a finished experiment are absent."""
    reference = read(group.reference.experiment)
    tables = []
    for variant in group.variants:
        measured = read(variant.experiment)
        if measured is not None:
            tables.append(_variant_rows(group, variant, measured, None if variant is group.reference else reference))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _variant_rows(group: Group, variant: Variant, measured: Measured, reference: Measured | None) -> pd.DataFrame:
    scores = measured.scores.rename(columns={"accuracy": "mean", "accuracy_lo": "lo", "accuracy_hi": "hi"})
    rows = scores[["dataset", "method", "representation", "shots", "mean", "lo", "hi"]].copy()
    chosen = judged(measured)
    people = chosen.groupby("dataset")["participant"].nunique()
    rows["participants"] = rows["dataset"].map(people)
    rows["n_seeds"] = chosen["seed"].nunique()
    for name in ("effective_rank", "collapsed"):
        rows[name] = [
            _health(measured.pretraining.get(method, {}), output, name) for method, output in zip(rows["method"], rows["representation"], strict=True)
        ]
    rows["group"], rows["variant"], rows["x"], rows["profile"] = group.name, variant.name, variant.x, variant.experiment.profile
    rows["reference"] = group.reference.name
    rows["settings"] = " ".join(f"{key}={in_hydra(value)}" for key, value in variant.experiment.settings.items())
    rows["commit"] = measured.commit
    apart = _differences(variant, chosen, group, judged(reference)) if reference is not None else None
    if apart is None:
        rows[[*_DIFFERENCE.values()]] = float("nan")
    else:
        rows = rows.merge(apart, on=["dataset", "method", "shots"], how="left", validate="one_to_one")
    return rows[list(COLUMNS)]


def judged(measured: Measured) -> pd.DataFrame:
    """Predictions of the output and head each method is judged by, with both names made equal: methods are compared as they are judged."""
    by = measured.scores[["dataset", "method", "representation", "head", "shots"]].drop_duplicates()
    found = measured.predictions.merge(by, on=["dataset", "method", "representation", "head", "shots"])
    return found.assign(representation="judged", head="judged")


def _differences(variant: Variant, mine: pd.DataFrame, group: Group, theirs: pd.DataFrame) -> pd.DataFrame | None:
    try:
        table = compare_sweeps(Sweep(variant.name, mine), Sweep(group.reference.name, theirs))
    except UserError:
        return None  # nothing in common: another method is measured
    table = table[table["metric"] == "accuracy"].rename(columns=_DIFFERENCE)
    return table[["dataset", "method", "shots", *_DIFFERENCE.values()]]


def _health(pretraining: Mapping[str, Any], output: str, name: str) -> float:
    health = pretraining.get("final", {}).get("health", {})
    value = health.get(output, health.get("feature", {})).get(name)
    return float("nan") if value is None else float(value)


def read_measured(
    experiment: Experiment, commit: str, origin: str, text: Callable[[str, str], str], table: Callable[[str, str], pd.DataFrame]
) -> Measured:
    """What the experiment's commit holds; `text` and `table` are `Repository.text` and `Repository.table`."""
    content = text(commit, "metrics/plots/fewshot.csv")
    if not content:
        raise UserError(f"experiment {experiment.name} has no metrics/plots/fewshot.csv; run it again with --again")
    pretraining = {}
    for method in experiment.methods:
        told = text(commit, f"metrics/pretrain/{method}.json")
        pretraining[method] = json.loads(told) if told else {}
    predictions = table(commit, f"data/{experiment.profile}/fewshot/predictions.parquet")
    return Measured(pd.read_csv(io.StringIO(content)), predictions, pretraining, origin)


def merged(path: Path, fresh: Iterable[pd.DataFrame], listed: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The table at `path` with what was measured put in its place; other rows stay, with the commit they came from.

    A variant that was measured before, and not now, stays where its group's reference has come out the same again: then its difference from it holds
    as it is written. Where the reference came out otherwise, or was not measured now, the group is what was measured now.

    Args:
        path: metrics/ablations.csv.
        fresh: rows of one group and profile each; without rows where nothing of it was measured.
        listed: group -> its variants, in order; of others no rows are kept.
    """
    new = [table for table in fresh if len(table)]
    old = pd.read_csv(path, dtype={"variant": str, "commit": str}) if path.exists() else pd.DataFrame(columns=list(COLUMNS))
    place = list(zip(old["profile"], old["group"], strict=True))
    replaced = {(table["profile"].iloc[0], table["group"].iloc[0]) for table in new}
    parts = [old[np.array([key not in replaced for key in place], dtype=bool)]]
    for table in new:
        key = (table["profile"].iloc[0], table["group"].iloc[0])
        before = old[np.array([other == key for other in place], dtype=bool)]
        if _same_reference(before, table):
            order = list(listed[key[1]])
            earlier = before[before["variant"].isin(order) & ~before["variant"].isin(table["variant"])]
            both = pd.concat([part for part in (table, earlier) if len(part)])
            table = pd.concat([both[both["variant"] == name] for name in order])
        parts.append(table)
    parts = [part for part in parts if len(part)]
    if not parts:
        return old
    merged = pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS))  # rows from before a column was there lack it
    return merged.assign(x=pd.to_numeric(merged["x"]))  # else rows read back are written otherwise than fresh ones


def _same_reference(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether both tables hold the same measurements of the same reference."""
    found = []
    for table in (before, after):
        rows = table[table["variant"] == table["reference"]].sort_values(["method", "dataset", "shots"])
        found.append(rows.reset_index(drop=True))
    first, second = found
    if len(first) != len(second) or first.empty:
        return False
    words = ("reference", "method", "dataset", "shots", "settings")
    named = all(first[name].astype(str).tolist() == second[name].astype(str).tolist() for name in words)
    numbers = ["mean", "lo", "hi"]
    return named and np.allclose(first[numbers].to_numpy(dtype=float), second[numbers].to_numpy(dtype=float), atol=1e-6, rtol=0)
