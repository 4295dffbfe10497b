"""The recording type and the one rule for stamps that repeat."""

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.errors import Rejected
from primus.io.recording import ImuRecording, build_recording, normalise_timestamps, sampling_rate_hz, stamps_to_ns


def reason_of(call) -> str:
    with pytest.raises(Rejected) as rejected:
        call()
    return rejected.value.reason


def spread_by_loop(stamps: list[int]) -> list[int]:
    """The rule again, written sample by sample."""
    groups: list[list[int]] = []
    for stamp in stamps:
        if groups and groups[-1][0] == stamp:
            groups[-1].append(stamp)
        else:
            groups.append([stamp])
    per_sample = [(after[0] - group[0]) / len(group) for group, after in pairwise(groups)]
    usual = float(np.median([step for step, group in zip(per_sample, groups, strict=False) for _ in group]))
    out = []
    for i, group in enumerate(groups):
        step = min(per_sample[i], usual) if i < len(per_sample) else usual
        out += [group[0] + int(rank * step) for rank in range(len(group))]
    return out


@st.composite
def batched_stamps(draw) -> list[int]:
    steps = draw(st.lists(st.integers(1_000_000, 200_000_000), min_size=1, max_size=40))
    sizes = draw(st.lists(st.integers(1, 6), min_size=len(steps) + 1, max_size=len(steps) + 1))
    starts = np.concatenate(([0], np.cumsum(steps))) + draw(st.integers(-(10**15), 2 * 10**18))
    return np.repeat(starts, sizes).tolist()


@given(batched_stamps())
@settings(deadline=None)
def test_equal_stamps_are_spread_and_nothing_else_moves(stamps):
    spread, repeated = normalise_timestamps(np.array(stamps))
    assert len(spread) == len(stamps)
    assert repeated == len(stamps) - len(set(stamps))
    assert (np.diff(spread) > 0).all()
    firsts = np.array([0, *(np.flatnonzero(np.diff(stamps)) + 1)])
    np.testing.assert_array_equal(spread[firsts], np.array(stamps)[firsts])  # the first of each group keeps its stamp
    following = np.append(np.array(stamps)[firsts][1:], np.iinfo(np.int64).max)
    assert (spread < np.repeat(following, np.diff(np.append(firsts, len(stamps))))).all()  # and none reaches the next group
    np.testing.assert_allclose(spread, spread_by_loop(stamps), atol=1)


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=30))
@settings(deadline=None)
def test_any_stamps_come_out_increasing_or_are_refused(stamps):
    if (np.diff(stamps) < 0).any():
        assert reason_of(lambda: normalise_timestamps(np.array(stamps))) == "non_monotonic"
    elif len(set(stamps)) == len(stamps):
        assert normalise_timestamps(np.array(stamps))[0].tolist() == stamps
    else:
        with suppress(Rejected):  # more samples on a stamp than nanoseconds after it
            assert (np.diff(normalise_timestamps(np.array(stamps))[0]) > 0).all()


def test_a_group_before_a_gap_does_not_reach_into_it():
    stamps = np.array([0, 10, 20, 20, 3000, 3010]) * 1_000_000
    spread, repeated = normalise_timestamps(stamps)
    assert repeated == 1
    assert spread.tolist() == [0, 10_000_000, 20_000_000, 30_000_000, 3_000_000_000, 3_010_000_000]


@pytest.mark.parametrize("stamps", [[0, 5, 4, 6], [7, 7, 7], [0, 0, 0, 1]])
def test_a_clock_that_does_not_run_is_refused(stamps):
    assert reason_of(lambda: normalise_timestamps(np.array(stamps))) == "non_monotonic"


def test_absurd_stamps_are_refused_before_they_overflow():
    assert reason_of(lambda: normalise_timestamps(np.array([-(2**63), 2**63 - 1]))) == "unreadable_imu"


def test_rate_ignores_gaps_and_coarse_stamps():
    stamps = np.floor(np.arange(2000) / 102.4 * 1000).astype(np.int64) * 1_000_000
    assert sampling_rate_hz(stamps) == pytest.approx(102.4, rel=0.005)
    assert sampling_rate_hz(np.concatenate((stamps, stamps + 10**12))) == pytest.approx(102.4, rel=0.005)
    assert sampling_rate_hz(stamps[:1]) == 0.0


