import numpy as np
import pytest

from primus.evaluation.metrics import METRICS, accuracy, macro_f1
from primus.evaluation.statistics import Estimate, Resampling, area_under_curve, difference, estimates
from primus.seeds import generator


def counts(seeds: int, episodes: int, people: int, classes: int = 3, each: int = 20, name: str = "a") -> np.ndarray:
    """(S, E, U, C, C): every person has `each` segments, predictions at random but better than chance."""
    rng = generator(0, "counts", name)
    tensor = np.zeros((seeds, episodes, people, classes, classes), dtype=np.int64)
    for s, e, u in np.ndindex(seeds, episodes, people):
        truth = rng.integers(classes, size=each)
        predicted = np.where(rng.random(each) < 0.4, truth, rng.integers(classes, size=each))
        np.add.at(tensor[s, e, u], (truth, predicted), 1)
    return tensor


def test_replicates_equal_a_slow_twin_that_copies_what_was_drawn() -> None:
    tensor = counts(2, 3, 4)
    resampling = Resampling.draw(25, 2, 3, 4, 7, "set")
    found = estimates(tensor, {"macro_f1": macro_f1, "accuracy": accuracy}, resampling)
    for name, metric in (("macro_f1", macro_f1), ("accuracy", accuracy)):
        for replicate in range(25):
            drawn_scores = []
            for s in np.repeat(np.arange(2), resampling.seeds[replicate].astype(int)):
                for e in np.repeat(np.arange(3), resampling.episodes[replicate].astype(int)):
                    people = np.repeat(np.arange(4), resampling.participants[replicate].astype(int))
                    drawn_scores.append(metric(sum(tensor[s, e, u] for u in people)))
            np.testing.assert_allclose(found[name].draws[replicate], np.mean(drawn_scores))
        np.testing.assert_allclose(found[name].mean, np.mean([metric(tensor[s, e].sum(axis=0)) for s in range(2) for e in range(3)]))


def test_every_replicate_draws_as_many_as_there_are() -> None:
    resampling = Resampling.draw(50, 3, 5, 7, 0, "set")
    for drawn, count in ((resampling.seeds, 3), (resampling.episodes, 5), (resampling.participants, 7)):
        assert drawn.shape == (50, count)
        assert (drawn.sum(axis=1) == count).all()


def test_draws_repeat_and_are_shared_between_methods_with_other_seed_counts() -> None:
    a, b = Resampling.draw(20, 3, 5, 7, 0, "set"), Resampling.draw(20, 1, 5, 7, 0, "set")
    np.testing.assert_array_equal(a.participants, b.participants)
    np.testing.assert_array_equal(a.episodes, b.episodes)
    assert not np.array_equal(a.participants, Resampling.draw(20, 3, 5, 7, 1, "set").participants)


def test_a_result_without_variation_has_an_interval_of_no_width() -> None:
    tensor = np.broadcast_to(np.eye(3, dtype=np.int64), (2, 2, 4, 3, 3))
    for found in estimates(tensor, METRICS, Resampling.draw(100, 2, 2, 4, 0)).values():
        assert (found.mean, found.lo, found.hi) == (1.0, 1.0, 1.0)


def test_the_interval_covers_what_varies_between_participants() -> None:
    """Coverage: 40 people per study with accuracies of their own; about 95 % of the studies' intervals hold the population's mean."""
    rng = generator(3, "coverage")
    inside = 0
    for study in range(200):
        skill = np.clip(rng.normal(0.6, 0.15, size=40), 0, 1)
        right = rng.binomial(30, skill)
        tensor = np.zeros((1, 1, 40, 2, 2), dtype=np.int64)
        tensor[0, 0, :, 0, 0], tensor[0, 0, :, 0, 1] = right, 30 - right
        found = estimates(tensor, {"accuracy": accuracy}, Resampling.draw(400, 1, 1, 40, study))["accuracy"]
        inside += found.lo <= 0.6 <= found.hi
    assert 0.90 <= inside / 200 <= 0.99


def test_the_paired_interval_is_narrower_than_the_methods_apart() -> None:
    rng = generator(4, "paired")
    skill = rng.uniform(0.2, 0.8, size=12)  # people differ much, the methods differ by five points for each of them
    pair = []
    for bonus in (0.05, 0.0):
        tensor = np.zeros((1, 1, 12, 2, 2), dtype=np.int64)
        right = np.round(400 * (skill + bonus)).astype(int)
        tensor[0, 0, :, 0, 0], tensor[0, 0, :, 0, 1] = right, 400 - right
        pair.append(estimates(tensor, {"accuracy": accuracy}, Resampling.draw(500, 1, 1, 12, 0, "set"))["accuracy"])
    gain = difference(*pair)
    assert gain.mean == pytest.approx(0.05, abs=2e-3)
    assert gain.hi - gain.lo < 0.01 < 0.1 < pair[0].hi - pair[0].lo


def test_area_is_the_mean_height_over_log_shots() -> None:
    def flat(value: float) -> Estimate:
        return Estimate.of(value, np.full(10, value))

    assert area_under_curve([1, 2, 50], [flat(0.4)] * 3).mean == pytest.approx(0.4)
    assert area_under_curve([1, 10, 100], [flat(0.0), flat(0.5), flat(1.0)]).mean == pytest.approx(0.5)
    with pytest.raises(ValueError, match="two or more"):
        area_under_curve([1], [flat(0.5)])


def test_a_resampling_for_other_counts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4\)"):
        estimates(counts(2, 3, 4), METRICS, Resampling.draw(5, 2, 3, 5, 0))
