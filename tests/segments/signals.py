"""Analytic signals on imperfect clocks: what the resampling tests compare with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primus.io.recording import ImuRecording

GRAVITY = 9.81


def clock(rate_hz: float, duration_s: float, kind: str, seed: int = 0, drift: float = 1e-3, start_ns: int = 284_324_000_000) -> NDArray[np.int64]:
    """Stamps (N,) of a drifting clock whose steps (`walk`), or whose stamps (`white`), jitter by 3 % of the period; `even` does not jitter."""
    random = np.random.default_rng(seed)
    count, period = int(duration_s * rate_hz), 1e9 / rate_hz
    even = np.arange(count) * period
    if kind == "walk":
        even = np.cumsum(period * (1 + 0.03 * random.standard_normal(count)))
    elif kind == "white":
        even = even + 0.03 * period * random.standard_normal(count)
    return start_ns + np.rint(even + drift * 3e9 * np.sin(2 * np.pi * even * 1e-9 / 20)).astype(np.int64)


@dataclass(frozen=True)
class Tones:
    """Six channels, each a sum of tones of amplitude one over a constant."""

    frequencies: NDArray[np.float64]  # (6, k) Hz
    phases: NDArray[np.float64]  # (6, k)
    constants: NDArray[np.float64]  # (6,)

    @classmethod
    def draw(cls, low_hz: float, high_hz: float, count: int, seed: int = 0) -> "Tones":
        random = np.random.default_rng(seed)
        frequencies = random.uniform(low_hz, high_hz, (6, count))
        frequencies[:, 0], frequencies[:, -1] = low_hz, high_hz
        return cls(frequencies, random.uniform(0, 2 * np.pi, (6, count)), np.array([0.3, -0.2, GRAVITY, 0.0, 0.1, -0.1]))

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (6, len(seconds))."""
        waves = np.cos(2 * np.pi * self.frequencies[:, :, None] * seconds + self.phases[:, :, None])
        return self.constants[:, None] + waves.sum(axis=1)


def recording(stamps: NDArray[np.int64], values: NDArray[np.float64]) -> ImuRecording:
    """A recording of channels (6, N)."""
    rate = (len(stamps) - 1) * 1e9 / float(stamps[-1] - stamps[0])
    return ImuRecording(stamps, np.ascontiguousarray(values[:3].T), np.ascontiguousarray(values[3:].T), rate, "analytic")


def sample(tones: Tones, stamps: NDArray[np.int64], origin_ns: int) -> ImuRecording:
    """The tones on a clock; second zero is `origin_ns`."""
    return recording(stamps, tones.at((stamps - origin_ns) * 1e-9))
