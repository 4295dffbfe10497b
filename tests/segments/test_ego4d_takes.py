"""Ego4D videos through the path of the segment stage: every fault its documentation lists has a file that shows it, and an outcome."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primus.errors import Rejected
from primus.io.datasets import open_dataset
from primus.io.ego4d import SCENARIOS
from primus.io.files import FileSet
from primus.segments.plan import plan_takes
from primus.segments.segmenter import TakeSegments, segment_take
from tests.segments.memory_dataset import settings_with

COLUMNS = ("component_idx", "component_timestamp_ms", "canonical_timestamp_ms", "gyro_x", "gyro_y", "gyro_z", "accl_x", "accl_y", "accl_z")
STAMP, GYRO, ACCL = 2, slice(3, 6), slice(6, 9)
RATE_HZ = 201.0  # what the published sample's step of 4.975 ms gives, not 200
VIDEO_S = 30.0
HERTZ = np.array([0.7, 1.9, 3.1, 0.5, 2.3, 4.3])
OFFSET = np.array([0.3, 9.7, -0.8, 0.0, 0.1, -0.1])


def signal(seconds: np.ndarray) -> np.ndarray:
    """(N, 6) accelerometer and gyroscope at a video's time."""
    return OFFSET + np.sin(2 * np.pi * HERTZ * seconds[:, None] + np.arange(6))


def table(end_s: float = VIDEO_S + 0.05) -> np.ndarray:
    """A file without fault: (N, 9), from the first frame on."""
    seconds = np.arange(round(end_s * RATE_HZ)) / RATE_HZ
    values = signal(seconds)
    return np.column_stack((np.zeros(len(seconds)), seconds * 1000, seconds * 1000, values[:, 3:], values[:, :3]))


def video(uid: str, **changes: Any) -> dict[str, Any]:
    return {
        "video_uid": uid,
        "duration_sec": VIDEO_S,
        "scenarios": ["Cooking"],
        "has_imu": True,
        "fb_participant_id": 712,
        "video_source": "cmu",
    } | changes


def said(time: float, text: str) -> dict[str, Any]:
    return {"timestamp_sec": time, "timestamp_frame": round(time * 30), "narration_text": text}


NARRATION = {
    "status": "complete",
    "narration_pass_1": {"narrations": [said(20.5, "#C C cuts a carrot"), said(-0.04, "#C C stands"), said(10.123, "#C C takes a knife")]},
    "narration_pass_2": {"narrations": [said(10.124, "#C C grabs the knife"), said(15.0, "#O A man X talks #unsure")], "summaries": []},
}
STARTS = [0.0, 7.623, 18.0]


