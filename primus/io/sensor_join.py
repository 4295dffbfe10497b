"""An accelerometer and a gyroscope with clock ticks of their own -> common timestamps.

The rule, for every recording whose two sensors were sampled apart:

1. The slower sensor's samples are kept as they are and give the timestamps; at rates within a quarter of each other that is the accelerometer.
2. The other sensor, where its rate is higher by more than a quarter, is low-passed first (Kaiser window, 60 dB from 0.6 of the slower rate on), so
   that nothing folds back.
3. It is read at those timestamps by a cubic spline through its samples, and by a straight line where its clock is torn (batches, lost samples).
   A timestamp that does not lie between two of its samples, or lies in a gap - neighbours further apart than 0.1 s and than five of its
   median steps - has no value: that sample is dropped and counted as unpaired. Nothing is extrapolated, and no gap is bridged.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import kaiser_beta, oaconvolve

from primus.io.recording import sampling_rate_hz

GAP_S = 0.1
GAP_PERIODS = 5
_RATE_RATIO = 1.25
_PASS, _STOP = 0.4, 0.6  # of the slower sensor's rate
_STOP_DB = 60.0
_REGULAR = (0.5, 1.6)  # steps within these multiples of the period
_AROUND = 2  # steps on each side of a timestamp that must be regular for the spline

Floats = NDArray[np.float64]


class Joined(NamedTuple):
    """Common timestamps (N,) int64 ns, both sensors (N, 3), and how many samples of the slower sensor had no partner."""

    timestamps_ns: NDArray[np.int64]
    accel: Floats
    gyro: Floats
    unpaired: int


def join_sensors(accel_ns: NDArray[np.int64], accel: Floats, gyro_ns: NDArray[np.int64], gyro: Floats) -> Joined:
    """Bring two sensors to common timestamps by the rule above.

    Args:
        accel_ns, gyro_ns: (N,) and (M,) int64 nanoseconds on one clock, each strictly increasing.
        accel, gyro: (N, 3) and (M, 3), any unit.
    """
    if np.array_equal(accel_ns, gyro_ns):
        return Joined(accel_ns, accel, gyro, 0)
    accel_hz, gyro_hz = sampling_rate_hz(accel_ns), sampling_rate_hz(gyro_ns)
    if 0 < gyro_hz * _RATE_RATIO < accel_hz:
        found, values = _read_at(gyro_ns, gyro_hz, accel_ns, accel, accel_hz)
        return Joined(gyro_ns[found], values, gyro[found], int((~found).sum()))
    found, values = _read_at(accel_ns, accel_hz, gyro_ns, gyro, gyro_hz)
    return Joined(accel_ns[found], accel[found], values, int((~found).sum()))


def _read_at(
    targets_ns: NDArray[np.int64], target_hz: float, stamps_ns: NDArray[np.int64], values: Floats, rate_hz: float
) -> tuple[NDArray[np.bool_], Floats]:
    """Which targets (N,) lie inside the signal, and its values (n, 3) there."""
    found = np.zeros(len(targets_ns), bool)
    period_s = float(np.median(np.diff(stamps_ns))) * 1e-9 if len(stamps_ns) > 1 else 0.0
    parts = []
    for first, last in _stretches(stamps_ns, max(GAP_S, GAP_PERIODS * period_s)):
        begin = int(np.searchsorted(targets_ns, stamps_ns[first], side="left"))
        end = int(np.searchsorted(targets_ns, stamps_ns[last], side="right"))
        if last <= first or end <= begin:
            continue
        seconds = (stamps_ns[first : last + 1] - stamps_ns[first]) * 1e-9
        signal = values[first : last + 1].astype(np.float64)
        if rate_hz > _RATE_RATIO * target_hz > 0:
            signal = _low_passed(signal, target_hz / rate_hz)
        found[begin:end] = True
        parts.append(_interpolated(seconds, signal, (targets_ns[begin:end] - stamps_ns[first]) * 1e-9, period_s))
    return found, np.concatenate(parts) if parts else np.empty((0, values.shape[1]))


def _stretches(stamps_ns: NDArray[np.int64], limit_s: float) -> list[tuple[int, int]]:
    """First and last index of each stretch whose steps are at most the limit."""
    gaps = np.flatnonzero(np.diff(stamps_ns) > limit_s * 1e9)
    return list(zip([0, *(gaps + 1).tolist()], [*gaps.tolist(), len(stamps_ns) - 1], strict=True))


def _interpolated(times: Floats, signal: Floats, at: Floats, period_s: float) -> Floats:
    """The signal (n, C) at times between its first and last sample; a spline overshoots where steps differ much, a line cannot."""
    steps = np.diff(times) / period_s
    torn = np.concatenate(([0], np.cumsum((steps < _REGULAR[0]) | (steps > _REGULAR[1]))))
    step = np.searchsorted(times, at, side="right") - 1
    irregular = torn[np.minimum(step + 1 + _AROUND, len(steps))] > torn[np.maximum(step - _AROUND, 0)]
    values = np.asarray(CubicSpline(times, signal)(at))
    for channel in range(signal.shape[1]) if irregular.any() else ():
        values[irregular, channel] = np.interp(at[irregular], times, signal[:, channel])
    return values


def _low_passed(signal: Floats, ratio: float) -> Floats:
    """The signal (N, C) without what a `ratio` of its rate cannot carry; at the ends the filter is cut off and its sum kept at one."""
    taps = int(np.ceil((_STOP_DB - 7.95) / (2.285 * 2 * np.pi * (_STOP - _PASS) * ratio))) | 1
    offsets = np.arange(taps) - taps // 2
    cutoff = (_PASS + _STOP) / 2 * ratio
    weights = 2 * cutoff * np.sinc(2 * cutoff * offsets) * np.kaiser(taps, kaiser_beta(_STOP_DB))
    total = oaconvolve(np.ones((len(signal), 1)), weights[:, None], mode="full", axes=0)
    summed = oaconvolve(signal, weights[:, None], mode="full", axes=0)
    inside = slice(taps // 2, taps // 2 + len(signal))
    return np.asarray(summed[inside] / total[inside])
