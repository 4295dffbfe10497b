"""Whether an IMU signal can be trusted: one check per reason, its threshold stated here, at the scope of a recording or of one segment.

The checks look at the raw samples. None of them asks for motion: a device at rest on a table still shows noise, and passes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.io.recording import ImuRecording
from primus.schema import CHANNELS

LOOKED_AT = 20_000  # samples of a recording, evenly taken, that its shares and its median are computed from


@dataclass(frozen=True)
class Thresholds:
    """What a recording and a segment must keep to.

    Attributes:
        min_rate_hz: `low_rate` below this median sampling rate.
        gravity_min, gravity_max: `implausible_gravity` when the median length of the specific force, m/s^2, lies outside. A head that runs or jumps
            stays inside; values in g, without gravity, or with a lost axis do not.
        duplicate_share: `duplicate_axis` when two axes of a sensor are equal (or opposite) in more than this share of the samples.
        flat_s: `flat_axis` when an axis repeats one value for longer than this within a segment, in seconds.
        saturated_share: `saturated` when more than this share of a segment's samples sits at the recording's own extreme value, repeated.
        accel_limit_min, gyro_limit_min: least extreme value, m/s^2 and rad/s, that can be a sensor's limit; the smallest ranges sold are 2 g and
            250 degrees/s.
        gap_s: longest time between two samples that is not a gap, in seconds; None for 25 sampling periods, at least 0.05 s and at most 0.3 s.
    """

    min_rate_hz: float = 20.0
    gravity_min: float = 7.5
    gravity_max: float = 13.5
    duplicate_share: float = 0.9
    flat_s: float = 1.0
    saturated_share: float = 0.01
    accel_limit_min: float = 19.0
    gyro_limit_min: float = 4.3
    gap_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.gravity_min < self.gravity_max:
            raise ValueError(f"gravity_min must be below gravity_max and not negative, found {self.gravity_min} and {self.gravity_max}")
        for name in ("duplicate_share", "saturated_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, found {getattr(self, name)}")
        for name in ("min_rate_hz", "flat_s", "accel_limit_min", "gyro_limit_min"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if self.gap_s is not None and self.gap_s <= 0:
            raise ValueError(f"gap_s must be positive or null, found {self.gap_s}")


def check_recording(recording: ImuRecording, thresholds: Thresholds) -> None:
    """Raise Rejected when the recording as a whole cannot be trusted: `low_rate`, `duplicate_axis` or `implausible_gravity`."""
    source = recording.source
    if recording.rate_hz < thresholds.min_rate_hz:
        raise Rejected("low_rate", f"{source}: {recording.rate_hz:.2f} Hz; expected at least {thresholds.min_rate_hz:g} Hz")
    every = max(1, len(recording.accel) // LOOKED_AT)
    for name, values in (("accel", recording.accel), ("gyro", recording.gyro)):
        if values is None:
            continue
        some = values[::every]
        for first, second in ((0, 1), (0, 2), (1, 2)):
            a, b = some[:, first], some[:, second]
            if np.ptp(a) == 0:
                continue  # a constant axis is `flat_axis`, not a copy
            for sign, word in ((1, "equal"), (-1, "opposite")):
                share = float(np.mean(a == sign * b))
                if share > thresholds.duplicate_share:
                    axes = f"{name}_{'xyz'[first]} and {name}_{'xyz'[second]}"
                    raise Rejected("duplicate_axis", f"{source}: {axes} are {word} in {share:.0%} of {len(a)} samples")
    force = float(np.median(np.linalg.norm(recording.accel[::every].astype(np.float64), axis=1)))
    if not thresholds.gravity_min <= force <= thresholds.gravity_max:
        raise Rejected(
            "implausible_gravity",
            f"{source}: median specific force {force:.2f} m/s^2; expected {thresholds.gravity_min:g} to {thresholds.gravity_max:g} "
            "(values in g? gravity removed?)",
        )


class SegmentChecks:
    """The checks of single segments, prepared once per recording so that each costs two look-ups.

    Non-finite samples count as changing and unsaturated; they are refused elsewhere.
    """

    def __init__(self, recording: ImuRecording, thresholds: Thresholds) -> None:
        self._stamps_ns = recording.timestamps_ns
        self._thresholds = thresholds
        self._flat: list[tuple[str, NDArray[np.int64], NDArray[np.int64]]] = []
        at_limit = np.zeros(len(self._stamps_ns), bool)
        sensors = [(recording.accel, thresholds.accel_limit_min)]
        if recording.gyro is not None:
            sensors.append((recording.gyro, thresholds.gyro_limit_min))
        for number, (values, limit_min) in enumerate(sensors):
            for axis in range(3):
                signal = np.ascontiguousarray(values[:, axis])
                self._find_flat(CHANNELS[3 * number + axis], signal)
                for extreme in (np.nanmax(signal), np.nanmin(signal)):
                    if abs(extreme) >= limit_min:
                        there = signal == extreme
                        if there.sum() > 2:
                            at_limit |= there
        self._at_limit = np.concatenate(([0], np.cumsum(at_limit))) if at_limit.any() else None

    def _find_flat(self, channel: str, signal: NDArray[np.floating]) -> None:
        """Keep the runs of one value that last long enough: their first and last stamps."""
        if len(signal) < 2:
            return
        repeats = signal[1:] == signal[:-1]
        if not repeats.any() or float(np.diff(self._stamps_ns)[repeats].sum()) <= self._thresholds.flat_s * 1e9:
            return  # all repeats together last too short a time for one long run
        changes = np.flatnonzero(~repeats) + 1
        firsts = np.concatenate(([0], changes))
        lasts = np.concatenate((changes, [len(signal)])) - 1
        long = self._stamps_ns[lasts] - self._stamps_ns[firsts] > self._thresholds.flat_s * 1e9
        if long.any():
            self._flat.append((channel, self._stamps_ns[firsts[long]], self._stamps_ns[lasts[long]]))

    def refusal(self, start_ns: int, end_ns: int) -> tuple[str, str] | None:
        """Reason and detail for which the samples in [start_ns, end_ns) make no segment, or None."""
        limit_ns = self._thresholds.flat_s * 1e9
        for channel, firsts, lasts in self._flat:
            lengths = np.minimum(lasts, end_ns) - np.maximum(firsts, start_ns)
            longest = float(lengths.max())
            if longest > limit_ns:
                return "flat_axis", f"{channel} repeats one value for {longest * 1e-9:.2f} s"
        if self._at_limit is not None:
            begin, end = np.searchsorted(self._stamps_ns, [start_ns, end_ns])
            share = float(self._at_limit[end] - self._at_limit[begin]) / max(1, int(end - begin))
            if share > self._thresholds.saturated_share:
                return "saturated", f"{share:.1%} of its samples sit at the sensor's limit"
        return None
