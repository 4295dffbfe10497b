"""What the report is made of, read from the tables and metrics of the stages before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from primus.errors import UserError
from primus.reporting.beside import Beside


@dataclass(frozen=True)
class Interval:
    """A mean in [0, 1] (or a difference in [-1, 1]) with its 95 % bounds, and the 90 % bounds of the same draws where these are known."""

    mean: float
    lo: float
    hi: float
    at_90: tuple[float, float] | None = None

    def __neg__(self) -> "Interval":
        """Of b - a, where this is of a - b."""
        return Interval(-self.mean, -self.hi, -self.lo, None if self.at_90 is None else (-self.at_90[1], -self.at_90[0]))

    @property
    def percents(self) -> tuple[float, float, float]:
        """Mean and bounds in percent (or percentage points), as charts take them."""
        return 100 * self.mean, 100 * self.lo, 100 * self.hi


def interval_in(row: Mapping[Any, Any], name: str, lo: str | None = None, hi: str | None = None) -> Interval:
    """Mean and bounds of a table's row; the bounds' columns are `<name>_lo` and `<name>_hi` unless they are named."""
    return Interval(float(row[name]), float(row[lo or f"{name}_lo"]), float(row[hi or f"{name}_hi"]))


def interval_at(curve: pd.DataFrame, shots: int, metric: str = "accuracy") -> Interval | None:
    """One point of a curve of the score table; None where the curve has none there, or the metric was not measured."""
    found = curve.loc[curve["shots"] == shots, [metric, f"{metric}_lo", f"{metric}_hi"]].to_numpy(dtype=float)
    return Interval(*found[0].tolist()) if len(found) and np.isfinite(found[0]).all() else None


@dataclass(frozen=True)
class DatasetFacts:
    """Sizes of one labelled set: classes, tested people, test segments, folds.

    `shared` counts people who give shots and are tested in one fold; `by_take` says that `participants` counts takes, since people are not
    known or were left out of account.
    """

    classes: int
    participants: int
    segments: int
    folds: int
    shared: int = 0
    by_take: bool = False


@dataclass(frozen=True)
class Results:
    """Everything a report shows.

    Attributes:
        profile: name of the profile.
        simulated: whether the corpus is a simulation.
        random_embeddings: whether the frozen video and text encoder is the demo's untrained one.
        headline: number of shots the summary is about.
        reference: the method that gains are measured against.
        lead: the data set and the method whose accuracy and gain stand at the top of the summary.
        scores: one row per data set, method, representation and number of shots (`evaluation.tables.score_table`).
        differences: paired differences between methods.
        areas: areas under the label-efficiency curves (`evaluation.tables.area_tables`).
        rows: one row per fit.
        predictions: prediction counts per fit and participant.
        datasets: facts by data set.
        skipped: methods that could not be run on this corpus.
        pretraining: metrics of pretraining by method.
        losses: curves of pretraining by method (step, epoch, term, value, seed, fold).
        segments: metrics of the segment stage.
        beside: what the stages beside the sweep measured, Table I, the map of features and the ablations.
        margin: difference of accuracies below which two methods count as equivalent.
        protocol: who gives shots and who is tested (`evaluation.protocols`).
        degraded_encoders: most pretraining seeds per method that the robustness stage looked at.
    """

    profile: str
    simulated: bool
    random_embeddings: bool
    headline: int
    reference: str
    lead: tuple[str, str]
    scores: pd.DataFrame
    differences: pd.DataFrame
    areas: pd.DataFrame
    rows: pd.DataFrame
    predictions: pd.DataFrame
    datasets: Mapping[str, DatasetFacts]
    skipped: tuple[str, ...]
    pretraining: Mapping[str, Mapping[str, Any]]
    losses: Mapping[str, pd.DataFrame]
    segments: Mapping[str, Any]
    beside: Beside
    margin: float
    protocol: str
    degraded_encoders: int

    def __post_init__(self) -> None:
        if self.headline not in self.shots:
            raise UserError(
                f"report.headline_shots is {self.headline}, which is not among fewshot.shots ({', '.join(map(str, self.shots))}); choose one of them"
            )

    @property
    def shots(self) -> list[int]:
        """Numbers of shots, increasing."""
        return sorted(self.scores["shots"].unique().tolist())

    @property
    def methods(self) -> list[str]:
        """Methods in the order of params.yaml."""
        return list(dict.fromkeys(self.scores["method"]))

    def representation(self, method: str) -> str:
        """The representation the method is judged by."""
        return str(self.scores.loc[self.scores["probed"] & (self.scores["method"] == method), "representation"].iloc[0])

    def head(self, method: str) -> str:
        """The head the method is judged by."""
        return str(self.scores.loc[self.scores["probed"] & (self.scores["method"] == method), "head"].iloc[0])

    @property
    def lead_method(self) -> str:
        """The method that figures of one method show: the lead, or the first where it was not run."""
        return self.lead[1] if self.lead[1] in self.methods else self.methods[0]

    def curve(self, dataset: str, method: str, representation: str | None = None, head: str | None = None) -> pd.DataFrame:
        """Scores of one curve by number of shots, on the representation and under the head that the method is judged by unless others are named.

        It has no rows where nothing was fitted: a fine-tuned encoder is scored on one output alone.
        """
        rows = self.scores[(self.scores["dataset"] == dataset) & (self.scores["method"] == method)]
        representation, head = representation or self.representation(method), head or self.head(method)
        return rows[(rows["representation"] == representation) & (rows["head"] == head)].sort_values("shots")

    def score(self, dataset: str, method: str, metric: str = "accuracy", shots: int | None = None) -> Interval:
        """One score of what the method is judged by, which is there at every number of shots; at the headline unless `shots` says otherwise."""
        shots = self.headline if shots is None else shots
        found = interval_at(self.curve(dataset, method), shots, metric)
        if found is None:
            raise UserError(f"{method} has no {metric} on {dataset} at {shots} shots; run `dvc repro fewshot` again")
        return found

    def gain(self, dataset: str, method: str, metric: str = "accuracy", other: str | None = None, shots: int | None = None) -> Interval | None:
        """Method minus another (the reference) at some number of shots (the headline), paired; None where the two were not compared."""
        table = self.differences
        row = table[
            (table["dataset"] == dataset)
            & (table["method"] == method)
            & (table["other"] == (self.reference if other is None else other))
            & (table["shots"] == (self.headline if shots is None else shots))
            & (table["metric"] == metric)
        ]
        if row.empty:
            return None
        return Interval(float(row["difference"].iloc[0]), float(row["lo"].iloc[0]), float(row["hi"].iloc[0]))

    def short_classes(self, dataset: str) -> dict[int, list[str]]:
        """Number of shots -> classes that had fewer in some episode."""
        rows = self.rows[(self.rows["dataset"] == dataset) & ~self.rows["complete"]]
        return {
            shots: sorted({name for names in rows.loc[rows["shots"] == shots, "short_classes"] for name in names.split("; ")})
            for shots in sorted(rows["shots"].unique().tolist())
        }

    def confusion(self, dataset: str, method: str) -> tuple[list[str], np.ndarray]:
        """Classes and their row-normalised confusion (C, C) at the headline, over all seeds, folds, episodes and participants."""
        table = self.predictions
        rows = table[
            (table["dataset"] == dataset)
            & (table["method"] == method)
            & (table["representation"] == self.representation(method))
            & (table["head"] == self.head(method))
            & (table["shots"] == self.headline)
        ]
        classes = sorted(set(rows["label"]) | set(rows["predicted"]))
        counts = rows.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum", fill_value=0)
        full = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy(dtype=float)
        return classes, full / np.maximum(full.sum(axis=1, keepdims=True), 1)

    def seeds_of(self, method: str, head: str | None = None) -> int:
        """Encoders of a method that differ in their pretraining seed, under the head it is judged by unless another is named."""
        rows = self.rows[(self.rows["method"] == method) & (self.rows["head"] == (head or self.head(method)))]
        return int(rows["seed"].nunique())

    @property
    def trained(self) -> list[str]:
        """Methods whose encoders were pretrained; all of them where none was (or nobody knows)."""
        found = [name for name in self.methods if float(self.pretraining.get(name, {}).get("data", {}).get("steps", 0)) > 0]
        return found or self.methods

    @property
    def seeds(self) -> int:
        """Pretraining seeds per trained method (the fewest)."""
        return min(self.seeds_of(method) for method in self.trained)

    @property
    def other_seeds(self) -> dict[str, int]:
        """Seeds of the methods that have another number of them than `seeds` says."""
        return {method: found for method in self.methods if (found := self.seeds_of(method)) != self.seeds}

    @property
    def episodes(self) -> int:
        """Draws of shots per fit."""
        return int(self.rows["episode"].nunique())
