import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.evaluation.paired import effect_size, equivalence, family_of, holm, least_attainable, signed_rank
from primus.evaluation.statistics import Estimate
from primus.seeds import generator


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values: list[float]) -> None:
    p = np.array(values)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


def test_signed_rank_is_exact_for_few_people() -> None:
    assert signed_rank(np.arange(1.0, 7.0)) == pytest.approx(2 / 2**6), "six people, all in favour: two of 64 sign patterns are as extreme"
    assert signed_rank(np.zeros(5)) == 1.0


def test_false_alarms_of_a_corrected_family_stay_below_the_level() -> None:
    rng = generator(0, "families")
    alarms = sum(holm(np.array([signed_rank(rng.normal(size=15)) for _ in range(6)])).min() < 0.05 for _ in range(300))
    assert alarms / 300 < 0.08


def test_effect_size_is_the_mean_in_deviations() -> None:
    assert effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)


@pytest.mark.parametrize("shared", [0.0, 0.05, 1.0])
def test_a_difference_that_everybody_shares_has_no_size_in_deviations(shared: float) -> None:
    assert np.isnan(effect_size(np.full(8, shared)))
    assert np.isnan(effect_size(np.array([shared])))
    rounded = np.array([(0.1 + 0.2) - 0.3 + shared, 0.0 + shared, 1e-17 + shared, 0.1 * 3 - 0.3 + shared])
    assert np.isnan(effect_size(rounded)), "equal but for the order of a sum"
    assert abs(effect_size(rounded + np.array([0.0, 0.0, 0.0, 1e-6]))) < 1e7


def test_rounding_is_neither_a_difference_nor_an_order() -> None:
    assert signed_rank(np.array([1e-17, 2e-17, 3e-17, 4e-17, 5e-17, 6e-17])) == 1.0
    ties = np.array([0.1, 0.1, 0.1, -0.1, 0.1, 0.1, 0.1])
    assert signed_rank(ties + np.arange(7) * 1e-17) == signed_rank(ties)


def test_the_family_is_all_against_the_reference_and_the_lead_against_all() -> None:
    methods = ["primus", "simclr", "imu2clip", "multitask", "random"]
    pairs = family_of(methods, reference="random", lead="primus")
    assert len(pairs) == 2 * len(methods) - 3 < len(methods) * (len(methods) - 1) // 2
    assert {pair for pair in pairs if "random" in pair} == {(method, "random") for method in methods[:-1]}
    assert {pair for pair in pairs if "random" not in pair} == {("primus", method) for method in methods[1:-1]}
    assert family_of(["random", "primus", "simclr"], "random", "primus") == [("primus", "random"), ("simclr", "random"), ("primus", "simclr")]
    assert family_of(methods, "random", "random") == [(method, "random") for method in methods[:-1]]
    assert family_of(methods, "absent", "simclr") == [("simclr", "primus"), *(("simclr", method) for method in methods[2:])]
    assert family_of(["simclr", "multitask"], "absent", "absent") == [("simclr", "multitask")]
    assert family_of(["simclr"], "random", "primus") == []


@pytest.mark.parametrize(("people", "family"), [(4, 3), (8, 3), (8, 19), (15, 19)])
def test_the_least_attainable_p_is_that_of_one_sign(people: int, family: int) -> None:
    best = holm(np.array([signed_rank(np.arange(1.0, people + 1) / 100), *[1.0] * (family - 1)])).min()
    assert least_attainable(people, family) == pytest.approx(best)


def test_equivalence_holds_only_within_the_margin() -> None:
    draws = generator(0, "draws").normal(0.0, 0.005, size=2000)
    assert equivalence(Estimate.of(0.0, draws), 0.02) < 0.05
    assert equivalence(Estimate.of(0.03, draws + 0.03), 0.02) > 0.9
    assert equivalence(Estimate.of(0.0, draws * 10), 0.02) > 0.05, "no difference found is not yet equivalence"
