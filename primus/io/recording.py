"""One device's IMU signal in SI units on the device clock, and the one rule for stamps that repeat."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primus.errors import Rejected
from primus.io.units import MAX_ACCEL, MAX_GYRO, measurable

NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_LATEST_NS = 2**62  # 146 years: beyond any device clock or epoch time, and differences still fit an int64
_RATE_SPAN = 100  # samples a rate is measured over, so that millisecond stamps still give 99.7 Hz and not 100


@dataclass(frozen=True)
class ImuRecording:
    """The samples of one IMU, strictly ordered in time.

    Attributes:
        timestamps_ns: (N,) int64, device clock, strictly increasing.
        accel: (N, 3) float, specific force in m/s^2, gravity included.
        gyro: (N, 3) float, angular rate in rad/s; None for an accelerometer-only device.
        rate_hz: median sampling rate, 0.0 when there are fewer than two samples.
        source: what was read, for messages.
        notes: counts of the repairs made while reading (`duplicate_stamps`, `invalid_samples`, ...), absent when zero.

    Raises:
        ValueError: shapes or dtypes are not the above.
    """

    timestamps_ns: NDArray[np.int64]
    accel: NDArray[np.floating]
    gyro: NDArray[np.floating] | None
    rate_hz: float
    source: str
    notes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.timestamps_ns)
        if self.timestamps_ns.dtype != np.int64 or self.timestamps_ns.ndim != 1:
            raise ValueError(f"timestamps_ns must be (N,) int64, found {self.timestamps_ns.shape} {self.timestamps_ns.dtype}")
        for name, values in (("accel", self.accel), ("gyro", self.gyro)):
            if values is not None and (values.shape != (n, 3) or values.dtype.kind != "f"):
                raise ValueError(f"{name} must be ({n}, 3) float, found {values.shape} {values.dtype}")

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last; 0.0 when empty."""
        return float(self.timestamps_ns[-1] - self.timestamps_ns[0]) * 1e-9 if len(self.timestamps_ns) else 0.0


def build_recording(
    timestamps_ns: ArrayLike,
    accel: ArrayLike,
    gyro: ArrayLike | None,
    source: str,
    notes: Mapping[str, int] | None = None,
) -> ImuRecording:
    """Make a recording from parsed samples: drop the rows with a value that is no measurement (`missing_values`), then apply `normalise_timestamps`.

    No measurement is what is not finite, or beyond any sensor's range (`primus.io.units.measurable`).

    Args:
        timestamps_ns: (N,) integer nanoseconds, in file order.
        accel, gyro: (N, 3), m/s^2 and rad/s; float32 stays float32, anything else becomes float64.
        source: what was read, for messages.
        notes: repairs already counted by the caller.

    Raises:
        Rejected: `no_imu` when no sample is left, `missing_axis` when an axis has no value at all, `non_monotonic` when time runs backwards,
            `unreadable_imu` when many values are beyond any sensor's range.
    """
    counts = {key: int(value) for key, value in (notes or {}).items() if value}
    stamps = np.asarray(timestamps_ns, dtype=np.int64)
    sensors = {name: _floats(values) for name, values in (("accel", accel), ("gyro", gyro)) if values is not None}
    if not len(stamps):
        raise Rejected("no_imu", f"{source}: no IMU sample")
    keep = np.ones(len(stamps), bool)
    for name, values in sensors.items():
        finite = measurable(values, MAX_ACCEL if name == "accel" else MAX_GYRO, source)
        empty = [f"{name}_{axis}" for axis, has in zip("xyz", np.any(finite, axis=0), strict=True) if not has]
        if empty:
            raise Rejected("missing_axis", f"{source}: {', '.join(empty)} has no value in {len(stamps)} samples")
        keep &= finite.all(axis=1)
    if not keep.all():
        counts["missing_values"] = int((~keep).sum())
        stamps, sensors = stamps[keep], {name: values[keep] for name, values in sensors.items()}
        if not len(stamps):
            raise Rejected("no_imu", f"{source}: every one of its {len(keep)} samples lacks a value")
    stamps, repeated = normalise_timestamps(stamps, source)
    if repeated:
        counts["duplicate_stamps"] = repeated
    return ImuRecording(stamps, sensors["accel"], sensors.get("gyro"), sampling_rate_hz(stamps), source, counts)


