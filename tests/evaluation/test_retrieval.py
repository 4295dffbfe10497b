"""Ranks of the first correct answer: against brute force over every order of tied answers, and what must not matter."""

from itertools import permutations
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.evaluation.retrieval import (
    METRICS,
    RECALL_AT,
    FirstCorrect,
    by_chance,
    choose_gallery,
    codes_of,
    estimate,
    first_correct,
    same,
    summary,
    weighted_median,
)
from primus.evaluation.statistics import Resampling


def brute_force(scores: np.ndarray, correct: np.ndarray) -> dict[str, float]:
    """Expectations over every order in which equal scores may come, one query."""
    ranks = []
    for order in permutations(range(len(scores))):
        placed = sorted(order, key=lambda item: -scores[item])  # stable: ties stay in the drawn order
        ranks.append(1 + next(place for place, item in enumerate(placed) if correct[item]))
    found = {f"r{k}": float(np.mean([rank <= k for rank in ranks])) for k in RECALL_AT}
    return found | {"median_rank": float(np.mean(ranks)), "mrr": float(np.mean([1 / rank for rank in ranks]))}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_expectations_equal_brute_force_over_all_orders_of_ties(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    heights = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=count, max_size=count)))
    correct = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any)))
    answers = np.stack([heights, np.sqrt(1 - heights**2)], axis=1)  # cosine with (1, 0) is the height
    found = first_correct(np.array([[7.0, 0.0]]), answers, correct[None]).expected()
    expected = brute_force(heights, correct)
    for name in METRICS:
        assert found[name][0] == pytest.approx(expected[name], abs=1e-12), name


def test_ranks_do_not_depend_on_the_batch_nor_on_the_order_of_answers() -> None:
    rng = np.random.default_rng(0)
    queries, answers = rng.standard_normal((57, 24)).astype(np.float32), rng.standard_normal((57, 24)).astype(np.float32)
    answers[20:30] = answers[10:20]  # duplicates, whose cosines must tie wherever they stand
    correct = same(codes_of(answers))
    whole = first_correct(queries, answers, correct).expected()
    for block in (1, 7, 56):
        for name, value in first_correct(queries, answers, correct, block).expected().items():
            np.testing.assert_array_equal(value, whole[name])
    order = rng.permutation(57)
    for name, value in first_correct(queries, answers[order], correct[:, order]).expected().items():
        np.testing.assert_array_equal(value, whole[name])


def test_duplicates_are_all_correct_and_ties_are_not_taken_as_hits() -> None:
    answers = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    queries = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    right = first_correct(queries, answers, same(codes_of(answers))).expected()
    np.testing.assert_array_equal(right["median_rank"], [1, 1, 1])
    alone = first_correct(queries, answers, np.eye(3, dtype=bool)).expected()
    np.testing.assert_allclose(alone["median_rank"], [1.5, 1.5, 1])
    np.testing.assert_allclose(alone["r1"], [0.5, 0.5, 1])


def test_items_are_the_same_by_either_code() -> None:
    equal = same(np.array([0, 0, 1, 2]), codes_of(["a", "b", "b", "c"]))
    np.testing.assert_array_equal(equal, [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_a_constant_encoder_scores_exactly_chance(constant: float) -> None:
    rng = np.random.default_rng(3)
    correct = same(np.array([0, 0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8]))
    answers = rng.standard_normal((12, 5))
    found = first_correct(answers, np.full((12, 5), constant), correct).expected()
    chance = by_chance(correct)
    for name in METRICS:
        np.testing.assert_allclose(found[name], chance[name], atol=1e-12)


def test_chance_is_the_closed_form() -> None:
    correct = np.zeros((1, 20), dtype=bool)
    correct[0, :3] = True
    found = summary(by_chance(correct))
    for k in RECALL_AT:
        assert found[f"r{k}"] == pytest.approx(1 - comb(17, k) / comb(20, k))
    assert found["median_rank"] == pytest.approx(21 / 4)
    assert summary(by_chance(np.eye(40, dtype=bool)))["mrr"] == pytest.approx(np.mean(1 / np.arange(1, 41)))


def test_a_query_without_an_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="an answer to every query"):
        first_correct(np.ones((2, 3)), np.ones((2, 3)), np.array([[True, False], [False, False]]))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=12).filter(lambda pairs: any(w for _, w in pairs)))
def test_the_weighted_median_is_that_of_repeated_values(pairs: list[tuple[int, int]]) -> None:
    values, weights = np.array([v for v, _ in pairs], dtype=float), np.array([w for _, w in pairs])
    assert weighted_median(values, weights[None].astype(float))[0] == np.median(np.repeat(values, weights))


def test_intervals_resample_people_and_hold_the_estimate() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(6), 10)
    ranks = FirstCorrect(rng.integers(0, 30, 60), np.zeros(60, np.int64), np.ones(60, np.int64)).expected()
    values = {name: np.stack([value, value]) for name, value in ranks.items()}
    found = estimate(values, people, Resampling.draw(500, 2, 1, 6, 0, "x"))
    for name, value in summary(ranks).items():
        assert found[name].mean == pytest.approx(value)
        assert found[name].lo <= value <= found[name].hi
        assert found[name].lo < found[name].hi


def test_a_gallery_holds_no_overlapping_segments_of_a_take_and_is_a_seeded_draw() -> None:
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 60, (3, 30)), axis=1)
    table = pd.DataFrame(
        [(f"t{take}_{place}", "d", f"t{take}", start, start + 5) for take in range(3) for place, start in enumerate(starts[take])],
        columns=["segment_id", "dataset", "take_uid", "start_s", "end_s"],
    )
    rows = choose_gallery(table, 1000, 0, 0)
    for _, chosen in table.iloc[rows].sort_values("start_s").groupby("take_uid"):
        assert (chosen["start_s"].to_numpy()[1:] >= chosen["end_s"].to_numpy()[:-1]).all()
        assert len(chosen) >= 8, "60 s hold twelve segments of 5 s at best"
    shuffled = table.sample(frac=1, random_state=1)
    few = table.iloc[choose_gallery(table, 7, 0, 0)]["segment_id"].tolist()
    assert few == shuffled.iloc[choose_gallery(shuffled, 7, 0, 0)]["segment_id"].tolist()
    assert few == table.iloc[rows]["segment_id"].tolist()[:7]
    assert few != table.iloc[choose_gallery(table, 7, 1, 0)]["segment_id"].tolist()
