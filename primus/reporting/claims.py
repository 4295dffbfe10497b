"""The paper's claims (a) to (h), each with what this run has to say about it.

A claim is judged on the data set, the methods and the numbers of shots that the paper made it about, under names as in params.yaml. What a run
does not hold stays unmeasured, and a run that lacks one of the paper's baselines can contradict a gain over all of them but not support it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from primus.reporting.ablations import AT_90, aligned_percent, at_shots, terms_of
from primus.reporting.results import Interval, Results, interval_in
from primus.reporting.verdicts import NOT_SUPPORTED, SMALLER, SUPPORTED, UNDECIDED, equals, gains, unpaired, within

BASELINES = ("imu2clip", "simclr", "multitask", "standard")
"""The four methods that the paper compares with."""

NOT_MEASURED = "not measured in this run"
UNTESTED = "untested: simulated corpus"
IN_DOMAIN, SAME_DEVICE, OTHER_DEVICE = "egoexo4d", "ego4d", "realworld"
FEW = 10
"""Most labels per class that count as few in claim (d)."""

CLAIMS = {
    "a": "up to +15 points on EgoExo4D below 500 labels per class",
    "b": "on par with IMU2CLIP on Ego4D",
    "c": "gains on REALWORLD below 100 labels per class",
    "d": "training from scratch fails with few labels",
    "e": "the multimodal loss is the key term",
    "f": "self-supervision with neighbours alone collapses to 10-15 %",
    "g": "multimodal with neighbours nearly matches all three losses in domain, and self-supervision adds up to 5 points on REALWORLD",
    "h": "10 % aligned data equal IMU2CLIP with all of it",
}


@dataclass(frozen=True)
class Finding:
    """One measurement of a claim.

    Attributes:
        claim: its letter.
        dataset: where it was measured, or should have been.
        measured: what was compared, in words; for a claim that was not measured, what is missing.
        estimate: accuracy or difference of accuracies with its 95 % interval; None where it was not measured.
        difference: whether the estimate is a difference.
        reading: what the interval says, a word of `verdicts`, or NOT_MEASURED.
    """

    claim: str
    dataset: str
    measured: str
    estimate: Interval | None = None
    difference: bool = True
    reading: str = NOT_MEASURED


def findings(results: Results) -> list[Finding]:
    """At least one for every claim, in their order."""
    judges: dict[str, Callable[[Results], list[Finding]]] = {
        "a": in_domain_gain, "b": on_par, "c": transfer_gain, "d": from_scratch, "e": key_term, "f": collapse, "g": terms_needed, "h": few_aligned,
    }  # fmt: skip
    return [found for claim in CLAIMS for found in judges[claim](results)]


def verdict(results: Results, found: Finding) -> str:
    """The reading, which numbers of a simulated corpus never get."""
    return UNTESTED if results.simulated and found.estimate is not None else found.reading


def claims_table(results: Results) -> pd.DataFrame:
    """One row per finding: claim, statement, dataset, measured, method, estimate, lo, hi (empty where not measured), reading, verdict, profile."""
    rows = []
    for found in findings(results):
        value = found.estimate
        numbers = (value.mean, value.lo, value.hi) if value else (None, None, None)
        said = (found.claim, CLAIMS[found.claim], found.dataset, found.measured, results.lead_method)
        rows.append((*said, *numbers, found.reading, verdict(results, found), results.profile))
    names = ["claim", "statement", "dataset", "measured", "method", "estimate", "lo", "hi", "reading", "verdict", "profile"]
    return pd.DataFrame(rows, columns=names).astype({"estimate": float, "lo": float, "hi": float})


def strongest_gains(results: Results, dataset: str, below: int) -> list[tuple[Interval, int, str]]:
    """At every number of shots below a limit: primus minus the strongest baseline that was run there, the shots and that baseline."""
    found = []
    for shots in (size for size in results.shots if size < below):
        rivals = [(gain, shots, other) for other in BASELINES if (gain := results.gain(dataset, "primus", other=other, shots=shots))]
        found += [min(rivals, key=lambda rival: rival[0].mean)] if rivals else []
    return found


def gain_over_all(results: Results, claim: str, dataset: str, below: int, size: float, largest: bool) -> list[Finding]:
    """The gain over the strongest baseline where it is largest, or least, over the numbers of shots below a limit."""
    every = strongest_gains(results, dataset, below)
    if not every:
        return [Finding(claim, dataset, f"needs primus and a baseline of {', '.join(BASELINES)} on {dataset}")]
    gain, shots, other = (max if largest else min)(every, key=lambda found: found[0].mean)
    missing = [name for name in BASELINES if name not in results.methods]
    reading = gains(gain, size, results.margin)
    if missing:  # one more baseline can only make the gain smaller: there may be none, and its size stays contradicted
        reading = {SUPPORTED: UNDECIDED, SMALLER: NOT_SUPPORTED}.get(reading, reading)
    which = "largest" if largest else "least"
    words = f"{which} gain over the strongest baseline below {below} labels: primus minus {other} at {shots}"
    return [Finding(claim, dataset, words + (f"; not run: {', '.join(missing)}" if missing else ""), gain, True, reading)]


def in_domain_gain(results: Results) -> list[Finding]:
    """(a)"""
    return gain_over_all(results, "a", IN_DOMAIN, 500, 0.15, largest=True)


def transfer_gain(results: Results) -> list[Finding]:
    """(c): a gain at every number of shots, so the least of them is judged."""
    return gain_over_all(results, "c", OTHER_DEVICE, 100, 0.0, largest=False)


def on_par(results: Results) -> list[Finding]:
    """(b), by the few-shot stage's two one-sided tests."""
    gain = results.gain(SAME_DEVICE, "primus", other="imu2clip")
    if gain is None:
        return [Finding("b", SAME_DEVICE, f"needs primus and imu2clip on {SAME_DEVICE}")]
    tests = results.beside.tests
    pair = tests["method"].isin(["primus", "imu2clip"]) & tests["other"].isin(["primus", "imu2clip"])
    row = tests[pair & (tests["dataset"] == SAME_DEVICE) & (tests["shots"] == results.headline)]
    p = float(row["p_equivalent"].iloc[0]) if len(row) else None
    words = f"primus minus imu2clip at {results.headline} labels, equal within {100 * results.margin:g} points"
    return [Finding("b", SAME_DEVICE, words + ("" if p is None else f" (p = {p:.3f})"), gain, True, equals(gain, results.margin, p))]


