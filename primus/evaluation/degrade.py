"""Worse recordings of the same moment: windows as a slower, turned, incomplete or less exact sensor would have given them.

Every function takes windows (N, 6, T) float32, accelerometer m/s^2 then gyroscope rad/s, and returns as many of them, (N, 6, T') float32; what is
drawn is drawn per window from an explicit generator.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from primus.models.encoder import MIN_SAMPLES
from primus.segments.resample import resample

Kind = Literal["rate", "rotation", "gyro_lost", "axis_permutation", "gain", "bias", "dropout", "window"]
LEAST_AND_MOST: dict[str, tuple[float, float]] = {
    "rate": (1, 1000),
    "rotation": (0, 180),
    "gain": (0, 1),
    "bias": (0, 20),
    "dropout": (0, 0.9),
    "window": (0.5, 60),
}
"""Range of the severity of each kind; the kinds that are absent have none."""

GYRO_PER_ACCEL = 0.1
"""Bias of the gyroscope in rad/s for each m/s^2 of the accelerometer's."""

BURST_S = 0.2
"""Samples are lost in bursts of this length, as radio links and busy processors lose them."""


@dataclass(frozen=True)
class Degradation:
    """One way in which the tested windows are worse than those the probe was fitted on.

    Attributes:
        name: "rate" (severity: Hz that the device recorded at; brought back to the model's rate), "rotation" (degrees about a random axis; null:
            any orientation, uniformly), "gyro_lost" (its channels are zero), "axis_permutation" (both sensors' axes in another order), "gain"
            (standard deviation of a factor per channel), "bias" (standard deviation of an offset per channel in m/s^2, a tenth of it in rad/s),
            "dropout" (share of the samples lost in bursts of 0.2 s, the last value held) or "window" (seconds that are seen).
        severity: how much; see `name`.

    Raises:
        ValueError: unknown name, or a severity that is missing, out of range or not asked for.
    """

    name: Kind
    severity: float | None = None

    def __post_init__(self) -> None:
        bounds = LEAST_AND_MOST.get(self.name)
        if bounds is None and self.severity is not None:
            raise ValueError(f"robustness.conditions: {self.name} has no severity; leave it out (found {self.severity:g})")
        if bounds is not None and self.severity is None and self.name != "rotation":
            raise ValueError(f"robustness.conditions: {self.name} needs a severity in [{bounds[0]:g}, {bounds[1]:g}]")
        if bounds is not None and self.severity is not None and not bounds[0] <= self.severity <= bounds[1]:
            raise ValueError(f"robustness.conditions: severity of {self.name} must lie in [{bounds[0]:g}, {bounds[1]:g}], found {self.severity:g}")

    @property
    def label(self) -> str:
        """Name with severity, for example `rate_10` or `gyro_lost`."""
        return self.name if self.severity is None else f"{self.name}_{self.severity:g}"

    def apply(self, windows: np.ndarray, rate_hz: float, generator: np.random.Generator) -> np.ndarray:
        """Degrade windows; for "window", which needs to know what follows them, use `seen_for`."""
        severity = 0.0 if self.severity is None else self.severity
        if self.name == "rate":
            return slower(windows, rate_hz, severity)
        if self.name == "rotation":
            return turned(windows, self.severity, generator)
        if self.name == "gyro_lost":
            return np.concatenate([windows[:, :3], np.zeros_like(windows[:, 3:])], axis=1)
        if self.name == "axis_permutation":
            return axes_exchanged(windows, generator)
        if self.name == "gain":
            return (windows * (1 + severity * generator.standard_normal((*windows.shape[:2], 1)))).astype(np.float32)
        if self.name == "bias":
            scale = np.array([1.0] * 3 + [GYRO_PER_ACCEL] * 3)[:, None]
            return (windows + severity * scale * generator.standard_normal((*windows.shape[:2], 1))).astype(np.float32)
        if self.name == "dropout":
            return with_dropouts(windows, rate_hz, severity, generator)
        raise ValueError(f"{self.name} is no change of single windows")


def slower(windows: np.ndarray, rate_hz: float, slow_hz: float) -> np.ndarray:
    """Windows as a device at `slow_hz` < `rate_hz` would have recorded them, brought back to `rate_hz`.

    Both steps are linear with the resampler that segments are cut with (anti-aliased, 60 dB), so they are one matrix for all windows. Each window is
    a recording of its own here: before its first and after its last slow sample, at most half a slow period, that sample is held.
    """
    return (windows.astype(np.float64) @ _there_and_back(windows.shape[2], rate_hz, slow_hz).T).astype(np.float32)


