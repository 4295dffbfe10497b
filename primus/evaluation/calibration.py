"""How far a probe's probabilities can be believed: log loss and expected calibration error, before and after temperature scaling.

Guo et al. 2017 (arXiv 1706.04599). Everything is kept as sums over segments per participant and bin of confidence, so that scores of any set of
people follow by addition, as a bootstrap over people needs. The temperature is fitted on the shots alone: the probe is fitted on either half of
them (every second shot of each class) and scores the other half.
"""

import numpy as np
import torch
from torch import Tensor

from primus.evaluation.metrics import Metric
from primus.evaluation.probes.probe import Probe, ShotBatch

BINS = 15
"""Bins of equal width over the confidence."""

SUMS = ("count", "confidence", "correct", "nll")
"""What is summed over the segments of a bin."""

LEAST_LOG_P = -30.0
"""Floor of the log probability given to the truth; also that of a class no shot was of."""

SHARPEST = 20.0
"""Temperatures are kept within 1/SHARPEST and SHARPEST."""


def tally(scores: Tensor, truth: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Sums (B, groups, BINS, 4) float64 of class scores (B, T, K).

    Args:
        scores: their softmax is the probability.
        truth: (T,) int64 column of the true class, -1 where there is none.
        group: (T,) int64 participant of each test segment.
        groups: number of participants.
    """
    log_p = torch.log_softmax(scores, dim=2)
    top, predicted = log_p.max(dim=2)
    confidence, correct = top.exp().numpy(), (predicted.numpy() == truth)
    own = torch.gather(log_p, 2, torch.from_numpy(np.maximum(truth, 0))[None, :, None].expand(len(scores), -1, -1))[..., 0].numpy()
    nll = -np.maximum(np.where(truth >= 0, own, LEAST_LOG_P), LEAST_LOG_P)
    cell = group * BINS + np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    size = groups * BINS
    flat = (np.arange(len(scores))[:, None] * size + cell).ravel()
    summed = (np.ones_like(nll), confidence, correct, nll)
    sums = [np.bincount(flat, weights=values.ravel().astype(np.float64), minlength=len(scores) * size) for values in summed]
    return np.stack(sums, axis=-1).reshape(len(scores), groups, BINS, len(SUMS))


def _of_count(values: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(values, count, out=np.zeros(np.broadcast(values, count).shape), where=count > 0)


def log_loss(sums: np.ndarray) -> np.ndarray:
    """Mean negative log probability of the truth, in nats: (..., BINS, 4) -> (...)."""
    return _of_count(sums[..., 3].sum(axis=-1), sums[..., 0].sum(axis=-1))


def calibration_error(sums: np.ndarray) -> np.ndarray:
    """Expected calibration error: mean distance of confidence and accuracy over bins, weighted by their segments; (..., BINS, 4) -> (...)."""
    return _of_count(np.abs(sums[..., 2] - sums[..., 1]).sum(axis=-1), sums[..., 0].sum(axis=-1))


CALIBRATION: dict[str, Metric] = {"nll": log_loss, "ece": calibration_error}


def shots_temperature(probe: Probe, shots: ShotBatch) -> Tensor | None:
    """Temperatures (B,) float64 that the shots themselves ask for, by two-fold cross-fitting; None where a class has a single shot."""
    member = shots.one_hot()
    if member.sum(dim=1).min() < 2:
        return None
    place = (member.cumsum(dim=1) * member).sum(dim=2)  # 1, 2, ... within a class; 0 for padding
    halves = [shots.select((shots.weights > 0) & (place % 2 == parity)) for parity in (1, 0)]
    scored = [probe(fitted, held_out.features) for fitted, held_out in (halves, halves[::-1])]
    targets = [held_out.one_hot() for held_out in halves[::-1]]
    return best_temperature(torch.cat(scored, dim=1), torch.cat(targets, dim=1))


def best_temperature(scores: Tensor, target: Tensor) -> Tensor:
    """The temperature (B,) that minimises the log loss of scores (B, n, K) against one-hot targets (B, n, K); rows of zeros count for nothing.

    The loss is convex in the inverse temperature, so its slope is bisected.
    """
    weight = target.sum(dim=2)
    own = (scores * target).sum(dim=2)
    low, high = (torch.full((len(scores),), sign * np.log(SHARPEST), dtype=torch.float64) for sign in (-1.0, 1.0))
    for _ in range(40):
        middle = (low + high) / 2
        expected = (torch.softmax(scores * middle.exp()[:, None, None], dim=2) * scores).sum(dim=2)
        too_sharp = ((expected - own) * weight).sum(dim=1) > 0
        low, high = torch.where(too_sharp, low, middle), torch.where(too_sharp, middle, high)
    return (-(low + high) / 2).exp()
