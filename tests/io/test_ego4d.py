"""Ego4D: metadata, both narration passes, the ten scenarios, and every documented fault of the IMU CSV."""

import json
from pathlib import Path

import numpy as np
import pytest

from primus.errors import Rejected, UserError
from primus.io.ego4d import SCENARIOS, Ego4DDataset
from primus.io.ego4d_imu import read_ego4d_csv
from primus.io.files import FileSet

COLUMNS = ["component_idx", "component_timestamp_ms", "canonical_timestamp_ms", "gyro_x", "gyro_y", "gyro_z", "accl_x", "accl_y", "accl_z"]


def imu_table(seconds=5.0, rate_hz=201.0) -> np.ndarray:
    t = np.arange(round(seconds * rate_hz)) / rate_hz * 1000
    channels = np.random.default_rng(0).normal(0, 1, (len(t), 6))
    return np.column_stack((np.zeros(len(t)), t, t, channels))


def write_csv(path: Path, table: np.ndarray, columns=COLUMNS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join("" if np.isnan(value) else repr(float(value)) for value in row) for row in table]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


def video(uid="v1", **changes) -> dict:
    return {
        "video_uid": uid,
        "duration_sec": 5.0,
        "scenarios": ["Cooking"],
        "video_metadata": {"fps": 30.0, "mp4_duration_sec": 5.1},
        "video_source": "cmu",
        "device": "GoPro Hero 7",
        "fb_participant_id": 712,
        "has_imu": True,
    } | changes


def write_root(root: Path, videos: list, narrations=None, folder="v2/", narration_file="narration.json") -> Path:
    (root / folder / "annotations").mkdir(parents=True, exist_ok=True)
    (root / folder / "ego4d.json").write_text(json.dumps({"date": "", "videos": videos}))
    if narrations is not None:
        (root / folder / "annotations" / narration_file).write_text(json.dumps(narrations))
    return root


def dataset(root: Path, **config) -> Ego4DDataset:
    return Ego4DDataset("ego4d", config, FileSet.scan(root))


def only_take(root: Path, **config):
    reader = dataset(root, **config)
    takes, rejects = reader.takes()
    assert len(takes) == 1
    return reader, takes[0], rejects


def reason_of(call) -> str:
    with pytest.raises(Rejected) as rejected:
        call()
    return rejected.value.reason


@pytest.mark.parametrize("folder", ["v2/", "v2_1/", ""])
def test_a_video_is_read_whole(tmp_path, folder):
    root = write_root(tmp_path, [video()], folder=folder)
    table = imu_table()
    write_csv(root / folder / "imu/v1.csv", table)
    reader, take, rejects = only_take(root)
    assert rejects == []
    assert (take.participant, take.site, take.device, take.label, take.duration_s) == ("ego4d/712", "cmu", "GoPro Hero 7", "cook", 5.0)
    imu = reader.read_imu(take)
    assert (imu.origin_ns, imu.clock) == (0, "file")
    assert imu.recording.rate_hz == pytest.approx(201.0)
    np.testing.assert_array_equal(imu.recording.gyro, table[:, 3:6])
    np.testing.assert_array_equal(imu.recording.accel, table[:, 6:9])
    np.testing.assert_allclose(imu.recording.timestamps_ns, table[:, 2] * 1e6, atol=1)
    assert reader.files(take) == [f"{folder}imu/v1.csv"]


def test_the_ten_scenarios_are_the_exact_strings():
    assert list(SCENARIOS.values()) == ["carpenter", "clean", "cook", "craft", "eat", "farmer", "household", "play music", "walk", "construction"]
    assert "jobs related to construction/renovation company\n(Director of work, tiler, plumber, Electrician, Handyman, etc)" in SCENARIOS


@pytest.mark.parametrize(
    ("scenarios", "label"),
    [
        (["Cooking"], "cook"),
        (["Cooking", "Eating"], None),
        (["Car mechanic"], None),
        ([], None),
        (None, None),
        ([["Cooking"]], None),
        ("Cooking", None),
    ],
)
def test_only_single_scenario_videos_have_a_label(tmp_path, scenarios, label):
    assert only_take(write_root(tmp_path, [video(scenarios=scenarios)]))[1].label == label


def test_unknown_stays_unknown(tmp_path):
    nulls = dict.fromkeys(("fb_participant_id", "device", "video_source", "duration_sec", "video_metadata"))
    _, take, _ = only_take(write_root(tmp_path, [video(**nulls)]))
    assert (take.participant, take.device, take.site, take.duration_s) == (None, None, None, None)
    assert only_take(write_root(tmp_path, [video(duration_sec=None)]))[1].duration_s == 5.1


def test_videos_without_imu_say_why(tmp_path):
    reader, take, _ = only_take(write_root(tmp_path, [video(has_imu=False)]))
    with pytest.raises(Rejected, match="has_imu false"):
        reader.read_imu(take)
    reader, take, _ = only_take(write_root(tmp_path, [video()]))
    with pytest.raises(Rejected, match="--datasets imu"):
        reader.read_imu(take)


def test_the_video_is_the_one_that_is_there(tmp_path):
    root = write_root(tmp_path, [video()])
    assert only_take(root)[1].video_path is None
    for folder in ("full_scale", "video_540ss"):
        (root / "v2" / folder).mkdir()
        (root / "v2" / folder / "v1.mp4").touch()
        assert only_take(root)[1].video_path == f"v2/{folder}/v1.mp4"
    assert only_take(root, video="full")[1].video_path == "v2/full_scale/v1.mp4"
    assert only_take(root, video="none")[1].video_path is None


