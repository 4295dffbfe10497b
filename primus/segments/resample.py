"""One gap-free stretch of an irregularly sampled signal -> an anti-aliased signal that can be read at any time, ends included.

The stretch goes through three linear steps, in float64, once:

1. onto a uniform *fine grid* of `q` points per output sample, on the timestamps. A clock much faster than the fine grid is gridded: each
   sample enters the grid through a short low-pass kernel placed at its own time. A slower one is interpolated: local least squares under a
   band-limited prior, for which jitter is no error. Where the clock is torn (bursts, holes too short to be gaps): straight lines between samples.
2. through a Kaiser low-pass (pass band up to 0.42 of the output rate, stop band from 0.5 of it, both within 72 dB) onto a grid of two
   points per output sample.
3. each window reads that grid at its own phase through a 12-point fractional-delay kernel (87 dB).

Near the two ends the symmetric low-pass has no samples on one side. There, outputs are least-squares estimates from the fine grid that
keep the pass band within 60 dB up to the very last sample. What no linear filter can keep as well is the stop band: its attenuation falls
from full to none over the last 0.6 s (at 50 Hz).
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from scipy import sparse

from primus.segments.kernels import DIFFERENTIATOR_TAPS, Floats, covariance, gridding_table, local_weights, sample_widths, windowed_sinc

PASS = 0.42
"""Upper edge of the pass band, as a share of the output rate."""
STOP = 0.5
"""Lower edge of the stop band, as a share of the output rate."""

HALF_FILTER = 28  # output samples on each side of the low-pass
FILTER_BETA = 6.9
CUT_TAPS = 12
CUT_BETA = 8.2
CUT_PHASES = 4096
GRID_CELLS = 6  # fine-grid cells that one gridding kernel spans
PASS_CELLS = 0.125  # the output's Nyquist frequency over the rate of the fine grid, when gridding
GRID_PHASES = 8192
GRID_CHUNK = 8192  # samples gridded at a time, so that their weights stay in the processor's cache
GRID_OVERSAMPLING = 2.3  # samples per fine-grid point from which gridding is used
NEIGHBOURS = 20
NOISE = 1e-5  # of the samples, over the density of the signal, when interpolating between samples on both sides ...
NOISE_AT_END = 1e-2  # ... and where one side has fewer: with less, what lies above the pass band would be amplified there
REGULAR = (0.7, 1.4)  # a step of the clock within these multiples of its period is regular
EDGE = HALF_FILTER + CUT_TAPS // 2 + 2  # output samples from an end within which `_edge_weights` is used
EDGE_STOP = 0.6  # near an end the stop band may begin where aliases would meet the pass band
CHUNK = 256  # least-squares systems solved at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class Stretch:
    """A resampled stretch; read it with `window`.

    Attributes:
        rate_hz: output rate.
        start_s, end_s: time of the first and last raw sample.
        points_per_output: q, fine-grid points in an output period.
        head, tail: (n, C) the fine grid forwards from `start_s` and backwards from `end_s`, long enough for the outputs near that end.
        smooth: (C, m) low-passed grid of two points per output sample, from `smooth_start_s`.
        smooth_start_s: time of its first point.
    """

    rate_hz: float
    start_s: float
    end_s: float
    points_per_output: int
    head: Floats
    tail: Floats
    smooth: Floats
    smooth_start_s: float

    def window(self, start_s: float, samples: int) -> Floats:
        """The signal (C, samples) at start_s + k / rate_hz. Times outside the stretch are not checked here."""
        place = (start_s - self.smooth_start_s) * 2 * self.rate_hz
        whole = int(np.floor(place))
        first, reach = whole - CUT_TAPS // 2 + 1, CUT_TAPS  # output k reads smooth points first + 2 k ... first + 2 k + reach - 1
        begin = min(samples, max(0, -(first // 2)))
        end = max(begin, min(samples, (self.smooth.shape[1] - reach - first) // 2 + 1))
        out = np.empty((self.head.shape[1], samples))
        if end > begin:
            base = self.smooth[:, first + 2 * begin :]
            row, item = base.strides
            taps = as_strided(base, (len(base), end - begin, reach), (row, 2 * item, item), writeable=False)
            out[:, begin:end] = taps @ _fractional(place - whole)
        outside = np.concatenate((np.arange(begin), np.arange(end, samples)))
        if len(outside):
            out[:, outside] = self._near_ends(start_s + outside / self.rate_hz)
        return out

    def _near_ends(self, at: Floats) -> Floats:
        """The signal (C, len(at)) at times near an end."""
        out = np.empty((self.head.shape[1], len(at)))
        early = at - self.start_s <= self.end_s - at
        for chosen, fine, inward in ((early, self.head, at - self.start_s), (~early, self.tail, self.end_s - at)):
            if chosen.any():
                places = inward[chosen] * self.rate_hz * self.points_per_output
                out[:, chosen] = (_edge_weights(places, self.points_per_output, len(fine)) @ fine).T
        return out


def resample(times_s: Floats, values: NDArray[np.floating], rate_hz: float, source_hz: float) -> Stretch:
    """Resample a gap-free stretch.

    Args:
        times_s: (N,) strictly increasing seconds, N >= 2.
        values: (N, C) float, finite.
        rate_hz: output rate.
        source_hz: usual rate of the samples.
    """
    start, end = float(times_s[0]), float(times_s[-1])
    gridded = source_hz >= GRID_OVERSAMPLING * 4 * rate_hz
    q = 4 if gridded else 2 * max(1, int(np.ceil(source_hz / (2 * rate_hz) - 0.01)))
    fine = _fine_grid(times_s - start, values, q * rate_hz, source_hz, rate_hz, gridded)
    near = 2 * EDGE * q
    last = int(np.searchsorted(times_s, end - (near + 2 * GRID_CELLS) / (q * rate_hz)))
    last = max(0, min(last, len(times_s) - 2 * NEIGHBOURS))
    tail = _fine_grid(end - times_s[last:][::-1], values[last:][::-1], q * rate_hz, source_hz, rate_hz, gridded)[:near]
    return Stretch(rate_hz, start, end, q, fine[:near].copy(), tail, _decimate(fine, _lowpass(q), q // 2), start + HALF_FILTER / rate_hz)


def _fine_grid(times: Floats, values: NDArray[np.floating], fine_hz: float, source_hz: float, rate_hz: float, gridded: bool) -> Floats:
    """The signal (n, C) on the uniform grid from 0 that the samples at `times` (N,), starting at 0, cover."""
    grid = np.arange(int(np.floor(times[-1] * fine_hz + 1e-6)) + 1) / fine_hz
    near = min(NEIGHBOURS, len(times))
    regular = _regular(times, grid, source_hz, near)
    fine = np.empty((len(grid), values.shape[1]))
    interpolated = regular
    if gridded:
        fine = _gridded(times, values, grid, fine_hz)
        border = GRID_CELLS / 2 / fine_hz
        whole_kernel = (grid >= border) & (grid <= times[-1] - border)
        reach = 2 * (int(np.ceil(border * source_hz)) + DIFFERENTIATOR_TAPS)
        interpolated = regular & ~(whole_kernel & _regular(times, grid, source_hz, min(reach, len(times))))
    low = min(0.5 * rate_hz, 0.25 * source_hz)
    strength = 1e6 if low == 0.5 * rate_hz else 1e3  # a clock not faster than the output has no room for a one-sided estimate as sure as that
    bands = ((strength, low), (1.0, 0.4 * source_hz))
    chosen = np.flatnonzero(interpolated)
    begins = np.searchsorted(times, grid[chosen]) - near // 2
    one_sided = (begins < 0) | (begins > len(times) - near)
    noise = np.where(one_sided, NOISE_AT_END, NOISE) * source_hz
    begins = np.clip(begins, 0, len(times) - near)
    for at in range(0, len(chosen), CHUNK):
        rows, index = chosen[at : at + CHUNK], begins[at : at + CHUNK, None] + np.arange(near)
        weights = local_weights(times[index], grid[rows], bands, noise[at : at + CHUNK])
        fine[rows] = np.einsum("nm,nmc->nc", weights, values[index])
    torn = np.flatnonzero(~regular)
    for channel in range(values.shape[1]) if len(torn) else ():
        fine[torn, channel] = np.interp(grid[torn], times, values[:, channel])
    return fine


def _regular(times: Floats, grid: Floats, source_hz: float, samples: int) -> NDArray[np.bool_]:
    """Whether every step of the clock among the `samples` samples around each grid point is close to the period."""
    steps = np.diff(times) * source_hz
    irregular = (steps < REGULAR[0]) | (steps > REGULAR[1])
    if not irregular.any():
        return np.ones(len(grid), bool)
    torn = np.concatenate(([0], np.cumsum(irregular)))
    begin = np.clip(np.searchsorted(times, grid) - samples // 2, 0, len(times) - samples)
    return torn[begin + samples - 1] == torn[begin]


def _gridded(times: Floats, values: NDArray[np.floating], grid: Floats, fine_hz: float) -> Floats:
    """Weighted means (n, C) of the samples around each grid point, the weights a low-pass kernel at the samples' own times."""
    table = gridding_table(GRID_CELLS, PASS_CELLS, GRID_PHASES)
    widths = sample_widths(times) * fine_hz
    position = times * fine_hz
    channels = values.shape[1]
    sums = np.zeros((len(grid) + GRID_CELLS + 1, channels + 1))
    cells = np.arange(GRID_CELLS, dtype=np.int32)
    for begin in range(0, len(times), GRID_CHUNK):
        rows = slice(begin, begin + GRID_CHUNK)
        cell = position[rows].astype(np.int32)
        weights = table[((position[rows] - cell) * GRID_PHASES).astype(np.int32)]
        weights *= widths[rows, None]
        first, last = int(cell[0]), int(cell[-1]) + GRID_CELLS
        columns = (cell[:, None] + (cells - first)).ravel()
        ends = np.arange(0, len(columns) + 1, GRID_CELLS, dtype=np.int32)
        with_ones = np.ones((len(cell), channels + 1))
        with_ones[:, :channels] = values[rows]
        sums[first:last] += sparse.csc_array((weights.ravel(), columns, ends), shape=(last - first, len(cell))) @ with_ones
    sums = sums[GRID_CELLS // 2 - 1 : GRID_CELLS // 2 - 1 + len(grid)]
    total = sums[:, channels:]
    total[np.abs(total) < 0.1] = 1.0  # a hole or a far end: the caller replaces these points
    return sums[:, :channels] / total


@cache
def _lowpass(q: int) -> Floats:
    """Low-pass (2 * HALF_FILTER * q + 1,) on the fine grid, gain one at rest."""
    offsets = np.arange(-HALF_FILTER * q, HALF_FILTER * q + 1) / q
    weights = windowed_sinc(offsets, (PASS + STOP) / 2, HALF_FILTER + 0.5 / q, FILTER_BETA)
    return weights / weights.sum()


@cache
def _fractional_table() -> Floats:
    """Weights (CUT_PHASES + 1, CUT_TAPS) that read the smooth grid at each phase after tap CUT_TAPS // 2 - 1."""
    phase = np.arange(CUT_PHASES + 1) / CUT_PHASES
    weights = windowed_sinc(phase[:, None] + CUT_TAPS // 2 - 1 - np.arange(CUT_TAPS), 0.5, CUT_TAPS / 2, CUT_BETA)
    return weights / weights.sum(axis=1, keepdims=True)


def _fractional(phase: float) -> Floats:
    """Weights (CUT_TAPS,) at 0 <= phase < 1; straight lines between the table's phases err by 1e-7."""
    place = phase * CUT_PHASES
    low = int(place)
    table = _fractional_table()
    return table[low] + (place - low) * (table[low + 1] - table[low])


def _decimate(fine: Floats, weights: Floats, step: int, block: int = 64) -> Floats:
    """Outputs (C, m) of the filter at every `step`-th place where it fits; blocks of outputs are one matrix product."""
    taps, channels = len(weights), fine.shape[1]
    count = (len(fine) - taps) // step + 1
    if count <= 0:
        return np.empty((channels, 0))
    blocks, width = -(-count // block), taps + (block - 1) * step
    needed = (blocks - 1) * block * step + width
    padded = np.zeros((channels, needed))
    padded[:, : min(needed, len(fine))] = fine[:needed].T
    frames = as_strided(padded, (channels, blocks, width), (padded.strides[0], padded.strides[1] * block * step, padded.strides[1]))
    toeplitz = np.zeros((width, block))
    for output in range(block):
        toeplitz[output * step : output * step + taps, output] = weights
    return (frames.reshape(channels * blocks, width) @ toeplitz).reshape(channels, blocks * block)[:, :count]


@lru_cache(maxsize=16)
def _edge_inverse(q: int, count: int, passed: float, transition: float) -> Floats:
    """Inverse covariance (count, count) of the fine grid's first samples: pass band of density `passed`, `transition` between the bands, else 1."""
    time = np.arange(count, dtype=np.float64)
    bands = ((passed - transition, PASS / q), (transition - 1.0, EDGE_STOP / q), (1.0, 0.5))
    return np.asarray(np.linalg.inv(covariance(time[:, None] - time, bands)), np.float64)


def _edge_weights(at: Floats, q: int, count: int) -> Floats:
    """Weights (len(at), count) on the first `count` fine samples for the low-passed signal `at` fine samples after the end.

    Least squares for a signal in the pass band under noise in the rest of it. Within four outputs of the end the transition band counts as noise too,
    or it would be amplified; further in it is free, which buys attenuation in the stop band.
    """
    at = np.asarray(at, dtype=np.float64)
    offsets = at[:, None] - np.arange(count)
    out = np.empty((len(at), count))
    for rows, passed, transition in ((at < 4 * q, 1e8, 1.0), (at >= 4 * q, 1e6, 1e-4)):
        if rows.any():
            out[rows] = covariance(offsets[rows], ((passed, PASS / q),)) @ _edge_inverse(q, count, passed, transition)
    return out / out.sum(axis=1, keepdims=True)
