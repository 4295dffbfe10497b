"""Honest scores of a classifier: nobody is on both sides of a test, and the interval says how few people there were."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primus.adapt.labelled import LabelledRows
from primus.errors import UserError
from primus.evaluation.metrics import METRICS, confusion_counts
from primus.evaluation.statistics import FEW_PARTICIPANTS, Estimate, Resampling, difference, estimates

REPLICATES = 1000

Scorer = Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.float64]]
"""`scorer(train, test)` fits on the rows `train` (N,) and gives scores (n_test, classes) of the rows `test`; -inf for a class it never saw."""


@dataclass(frozen=True)
class Plan:
    """Which fold every row is tested in.

    Attributes:
        fold: (N,) int64.
        group: (N,) int64, number among `groups`.
        groups: names.
        kind: what a group is: "participant" or "file".
        seed: of the assignment.
    """

    fold: NDArray[np.int64]
    group: NDArray[np.int64]
    groups: tuple[str, ...]
    kind: str
    seed: int

    @property
    def folds(self) -> int:
        return int(self.fold.max()) + 1

    def words(self) -> str:
        """Who was tested on whom, in a sentence."""
        each = "each tested by itself" if self.folds == len(self.groups) else f"in {self.folds} folds"
        few = f"; fewer than {FEW_PARTICIPANTS}, so the intervals are too narrow" if len(self.groups) < FEW_PARTICIPANTS else ""
        return f"cross-validated by {self.kind}: {len(self.groups)} of them, {each}, none in training and test at once{few}"


@dataclass(frozen=True)
class Scores:
    """What cross-validation found.

    Attributes:
        counts: (U, C, C) per group, truth then prediction.
        estimates: metric -> mean with its interval over groups.
        predicted: (N,) int64.
    """

    counts: NDArray[np.int64]
    estimates: dict[str, Estimate]
    predicted: NDArray[np.int64]


def require_classes(rows: LabelledRows) -> None:
    """Refuse labels of one class.

    Raises:
        UserError: fewer than two classes.
    """
    if len(rows.classes) < 2:
        left_out = "".join(f"; left out: {reason} {count}" for reason, count in rows.left_out.items())
        raise UserError(f"all {len(rows)} windows are labelled {rows.classes[0]!r}; a classifier needs two classes or more{left_out}")


def plan_folds(rows: LabelledRows, folds: int, seed: int) -> Plan:
    """Put whole groups into folds that resemble each other in their labels.

    Args:
        folds: at most; as many groups or fewer are tested one by one.

    Raises:
        UserError: there is one group only, so no honest score can be had.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = sorted(set(rows.group.tolist()))
    number = np.searchsorted(np.array(groups, dtype=str), rows.group.astype(str)).astype(np.int64)
    if len(groups) < 2:
        raise UserError(
            f"all {len(rows)} windows are of one {rows.group_kind} ({groups[0]}); an honest score needs another one to be tested on: "
            "label more recordings, say who is who with --participants, or train without scores (--unscored)"
        )
    if folds >= len(groups):
        return Plan(number.copy(), number, tuple(groups), rows.group_kind, seed)
    fold = np.zeros(len(rows), dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer windows than folds
        for place, (_, tested) in enumerate(splitter.split(np.zeros(len(rows)), rows.numbers(), number)):
            fold[tested] = place
    _, fold = np.unique(fold, return_inverse=True)
    return Plan(fold.astype(np.int64), number, tuple(groups), rows.group_kind, seed)


def cross_validate(rows: LabelledRows, plan: Plan, scorer: Scorer) -> Scores:
    """Test every row once, in its fold."""
    classes = len(rows.classes)
    predicted = np.zeros(len(rows), dtype=np.int64)
    for fold in range(plan.folds):
        tested = plan.fold == fold
        predicted[tested] = scorer(~tested, tested).argmax(axis=1)
    counts = confusion_counts(rows.numbers(), predicted[None], plan.group, classes, len(plan.groups))
    resampling = Resampling.draw(REPLICATES, 1, 1, len(plan.groups), plan.seed, "adapt")
    return Scores(counts[0], estimates(counts[None], METRICS, resampling), predicted)


def gain(scores: Scores, other: Scores) -> dict[str, Estimate]:
    """`scores` - `other`, paired by group; both are of the same plan."""
    return {name: difference(value, other.estimates[name]) for name, value in scores.estimates.items()}


def lonely_classes(rows: LabelledRows) -> list[str]:
    """Classes that one group alone has: where it is tested, nothing was learnt about them."""
    return [name for name in rows.classes if len(set(rows.group[rows.label == name].tolist())) < 2]
