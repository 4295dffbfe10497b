"""When an interval supports a claim, and what each of the paper's claims is judged by."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from primus.evaluation.paired import equivalence
from primus.evaluation.statistics import Estimate
from primus.reporting.ablations import COLUMNS
from primus.reporting.claims import BASELINES, CLAIMS, NOT_MEASURED, UNTESTED, Finding, apart, claims_table, findings, strongest_gains, verdict
from primus.reporting.results import Interval, Results
from primus.reporting.verdicts import NOT_SUPPORTED, SMALLER, SUPPORTED, UNDECIDED, equals, gains, unpaired, within
from tests.reporting.made_results import ablation, beside, gain_rows, results


@pytest.mark.parametrize(
    ("gain", "size", "says"),
    [
        ((0.03, 0.005, 0.16), 0.15, UNDECIDED), ((0.1, 0.05, 0.2), 0.15, UNDECIDED), ((0.1, -0.01, 0.2), 0.15, UNDECIDED),
        ((0.14, 0.05, 0.2), 0.15, SUPPORTED), ((0.135, 0.12, 0.145), 0.15, SUPPORTED), ((0.2, -0.01, 0.4), 0.15, UNDECIDED),
        ((0.06, 0.03, 0.09), 0.15, SMALLER), ((0.03, -0.01, 0.07), 0.15, NOT_SUPPORTED), ((-0.01, -0.2, 0.18), 0.15, UNDECIDED),
        ((0.1, 0.05, 0.2), 0.0, SUPPORTED), ((-0.1, -0.2, 0.0), 0.0, NOT_SUPPORTED), ((0.0, -0.1, 0.1), 0.0, UNDECIDED),
    ],
)  # fmt: skip
def test_gains(gain: tuple[float, float, float], size: float, says: str) -> None:
    assert gains(Interval(*gain), size, 0.02) == says


@given(mean=st.floats(-0.1, 0.1), error=st.floats(0.001, 0.05), margin=st.floats(0.005, 0.05))
def test_equality_is_that_of_two_one_sided_tests(mean: float, error: float, margin: float) -> None:
    p = max(norm.sf((mean + margin) / error), norm.cdf((mean - margin) / error))
    gain = Interval(mean, mean - 1.96 * error, mean + 1.96 * error)
    if abs(p - 0.05) > 1e-3:  # 1.645 and 1.96 are rounded
        assert (equals(gain, margin) == SUPPORTED) == (p < 0.05)
        assert (equals(gain, margin, p) == SUPPORTED) == (p < 0.05)
    assert (equals(gain, margin) == NOT_SUPPORTED) == (gain.lo > margin or gain.hi < -margin)


@given(seed=st.integers(0, 2**32 - 1), mean=st.floats(-0.05, 0.05), margin=st.floats(0.005, 0.05))
def test_equality_from_the_draws_is_schuirmanns(seed: int, mean: float, margin: float) -> None:
    """Of skewed draws, too, where a 95 % interval made narrower says something else."""
    draws = mean + 0.01 * (np.random.default_rng(seed).exponential(1.0, 999) - 1)
    low, high = np.quantile(draws, [0.05, 0.95])
    gain = Interval(float(draws.mean()), *(float(bound) for bound in np.quantile(draws, [0.025, 0.975])), at_90=(float(low), float(high)))
    p = equivalence(Estimate.of(draws.mean(), draws), margin)
    if abs(p - 0.05) > 3e-3 and not (gain.lo > margin or gain.hi < -margin):
        assert (equals(gain, margin) == SUPPORTED) == (p < 0.05)


@pytest.mark.parametrize("turned", [False, True])
def test_a_paired_difference_keeps_its_90_percent_bounds(turned: bool) -> None:
    reference = pd.DataFrame([{"variant": "all", "reference": "all", "mean": 0.5, "lo": 0.4, "hi": 0.6, "difference": math.nan}])
    other = {
        "variant": "nn",
        "reference": "all",
        "mean": 0.51,
        "lo": 0.4,
        "hi": 0.6,
        "difference": 0.01,
        "difference_lo": -0.03,
        "difference_hi": 0.06,
    }
    pair = [pd.DataFrame([other | {"difference_lo_90": -0.01, "difference_hi_90": 0.04}]), reference]
    found = apart(*(pair[::-1] if turned else pair))
    assert found == (Interval(-0.01, -0.06, 0.03, (-0.04, 0.01)) if turned else Interval(0.01, -0.03, 0.06, (-0.01, 0.04)))
    assert apart(pd.DataFrame([other]), reference) == Interval(0.01, -0.03, 0.06), "rows of earlier versions lack them"


def test_a_score_within_a_range() -> None:
    assert within(Interval(0.12, 0.09, 0.16), 0.10, 0.15, 0.02) == SUPPORTED
    assert within(Interval(0.44, 0.39, 0.50), 0.10, 0.15, 0.02) == NOT_SUPPORTED
    assert within(Interval(0.15, 0.10, 0.25), 0.10, 0.15, 0.02) == UNDECIDED


def test_separate_runs_are_compared_as_if_independent() -> None:
    found = unpaired(Interval(0.5, 0.4, 0.65), Interval(0.3, 0.28, 0.37))
    assert found.mean == pytest.approx(0.2)
    assert found.lo == pytest.approx(0.2 - math.sqrt(0.1**2 + 0.07**2))
    assert found.hi == pytest.approx(0.2 + math.sqrt(0.15**2 + 0.02**2))


def full(**changes: object) -> Results:
    """A real corpus on which everything was run: gains of primus over every baseline, by number of shots."""
    made = results(shots=(5, 20, 200))
    rows = [made.differences]
    for number, other in enumerate(BASELINES):
        for dataset in made.datasets:
            by_shots = {5: 0.20 + 0.01 * number, 20: 0.10 + 0.01 * number, 200: 0.02}
            rows.append(gain_rows(dataset, "primus", other, {k: (mean, mean - 0.01, mean + 0.03) for k, mean in by_shots.items()}))
    rows.append(gain_rows("egoexo4d", "imu2clip", "simclr", {20: (0.08, 0.03, 0.13)}))
    differences = pd.concat(rows[1:], ignore_index=True)
    scores = pd.concat([made.scores, *(made.scores[made.scores["method"] == "simclr"].assign(method=name) for name in BASELINES if name != "simclr")])
    return dataclasses.replace(made, simulated=False, differences=differences, scores=scores, **changes)  # type: ignore[arg-type]


def by_claim(made: Results) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in findings(made):
        found.setdefault(one.claim, []).append(one)
    return found


def test_every_claim_has_a_row_and_says_what_is_missing() -> None:
    found = by_claim(results())
    assert list(found) == list(CLAIMS)
    for claim in "bdefgh":
        assert all(one.reading == NOT_MEASURED and one.estimate is None and "needs" in one.measured for one in found[claim]), claim
    (first,) = found["a"]
    assert "not run: imu2clip, multitask, standard" in first.measured


def test_numbers_of_a_simulation_never_get_a_verdict() -> None:
    table = claims_table(results())
    measured = table["estimate"].notna()
    assert set(table.loc[measured, "verdict"]) == {UNTESTED}
    assert set(table.loc[~measured, "verdict"]) == {NOT_MEASURED}
    made = full()
    assert all(verdict(made, one) == one.reading for one in findings(made))


def test_gains_are_those_over_the_strongest_baseline() -> None:
    made = full()
    for gain, shots, other in strongest_gains(made, "egoexo4d", 500):
        everyone = {name: made.gain("egoexo4d", "primus", other=name, shots=shots) for name in BASELINES}
        assert gain.mean == min(value.mean for value in everyone.values() if value)
        assert everyone[other] == gain
    found = by_claim(made)
    (a,), (c,) = found["a"], found["c"]
    assert (a.estimate, a.reading) == (Interval(0.20, 0.19, 0.23), SUPPORTED)
    assert a.measured.endswith("primus minus imu2clip at 5")
    assert c.estimate is not None
    assert c.estimate.mean == pytest.approx(0.10), "200 shots are not below 100"
    assert c.reading == SUPPORTED


def test_a_missing_baseline_can_contradict_a_gain_but_not_support_it() -> None:
    made = full()
    without = dataclasses.replace(made, scores=made.scores[made.scores["method"] != "multitask"])
    assert by_claim(without)["a"][0].reading == UNDECIDED
    rows = without.differences
    small = rows.assign(**{name: rows[name] / 3 for name in ("difference", "lo", "hi")})
    assert by_claim(dataclasses.replace(without, differences=small))["a"][0].reading == NOT_SUPPORTED
    assert by_claim(dataclasses.replace(made, differences=small))["a"][0].reading == SMALLER, "with every baseline there is a gain"


@pytest.mark.parametrize(
    ("difference", "says"),
    [((0.04, 0.01, 0.08), SUPPORTED), ((0.02, 0.01, 0.08), UNDECIDED), ((0.02, 0.01, 0.04), SMALLER), ((0.02, -0.01, 0.04), NOT_SUPPORTED)],
)
def test_what_self_supervision_adds_is_held_to_the_size_claimed(difference: tuple[float, float, float], says: str) -> None:
    rows = [(*ablation("losses", "all", 0.4, dataset="realworld")[:11], "mm-nn", *difference), ablation("losses", "mm-nn", 0.3, dataset="realworld")]
    made = full(beside=beside(ablations=pd.DataFrame(rows, columns=COLUMNS)))
    assert [one.reading for one in by_claim(made)["g"] if one.dataset == "realworld"] == [says]


def test_equivalence_uses_the_stage_s_own_test() -> None:
    test = {"dataset": "ego4d", "shots": 20, "method": "imu2clip", "other": "primus", "p_equivalent": 0.01}
    made = full(beside=beside(tests=pd.DataFrame([test])))
    close = gain_rows("ego4d", "primus", "imu2clip", {20: (0.0, -0.03, 0.03)})
    (found,) = by_claim(dataclasses.replace(made, differences=close))["b"]
    assert found.reading == SUPPORTED
    assert "p = 0.010" in found.measured
    (apart,) = by_claim(made)["b"]
    assert apart.reading == NOT_SUPPORTED


def test_claims_about_losses_and_shares_are_judged_by_the_ablations() -> None:
    rows = [ablation("losses", name, value) for name, value in (("ss", 0.30), ("mm", 0.50), ("ss-nn", 0.13), ("mm-nn", 0.60), ("all", 0.602))]
    rows += [ablation("losses", name, value, dataset="realworld") for name, value in (("mm-nn", 0.40), ("all", 0.45))]
    rows += [ablation("fraction_aligned", "10 %", 0.55, x=0.1, half=0.003), ablation("fraction_aligned", "all", 0.7, x=1.0)]
    rows += [ablation("fraction_aligned", "imu2clip", 0.551, x=float("nan"), half=0.003)]
    made = full(beside=beside(ablations=pd.DataFrame(rows, columns=COLUMNS)))
    made = dataclasses.replace(made, differences=made.differences[made.differences["method"] != "imu2clip"])
    found = by_claim(made)
    assert [one.reading for one in found["e"]] == [SUPPORTED]
    assert found["e"][0].estimate == unpaired(Interval(0.50, 0.49, 0.51), Interval(0.30, 0.29, 0.31))
    assert [one.reading for one in found["f"]] == [SUPPORTED]
    assert [(one.dataset, one.reading) for one in found["g"]] == [("egoexo4d", SUPPORTED), ("realworld", SUPPORTED)]
    assert [(one.dataset, one.reading) for one in found["h"]] == [("egoexo4d", SUPPORTED)]


def test_differences_within_a_group_are_the_paired_ones_where_the_table_has_them() -> None:
    def paired(name: str, value: float, *difference: float) -> tuple:
        return (*ablation("losses", name, value, dataset="realworld")[:11], "all", *difference)

    rows = [paired("all", 0.5, *[float("nan")] * 3), paired("mm-nn", 0.4, -0.1, -0.12, -0.07)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    one, other = table.iloc[:1], table.iloc[1:]
    assert apart(other, one) == Interval(-0.1, -0.12, -0.07)
    assert apart(one, other) == Interval(0.1, 0.07, 0.12)
    assert apart(one, other.iloc[:0]) is None
    found = by_claim(full(beside=beside(ablations=table)))["g"]
    assert (found[1].estimate, found[1].reading) == (Interval(0.1, 0.07, 0.12), SUPPORTED)
