import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss as sklearn_log_loss

from primus.evaluation.calibration import BINS, best_temperature, calibration_error, log_loss, shots_temperature, tally
from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.probes.probe import ShotBatch
from primus.seeds import generator


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 6), count=st.integers(2, 50), sharpness=st.floats(0.1, 5))
def test_equal_to_scikit_learn_and_to_the_definition(seed: int, classes: int, count: int, sharpness: float) -> None:
    rng = generator(seed, "scores")
    scores = torch.from_numpy(rng.normal(size=(1, count, classes)) * sharpness)
    truth, group = rng.integers(classes, size=count), rng.integers(3, size=count)
    sums = tally(scores, truth, group, 3)
    assert sums.shape == (1, 3, BINS, 4)
    p = torch.softmax(scores, 2)[0].numpy()
    np.testing.assert_allclose(log_loss(sums.sum(axis=1)), sklearn_log_loss(truth, p, labels=range(classes)), rtol=1e-9)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    expected = 0.0
    for number in range(BINS):
        inside = (confidence >= number / BINS) & ((confidence < (number + 1) / BINS) | (number == BINS - 1))
        expected += abs(right[inside].sum() - confidence[inside].sum()) / count
    np.testing.assert_allclose(calibration_error(sums.sum(axis=1)), expected, atol=1e-9)


def test_the_temperature_is_where_an_optimiser_finds_it() -> None:
    rng = generator(0, "temperature")
    scores = torch.from_numpy(rng.normal(size=(3, 60, 4)) * 4)
    labels = torch.from_numpy(rng.integers(4, size=(3, 60)))
    labels[:, :35] = scores[:, :35].argmax(dim=2)  # right more often than not
    target = torch.nn.functional.one_hot(labels, 4).double()
    target[2, 50:] = 0  # padding
    found = best_temperature(scores, target)
    for row in range(3):

        def loss(log_t: float, row: int = row) -> float:
            log_p = torch.log_softmax(scores[row] / np.exp(log_t), dim=1)
            return float(-(log_p * target[row]).sum())

        best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-6})
        np.testing.assert_allclose(np.log(found[row].item()), best.x, atol=1e-3)


def test_scaling_by_the_shots_mends_overconfidence() -> None:
    """Noisy labels: an unregularised fit is too sure; the temperature that the shots ask for brings loss and error down on new data."""
    rng = generator(1, "noisy")
    direction = rng.normal(size=(3, 20))

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.arange(count) % 3
        features = direction[truth] + 3 * rng.normal(size=(count, 20))
        return features, truth

    shots, labels = draw(90)
    test, truth = draw(600)
    batch = ShotBatch(torch.from_numpy(shots)[None], torch.from_numpy(labels)[None], torch.ones(1, 90, dtype=torch.float64), 3)
    probe = LogisticProbe(c=100.0)
    scores = probe(batch, torch.from_numpy(test)[None])
    temperature = shots_temperature(probe, batch)
    assert temperature is not None
    assert temperature.item() > 1
    group = np.zeros(600, dtype=int)
    before, after = (tally(part, truth, group, 1)[:, 0] for part in (scores, scores / temperature[:, None, None]))
    assert log_loss(after) < log_loss(before)
    assert calibration_error(after) < calibration_error(before)


def test_a_single_shot_of_a_class_asks_for_no_temperature() -> None:
    features = torch.eye(3, dtype=torch.float64)[None]
    batch = ShotBatch(features, torch.tensor([[0, 1, 1]]), torch.ones(1, 3, dtype=torch.float64), 2)
    assert shots_temperature(LogisticProbe(), batch) is None


def test_a_class_no_shot_was_of_costs_a_bounded_loss() -> None:
    sums = tally(torch.zeros(1, 2, 2, dtype=torch.float64), np.array([-1, 0]), np.zeros(2, dtype=int), 1)
    np.testing.assert_allclose(sums[0, 0, :, 3].sum(), 30 + np.log(2))
    assert sums[0, 0, :, 2].sum() == 1
