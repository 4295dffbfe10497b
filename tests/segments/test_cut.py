"""`cut` as others call it: which clock, which samples, which refusals."""

import numpy as np
import pytest

from primus.errors import Rejected
from primus.io.recording import ImuRecording
from primus.segments import cut
from primus.segments.imu import gap_limit_s
from tests.segments.signals import Tones, clock, recording, sample


def steady(duration_s: float = 10.0, rate_hz: float = 200.0) -> ImuRecording:
    stamps = clock(rate_hz, duration_s, "even", drift=0.0)
    return sample(Tones.draw(0.5, 5.0, 1), stamps, int(stamps[0]))


def test_shape_type_and_order() -> None:
    imu, rejects = cut(steady(), [4.0, 0.0, 2.5])
    assert imu.shape == (3, 6, 250)
    assert imu.dtype == np.float32
    assert rejects == []
    np.testing.assert_array_equal(imu[1], cut(steady(), [0.0])[0][0])


def test_no_interval_gives_no_row() -> None:
    imu, rejects = cut(steady(), [], rate_hz=100, window_s=2.5)
    assert imu.shape == (0, 6, 250)
    assert rejects == []


def test_nanoseconds_seconds_and_pairs_mean_the_same() -> None:
    one = steady()
    first = int(one.timestamps_ns[0])
    seconds = np.array([0.0, 1.234, 4.9])
    ns = first + np.rint(seconds * 1e9).astype(np.int64)
    wanted = cut(one, seconds)[0]
    for intervals in (ns, np.stack([ns, ns + 5_000_000_000], 1), np.stack([seconds, seconds + 5.0], 1)):
        np.testing.assert_array_equal(cut(one, intervals)[0], wanted)
    np.testing.assert_array_equal(cut(one, seconds - 3.0, origin_ns=first + 3_000_000_000)[0], wanted)


def test_sample_k_is_the_signal_at_start_plus_k_periods() -> None:
    stamps = clock(1000.0, 12.0, "walk", drift=0.0)
    ramp = np.tile((stamps - stamps[0]) * 1e-9, (6, 1))
    starts = np.array([0.0, 0.5, 1.2345, 6.9])
    imu, _ = cut(recording(stamps, ramp), starts)
    np.testing.assert_allclose(imu, np.broadcast_to(starts[:, None, None] + np.arange(250) / 50, imu.shape), atol=2e-5)


@pytest.mark.parametrize(("window_s", "rate_hz"), [(2.5, 100.0), (5.0, 50.0), (1.0, 20.0), (10.0, 25.0)])
def test_any_window_and_rate(window_s: float, rate_hz: float) -> None:
    stamps = clock(200.0, 20.0, "walk")
    tones = Tones.draw(0.1, 0.35 * rate_hz, 2)
    imu, _ = cut(sample(tones, stamps, int(stamps[0])), [0.0, 3.21, 8.0], rate_hz, window_s)
    times = np.array([0.0, 3.21, 8.0])[:, None] + np.arange(round(window_s * rate_hz)) / rate_hz
    assert np.abs(imu - np.stack([tones.at(row) for row in times])).max() < 1e-3


def test_a_window_may_fill_the_recording_and_not_exceed_it() -> None:
    whole = steady(5.0, 100.0)
    imu, rejects = cut(whole, [0.0, 0.02, -0.02])
    assert len(imu) == 1
    assert [(reject.reason, reject.start_s) for reject in rejects] == [("imu_short", 0.02), ("imu_short", -0.02)]
    assert rejects[0].end_s == 5.02
    assert "4.970 s of the interval's start" in rejects[0].detail


def test_intervals_next_to_a_gap_are_kept_to_one_sample() -> None:
    full = steady(20.0, 1000.0)
    keep = np.ones(20_000, bool)
    keep[8000:8600] = False
    assert full.gyro is not None
    holed = ImuRecording(full.timestamps_ns[keep], full.accel[keep], full.gyro[keep], 1000.0, "holed")
    kept = [start for start in (2.999, 3.0, 3.002, 8.598, 8.6, 8.601) if len(cut(holed, [start])[0])]
    assert kept == [2.999, 3.0, 8.6, 8.601]
    np.testing.assert_allclose(cut(holed, [3.0, 8.6])[0], cut(full, [3.0, 8.6])[0], atol=2e-3)


def test_values_that_are_not_finite_cost_the_segments_that_hold_them() -> None:
    full = steady(20.0, 200.0)
    accel = full.accel.copy()
    accel[1700, 1] = np.nan  # 8.5 s
    imu, rejects = cut(ImuRecording(full.timestamps_ns, accel, full.gyro, 200.0, "patchy"), [0.0, 3.6, 8.4, 8.6])
    assert len(imu) == 2
    assert np.isfinite(imu).all()
    assert [(reject.start_s, reject.reason) for reject in rejects] == [(3.6, "non_finite"), (8.4, "non_finite")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: ImuRecording(r.timestamps_ns, r.accel, None, 200.0, "x"), "missing_axis"),
        (lambda r: ImuRecording(r.timestamps_ns[:1], r.accel[:1], r.gyro[:1], 0.0, "x"), "no_imu"),
        (lambda r: ImuRecording(r.timestamps_ns[::-1].copy(), r.accel, r.gyro, 200.0, "x"), "non_monotonic"),
        (lambda r: ImuRecording(np.repeat(r.timestamps_ns[::2], 2), r.accel, r.gyro, 200.0, "x"), "non_monotonic"),
        (lambda r: ImuRecording(r.timestamps_ns, np.full_like(r.accel, np.inf), r.gyro, 200.0, "x"), "non_finite"),
    ],
)
def test_recordings_that_cannot_be_cut_at_all(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Rejected) as refused:
        cut(change(steady()), [0.0])
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"intervals": [[0.0, 4.0]]}, "interval 0 lasts 4 s; expected window_s = 5 s"),
        ({"intervals": [[[0.0]]]}, "shape"),
        ({"intervals": [np.nan]}, "not finite"),
        ({"intervals": [0.0], "rate_hz": 0}, "expected at least one"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        cut(steady(), **arguments)


def test_gap_limit_follows_the_rate_within_bounds() -> None:
    assert [round(gap_limit_s(rate), 3) for rate in (25.0, 50.0, 100.0, 200.0, 1000.0)] == [0.3, 0.3, 0.25, 0.125, 0.05]
    full = steady(10.0, 100.0)
    keep = np.ones(1000, bool)
    keep[480:500] = False
    assert full.gyro is not None
    holed = ImuRecording(full.timestamps_ns[keep], full.accel[keep], full.gyro[keep], 100.0, "holed")
    assert len(cut(holed, [2.0])[0]) == 1
    assert cut(holed, [2.0], gap_s=0.1)[1][0].reason == "gap"
