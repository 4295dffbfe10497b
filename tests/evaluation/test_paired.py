import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.evaluation.paired import effect_size, equivalence, holm, signed_rank
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
    assert effect_size(np.array([1.0, 1.0])) == 0.0
    assert effect_size(np.array([1.0])) == 0.0


def test_equivalence_holds_only_within_the_margin() -> None:
    draws = generator(0, "draws").normal(0.0, 0.005, size=2000)
    assert equivalence(Estimate.of(0.0, draws), 0.02) < 0.05
    assert equivalence(Estimate.of(0.03, draws + 0.03), 0.02) > 0.9
    assert equivalence(Estimate.of(0.0, draws * 10), 0.02) > 0.05, "no difference found is not yet equivalence"
