"""Tests of one method against another on the same people: signed-rank test with Holm's correction, effect size, and equivalence.

The unit is the test participant: accuracies are averaged over pretraining seeds and episodes first, since those share the people. What is tested is
said beforehand (`family_of`): the fewer the pairs, the smaller the p values that can be reached at all. With few participants none may be: the least
attainable one stands beside every p value (`least_p`).
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from primus.evaluation.statistics import Estimate, difference
from primus.evaluation.tables import Curves, Probed

COLUMNS = ["dataset", "shots", "method", "other", "n", "difference", "p", "p_holm", "least_p", "family", "effect", "margin", "p_equivalent"]

ROUNDING = 1e-12
"""Accuracies that differ by less are equal: they are averages of counts, summed in different orders."""


def signed_rank(differences: np.ndarray) -> float:
    """Two-sided p value of Wilcoxon's signed-rank test of paired differences of accuracies (n,); 1 where none differs.

    Differences that are equal up to rounding are ties, those that are zero up to rounding are left out.
    """
    differences = np.round(differences / ROUNDING) * ROUNDING
    if not np.any(differences):
        return 1.0
    return float(wilcoxon(differences, zero_method="wilcox", method="auto").pvalue)


def least_attainable(people: int, family: int) -> float:
    """The least p value, after Holm's correction, that a signed-rank test of `people` can reach first in a family of tests: all of one sign."""
    return min(1.0, 2.0 ** (1 - people) * family)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of a family of p values (n,), in their order (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    corrected = np.empty_like(stepped)
    corrected[order] = stepped
    return corrected


def effect_size(differences: np.ndarray) -> float:
    """Cohen's d of paired differences of accuracies (n,): their mean over their deviation.

    NaN where they do not vary but for rounding (or there is one): a difference that everybody shares has no size in deviations.
    """
    spread = differences.std(ddof=1) if len(differences) > 1 else 0.0
    return float(differences.mean() / spread) if spread > ROUNDING else float("nan")


def equivalence(gain: Estimate, margin: float) -> float:
    """p value of two one-sided tests that a difference lies within (-margin, margin), from its bootstrap draws (Schuirmann 1987).

    Below 0.05 exactly when the 90 % percentile interval lies within the margins.
    """
    count = len(gain.draws)
    return float(max((gain.draws <= -margin).sum() + 1, (gain.draws >= margin).sum() + 1) / (count + 1))


def participant_accuracy(counts: pd.DataFrame) -> pd.DataFrame:
    """Accuracy (participant rows, method columns) from the prediction counts of the probed curves of one data set at one number of shots.

    Averaged over seeds and episodes, in each of which a participant's segments weigh alike.
    """
    keys = ["method", "participant", "seed", "episode"]
    right = counts["count"].where(counts["label"] == counts["predicted"], 0)
    sums = counts.assign(right=right).groupby(keys, sort=True)[["right", "count"]].sum()
    of_fit = (sums["right"] / sums["count"]).rename("accuracy").reset_index()
    return of_fit.groupby(["participant", "method"], sort=True)["accuracy"].mean().unstack("method")


def family_of(methods: Sequence[str], reference: str, lead: str) -> list[tuple[str, str]]:
    """The pairs (method, other) that are tested: every method against the reference, and the lead method against every other.

    In the order of the methods; the reference comes second in its pairs, the lead first in its own. A reference that was not run has no pairs; in
    the place of a lead that was not run stands the first method, as in the report.
    """
    lead = lead if lead in methods else next(iter(methods), lead)
    pairs = []
    for first, second in combinations(methods, 2):
        if reference in (first, second):
            pairs.append((second, first) if first == reference else (first, second))
        elif lead in (first, second):
            pairs.append((second, first) if second == lead else (first, second))
    return pairs


def comparison_table(counts: pd.DataFrame, curves: Curves, probed: Probed, margin: float, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """One row per data set, number of shots and pair of methods; Holm's families are the pairs of one data set and number of shots.

    `n` is the number of participants, `family` the number of pairs, `least_p` the least `p_holm` that so many people can reach among so many pairs;
    `effect` is NaN where the differences do not vary.

    Args:
        counts: prediction counts of the sweep.
        curves: its estimates; the equivalence test uses their draws.
        probed: representation and head of each method.
        margin: difference of accuracies below which two methods count as equivalent.
        pairs: of methods to be tested (`family_of`).
    """
    judged = pd.Series(list(zip(counts["representation"], counts["head"], strict=True)), index=counts.index)
    counts = counts[judged == counts["method"].map(probed)]
    rows = []
    for dataset, shots in counts[["dataset", "shots"]].drop_duplicates().sort_values(["dataset", "shots"]).itertuples(index=False):
        people = participant_accuracy(counts[(counts["dataset"] == dataset) & (counts["shots"] == shots)])
        family = [_compare(people, curves, probed, str(dataset), int(shots), pair, margin) for pair in pairs]
        corrected = holm(np.array([row["p"] for row in family]))
        sizes = {"family": len(pairs), "least_p": least_attainable(len(people), len(pairs))}
        rows += [row | sizes | {"p_holm": float(p)} for row, p in zip(family, corrected, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(people: pd.DataFrame, curves: Curves, probed: Probed, dataset: str, shots: int, pair: tuple[str, str], margin: float) -> dict[str, Any]:
    method, other = pair
    apart = (people[method] - people[other]).to_numpy()
    mine, theirs = (curves[dataset, name, *probed[name]][shots]["accuracy"] for name in pair)
    gain = difference(mine, theirs)
    return {
        "dataset": dataset,
        "shots": shots,
        "method": method,
        "other": other,
        "n": len(apart),
        "difference": float(apart.mean()),
        "p": signed_rank(apart),
        "effect": effect_size(apart),
        "margin": margin,
        "p_equivalent": equivalence(gain, margin),
    }