def write(root: Path, rows: np.ndarray | None, **changes: Any) -> FileSet:
    """A root with one video, `v1`, whose IMU file holds `rows`."""
    (root / "v2/annotations").mkdir(parents=True)
    (root / "v2/ego4d.json").write_text(json.dumps({"date": "", "version": "v2", "videos": [video("v1", **changes)], "clips": []}))
    (root / "v2/annotations/narration.json").write_text(json.dumps({"v1": NARRATION}))
    if rows is not None:
        (root / "v2/imu").mkdir()
        lines = [",".join("" if np.isnan(value) else repr(float(value)) for value in row) for row in rows]
        (root / "v2/imu/v1.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return FileSet.scan(root)


def cut(files: FileSet, purpose: str = "pretrain") -> TakeSegments:
    dataset = open_dataset("ego4d", {"reader": "ego4d"}, files)
    (job,) = plan_takes("ego4d", {"purpose": [purpose]}, dataset.takes()[0])
    return segment_take(dataset, files, job, settings_with())


def assert_exact(result: TakeSegments, starts: list[float]) -> None:
    assert [interval.start_s for interval in result.intervals] == starts
    for interval, imu in zip(result.intervals, result.imu, strict=True):
        times = interval.start_s + np.arange(250) / 50
        np.testing.assert_allclose(imu.T, signal(times), atol=0.01)
        assert (np.abs(imu.T - signal(times + 0.02)).max(axis=0) > 0.04).all()  # one sample later is something else


def test_segments_of_both_passes_hold_the_samples_of_their_time(tmp_path: Path) -> None:
    result = cut(write(tmp_path, table()))
    assert_exact(result, STARTS)
    assert result.intervals[1].texts == ("C takes a knife", "C grabs the knife")
    assert result.rejects == ()
    assert result.facts["rate_hz"] == pytest.approx(201.0, abs=0.01)
    assert result.facts["clock"] == "file"
    assert result.facts["narrations_other_subject"] == 1


def unstamped(rows: np.ndarray) -> np.ndarray:
    rows[[5, 700, 701], STAMP] = np.nan
    return rows


def later_component_first(rows: np.ndarray) -> np.ndarray:
    rows[3000:, 0] = 1
    rows[3000:, 1] -= rows[3000, 1]
    return np.concatenate((rows[3000:], rows[:3000]))


def absurd_stamps(rows: np.ndarray) -> np.ndarray:
    rows[[9, 10], STAMP] = 1e15, -1e15
    return rows


@pytest.mark.parametrize(
    ("fault", "note", "count"),
    [(unstamped, "missing_stamps", 3), (later_component_first, "reordered_samples", 1), (absurd_stamps, "stamps_outside_video", 2)],
)
def test_faults_of_the_clock_are_mended_and_counted(tmp_path: Path, fault: Callable[[np.ndarray], np.ndarray], note: str, count: int) -> None:
    result = cut(write(tmp_path, fault(table())))
    assert_exact(result, STARTS)
    assert result.facts["repairs"][note] == count


def test_components_that_do_not_cover_the_video_cost_their_segments(tmp_path: Path) -> None:
    result = cut(write(tmp_path, table(end_s=20.0)))
    assert_exact(result, STARTS[:2])
    assert [(reject.reason, reject.scope, reject.start_s) for reject in result.rejects] == [("imu_short", "segment", 18.0)]


def test_a_hole_in_the_accelerometer_is_a_gap_and_never_zeros(tmp_path: Path) -> None:
    rows = table()
    rows[(rows[:, STAMP] > 11_000) & (rows[:, STAMP] < 12_000), ACCL] = np.nan
    result = cut(write(tmp_path, rows))
    assert_exact(result, [0.0, 18.0])
    assert [(reject.reason, reject.start_s) for reject in result.rejects] == [("gap", 7.623)]
    assert result.facts["repairs"]["missing_values"] == 200


def copied_axis(rows: np.ndarray) -> np.ndarray:
    rows[:, 8] = rows[:, 7]
    return rows


def published_sample(rows: np.ndarray) -> np.ndarray:
    """As in the three rows that the documentation prints: y and z alike, 2.4 to 2.7 m/s^2 in all."""
    rows[:, 6] -= 2.5 + OFFSET[0]
    rows[:, 7] = rows[:, 8] = -0.9 + 0.1 * rows[:, 6]
    return rows


def in_g(rows: np.ndarray) -> np.ndarray:
    rows[:, ACCL] /= 9.80665
    return rows


def without_gravity(rows: np.ndarray) -> np.ndarray:
    rows[:, 7] -= OFFSET[1]
    return rows


def in_degrees(rows: np.ndarray) -> np.ndarray:
    rows[:, GYRO] = np.rad2deg(3 * rows[:, GYRO])
    return rows


def no_accelerometer(rows: np.ndarray) -> np.ndarray:
    rows[:, ACCL] = np.nan
    return rows


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (copied_axis, "duplicate_axis", "accel_y and accel_z are equal in 100%"),
        (published_sample, "duplicate_axis", "accel_y and accel_z"),
        (in_g, "implausible_gravity", "values in g? gravity removed?"),
        (without_gravity, "implausible_gravity", "expected 7.5 to 13.5"),
        (in_degrees, "unreadable_imu", "is it deg/s?"),
        (no_accelerometer, "missing_axis", "accel_x, accel_y, accel_z"),
        (lambda rows: rows[:0], "no_imu", "v1.csv"),
        (lambda rows: rows[::11], "low_rate", "18.27 Hz; expected at least 20 Hz"),
    ],
)
def test_files_that_cannot_be_trusted_are_refused_by_reason(
    tmp_path: Path, fault: Callable[[np.ndarray], np.ndarray], reason: str, words: str
) -> None:
    """What the documentation leaves open - units, lost axes - is checked in each file, and the message names it."""
    with pytest.raises(Rejected) as caught:
        cut(write(tmp_path, fault(table())))
    assert caught.value.reason == reason
    assert words in caught.value.detail
    assert "v1" in caught.value.detail


def test_a_video_without_imu_is_refused_and_says_whether_it_has_one(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"no_imu: ego4d\.json says has_imu false"):
        cut(write(tmp_path / "a", None, has_imu=False))
    with pytest.raises(Rejected, match=r"no_imu: v2/imu/v1\.csv is not below the root; fetch it with ego4d --datasets imu"):
        cut(write(tmp_path / "b", None))


@pytest.mark.parametrize(("scenario", "label"), SCENARIOS.items())
def test_each_of_the_ten_scenarios_labels_its_segments(tmp_path: Path, scenario: str, label: str) -> None:
    result = cut(write(tmp_path, table(), scenarios=[scenario]), "probe")
    assert [interval.label for interval in result.intervals] == [label] * 6


@pytest.mark.parametrize(
    "scenarios",
    [
        ["Cooking", "Eating"], [], ["Car mechanic"], ["Clothes, other shopping"], ["Doing yardwork / shoveling snow"], ["Grocery shopping indoors"],
        ["Playing cards"], ["cooking"], None,
    ],
)  # fmt: skip
def test_other_scenarios_are_no_class_and_the_reject_names_them(tmp_path: Path, scenarios: Any) -> None:
    with pytest.raises(Rejected) as caught:
        cut(write(tmp_path, table(), scenarios=scenarios), "probe")
    assert caught.value.reason == "no_label"
    assert repr(scenarios) in caught.value.detail
