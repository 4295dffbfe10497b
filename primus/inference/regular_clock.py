"""The segments' resampling as fixed weights, for samples on a regular clock.

`primus.segments.resample` is linear and, away from the ends, its weights repeat with the phase between sample and output. They are read off it
once, by resampling unit impulses, and applied as matrix products: quick enough for live use, and for long regular recordings. What depends on
an end is still computed by `resample` itself, from the samples near it.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from primus.segments.kernels import Floats
from primus.segments.resample import CUT_TAPS, EDGE, HALF_FILTER, NEIGHBOURS, resample

PHASES = 32  # a clock whose outputs fall on no more phases between its samples is served exactly
TABLE_PHASES = 256  # otherwise weights are read between so many phases, with straight lines: an error of 3e-6 at 100 Hz
IMPULSES = 512  # resampled at a time, so that building the weights takes little memory
BLOCK = 64  # outputs that one matrix product gives
TIME_ERROR = 1e-4  # of an output period: how far stamps may lie from a regular clock


class RegularClock:
    """Weights from samples at n / source_hz to outputs at k / rate_hz.

    Attributes:
        ratio: samples per output.
        half: samples needed on each side of an output.
        first: the first output with `half` samples in front of it.
        reach: samples from an end that the outputs near it are computed from.
    """

    def __init__(self, source_hz: float, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.ratio = Fraction(source_hz / rate_hz).limit_denominator(PHASES)
        if abs(float(self.ratio) * rate_hz / source_hz - 1) > 1e-9:
            self.ratio = Fraction(source_hz / rate_hz).limit_denominator(1_000_000)
        self.source_hz = float(self.ratio) * rate_hz
        self.half = int(np.ceil((HALF_FILTER + CUT_TAPS // 2 + 1) * float(self.ratio))) + NEIGHBOURS // 2 + 2
        self.first = int(np.ceil(self.half / float(self.ratio)))
        self.reach = int(np.ceil((self.first + 2 * EDGE + 8) * float(self.ratio))) + 2 * NEIGHBOURS
        self._exact = self.ratio.denominator <= PHASES
        count = self.ratio.denominator if self._exact else TABLE_PHASES
        self._rows = self._weights(np.arange(count if self._exact else count + 1) / count)
        self._operators: dict[tuple[int, int], tuple[int, Floats]] = {}

    @property
    def latency_s(self) -> float:
        """Seconds of samples beyond an output that it needs."""
        return self.half / self.source_hz

    def _weights(self, phases: Floats) -> Floats:
        """Weights (len(phases), 2 half) of samples -half + 1 ... half around an output `phase` samples after sample 0."""
        side = self.half + int(np.ceil((EDGE + 4) * float(self.ratio)))
        samples = 2 * side
        times = np.arange(samples) / self.source_hz
        rows = np.empty((len(phases), 2 * self.half))
        for begin in range(0, 2 * self.half, IMPULSES):
            count = min(IMPULSES, 2 * self.half - begin)
            impulses = np.zeros((samples, count))
            impulses[side - self.half + 1 + begin + np.arange(count), np.arange(count)] = 1.0
            stretch = resample(times, impulses, self.rate_hz, self.source_hz)
            for row, phase in zip(rows, phases, strict=True):
                row[begin : begin + count] = stretch.window((side + phase) / self.source_hz, 1)[:, 0]
        return rows / rows.sum(axis=1, keepdims=True)

    def _row(self, remainder: int) -> Floats:
        """Weights of an output `remainder` / denominator samples after a sample."""
        if self._exact:
            return self._rows[remainder]
        place = remainder / self.ratio.denominator * TABLE_PHASES
        low = int(place)
        return self._rows[low] + (place - low) * (self._rows[low + 1] - self._rows[low])

    def place(self, output: int) -> tuple[int, int]:
        """The sample at or before an output, and the rest in parts of a sample's 1 / denominator."""
        return divmod(output * self.ratio.numerator, self.ratio.denominator)

    def _operator(self, output: int, count: int) -> tuple[int, Floats]:
        """First sample, counted from that at or before `output`, and weights (samples, count) of `count` outputs from there."""
        base, remainder = self.place(output)
        known = self._operators.get((remainder, count))
        if known is not None:
            return known
        last = self.place(output + count - 1)[0]
        weights = np.zeros((last - base + 2 * self.half, count))
        for column in range(count):
            sample, rest = self.place(output + column)
            weights[sample - base : sample - base + 2 * self.half, column] = self._row(rest)
        made = (1 - self.half, weights)
        if self._exact:
            self._operators[remainder, count] = made
        return made

    def outputs(self, samples: Floats, first_sample: int, output: int, count: int) -> Floats:
        """Outputs (C, count) from number `output` on, of samples (n, C) of which the first is number `first_sample`; all they need is there."""
        found = np.empty((samples.shape[1], count))
        earliest = self.place(output)[0] + 1 - self.half
        signal = np.ascontiguousarray(samples[earliest - first_sample : self.place(output + count - 1)[0] + 1 + self.half - first_sample].T)
        whole = BLOCK // self.ratio.denominator * self.ratio.denominator if self._exact else 0
        done = 0
        if whole and count >= 2 * whole:
            done = count // whole * whole
            offset, weights = self._operator(output, whole)
            begin = self.place(output)[0] + offset - earliest
            step = whole * self.ratio.numerator // self.ratio.denominator
            row, item = signal.strides
            shape = (len(signal), done // whole, len(weights))
            frames = as_strided(signal[:, begin:], shape, (row, step * item, item), writeable=False)
            found[:, :done] = (frames.reshape(-1, len(weights)) @ weights).reshape(len(signal), done)
        if done < count:
            offset, weights = self._operator(output + done, count - done)
            begin = self.place(output + done)[0] + offset - earliest
            found[:, done:] = signal[:, begin : begin + len(weights)] @ weights
        return found

    def beginning(self, samples: Floats) -> Floats:
        """Outputs (C, first) from number 0 on, of the first `reach` samples (n, C) or more."""
        some = samples[: self.reach]
        return resample(np.arange(len(some)) / self.source_hz, some, self.rate_hz, self.source_hz).window(0.0, self.first)

    def ending(self, samples: Floats, total: int, output: int, count: int) -> Floats:
        """Outputs (C, count) from number `output` on, near the end of a signal of `total` samples of which the last ones (n, C) are given."""
        some = samples[-self.reach :]
        start_s = (total - len(some)) / self.source_hz
        stretch = resample(np.arange(len(some)) / self.source_hz, some, self.rate_hz, self.source_hz)
        return stretch.window(output / self.rate_hz - start_s, count)


@lru_cache(maxsize=8)
def regular_clock(source_hz: float, rate_hz: float) -> RegularClock:
    """The weights for a pair of rates, made once."""
    return RegularClock(source_hz, rate_hz)


def regular_rate(stamps_ns: NDArray[np.int64], rate_hz: float) -> float | None:
    """The rate of a clock that is regular to `TIME_ERROR` and in a simple ratio to `rate_hz`, or None."""
    steps = len(stamps_ns) - 1
    ratio = Fraction(steps * 1e9 / float(stamps_ns[-1] - stamps_ns[0]) / rate_hz).limit_denominator(PHASES)
    if not ratio:
        return None
    source_hz = float(ratio) * rate_hz
    error = stamps_ns - stamps_ns[0] - np.arange(len(stamps_ns)) * (1e9 / source_hz)
    return source_hz if float(np.abs(error).max()) <= TIME_ERROR / rate_hz * 1e9 else None


class RegularStretch:
    """A regular stretch resampled on the grid k / rate_hz from its first sample; windows are read from it as they are.

    Args:
        samples: (n, C).
        source_hz, rate_hz: of the samples and of the outputs.
        slack_s: how far after the last sample an output may lie.
    """

    def __init__(self, samples: Floats, source_hz: float, rate_hz: float, slack_s: float) -> None:
        clock = regular_clock(source_hz, rate_hz)
        total = int(((len(samples) - 1) / source_hz + slack_s) * rate_hz + 1e-6) + 1
        last = (len(samples) - clock.half - 1) * clock.ratio.denominator // clock.ratio.numerator  # the last output with all its samples
        begin = clock.first
        self.rate_hz = rate_hz
        self._grid = np.empty((samples.shape[1], total), np.float32)
        self._grid[:, :begin] = clock.beginning(samples)
        self._grid[:, begin : last + 1] = clock.outputs(samples, 0, begin, last + 1 - begin)
        self._grid[:, last + 1 :] = clock.ending(samples, len(samples), last + 1, total - last - 1)

    def window(self, start_s: float, samples: int) -> NDArray[np.float32]:
        """Channels (C, samples) from `start_s`, which lies on the grid."""
        first = round(start_s * self.rate_hz)
        return self._grid[:, first : first + samples]