@pytest.mark.parametrize(("file", "wrap"), [("narration.json", False), ("narrations.json", False), ("narration.json", True)])
def test_both_passes_are_read_in_time(tmp_path, file, wrap):
    def said(text, time):
        return {"timestamp_sec": time, "narration_text": text, "timestamp_frame": 1}

    passes = {
        "status": "complete",
        "narration_pass_1": {"narrations": [said("#C C picks a toy", 3.5), said("#O A man X waves #unsure", -0.04)], "summaries": []},
        "narration_pass_2": {"narrations": [said("#unsure", 1.0), said("walks", 2.0), said("#C C stops", None)]},
    }
    other = {"gone": {"narration_pass_1": {"narrations": [said("#C C waits", 1)]}}}
    narrations = {"v1": passes} | other
    root = write_root(tmp_path, [video()], {"videos": narrations} if wrap else narrations, narration_file=file)
    _, take, rejects = only_take(root)
    assert [(n.time_s, n.text, n.subject, n.unsure) for n in take.narrations] == [
        (-0.04, "A man X waves", "O", True),
        (2.0, "walks", None, False),
        (3.5, "C picks a toy", "C", False),
    ]
    assert sorted((reject.take_uid, reject.reason) for reject in rejects) == [
        ("gone", "not_in_takes"),
        ("v1", "no_text"),
        ("v1", "unreadable_metadata"),
    ]


def test_redacted_and_missing_passes_are_no_narrations(tmp_path):
    said = {"narrations": [{"timestamp_sec": 1.0, "narration_text": "#C C sits"}]}
    videos = [video("v1"), video("v2"), video("v3")]
    root = write_root(tmp_path, videos, {"v1": {"status": "redacted", "narration_pass_1": said}, "v2": {"narration_pass_2": said}})
    takes, rejects = dataset(root).takes()
    assert [len(take.narrations) for take in takes] == [0, 1, 0]
    assert rejects == []


def test_records_that_cannot_be_used_are_rejects(tmp_path):
    _, _, rejects = only_take(write_root(tmp_path, [video(), video(), {"scenarios": []}, None]))
    assert [reject.reason for reject in rejects] == ["unreadable_metadata"] * 3


def test_a_wrong_root_names_the_command(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(UserError, match="--output_directory"):
        dataset(tmp_path)
    write_root(tmp_path, [])
    (tmp_path / "v2/ego4d.json").write_text("[]")
    with pytest.raises(UserError, match="videos"):
        dataset(tmp_path).takes()


def test_rows_without_canonical_time_are_dropped_and_counted(tmp_path):
    table = imu_table()
    table[[0, 500, -1], 2] = np.nan
    recording = read_ego4d_csv(write_csv(tmp_path / "a.csv", table), 5.0)
    assert recording.notes == {"missing_stamps": 3}
    assert len(recording.timestamps_ns) == len(table) - 3


def test_rows_out_of_order_are_sorted_and_counted(tmp_path):
    table = imu_table()
    swapped = np.concatenate((table[600:], table[:600]))
    recording = read_ego4d_csv(write_csv(tmp_path / "a.csv", swapped), 5.0)
    assert recording.notes == {"reordered_samples": 1}
    np.testing.assert_array_equal(recording.accel, table[:, 6:9])


def test_stamps_far_outside_the_video_are_dropped_and_counted(tmp_path):
    table = imu_table()
    table[[3, 4], 2] = 1e17, -1e12
    recording = read_ego4d_csv(write_csv(tmp_path / "a.csv", table), 5.0)
    assert recording.notes == {"stamps_outside_video": 2}
    table[:, 2] += 1e9
    assert reason_of(lambda: read_ego4d_csv(write_csv(tmp_path / "b.csv", table), 5.0)) == "unreadable_imu"
    assert reason_of(lambda: read_ego4d_csv(write_csv(tmp_path / "b.csv", table * 1e30))) == "unreadable_imu"


def test_rows_without_a_sensor_value_are_dropped_and_counted(tmp_path):
    table = imu_table()
    table[100:200, 7] = np.nan
    recording = read_ego4d_csv(write_csv(tmp_path / "a.csv", table), 5.0)
    assert recording.notes == {"missing_values": 100}
    assert np.diff(recording.timestamps_ns).max() > 4e8  # the hole stays a hole


def test_missing_axes_are_refused(tmp_path):
    table = imu_table()
    assert reason_of(lambda: read_ego4d_csv(write_csv(tmp_path / "a.csv", table[:, :-1], COLUMNS[:-1]), 5.0)) == "missing_axis"
    table[:, 3] = np.nan
    assert reason_of(lambda: read_ego4d_csv(write_csv(tmp_path / "b.csv", table), 5.0)) == "missing_axis"


def test_a_duplicated_axis_is_left_to_the_quality_gate(tmp_path):
    table = imu_table()
    table[:, 8] = table[:, 7]
    recording = read_ego4d_csv(write_csv(tmp_path / "a.csv", table), 5.0)
    np.testing.assert_array_equal(recording.accel[:, 1], recording.accel[:, 2])


def test_text_among_the_numbers_is_a_missing_value(tmp_path):
    path = write_csv(tmp_path / "a.csv", imu_table(1.0))
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + ",oops"
    path.write_text("\n".join(lines))
    assert read_ego4d_csv(path).notes == {"missing_values": 1}


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"a,b\n1,2\n", b"canonical_timestamp_ms\n1\n", b'"' * 100])
def test_files_that_are_no_imu_table_are_refused(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert reason_of(lambda: read_ego4d_csv(path, 5.0)) in {"unreadable_imu", "missing_axis"}


def test_an_empty_table_has_no_imu(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(COLUMNS) + "\n")
    assert reason_of(lambda: read_ego4d_csv(path, 5.0)) == "no_imu"
