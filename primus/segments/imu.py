"""Cut segments out of one IMU recording: split it at gaps, resample each stretch once on its timestamps, read every window from that.

`resampling="window"` resamples every window by itself, as the released code of arXiv 2411.15127 does; what is refused stays the same.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primus.errors import Rejected
from primus.io.recording import ImuRecording
from primus.schema import CHANNELS, Reject
from primus.segments.alone import resample_alone
from primus.segments.resample import Stretch, resample

Resampling = Literal["recording", "window"]

GAP_PERIODS = 25
GAP_MIN_S = 0.05
GAP_MAX_S = 0.3
LOOKED_AT = 20_000  # steps of the clock, evenly taken, that its usual step is the median of


def gap_limit_s(rate_hz: float) -> float:
    """The longest time between two samples that is not a gap: 25 sampling periods, at least 0.05 s and at most 0.3 s."""
    return float(np.clip(GAP_PERIODS / rate_hz, GAP_MIN_S, GAP_MAX_S)) if rate_hz > 0 else GAP_MIN_S


@dataclass
class Resampler:
    """A recording that segments are cut from. Stretches between gaps are resampled when first asked for, each once.

    Args:
        recording: the samples; rows with a non-finite value are left out, and no segment may contain one.
        rate_hz: output rate.
        gap_s: longest time between samples that is not a gap; None for `gap_limit_s` of the recording's rate.
        resampling: "recording", or "window" for `primus.segments.alone`.

    Raises:
        Rejected: `no_imu`, `missing_axis` (no gyroscope), or `non_monotonic`.
        ValueError: windows by themselves at a rate that is no whole number.
    """

    recording: ImuRecording
    rate_hz: float
    gap_s: float | None = None
    resampling: Resampling = "recording"
    _stretches: dict[int, Stretch] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        recording = self.recording
        if self.resampling == "window" and self.rate_hz != round(self.rate_hz):
            raise ValueError(f"rate_hz is {self.rate_hz:g}; a window resampled by itself has a whole number of hertz")
        if len(recording.timestamps_ns) < 2:
            raise Rejected("no_imu", f"{recording.source}: {len(recording.timestamps_ns)} samples")
        if recording.gyro is None:
            raise Rejected("missing_axis", f"{recording.source}: no gyroscope, and a segment has six channels ({', '.join(CHANNELS)})")
        if (steps := np.diff(recording.timestamps_ns)).min() <= 0:
            raise Rejected("non_monotonic", f"{recording.source}: time stands still or runs backwards after sample {int(np.argmin(steps > 0))}")
        self.stamps_ns: NDArray[np.int64] = recording.timestamps_ns
        self.excluded_ns: NDArray[np.int64] = recording.timestamps_ns[:0]
        self._rows: NDArray[np.int64] | None = None
        if not (np.isfinite(recording.accel).all() and np.isfinite(recording.gyro).all()):
            finite = np.isfinite(recording.accel).all(axis=1) & np.isfinite(recording.gyro).all(axis=1)
            self._rows = np.flatnonzero(finite)
            self.stamps_ns, self.excluded_ns = recording.timestamps_ns[finite], recording.timestamps_ns[~finite]
            if len(self.stamps_ns) < 2:
                raise Rejected("non_finite", f"{recording.source}: {len(self.stamps_ns)} samples with finite values")
        steps = np.diff(self.stamps_ns)
        usual = float(np.median(steps[:: max(1, len(steps) // LOOKED_AT)]))
        gaps = steps > gap_limit_s(1e9 / usual) * 1e9  # they are no part of the rate
        self.source_hz = (len(steps) - int(gaps.sum())) * 1e9 / float((self.stamps_ns[-1] - self.stamps_ns[0]) - steps[gaps].sum())
        self.limit_s = gap_limit_s(self.source_hz) if self.gap_s is None else self.gap_s
        breaks = np.flatnonzero(steps > self.limit_s * 1e9) + 1
        self.bounds = np.concatenate(([0], breaks, [len(self.stamps_ns)]))
        self._begins_ns = self.stamps_ns[self.bounds[:-1]]
        self.period_ns = math.ceil(1e9 / self.source_hz)
        output_ns = 1e9 / self.rate_hz
        self.slack_ns = int(min(self.period_ns, output_ns / 4))
        self.after_ns = int(min(self.period_ns, output_ns + self.slack_ns))

    def refusal(self, start_ns: int, window_s: float) -> tuple[str, str] | None:
        """Reason and detail for which the window from `start_ns` (device clock) cannot be cut, or None.

        Every output must lie among the samples of one stretch, or next to them: `slack_ns`, a sampling period or a quarter of the output's, outside
        them. Beside a gap the whole window must: it may reach a sampling period beyond the last sample in front of the gap (`after_ns`).
        """
        end_ns = start_ns + round(window_s * 1e9)
        last_ns = end_ns - round(1e9 / self.rate_hz)
        first, last = self.stamps_ns[0], self.stamps_ns[-1]
        if start_ns < first - self.slack_ns or last_ns > last + self.slack_ns:
            return "imu_short", f"samples lie from {(first - start_ns) * 1e-9:.3f} s to {(last - start_ns) * 1e-9:.3f} s of the interval's start"
        stretch = self._stretch_of(start_ns)
        begin, end = self.stamps_ns[self.bounds[stretch]], self.stamps_ns[self.bounds[stretch + 1] - 1]
        if start_ns < begin - self.slack_ns or (end < last and end_ns > end + self.after_ns):
            return "gap", f"no sample for more than {self.limit_s:.3f} s within it"
        if len(self.excluded_ns) and np.searchsorted(self.excluded_ns, start_ns) < np.searchsorted(self.excluded_ns, end_ns):
            return "non_finite", "it holds samples without a finite value"
        if self.resampling == "window" and np.diff(np.searchsorted(self.stamps_ns, (start_ns, end_ns)))[0] < 2:
            return "imu_short", "fewer than two samples lie within it"
        return None

    def window(self, start_ns: int, samples: int) -> NDArray[np.float64]:
        """Channels (6, samples) at start_ns + k / rate_hz; only for windows that `refusal` passes."""
        if self.resampling == "window":
            inside = np.searchsorted(self.stamps_ns, (start_ns, start_ns + round(samples * 1e9 / self.rate_hz)))
            first, last = int(inside[0]), int(inside[1])
            return resample_alone(self.stamps_ns[first:last], self._values(first, last).astype(np.float64), round(self.rate_hz), samples)
        number = self._stretch_of(start_ns)
        stretch = self._stretches.get(number)
        begin, end = int(self.bounds[number]), int(self.bounds[number + 1])
        if stretch is None:
            times = (self.stamps_ns[begin:end] - self.stamps_ns[begin]) * 1e-9
            stretch = resample(times, self._values(begin, end), self.rate_hz, self.source_hz)
            self._stretches[number] = stretch
        return stretch.window((start_ns - int(self.stamps_ns[begin])) * 1e-9, samples)

    def _stretch_of(self, start_ns: int) -> int:
        """The stretch that a window from `start_ns` can lie in: the one with samples before, or just after, its start."""
        return max(0, int(np.searchsorted(self._begins_ns, start_ns + self.slack_ns, side="right")) - 1)

    def _values(self, begin: int, end: int) -> NDArray[np.floating]:
        """Channels of a stretch (n, 6), of the recording's own precision."""
        assert self.recording.gyro is not None
        rows = slice(begin, end) if self._rows is None else self._rows[begin:end]
        return np.concatenate((self.recording.accel[rows], self.recording.gyro[rows]), axis=1)


