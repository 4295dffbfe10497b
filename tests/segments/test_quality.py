"""The quality gate: every reason fires on its defect, and none on sound signals."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.io.recording import ImuRecording, build_recording
from primus.segments.quality import SegmentChecks, Thresholds, check_recording


def sound(rate_hz: float = 200.0, seconds: float = 20.0, motion: float = 1.0, noise: float = 0.02) -> ImuRecording:
    random = np.random.default_rng(0)
    count = int(rate_hz * seconds)
    time = np.arange(count) / rate_hz
    wave = motion * np.sin(2 * np.pi * np.array([0.7, 1.1, 1.9]) * time[:, None])
    accel = np.array([-8.7, -0.9, 4.1]) + wave + noise * random.standard_normal((count, 3))
    gyro = 0.5 * wave + 0.1 * noise * random.standard_normal((count, 3))
    return ImuRecording(np.rint(time * 1e9).astype(np.int64), accel, gyro, rate_hz, "sound")


def with_accel(recording: ImuRecording, accel: NDArray[np.float64]) -> ImuRecording:
    return ImuRecording(recording.timestamps_ns, accel, recording.gyro, recording.rate_hz, recording.source)


def reason_of(recording: ImuRecording) -> str | None:
    try:
        check_recording(recording, Thresholds())
    except Rejected as refused:
        return refused.reason
    return None


@pytest.mark.parametrize("motion", [0.0, 1.0, 6.0])
def test_sound_recordings_pass_whether_they_move_or_not(motion: float) -> None:
    recording = sound(motion=motion)
    assert reason_of(recording) is None
    assert SegmentChecks(recording, Thresholds()).refusal(0, 20_000_000_000) is None


def test_each_recording_defect_has_its_reason() -> None:
    good = sound()
    accel = good.accel
    copied = accel.copy()
    copied[:, 2] = copied[:, 1]
    opposite = accel.copy()
    opposite[:, 0] = -opposite[:, 1]
    assert good.gyro is not None
    gyro = good.gyro.copy()
    gyro[:, 2] = gyro[:, 0]
    assert reason_of(with_accel(good, copied)) == "duplicate_axis"
    assert reason_of(with_accel(good, opposite)) == "duplicate_axis"
    assert reason_of(ImuRecording(good.timestamps_ns, accel, gyro, good.rate_hz, "x")) == "duplicate_axis"
    assert reason_of(with_accel(good, accel / 9.81)) == "implausible_gravity"
    assert reason_of(with_accel(good, accel - accel.mean(axis=0))) == "implausible_gravity"
    assert reason_of(with_accel(good, accel * 2)) == "implausible_gravity"
    assert reason_of(sound(rate_hz=10.0)) == "low_rate"


def test_the_published_ego4d_rows_are_refused() -> None:
    accel = np.tile([[-2.278, -1.031, -1.031], [-2.271, -0.861, -0.861]], (500, 1))
    stamps = (np.arange(1000) * 4_975_124).astype(np.int64)
    assert reason_of(ImuRecording(stamps, accel, np.random.default_rng(0).normal(size=(1000, 3)), 201.0, "x")) == "duplicate_axis"


def test_a_stuck_axis_costs_the_segments_that_hold_it() -> None:
    recording = sound()
    accel = recording.accel.copy()
    accel[2000:2300, 1] = accel[2000, 1]  # 10.0 to 11.5 s
    checks = SegmentChecks(with_accel(recording, accel), Thresholds())
    assert checks.refusal(0, 10_000_000_000) is None
    assert checks.refusal(11_000_000_000, 16_000_000_000) is None
    refused = checks.refusal(8_000_000_000, 13_000_000_000)
    assert refused == ("flat_axis", "accel_y repeats one value for 1.50 s") or (
        refused and refused[1].startswith("accel_y repeats one value for 1.49")
    )


def test_a_clipped_signal_costs_the_segments_that_hold_it() -> None:
    recording = sound()
    accel = recording.accel.copy()
    seconds = recording.timestamps_ns * 1e-9
    jump = (seconds > 12) & (seconds < 13)
    accel[jump, 0] += 60 * np.sin(2 * np.pi * 3 * seconds[jump])
    clipped = with_accel(recording, np.clip(accel, -39.2266, 39.2266))
    assert reason_of(clipped) is None
    checks = SegmentChecks(clipped, Thresholds())
    assert checks.refusal(0, 5_000_000_000) is None
    refused = checks.refusal(9_000_000_000, 14_000_000_000)
    assert refused is not None
    assert refused[0] == "saturated"
    assert SegmentChecks(with_accel(recording, accel), Thresholds()).refusal(9_000_000_000, 14_000_000_000) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gravity_min": 12.0, "gravity_max": 9.0}, "gravity_min must be below"),
        ({"duplicate_share": 0.0}, "duplicate_share must be above 0"),
        ({"saturated_share": 1.5}, "saturated_share"),
        ({"min_rate_hz": -1.0}, "min_rate_hz must not be negative"),
        ({"gap_s": 0.0}, "gap_s must be positive"),
    ],
)
def test_thresholds_out_of_range_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Thresholds(**values)


def read_sp_sw_har(path: Path) -> ImuRecording:
    with open(path, encoding="utf-8") as handle:
        rows = list(csv.reader(handle))[1:]
    values = np.array([[float(cell) for cell in row[:6]] for row in rows])
    stamps = np.array([int(row[6]) for row in rows]) * 1_000_000
    return build_recording(stamps, values[:, :3], values[:, 3:], path.name)


def test_no_real_phone_or_watch_recording_is_refused(shared_dir: Path) -> None:
    files = sorted((shared_dir / "data" / "sp-sw-har").glob("s*/*.csv"))
    assert files
    for path in files:
        recording = read_sp_sw_har(path)
        check_recording(recording, Thresholds())
        checks = SegmentChecks(recording, Thresholds())
        assert checks.refusal(int(recording.timestamps_ns[0]), int(recording.timestamps_ns[-1])) is None, path.name