def from_scratch(results: Results) -> list[Finding]:
    """(d), on every data set."""
    few = [size for size in results.shots if size <= FEW]
    found = []
    for dataset in results.datasets if few else ():
        gain = results.gain(dataset, "standard", other="primus", shots=few[-1])
        if gain is not None:
            reading = SUPPORTED if gain.hi < 0 else NOT_SUPPORTED if gain.lo >= 0 else UNDECIDED
            found.append(Finding("d", dataset, f"standard minus primus at {few[-1]} labels", gain, True, reading))
    return found or [Finding("d", "all", f"needs primus and standard, and at most {FEW} shots")]


def key_term(results: Results) -> list[Finding]:
    """(e): alignment alone against self-supervision alone, paired where both are methods of this run."""
    gain = results.gain(IN_DOMAIN, "imu2clip", other="simclr")
    if gain is not None:
        return [Finding("e", IN_DOMAIN, f"imu2clip minus simclr at {results.headline} labels", gain, True, gains(gain))]
    return of_losses(results, "e", IN_DOMAIN, "mm", "ss", gains)


def collapse(results: Results) -> list[Finding]:
    """(f)"""
    rows = loss_rows(results, IN_DOMAIN, "ss-nn")
    if rows.empty:
        return [Finding("f", IN_DOMAIN, "needs the loss subset ss-nn of `make ablations`")]
    value = interval_in(rows.iloc[0].to_dict(), "mean", "lo", "hi")
    words = f"accuracy of ss-nn at {results.headline} labels"
    return [Finding("f", IN_DOMAIN, words, value, False, within(value, 0.10, 0.15, results.margin))]


def terms_needed(results: Results) -> list[Finding]:
    """(g), in domain and on the other device."""
    in_domain = of_losses(results, "g", IN_DOMAIN, "mm-nn", "all", lambda gain: equals(gain, results.margin))
    return in_domain + of_losses(results, "g", OTHER_DEVICE, "all", "mm-nn", lambda gain: gains(gain, 0.05, results.margin))


def few_aligned(results: Results) -> list[Finding]:
    """(h): primus with a tenth of the data aligned against imu2clip with all of it, on every data set of Fig. 6."""
    table = at_shots(results.beside.ablations, "fraction_aligned", results.headline)
    table = table.assign(percent=aligned_percent(table))
    found = []
    for dataset in (name for name in results.datasets if name in set(table["dataset"])):
        rows = table[(table["dataset"] == dataset) & (table["method"] == "primus")]
        gain = apart(rows[(rows["percent"] - 10).abs() < 1e-6], rows[rows["variant"] == "imu2clip"])
        if gain:
            words = f"primus with 10 % aligned minus imu2clip with 100 % at {results.headline} labels, equal within {100 * results.margin:g} points"
            found.append(Finding("h", dataset, words, gain, True, equals(gain, results.margin)))
    return found or [Finding("h", IN_DOMAIN, "needs Fig. 6 of `make ablations` with primus at 10 % and imu2clip")]


def of_losses(results: Results, claim: str, dataset: str, one: str, other: str, judge: Callable[[Interval], str]) -> list[Finding]:
    """One loss subset minus another of the ablations, as separate runs."""
    gain = apart(loss_rows(results, dataset, one), loss_rows(results, dataset, other))
    if gain is None:
        return [Finding(claim, dataset, f"needs the loss subsets {one} and {other} of `make ablations`")]
    return [Finding(claim, dataset, f"{one} minus {other} at {results.headline} labels", gain, True, judge(gain))]


def apart(one: pd.DataFrame, other: pd.DataFrame) -> Interval | None:
    """The first row of one variant minus that of another: paired where either is the other's reference, else as of separate runs."""
    if one.empty or other.empty:
        return None
    mine, theirs = one.iloc[0], other.iloc[0]
    if mine["reference"] == theirs["variant"] and pd.notna(mine["difference"]):
        return _paired(mine)
    if theirs["reference"] == mine["variant"] and pd.notna(theirs["difference"]):
        return -_paired(theirs)
    return unpaired(*(interval_in(row.to_dict(), "mean", "lo", "hi") for row in (mine, theirs)))


def _paired(row: pd.Series) -> Interval:
    """Difference of a variant from its reference; with its 90 % bounds where the row has them."""
    low, high = (float(row.get(name, math.nan)) for name in AT_90)
    return replace(interval_in(row.to_dict(), "difference"), at_90=None if math.isnan(low) or math.isnan(high) else (low, high))


def loss_rows(results: Results, dataset: str, variant: str) -> pd.DataFrame:
    """The runs of a loss subset at the headline."""
    table = at_shots(results.beside.ablations, "losses", results.headline)
    same = np.array([terms_of(name) == terms_of(variant) for name in table["variant"]], dtype=bool)
    return table[same & (table["dataset"] == dataset) & (table["method"] == "primus")]