def cut(
    recording: ImuRecording,
    intervals: ArrayLike,
    rate_hz: float = 50,
    window_s: float = 5.0,
    origin_ns: int | None = None,
    gap_s: float | None = None,
    resampling: Resampling = "recording",
) -> tuple[NDArray[np.float32], list[Reject]]:
    """Cut segments at given times; the signal is resampled once, never per segment (unless asked to), and nothing is padded or joined over a gap.

    Args:
        recording: accelerometer in m/s^2, gyroscope in rad/s, strictly increasing int64 nanoseconds.
        intervals: (N,) starts, or (N, 2) starts and ends, of half-open intervals of `window_s`. Whole numbers are nanoseconds of device time, other
            numbers seconds from `origin_ns`.
        rate_hz: output rate in Hz.
        window_s: length of a segment in seconds.
        origin_ns: device time of second zero; None for the first sample's.
        gap_s: longest time between samples that is not a gap; None for 25 sampling periods (0.05 to 0.3 s).
        resampling: "recording", or "window" for each segment by itself, at whole rates only (`primus.segments.alone`).

    Returns:
        imu: (M, 6, round(window_s * rate_hz)) float32, the intervals that were not refused, in order; sample k is the signal at start + k / rate_hz.
        rejects: the N - M others with a reason (`imu_short`, `gap`, `non_finite`), `start_s` and `end_s` in seconds from `origin_ns`.

    Raises:
        Rejected: the recording as a whole cannot be used.
        ValueError: an interval is not `window_s` long, or sizes are not positive.
    """
    samples = round(window_s * rate_hz)
    if rate_hz <= 0 or samples < 1:
        raise ValueError(f"rate_hz={rate_hz} and window_s={window_s} give {samples} samples a segment; expected at least one")
    resampler = Resampler(recording, rate_hz, gap_s, resampling)
    origin = int(recording.timestamps_ns[0]) if origin_ns is None else int(origin_ns)
    starts = _starts_ns(intervals, origin, window_s, 1 / rate_hz)
    kept: list[NDArray[np.float64]] = []
    rejects: list[Reject] = []
    for start in starts.tolist():
        refused = resampler.refusal(start, window_s)
        if refused is None:
            kept.append(resampler.window(start, samples))
        else:
            seconds = (start - origin) * 1e-9
            rejects.append(Reject("", recording.source, *refused, scope="segment", start_s=seconds, end_s=seconds + window_s))
    imu = np.stack(kept).astype(np.float32) if kept else np.empty((0, len(CHANNELS), samples), np.float32)
    return imu, rejects


def _starts_ns(intervals: ArrayLike, origin_ns: int, window_s: float, tolerance_s: float) -> NDArray[np.int64]:
    times = np.asarray(intervals)
    if times.size == 0:
        return np.empty(0, np.int64)
    if times.ndim not in (1, 2) or (times.ndim == 2 and times.shape[1] != 2):
        raise ValueError(f"intervals have shape {times.shape}; expected (N,) starts or (N, 2) starts and ends")
    in_ns = times.dtype.kind in "iu"
    if not in_ns:
        times = times.astype(np.float64)
        if not np.isfinite(times).all():
            raise ValueError("intervals hold values that are not finite; expected seconds, or whole nanoseconds")
    if times.ndim == 2:
        lengths = (times[:, 1] - times[:, 0]) * (1e-9 if in_ns else 1.0)
        wrong = np.flatnonzero(np.abs(lengths - window_s) > tolerance_s / 2)
        if len(wrong):
            raise ValueError(f"interval {wrong[0]} lasts {lengths[wrong[0]]:g} s; expected window_s = {window_s:g} s")
        times = times[:, 0]
    return times.astype(np.int64) if in_ns else origin_ns + np.rint(times * 1e9).astype(np.int64)
