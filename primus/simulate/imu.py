"""An inertial sensor on the head: what it measures of a motion, and when by its own clock."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from primus.simulate.calibration import LEVER_ARM_M, SENSOR_FROM_HEAD
from primus.simulate.trajectory import Trajectory

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


@dataclass(frozen=True)
class Sensor:
    """Where a sensor sits and how it errs. `sensor_from_head`: rotation as nested rows; noise is the standard deviation per sample."""

    rate_hz: float
    jitter_s: float
    sensor_from_head: Matrix
    lever_arm_m: Vector = (0.0, 0.0, 0.0)
    accel_noise: float = 0.03
    gyro_noise: float = 0.003
    accel_bias: float = 0.05
    gyro_bias: float = 0.003
    accel_limit: float = 78.4
    gyro_limit: float = 17.4

    def rotated(self, rotation: np.ndarray) -> "Sensor":
        """The same sensor on a head-frame mounting turned by `rotation` (3, 3)."""
        return replace(self, sensor_from_head=_rows(np.array(self.sensor_from_head) @ rotation))


def _rows(matrix: np.ndarray) -> Matrix:
    first, second, third = ((float(row[0]), float(row[1]), float(row[2])) for row in matrix)
    return first, second, third


ARIA_RIGHT: Final = Sensor(1000.0, 3e-5, _rows(SENSOR_FROM_HEAD["imu-right"]), LEVER_ARM_M["imu-right"])
"""Right inertial sensor of a Gen1 device: 1000 Hz, +-8 g, +-1000 degrees/s."""


def clock(start_s: float, end_s: float, rate_hz: float, jitter_s: float, rng: np.random.Generator) -> np.ndarray:
    """Sample times from `start_s` on, up to and not including `end_s`, as whole nanoseconds (N,) int64; steps jitter and never reverse."""
    count = int((end_s - start_s) * rate_hz * 1.02) + 8
    steps = np.clip(rng.normal(1 / rate_hz, jitter_s, count), 0.2 / rate_hz, None)
    times = np.round((start_s + np.cumsum(steps)) * 1e9).astype(np.int64)
    return times[times < round(end_s * 1e9)]


def measure(trajectory: Trajectory, times_s: np.ndarray, sensor: Sensor, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Accelerometer (m/s^2) and gyroscope (rad/s) readings at `times_s` (N,), both float32 (N, 3) in the sensor's axes."""
    motion = trajectory.motion(times_s)
    turn = np.array(sensor.sensor_from_head).T
    accel = motion.specific_force(sensor.lever_arm_m) @ turn + rng.normal(0, sensor.accel_bias, 3)
    gyro = motion.rate @ turn + rng.normal(0, sensor.gyro_bias, 3)
    accel += rng.standard_normal(accel.shape, dtype=np.float32) * sensor.accel_noise
    gyro += rng.standard_normal(gyro.shape, dtype=np.float32) * sensor.gyro_noise
    accel = np.clip(accel, -sensor.accel_limit, sensor.accel_limit)
    gyro = np.clip(gyro, -sensor.gyro_limit, sensor.gyro_limit)
    return accel.astype(np.float32), gyro.astype(np.float32)
