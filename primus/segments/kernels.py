"""The interpolation and filter weights that resampling is made of.

Times in seconds, frequencies in Hz, everything float64; none of the weights depends on the signal, so resampling is linear in it.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bands = tuple[tuple[float, float], ...]
"""(power density, upper edge) pairs of a process whose density is their sum."""

DIFFERENTIATOR_TAPS = 10
DIFFERENTIATOR_BAND = 0.75
"""Share of the Nyquist band in which the differentiator is exact, to 2e-3 at its edge and to 1e-6 in its lower two thirds."""

SPLINES_PER_CELL = 8
BETWEEN_WEIGHT = 0.3


def windowed_sinc(offsets: Floats, cutoff: float, half_width: float, beta: float) -> Floats:
    """Kaiser-windowed low-pass kernel: density of weight at `offsets` from the output time, zero beyond `half_width`; integrates to about 1."""
    inside = 1.0 - (offsets / half_width) ** 2
    window = np.i0(beta * np.sqrt(np.maximum(inside, 0.0))) / np.i0(beta)
    return np.where(inside > 0, 2 * cutoff * np.sinc(2 * cutoff * offsets) * window, 0.0)


def _cubic_spline(x: Floats) -> Floats:
    """The cubic B-spline, which lives on |x| < 2."""
    x = np.abs(x)
    return np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.maximum(2 - x, 0) ** 3 / 6)


@cache
def gridding_table(cells: int, band: float, phases: int) -> Floats:
    """Weights (phases, cells) with which a sample between two grid points enters the `cells` points around it; grid step one.

    The kernel is the sum of cubic B-splines whose spectrum is, in the least-squares sense, one up to `band` and zero within `band` of every
    multiple of the grid's rate, which is what would alias into the band; with less weight, zero beyond, where a jittered clock would mix it in. For
    6 cells and an eighth of the rate it is within 82 dB of one, and 71 and 68 dB down.
    """
    centres = np.arange((cells // 2) * SPLINES_PER_CELL - 1) / SPLINES_PER_CELL
    passed = np.linspace(0, band, 30)
    stopped = np.concatenate([np.linspace(multiple - band, multiple + band, 24) for multiple in range(1, 14)])
    between = np.concatenate([np.linspace(multiple + band, multiple + 1 - band, 40) for multiple in range(1, 14)])
    frequency = np.concatenate([passed, stopped, between])
    spectrum = 2 * np.cos(2 * np.pi * frequency[:, None] * centres) * (np.sinc(frequency / SPLINES_PER_CELL) ** 4)[:, None] / SPLINES_PER_CELL
    spectrum[:, 0] /= 2
    spectrum[len(passed) + len(stopped) :] *= BETWEEN_WEIGHT
    wanted = (np.arange(len(frequency)) < len(passed)).astype(np.float64)
    heights = np.linalg.lstsq(spectrum, wanted, rcond=None)[0]
    heights[0] /= 2  # both halves hold the central spline
    offsets = ((np.arange(phases) + 0.5) / phases)[:, None] - (np.arange(cells) - (cells // 2 - 1))
    table = np.zeros_like(offsets)
    for centre, height in zip(centres, heights, strict=True):
        for side in (centre, -centre):
            table += height * _cubic_spline((offsets - side) * SPLINES_PER_CELL)
    return table


@cache
def differentiator() -> Floats:
    """Least-squares weights (M,) of x[n+j] - x[n-j], j = 1..M, for the derivative of a band-limited sequence."""
    angle = np.linspace(1e-3, DIFFERENTIATOR_BAND, 800) * np.pi
    step = np.arange(1, DIFFERENTIATOR_TAPS + 1)
    return np.linalg.lstsq(2 * np.sin(angle[:, None] * step), angle, rcond=None)[0]


def sample_widths(times: Floats) -> Floats:
    """Width (N,) in seconds that each sample of a jittered clock stands for, so that sum(width * x * kernel) is the integral of x * kernel.

    With t(n) the clock, the integral over t becomes one over n of x(t(n)) k(t(n)) t'(n), and the plain sum over n is exact for a band-limited
    integrand (trapezoid rule). t' comes from the band-limited differentiator: half the distance between neighbours would leave an error of
    3e-2 of a tone near the Nyquist frequency at 3 % jitter, this one leaves 1e-3. At both ends, where the differentiator lacks samples, it
    is the plain difference.
    """
    weights = differentiator()
    taps = len(weights)
    if len(times) <= 2 * taps:
        return np.gradient(times)
    period = (times[-1] - times[0]) / (len(times) - 1)
    deviation = times - times[0] - np.arange(len(times)) * period
    widths = np.gradient(times)
    widths[taps:-taps] = period + np.convolve(deviation, np.concatenate((weights[::-1], [0.0], -weights)), "valid")
    return widths


def covariance(offsets: Floats, bands: Bands) -> Floats:
    """Covariance at time differences `offsets` of a process whose power density is the sum of `density` over |f| <= `edge`, one pair each."""
    return sum((2 * density * edge * np.sinc(2 * edge * offsets) for density, edge in bands), np.zeros_like(offsets))


def _covariance_matrices(times: Floats, bands: Bands) -> Floats:
    """`covariance` between all pairs of each row of `times` (n, m): (n, m, m), with two sines a sample instead of one a pair."""
    apart = times[:, :, None] - times[:, None, :]
    diagonal = np.arange(times.shape[1])
    apart[:, diagonal, diagonal] = 1.0
    out = np.zeros_like(apart)
    for density, edge in bands:
        sine, cosine = np.sin(2 * np.pi * edge * times), np.cos(2 * np.pi * edge * times)
        cross = sine[:, :, None] * cosine[:, None, :]
        cross -= cosine[:, :, None] * sine[:, None, :]
        cross *= density / np.pi
        out += cross
    out /= apart
    out[:, diagonal, diagonal] = sum(2 * density * edge for density, edge in bands)
    return out


def local_weights(times: Floats, at: Floats, bands: Bands, noise: Floats) -> Floats:
    """Weights (n, m) of the linear least-squares estimate at `at` (n,) of a random signal from its samples at `times` (n, m), any spacing.

    `bands` states the signal's power density, `noise` (n,) the variance of white noise on the samples that each estimate reckons with. Each
    row is scaled to sum to one, so a constant is reproduced exactly.
    """
    offsets = at[:, None] - times
    between = _covariance_matrices(-offsets, bands)
    diagonal = np.arange(times.shape[1])
    between[:, diagonal, diagonal] += noise[:, None]
    weights = np.linalg.solve(between, covariance(offsets, bands)[..., None])[..., 0]
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float64)