def normalise_timestamps(timestamps_ns: NDArray[np.int64], source: str = "recording") -> tuple[NDArray[np.int64], int]:
    """Make stamps strictly increasing by the one stated rule; returns the stamps (N,) int64 and how many samples shared their predecessor's.

    Phones and watches hand samples over in batches stamped in milliseconds, so several samples in a row can carry one stamp: each is a
    sample of its own and none is dropped. The k samples that share a stamp are spread evenly over the interval up to the next distinct
    stamp, the first keeping its own; the step is never longer than the recording's median time per sample, so that a group in front of a
    gap does not reach into it. Distinct stamps are never moved.

    Raises:
        Rejected: `non_monotonic` when a stamp is earlier than the one before it, or more samples share a stamp than nanoseconds follow it.
    """
    stamps = np.ascontiguousarray(timestamps_ns, dtype=np.int64)
    if len(stamps) < 2:
        return stamps, 0
    if stamps.min() < -_LATEST_NS or stamps.max() > _LATEST_NS:
        raise Rejected("unreadable_imu", f"{source}: stamps from {stamps.min()} to {stamps.max()} ns; expected a device clock within +-146 years")
    steps = np.diff(stamps)
    backwards = np.flatnonzero(steps < 0)
    if len(backwards):
        i = int(backwards[0])
        raise Rejected(
            "non_monotonic",
            f"{source}: time runs backwards {len(backwards)} times, first by {-int(steps[i]) * 1e-6:.3f} ms after sample {i}",
        )
    repeated = int((steps == 0).sum())
    if not repeated:
        return stamps, 0
    firsts = np.flatnonzero(np.concatenate(([True], steps > 0)))
    sizes = np.diff(np.append(firsts, len(stamps)))
    if len(firsts) == 1:
        raise Rejected("non_monotonic", f"{source}: all {len(stamps)} samples carry the stamp {stamps[0]} ns; expected a running clock")
    per_sample = np.diff(stamps[firsts]) / sizes[:-1]
    usual = float(np.median(np.repeat(per_sample, sizes[:-1])))
    step = np.minimum(np.append(per_sample, usual), usual)
    if bool((step[sizes > 1] < 1).any()):
        raise Rejected("non_monotonic", f"{source}: {int(sizes.max())} samples share a stamp with less than 1 ns for each; expected a running clock")
    rank = np.arange(len(stamps)) - np.repeat(firsts, sizes)
    return stamps + np.floor(rank * np.repeat(step, sizes)).astype(np.int64), repeated


def sampling_rate_hz(timestamps_ns: NDArray[np.int64]) -> float:
    """Median rate over runs of up to 100 samples, so gaps and coarse stamps do not bias it; 0.0 below two samples. Stamps strictly increasing."""
    span = min(_RATE_SPAN, len(timestamps_ns) - 1)
    if span < 1:
        return 0.0
    return float(span * 1e9 / np.median(timestamps_ns[span:] - timestamps_ns[:-span]))


def stamps_to_ns(values: ArrayLike, unit: str, source: str = "recording") -> NDArray[np.int64]:
    """Convert stamps (N,) in `s`, `ms`, `us` or `ns` to int64 nanoseconds; integers exactly, floats to the nearest nanosecond a double can tell.

    Raises:
        Rejected: `unreadable_imu` when a stamp is not finite or lies beyond +-146 years.
    """
    stamps = np.asarray(values)
    scale = NS_PER_UNIT[unit]
    limit = _LATEST_NS // scale
    if stamps.dtype.kind not in "iu":
        stamps = np.asarray(stamps, dtype=np.float64)
        if not np.isfinite(stamps).all():
            raise Rejected("unreadable_imu", f"{source}: {int((~np.isfinite(stamps)).sum())} of {len(stamps)} stamps are not numbers")
    if len(stamps) and (stamps.min() < -limit or stamps.max() > limit):
        raise Rejected("unreadable_imu", f"{source}: stamps from {stamps.min()} to {stamps.max()} {unit}; expected a clock within +-146 years")
    if stamps.dtype.kind in "iu":
        return stamps.astype(np.int64) * scale
    whole = np.floor(stamps)  # epoch seconds times 1e9 would lose the nanoseconds in one product
    return whole.astype(np.int64) * scale + np.rint((stamps - whole) * scale).astype(np.int64)


def _floats(values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