@lru_cache(maxsize=8)
def _there_and_back(samples: int, rate_hz: float, slow_hz: float) -> np.ndarray:
    """Matrix (samples, samples) float64 that takes a window to its slow copy and back."""
    if not 0 < slow_hz < rate_hz:
        raise ValueError(f"the slow rate must lie below {rate_hz:g} Hz, found {slow_hz:g}")
    last = (samples - 1) / rate_hz
    count = int(np.floor(last * slow_hz + 1e-9)) + 1
    first = (last - (count - 1) / slow_hz) / 2  # slow samples lie symmetrically in the window
    down = resample(np.arange(samples) / rate_hz, np.eye(samples), slow_hz, rate_hz).window(first, count)  # (samples, count)
    up = resample(np.arange(count) / slow_hz, np.eye(count), rate_hz, slow_hz)
    inside = np.flatnonzero((np.arange(samples) / rate_hz >= first - 1e-9) & (np.arange(samples) / rate_hz <= last - first + 1e-9))
    back = up.window(inside[0] / rate_hz - first, len(inside))  # (count, len(inside))
    whole = np.zeros((count, samples))
    whole[:, inside] = back
    whole[0, : inside[0]] = 1
    whole[-1, inside[-1] + 1 :] = 1
    return (down @ whole).T


def turned(windows: np.ndarray, degrees: float | None, generator: np.random.Generator) -> np.ndarray:
    """Turn the device in each window: by `degrees` about an axis uniform on the sphere, or, with None, to any orientation uniformly."""
    count = len(windows)
    if degrees is None:
        turns = Rotation.from_quat(generator.standard_normal((count, 4)))
    else:
        axes = generator.standard_normal((count, 3))
        turns = Rotation.from_rotvec(np.radians(degrees) * axes / np.linalg.norm(axes, axis=1, keepdims=True))
    sensors = windows.reshape(count, 2, 3, -1)
    return (turns.as_matrix()[:, None] @ sensors).reshape(windows.shape).astype(np.float32)


def axes_exchanged(windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Put the axes of each window in one of the five other orders, the same for both sensors."""
    orders = np.array([order for order in permutations(range(3)) if order != (0, 1, 2)])
    order = orders[generator.integers(len(orders), size=len(windows))]
    return np.take_along_axis(windows, np.concatenate([order, 3 + order], axis=1)[:, :, None], axis=1)


def with_dropouts(windows: np.ndarray, rate_hz: float, share: float, generator: np.random.Generator) -> np.ndarray:
    """Lose `share` of each window's samples in bursts of 0.2 s, all channels alike.

    The last value is held, or the next one where there is none before. The number of samples lost is `share` of a window's to the nearest, but never
    all: the burst drawn last is cut short.
    """
    count, _, samples = windows.shape
    slots, lost = np.arange(samples) // max(1, round(BURST_S * rate_hz)), min(round(share * samples), samples - 1)
    turn = generator.random((count, slots[-1] + 1)).argsort(axis=1)  # (N, S) each slot's turn to be lost
    sizes = np.bincount(slots)
    in_turn = sizes[turn.argsort(axis=1)]
    before = np.take_along_axis(np.cumsum(in_turn, axis=1) - in_turn, turn, axis=1)  # samples lost before a slot's turn
    place = np.arange(samples) - (np.cumsum(sizes) - sizes)[slots]
    kept = (before[:, slots] + place) >= lost
    source = np.maximum.accumulate(np.where(kept, np.arange(samples), -1), axis=1)
    source = np.where(source < 0, kept.argmax(axis=1)[:, None], source)
    return np.take_along_axis(windows, source[:, None, :], axis=2)


def seen_for(windows: np.ndarray, samples: int, usual: int) -> np.ndarray:
    """The middle `samples` of each window (N, 6, T >= samples).

    What an encoder cannot take for being too short is played back and forth until it is as long as its usual window, `usual` samples: that adds
    neither steps nor motion that was not there.
    """
    start = (windows.shape[2] - samples) // 2
    middle = windows[:, :, start : start + samples]
    if samples >= MIN_SAMPLES:
        return np.ascontiguousarray(middle)
    there_and_back = np.concatenate([np.arange(samples), np.arange(samples - 1)[::-1][: samples - 2]]) if samples > 2 else np.arange(samples)
    return middle[:, :, np.resize(there_and_back, usual)]
