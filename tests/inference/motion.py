"""Sums of sines on a regular clock, with gravity and a little noise: a signal that every rate here can hold."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primus.seeds import generator

NAMES = ["accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z"]


def motion(rate_hz: float, seconds: float, seed: int = 0, highest_hz: float = 8.0) -> NDArray[np.float64]:
    """(n, 6) m/s^2 and rad/s; the same motion whatever the rate."""
    random = generator(seed, "motion")
    frequency, phase = random.uniform(0.2, highest_hz, (6, 6)), random.uniform(0, 2 * np.pi, (6, 6))
    times = np.arange(round(rate_hz * seconds)) / rate_hz
    values = 0.4 * np.sin(2 * np.pi * frequency[:, :, None] * times + phase[:, :, None]).sum(axis=1).T
    return values + np.array([0, 0, 9.81, 0, 0, 0]) + 1e-3 * random.standard_normal(values.shape)


def write_table(path: Path, rate_hz: float = 100.0, seconds: float = 12.0, seed: int = 0) -> Path:
    """A CSV or Parquet of motion, units told by the columns' names."""
    values = motion(rate_hz, seconds, seed)
    units = ["m_s2"] * 3 + ["rad_s"] * 3
    table = pd.DataFrame({f"{name}_{unit}": values[:, number] for number, (name, unit) in enumerate(zip(NAMES, units, strict=True))})
    table.insert(0, "timestamp_us", np.rint(np.arange(len(values)) * 1e6 / rate_hz).astype(np.int64))
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)
    return path
