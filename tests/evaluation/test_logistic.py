"""The batched solver against scikit-learn's optimum of the same problem."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.probes.probe import ShotBatch
from primus.seeds import generator


def problem(seed: int, classes: int, each: int, width: int, rank: int, separation: float) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of a given rank (as encoders give), standardised."""
    rng = generator(seed, "problem")
    labels = np.repeat(np.arange(classes), each)
    latent = rng.normal(size=(len(labels), rank)) + separation * rng.normal(size=(classes, rank))[labels]
    features = (latent * np.geomspace(1, 1e-2, rank)) @ rng.normal(size=(rank, width)) + 1e-4 * rng.normal(size=(len(labels), width))
    return (features - features.mean(0)) / features.std(0), labels


def objective(features: np.ndarray, labels: np.ndarray, weights: np.ndarray, intercepts: np.ndarray, c: float) -> float:
    """scikit-learn's objective divided by C n, from the definition."""
    logits = features @ weights + intercepts
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return float(-log_p[np.arange(len(labels)), labels].mean() + (weights**2).sum() / (2 * c * len(labels)))


def batch_of(features: np.ndarray, labels: np.ndarray, classes: int) -> ShotBatch:
    rows = torch.from_numpy(features)[None]
    return ShotBatch(rows, torch.from_numpy(labels)[None], torch.ones(rows.shape[:2], dtype=torch.float64), classes)


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(
    ("classes", "each", "width", "rank", "separation"),
    [(8, 1, 512, 20, 1.0), (3, 5, 512, 40, 0.0), (8, 20, 128, 128, 0.3), (5, 60, 64, 30, 0.5), (2, 40, 16, 4, 5.0), (1, 4, 8, 4, 1.0)],
)
def test_within_1e_4_of_scikit_learns_optimum(classes: int, each: int, width: int, rank: int, separation: float, c: float) -> None:
    features, labels = problem(0, classes, each, width, rank, separation)
    found = LogisticProbe(c=c).fit(batch_of(features, labels, classes))
    ours = objective(features, labels, found.weights[0].numpy(), found.intercepts[0].numpy(), c)
    np.testing.assert_allclose(ours, found.objective[0].item(), atol=1e-9)
    if classes == 1:
        assert ours == 0
        return
    theirs = LogisticRegression(C=c, tol=1e-10, max_iter=20000).fit(features, labels)
    weights, intercepts = theirs.coef_.T, theirs.intercept_
    if classes == 2:  # scikit-learn fits one weight vector, whose penalty equals that of the two halves times one half: give it twice the C
        theirs = LogisticRegression(C=2 * c, tol=1e-10, max_iter=20000).fit(features, labels)
        weights, intercepts = np.stack([-theirs.coef_[0], theirs.coef_[0]], axis=1) / 2, np.array([-1, 1]) * theirs.intercept_[0] / 2
    best = objective(features, labels, weights, intercepts, c)
    assert abs(ours - best) < 1e-4
    assert ours - best < 2e-6, "above the optimum by more than the solver's own tolerance"
    assert found.gap[0] <= 1e-6


def test_a_fit_does_not_depend_on_its_neighbours_or_on_padding() -> None:
    probe, classes = LogisticProbe(), 4
    small, small_labels = problem(1, classes, 3, 32, 16, 1.0)
    large, large_labels = problem(2, classes, 9, 32, 16, 0.1)
    features = torch.zeros(2, len(large), 32, dtype=torch.float64)
    labels, weights = torch.zeros(2, len(large), dtype=torch.int64), torch.zeros(2, len(large), dtype=torch.float64)
    for row, (x, y) in enumerate(((small, small_labels), (large, large_labels))):
        features[row, : len(x)], labels[row, : len(x)], weights[row, : len(x)] = torch.from_numpy(x), torch.from_numpy(y), 1.0
    together = probe.fit(ShotBatch(features, labels, weights, classes))
    for row, (x, y) in enumerate(((small, small_labels), (large, large_labels))):
        alone = probe.fit(batch_of(x, y, classes))
        torch.testing.assert_close(together.objective[row], alone.objective[0], atol=2e-6, rtol=0)
        logits = [torch.from_numpy(large) @ fit.weights[i] + fit.intercepts[i] for fit, i in ((together, row), (alone, 0))]
        torch.testing.assert_close(logits[0].softmax(1), logits[1].softmax(1), atol=2e-2, rtol=0)


def test_repeated_rows_and_constant_columns_are_no_trouble() -> None:
    features, labels = problem(3, 3, 4, 8, 8, 1.0)
    features = np.repeat(features, 5, axis=0)
    features[:, 2] = 0.0
    found = LogisticProbe(c=10.0).fit(batch_of(features, np.repeat(labels, 5), 3))
    assert torch.isfinite(found.weights).all()
    assert found.weights[0, 2].abs().max() < 1e-12


def test_not_reaching_the_tolerance_is_an_error_not_a_result() -> None:
    features, labels = problem(0, 4, 10, 64, 30, 0.2)
    with pytest.raises(ArithmeticError, match="above their optimum after 1 steps"):
        LogisticProbe(c=100.0, steps=1).fit(batch_of(features, labels, 4))
