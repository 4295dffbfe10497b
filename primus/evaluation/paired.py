"""Tests of one method against another on the same people: signed-rank test with Holm's correction, effect size, and equivalence.

The unit is the test participant: accuracies are averaged over pretraining seeds and episodes first, since those share the people. With fewer than
six participants no signed-rank test can reach 5 %; the number of participants stands beside every p value.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from primus.evaluation.statistics import Estimate, difference
from primus.evaluation.tables import Curves, Probed

COLUMNS = ["dataset", "shots", "method", "other", "n", "difference", "p", "p_holm", "effect", "margin", "p_equivalent"]


def signed_rank(differences: np.ndarray) -> float:
    """Two-sided p value of Wilcoxon's signed-rank test of paired differences (n,); 1 where none differs."""
    if not np.any(differences):
        return 1.0
    return float(wilcoxon(differences, zero_method="wilcox", method="auto").pvalue)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of a family of p values (n,), in their order (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    corrected = np.empty_like(stepped)
    corrected[order] = stepped
    return corrected


def effect_size(differences: np.ndarray) -> float:
    """Cohen's d of paired differences (n,): their mean over their deviation; 0 where they do not vary (or there is one)."""
    spread = differences.std(ddof=1) if len(differences) > 1 else 0.0
    return float(differences.mean() / spread) if spread > 0 else 0.0


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


def comparison_table(counts: pd.DataFrame, curves: Curves, probed: Probed, margin: float) -> pd.DataFrame:
    """One row per data set, number of shots and pair of methods; Holm's families are the pairs of one data set and number of shots.

    Args:
        counts: prediction counts of the sweep.
        curves: its estimates; the equivalence test uses their draws.
        probed: representation and head of each method.
        margin: difference of accuracies below which two methods count as equivalent.
    """
    judged = pd.Series(list(zip(counts["representation"], counts["head"], strict=True)), index=counts.index)
    counts = counts[judged == counts["method"].map(probed)]
    rows = []
    for dataset, shots in counts[["dataset", "shots"]].drop_duplicates().sort_values(["dataset", "shots"]).itertuples(index=False):
        people = participant_accuracy(counts[(counts["dataset"] == dataset) & (counts["shots"] == shots)])
        family = [_compare(people, curves, probed, str(dataset), int(shots), pair, margin) for pair in combinations(probed, 2)]
        corrected = holm(np.array([row["p"] for row in family]))
        rows += [row | {"p_holm": float(p)} for row, p in zip(family, corrected, strict=True)]
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