@pytest.mark.parametrize(("unit", "value", "scale"), [("s", 1657533977, 10**9), ("ms", 1657533977813, 10**6), ("us", 3, 1000), ("ns", 5, 1)])
def test_integer_stamps_convert_exactly(unit, value, scale):
    assert stamps_to_ns(np.array([value]), unit).tolist() == [value * scale]


@given(st.integers(0, 2 * 10**9), st.integers(0, 999_999))
def test_epoch_seconds_keep_their_fraction(whole, micro):
    assert abs(stamps_to_ns(np.array([whole + micro * 1e-6]), "s")[0] - (whole * 10**9 + micro * 1000)) <= 250  # what a double can tell of an epoch


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [1e300], [-1e30]])
def test_stamps_that_are_no_time_are_refused(values):
    assert reason_of(lambda: stamps_to_ns(np.array(values), "s")) == "unreadable_imu"
    assert reason_of(lambda: stamps_to_ns(np.array([2**62]), "ms")) == "unreadable_imu"


def test_rows_without_a_value_are_dropped_and_counted():
    accel, gyro = np.ones((5, 3)), np.ones((5, 3), np.float32)
    accel[1, 2], gyro[3, 0] = np.nan, np.inf
    recording = build_recording(np.arange(5) * 10**7, accel, gyro, "x", {"invalid_samples": 0})
    assert recording.timestamps_ns.tolist() == [0, 2 * 10**7, 4 * 10**7]
    assert recording.notes == {"missing_values": 2}
    assert recording.gyro.dtype == np.float32


def test_a_value_no_sensor_measures_counts_as_missing():
    accel, gyro = np.ones((500, 3)), np.ones((500, 3), np.float32)
    accel[7, 2], gyro[30, 0] = 1e38, -1e30
    recording = build_recording(np.arange(500) * 10**7, accel, gyro, "x")
    assert recording.notes == {"missing_values": 2}
    assert np.abs(recording.accel).max() == np.abs(recording.gyro).max() == 1


@pytest.mark.parametrize(("sensor", "value"), [("accelerometer", 9_806.65), ("gyroscope", -2e5)])
def test_many_such_values_are_a_wrong_unit_or_a_corrupt_file(sensor, value):
    values = {"accelerometer": np.ones((500, 3)), "gyroscope": np.ones((500, 3))}
    values[sensor][:20, 2] = value
    with pytest.raises(Rejected, match=f"{sensor} beyond .* in 20 of 500 samples.*is the unit right") as rejected:
        build_recording(np.arange(500) * 10**7, *values.values(), "x")
    assert rejected.value.reason == "unreadable_imu"


def test_empty_inputs_have_their_own_reasons():
    stamps = np.arange(3) * 10**7
    accel = np.ones((3, 3))
    accel[:, 1] = np.nan
    assert reason_of(lambda: build_recording(stamps, accel, None, "x")) == "missing_axis"
    assert reason_of(lambda: build_recording(stamps[:0], accel[:0], None, "x")) == "no_imu"
    alternating = np.where(np.eye(3, dtype=bool), np.nan, 1.0)
    assert reason_of(lambda: build_recording(stamps, alternating, None, "x")) == "no_imu"


def test_shapes_and_types_are_checked():
    stamps = np.arange(3)
    with pytest.raises(ValueError, match=r"accel must be \(3, 3\)"):
        ImuRecording(stamps, np.ones((2, 3)), None, 1.0, "x")
    with pytest.raises(ValueError, match="int64"):
        ImuRecording(stamps.astype(float), np.ones((3, 3)), None, 1.0, "x")


def test_real_phone_and_watch_stamps_are_no_defect(shared_dir):
    pandas = pytest.importorskip("pandas")
    files = sorted((shared_dir / "data/sp-sw-har").glob("s*/*_s?.csv"))
    assert len(files) > 100
    shared = 0
    for path in files:
        stamps = stamps_to_ns(pandas.read_csv(path)["timestamp"].to_numpy(), "ms")
        spread, repeated = normalise_timestamps(stamps, path.name)
        shared += repeated
        assert (np.diff(spread) > 0).all()
        assert (np.abs(spread - stamps) <= 30_000_000).all()
    assert shared / len(files) > 10
