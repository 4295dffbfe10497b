"""The inertial sensor: gravity at rest, noise as stated, a clock that never reverses."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.simulate.activities import Person
from primus.simulate.calibration import SENSOR_FROM_HEAD, device_calibration
from primus.simulate.imu import ARIA_RIGHT, clock, measure
from primus.simulate.people import mounting_rotation
from primus.simulate.trajectory import GRAVITY, Trajectory


def still(seconds: float = 4.0) -> Trajectory:
    knots = np.arange(-1, seconds + 1, 0.01)
    return Trajectory(knots, np.tile([0.0, 0.0, 1.6, 0.7, 0.4, -0.2], (len(knots), 1)))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_gravity_is_recovered_at_rest_within_the_bias(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = Person(mounting=tuple(rng.normal(0, 0.1, 3)))
    sensor = ARIA_RIGHT.rotated(mounting_rotation(person))
    trajectory = still()
    accel, gyro = measure(trajectory, np.arange(0, 4, 1e-3), sensor, rng)
    up = np.array(sensor.sensor_from_head) @ trajectory.pose(np.array([1.0]))[1][0].T @ [0, 0, GRAVITY]
    assert np.abs(accel.mean(axis=0) - up).max() < 5 * sensor.accel_bias
    assert np.abs(gyro.mean(axis=0)).max() < 5 * sensor.gyro_bias
    np.testing.assert_allclose(accel.std(axis=0), sensor.accel_noise, rtol=0.1)
    np.testing.assert_allclose(gyro.std(axis=0), sensor.gyro_noise, rtol=0.1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([50.0, 201.0, 800.0, 1000.0]), jitter=st.floats(0, 2e-3))
def test_clocks_run_forward_at_their_rate(seed: int, rate: float, jitter: float) -> None:
    times = clock(-0.01, 3.0, rate, min(jitter, 0.2 / rate), np.random.default_rng(seed))
    steps = np.diff(times)
    assert times.dtype == np.int64
    assert steps.min() > 0
    assert times[-1] < 3_000_000_000
    assert times[-1] > 3_000_000_000 - 6e9 / rate
    assert abs(1e9 / steps.mean() - rate) < 0.02 * rate


def test_sensor_axes_are_right_handed_rotations() -> None:
    for rotation in SENSOR_FROM_HEAD.values():
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) > 0


def test_calibration_is_fixed_by_the_serial() -> None:
    assert device_calibration("a") == device_calibration("a")
    assert device_calibration("a") != device_calibration("b")
