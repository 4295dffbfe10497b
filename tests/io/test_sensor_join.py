"""Joining two sensors on time neither invents across gaps nor folds the faster one's high frequencies back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.io.sensor_join import GAP_PERIODS, GAP_S, join_sensors


def clock(seconds: float, rate_hz: float, start_s: float = 0.0, jitter: float = 0.0) -> np.ndarray:
    n = int(seconds * rate_hz)
    shift = np.random.default_rng(1).uniform(-jitter, jitter, n)
    return np.round((start_s + (np.arange(n) + shift) / rate_hz) * 1e9).astype(np.int64)


def tone(stamps_ns: np.ndarray, hz: float) -> np.ndarray:
    phase = np.array([0.0, 1.0, 2.0])
    return np.sin(2 * np.pi * hz * stamps_ns[:, None] * 1e-9 + phase)


def test_equal_stamps_pass_untouched() -> None:
    stamps = clock(3, 100)
    accel, gyro = tone(stamps, 3), tone(stamps, 4)
    joined = join_sensors(stamps, accel, stamps, gyro)
    np.testing.assert_array_equal(joined.accel, accel)
    np.testing.assert_array_equal(joined.gyro, gyro)
    assert joined.unpaired == 0


@pytest.mark.parametrize(
    ("gyro_hz", "hz", "error"), [(50.0, 2.0, 1e-4), (50.0, 8.0, 2e-2), (52.3, 5.0, 5e-3), (200.0, 8.0, 1e-3), (400.0, 15.0, 2e-3)]
)
def test_the_other_sensor_is_read_at_the_accelerometers_stamps(gyro_hz: float, hz: float, error: float) -> None:
    accel_ns, gyro_ns = clock(20, 50, 0.0131), clock(20, gyro_hz)
    joined = join_sensors(accel_ns, tone(accel_ns, hz), gyro_ns, tone(gyro_ns, hz))
    np.testing.assert_array_equal(joined.accel, tone(joined.timestamps_ns, hz))
    inner = slice(40, -40)
    assert np.abs(joined.gyro - tone(joined.timestamps_ns, hz))[inner].max() < error
    assert joined.unpaired <= 2


def test_the_slower_sensor_gives_the_stamps() -> None:
    accel_ns, gyro_ns = clock(20, 800), clock(20, 100)
    joined = join_sensors(accel_ns, tone(accel_ns, 10), gyro_ns, tone(gyro_ns, 10))
    np.testing.assert_array_equal(joined.gyro, tone(joined.timestamps_ns, 10))
    assert set(joined.timestamps_ns) <= set(gyro_ns)
    assert np.abs(joined.accel - tone(joined.timestamps_ns, 10))[40:-40].max() < 2e-3


def test_what_the_slower_rate_cannot_carry_does_not_fold_back() -> None:
    accel_ns, gyro_ns = clock(20, 199), clock(20, 398)
    joined = join_sensors(accel_ns, tone(accel_ns, 5), gyro_ns, tone(gyro_ns, 180))  # would appear at 19 Hz
    assert np.abs(joined.gyro[60:-60]).max() < 1.2e-3
    still = join_sensors(accel_ns, tone(accel_ns, 5), gyro_ns, np.full((len(gyro_ns), 3), 0.25))
    np.testing.assert_allclose(still.gyro, 0.25, rtol=1e-9)  # ends included


def test_only_the_common_interval_is_kept() -> None:
    accel_ns, gyro_ns = clock(10, 50), clock(10, 50, start_s=2.005)
    joined = join_sensors(accel_ns, tone(accel_ns, 1), gyro_ns, tone(gyro_ns, 1))
    assert joined.timestamps_ns[0] >= gyro_ns[0]
    assert joined.timestamps_ns[-1] == accel_ns[-1]
    assert joined.unpaired == int((accel_ns < gyro_ns[0]).sum())


def test_nothing_in_common() -> None:
    accel_ns, gyro_ns = clock(5, 50), clock(5, 50, start_s=60.0)
    joined = join_sensors(accel_ns, tone(accel_ns, 1), gyro_ns, tone(gyro_ns, 1))
    assert len(joined.timestamps_ns) == len(joined.accel) == len(joined.gyro) == 0
    assert joined.unpaired == len(accel_ns)


def test_a_torn_clock_is_not_overshot() -> None:
    stamps = np.concatenate([clock(2, 50), clock(2, 50, start_s=2.0) + np.tile([0, -19_000_000], 50)])
    accel_ns = clock(3.9, 50, start_s=0.007)
    step = np.where(stamps[:, None] > 3e9, 1.0, 0.0) * np.ones(3)
    joined = join_sensors(accel_ns, tone(accel_ns, 1), stamps, step)
    late = joined.timestamps_ns > 2.2e9
    assert joined.gyro[late].min() >= 0
    assert joined.gyro[late].max() <= 1


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 12.0), st.floats(0.0, 3.0), st.floats(20.0, 400.0), st.floats(20.0, 400.0), st.floats(0.0, 0.3))
def test_no_stamp_inside_a_gap_gets_a_value(gap_at: float, gap_s: float, accel_hz: float, gyro_hz: float, jitter: float) -> None:
    accel_ns, gyro_ns = clock(12, accel_hz, 0.003, jitter), clock(12, gyro_hz, 0.0, jitter)
    gyro_ns = gyro_ns[(gyro_ns < gap_at * 1e9) | (gyro_ns > (gap_at + gap_s) * 1e9)]
    if len(gyro_ns) < 2:
        return
    joined = join_sensors(accel_ns, tone(accel_ns, 1), gyro_ns, tone(gyro_ns, 1))
    kept = set(joined.timestamps_ns.tolist())
    other = gyro_ns if kept <= set(accel_ns.tolist()) else accel_ns
    assert kept <= set((accel_ns if other is gyro_ns else gyro_ns).tolist())
    assert np.isfinite(joined.accel).all()
    assert np.isfinite(joined.gyro).all()
    following = np.searchsorted(other, joined.timestamps_ns)
    exact = np.isin(joined.timestamps_ns, other)
    assert (exact | ((following > 0) & (following < len(other)))).all()
    following = following[~exact]
    width = (other[following] - other[following - 1]) * 1e-9
    assert (width <= max(GAP_S, GAP_PERIODS * np.median(np.diff(other)) * 1e-9) + 1e-9).all()
