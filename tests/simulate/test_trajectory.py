"""Rigid-body kinematics against independent numerical twins."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from primus.simulate.trajectory import GRAVITY, Trajectory, rotation_matrices

KNOT_HZ = 100


def wander(seed: int, seconds: float = 6.0, pitch_limit: float = 1.2) -> Trajectory:
    """A random smooth motion with large rotations."""
    rng = np.random.default_rng(seed)
    knots = np.arange(0, seconds, 1 / KNOT_HZ)
    values = gaussian_filter1d(rng.normal(0, 1, (len(knots), 6)), 18, axis=0) * [1.5, 1.5, 1.5, 12, 6, 6]
    values[:, 4] = pitch_limit * np.tanh(values[:, 4] / pitch_limit)
    return Trajectory(knots, values)


def integrate(rate: np.ndarray, step_s: float, start: Rotation) -> Rotation:
    """Orientation after turning by body rates (N, 3), one exponential a step (midpoint rule)."""
    now = start
    for before, after in pairwise(rate):
        now = now * Rotation.from_rotvec((before + after) / 2 * step_s)
    return now


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_integrating_the_angular_rate_recovers_the_orientation(seed: int) -> None:
    trajectory = wander(seed)
    times = np.arange(0.5, 5.0, 1e-3)
    motion = trajectory.motion(times)
    rotations = Rotation.from_matrix(motion.rotation())
    error = integrate(motion.rate, 1e-3, rotations[0]).inv() * rotations[-1]
    assert error.magnitude() < 1e-3
    assert Rotation.magnitude(rotations[0].inv() * rotations[-1]) > 0.01, "the motion must turn, or nothing was tested"


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), arm=st.tuples(*[st.floats(-0.2, 0.2)] * 3))
def test_specific_force_is_the_second_difference_of_the_sensors_path_minus_gravity(seed: int, arm: tuple[float, float, float]) -> None:
    trajectory = wander(seed)
    step = 1e-4
    times = np.linspace(1.0, 5.0, 40)

    def sensor_position(at: np.ndarray) -> np.ndarray:
        position, rotation = trajectory.pose(at)
        return position + rotation @ np.array(arm)

    acceleration = (sensor_position(times + step) - 2 * sensor_position(times) + sensor_position(times - step)) / step**2
    expected = np.einsum("nji,nj->ni", trajectory.pose(times)[1], acceleration + [0, 0, GRAVITY])
    np.testing.assert_allclose(trajectory.motion(times).specific_force(arm), expected, atol=5e-3 * max(1, np.abs(expected).max()))


@settings(max_examples=20, deadline=None)
@given(angles=st.tuples(st.floats(-3, 3), st.floats(-1.3, 1.3), st.floats(-1.5, 1.5)))
def test_at_rest_the_accelerometer_shows_gravity_alone(angles: tuple[float, float, float]) -> None:
    knots = np.arange(0, 2, 1 / KNOT_HZ)
    trajectory = Trajectory(knots, np.tile([0.3, -0.2, 1.6, *angles], (len(knots), 1)))
    motion = trajectory.motion(np.linspace(0.2, 1.8, 50))
    up = Rotation.from_euler("ZYX", angles).inv().apply([0, 0, GRAVITY])
    np.testing.assert_allclose(motion.specific_force((0.1, 0.05, -0.1)), np.tile(up, (50, 1)), atol=1e-6)
    np.testing.assert_allclose(motion.rate, 0, atol=1e-9)


def test_rotation_matrices_agree_with_scipy_and_a_positive_pitch_looks_down() -> None:
    angles = np.random.default_rng(0).uniform(-1.2, 1.2, (50, 3))
    np.testing.assert_allclose(rotation_matrices(angles), Rotation.from_euler("ZYX", angles).as_matrix(), atol=1e-12)
    assert rotation_matrices(np.array([[0.0, 0.5, 0.0]]))[0, 2, 0] < 0


def test_the_second_derivative_is_continuous() -> None:
    trajectory = wander(3)
    times = np.arange(1.0, 3.0, 1e-4)
    jumps = np.abs(np.diff(trajectory.motion(times).acceleration, axis=0))
    assert jumps.max() < 20 * np.median(jumps) + 1e-6
