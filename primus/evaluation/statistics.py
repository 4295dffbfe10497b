"""Intervals: one bootstrap over pretraining seed, episode and test participant together.

Segments of one person are not independent, neither are episodes that share a pretrained encoder, so each factor is resampled as a whole
(a crossed, or "pigeonhole", bootstrap: Owen 2007, doi 10.1214/07-AOAS122). Two methods scored with the same `Resampling` are compared on
the same draws, which makes the interval of their difference a paired one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from primus.evaluation.metrics import Metric
from primus.seeds import generator

LEVEL = 0.95
"""Coverage that percentile intervals aim at."""

FEW_PARTICIPANTS = 10
"""Below this many test participants a percentile interval is too narrow to be trusted, and reports say so."""


@dataclass(frozen=True)
class Estimate:
    """A mean with the bounds of its interval; `draws` are the bootstrap replicates it came from, (R,)."""

    mean: float
    lo: float
    hi: float
    draws: np.ndarray

    @classmethod
    def of(cls, mean: float, draws: np.ndarray) -> "Estimate":
        tail = (1 - LEVEL) / 2
        lo, hi = np.quantile(draws, [tail, 1 - tail])
        return cls(float(mean), float(lo), float(hi), draws)


@dataclass(frozen=True)
class Resampling:
    """How often each seed, episode and participant is drawn in every replicate: (R, S), (R, E), (R, U) float64."""

    seeds: np.ndarray
    episodes: np.ndarray
    participants: np.ndarray

    @classmethod
    def draw(cls, replicates: int, seeds: int, episodes: int, participants: int, seed: int, *names: str | int) -> "Resampling":
        """Draw with replacement, each factor from a generator of its own, so that equal counts give equal draws."""

        def multiplicity(factor: str, count: int) -> np.ndarray:
            rng = generator(seed, "bootstrap", *names, factor, count)
            return rng.multinomial(count, np.full(count, 1 / count), size=replicates).astype(np.float64)

        return cls(multiplicity("seed", seeds), multiplicity("episode", episodes), multiplicity("participant", participants))


def estimates(counts: np.ndarray, metrics: Mapping[str, Metric], resampling: Resampling) -> dict[str, Estimate]:
    """Metrics averaged over seeds and episodes, with their intervals.

    Args:
        counts: (S, E, U, A, B) per pretraining seed, episode and test participant; what is counted must add up over participants.
        metrics: name -> function (..., A, B) -> (...), applied to the counts of all drawn participants together.
        resampling: draws for exactly S seeds, E episodes and U participants (ValueError otherwise).
    """
    seeds, episodes, participants, rows, columns = counts.shape
    expected = (resampling.seeds.shape[1], resampling.episodes.shape[1], resampling.participants.shape[1])
    if (seeds, episodes, participants) != expected:
        raise ValueError(f"the counts have (seeds, episodes, participants) = {(seeds, episodes, participants)}, the resampling {expected}")
    flat = np.moveaxis(counts, 2, 0).reshape(participants, -1).astype(np.float64)
    drawn = (resampling.participants @ flat).reshape(-1, seeds, episodes, rows, columns)  # (R, U) @ (U, S*E*A*B)
    weight = resampling.seeds[:, :, None] * resampling.episodes[:, None, :]  # (R, S, E)
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    everyone = counts.sum(axis=2)
    return {name: Estimate.of(float(metric(everyone).mean()), (metric(drawn) * weight).sum(axis=(1, 2))) for name, metric in metrics.items()}


def difference(a: Estimate, b: Estimate) -> Estimate:
    """a - b with the interval of the paired difference; both must come from the same resampling."""
    return Estimate.of(a.mean - b.mean, a.draws - b.draws)


def area_under_curve(shots: list[int], curve: list[Estimate]) -> Estimate:
    """Area under the label-efficiency curve: the mean height over log(shots), by trapezoids.

    `shots` are increasing and at least two; `curve` holds the estimate at each, from one resampling.
    """
    if len(shots) < 2 or len(shots) != len(curve):
        raise ValueError(f"the area needs the same number (two or more) of shots and estimates, found {len(shots)} and {len(curve)}")
    x = np.log(np.asarray(shots, dtype=np.float64))
    span = x[-1] - x[0]
    mean = np.trapezoid([point.mean for point in curve], x) / span
    return Estimate.of(float(mean), np.trapezoid(np.stack([point.draws for point in curve]), x, axis=0) / span)
