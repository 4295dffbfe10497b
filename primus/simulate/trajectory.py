"""The rigid-body motion of a head: twice continuously differentiable, with exact velocities and accelerations.

Position is in metres in a world frame with z up; orientation is yaw, pitch, roll in radians (z-y-x Euler angles of a head frame with x
forward, y left, z up). Both are quintic splines through uniform knots, so every derivative the sensors need is analytic.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

GRAVITY = 9.80665
"""Standard gravity in m/s^2; the world's z axis points away from it."""


@dataclass(frozen=True)
class Motion:
    """Kinematics at N times. `position`, `acceleration` (N, 3) in the world frame; `angles` (N, 3) yaw, pitch, roll; `rate`,
    `rate_derivative` (N, 3): angular velocity (rad/s) and its derivative (rad/s^2) in the head frame."""

    position: np.ndarray
    acceleration: np.ndarray
    angles: np.ndarray
    rate: np.ndarray
    rate_derivative: np.ndarray

    def rotation(self) -> np.ndarray:
        """Rotation matrices head -> world, (N, 3, 3)."""
        return rotation_matrices(self.angles)

    def specific_force(self, lever_arm_m: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
        """What an ideal accelerometer at `lever_arm_m` (head frame) measures: acceleration minus gravity, (N, 3) in the head frame."""
        upward = self.acceleration + np.array([0.0, 0.0, GRAVITY])
        force = np.einsum("nji,nj->ni", self.rotation(), upward)
        arm = np.asarray(lever_arm_m, dtype=float)
        return force + np.cross(self.rate_derivative, arm) + np.cross(self.rate, np.cross(self.rate, arm))


def rotation_matrices(angles: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll (N, 3) in radians -> rotation matrices head -> world (N, 3, 3): Rz(yaw) Ry(pitch) Rx(roll)."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(angles).T, np.sin(angles).T
    rows = [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr, sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr, -sp, cp * sr, cp * cr]
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


class Trajectory:
    """A motion through `values` (K, 6) = x, y, z, yaw, pitch, roll at the uniformly spaced `knots_s` (K,)."""

    def __init__(self, knots_s: np.ndarray, values: np.ndarray) -> None:
        if values.shape != (len(knots_s), 6):
            raise ValueError(f"values must have shape ({len(knots_s)}, 6), found {values.shape}")
        self.start_s, self.end_s = float(knots_s[0]), float(knots_s[-1])
        self._spline = make_interp_spline(knots_s, values, k=5)
        self._first = self._spline.derivative(1)
        self._second = self._spline.derivative(2)

    def pose(self, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (N, 3) and rotation head -> world (N, 3, 3)."""
        values = self.values(times_s)
        return values[:, :3], rotation_matrices(values[:, 3:])

    def values(self, times_s: np.ndarray) -> np.ndarray:
        """x, y, z, yaw, pitch, roll (N, 6)."""
        values: np.ndarray = self._spline(times_s)
        return values

    def motion(self, times_s: np.ndarray) -> Motion:
        """Kinematics at `times_s` (N,), seconds, within the knots."""
        if len(times_s) and (times_s[0] < self.start_s or times_s[-1] > self.end_s):
            raise ValueError(f"times {times_s[0]:.3f}..{times_s[-1]:.3f} s leave the trajectory {self.start_s:.3f}..{self.end_s:.3f} s")
        values, first, second = self._spline(times_s), self._first(times_s), self._second(times_s)
        dy, dp, dr = first[:, 3:].T
        ddy, ddp, ddr = second[:, 3:].T
        pitch, roll = values[:, 4], values[:, 5]
        cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
        rate = np.stack([dr - dy * sp, dp * cr + dy * cp * sr, -dp * sr + dy * cp * cr], axis=-1)
        derivative = np.stack(
            [
                ddr - ddy * sp - dy * dp * cp,
                ddp * cr - dp * dr * sr + ddy * cp * sr - dy * dp * sp * sr + dy * dr * cp * cr,
                -ddp * sr - dp * dr * cr + ddy * cp * cr - dy * dp * sp * cr - dy * dr * cp * sr,
            ],
            axis=-1,
        )
        return Motion(values[:, :3], second[:, :3], values[:, 3:], rate, derivative)
