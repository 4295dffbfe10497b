"""Ego-Exo4D: every documented quirk of the release, each on a root written for it."""

import json

import numpy as np
import pytest

from primus.errors import Rejected, UserError
from primus.io.egoexo4d_labels import CLASSES, label_of, label_of_name
from primus.io.imu_parquet import write_imu_parquet
from primus.io.vrs import read_imu_vrs
from tests.io.egoexo4d_root import (
    ROWS_BEFORE,
    START_NS,
    a_pass,
    dataset,
    description,
    record,
    timesync_stamps,
    write_imu,
    write_root,
    write_timesync,
)


def only_take(root, **config):
    reader = dataset(root, **config)
    takes, rejects = reader.takes()
    assert len(takes) == 1
    return reader, takes[0], rejects


def refused(root, **config) -> Rejected:
    reader, take, _ = only_take(root, **config)
    with pytest.raises(Rejected) as rejected:
        reader.read_imu(take)
    return rejected.value


def test_a_take_is_read_whole(tmp_path):
    take = record()
    root = write_root(tmp_path, [take], {"train": {"uid-1": [a_pass(description())]}}, {"uid-1": "train"}, imu=False)
    stamps, accel, gyro = write_imu(root, take)
    reader, found, rejects = only_take(root)
    assert rejects == []
    assert (found.take_uid, found.participant, found.site) == ("uid-1", "egoexo4d/657", "cmu")
    assert (found.label, found.official_split) == ("repair bike", "train")
    assert found.duration_s == pytest.approx(4.0)
    assert found.device == "aria/imu-right"
    imu = reader.read_imu(found)
    assert (imu.clock, imu.origin_ns) == ("timesync", START_NS)
    np.testing.assert_array_equal(imu.recording.timestamps_ns, stamps)
    np.testing.assert_array_equal(imu.recording.accel, accel)
    np.testing.assert_array_equal(imu.recording.gyro, gyro)
    assert reader.files(found) == ["takes/cmu_bike01_2/aria01_noimagestreams.vrs", "captures/cmu_bike01/timesync.csv"]


def test_the_glasses_are_not_always_aria01(tmp_path):
    take = record(camera="aria06")
    root = write_root(tmp_path, [take])
    video = root / "takes/cmu_bike01_2/frame_aligned_videos/aria06_214-1.mp4"
    video.parent.mkdir()
    video.touch()
    reader, found, _ = only_take(root)
    assert found.imu_path == "takes/cmu_bike01_2/aria06_noimagestreams.vrs"
    assert found.video_path == "takes/cmu_bike01_2/frame_aligned_videos/aria06_214-1.mp4"
    assert reader.read_imu(found).clock == "timesync"


def test_the_capture_may_be_left_to_captures_json(tmp_path):
    take = record(camera="aria06", capture_uid="c1")
    capture = take.pop("capture")
    root = write_root(tmp_path, [take | {"capture": capture}])
    (root / "takes.json").write_text(json.dumps([take]))
    (root / "captures.json").write_text(json.dumps([capture | {"capture_uid": "c1"}]))
    reader, found, _ = only_take(root)
    assert found.source["camera"] == "aria06"
    assert reader.read_imu(found).clock == "timesync"


@pytest.mark.parametrize("changes", [{"has_trimmed_vrs": False}, {"has_trimmed_vrs": "0"}, {"vrs_relative_path": None}])
def test_a_take_without_vrs_has_no_imu(tmp_path, changes):
    root = write_root(tmp_path, [record()])
    (root / "takes.json").write_text(json.dumps([record() | changes]))
    assert refused(root).reason == "no_imu"


def test_a_vrs_that_was_not_fetched_says_how_to(tmp_path):
    rejected = refused(write_root(tmp_path, [record()], imu=False))
    assert rejected.reason == "no_imu"
    assert "take_vrs_noimagestream" in rejected.detail


def test_a_path_in_takes_json_cannot_leave_the_root(tmp_path):
    root = write_root(tmp_path / "root", [record()])
    (tmp_path / "outside.vrs").write_bytes(b"x")
    (root / "takes.json").write_text(json.dumps([record(vrs_relative_path="../../../outside.vrs")]))
    assert refused(root).reason == "no_imu"


def test_only_the_left_stream(tmp_path):
    take = record()
    root = write_root(tmp_path, [take], imu=False)
    write_imu(root, take, instance=2)
    assert refused(root).reason == "no_imu"
    reader, found, _ = only_take(root, imu="imu-left")
    assert reader.read_imu(found).clock == "timesync"


@pytest.mark.parametrize(
    ("first", "last", "fits"),
    [(-0.02, 4.05, True), (0.09, 3.92, True), (0.2, 4.05, False), (-0.02, 3.8, False), (-0.02, -0.01, False)],
)
def test_the_imu_must_cover_the_take(tmp_path, first, last, fits):
    take = record()
    root = write_root(tmp_path, [take], imu=False)
    write_imu(root, take, stamps=np.arange(START_NS + round(first * 1e9), START_NS + round(last * 1e9), 1_000_000))
    if fits:
        reader, found, _ = only_take(root)
        assert reader.read_imu(found).origin_ns == START_NS
    else:
        assert refused(root).reason == "imu_short"


def test_without_timesync_the_first_sample_is_zero_and_says_so(tmp_path):
    take = record()
    root = write_root(tmp_path, [take], timesync=False)
    reader, found, _ = only_take(root)
    imu = reader.read_imu(found)
    assert imu.clock == "first_sample"
    assert imu.origin_ns == imu.recording.timestamps_ns[0]
    write_imu(root, take, stamps=np.arange(START_NS, START_NS + 3 * 10**9, 1_000_000))
    assert refused(root).reason == "imu_short"


@pytest.mark.parametrize("empty", [range(ROWS_BEFORE, ROWS_BEFORE + 1), range(ROWS_BEFORE + 40), range(ROWS_BEFORE + 1, ROWS_BEFORE + 110)])
def test_dropped_frames_do_not_move_the_start(tmp_path, empty):
    root = write_root(tmp_path, [record()])
    stamps = [None if i in empty else stamp for i, stamp in enumerate(timesync_stamps(ROWS_BEFORE + 150))]
    write_timesync(root / "captures/cmu_bike01/timesync.csv", stamps)
    reader, found, _ = only_take(root)
    assert abs(reader.read_imu(found).origin_ns - START_NS) <= 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda stamps: [None if ROWS_BEFORE <= i < ROWS_BEFORE + 120 else stamp for i, stamp in enumerate(stamps)],
        lambda stamps: stamps[: ROWS_BEFORE - 5],
        lambda stamps: [stamp if i % 2 else stamp - 10**12 for i, stamp in enumerate(stamps)],
        lambda stamps: [stamp if i < ROWS_BEFORE + 5 else stamp + 10**12 for i, stamp in enumerate(stamps)],
        lambda stamps: stamps[::-1],
    ],
)
def test_a_timesync_without_usable_stamps_is_refused(tmp_path, spoil):
    root = write_root(tmp_path, [record()])
    write_timesync(root / "captures/cmu_bike01/timesync.csv", spoil(list(timesync_stamps(ROWS_BEFORE + 150))))
    assert refused(root).reason == "timesync_invalid"


def test_a_timesync_of_other_glasses_is_refused(tmp_path):
    root = write_root(tmp_path, [record()])
    write_timesync(root / "captures/cmu_bike01/timesync.csv", list(timesync_stamps(300)), camera="aria03")
    assert refused(root).reason == "timesync_invalid"
    (root / "captures/cmu_bike01/timesync.csv").write_text("")
    assert refused(root).reason == "timesync_invalid"


def test_absurd_rows_are_refused_at_once(tmp_path):
    root = write_root(tmp_path, [record()])
    take = record(timesync_start_idx=10**15, timesync_end_idx=10**15 + 120)
    (root / "takes.json").write_text(json.dumps([take]))
    assert refused(root).reason == "timesync_invalid"


def test_a_compact_copy_stands_in_for_an_absent_vrs(tmp_path):
    take = record()
    root = write_root(tmp_path, [take])
    vrs = root / "takes/cmu_bike01_2/aria01_noimagestreams.vrs"
    original = read_imu_vrs(vrs)
    write_imu_parquet(vrs.with_name("aria01_noimagestreams.imu.parquet"), {"imu-right": original})
    reader, found, _ = only_take(root)
    assert found.imu_path.endswith(".vrs")
    vrs.unlink()
    reader, found, _ = only_take(root)
    assert found.imu_path.endswith(".imu.parquet")
    recording = reader.read_imu(found).recording
    np.testing.assert_array_equal(recording.timestamps_ns, original.timestamps_ns)
    np.testing.assert_array_equal(recording.accel, original.accel)
    np.testing.assert_array_equal(recording.gyro, original.gyro)
    assert refused(root, imu="imu-left").reason == "no_imu"
    calibrated, found, _ = only_take(root, calibrated=True)
    with pytest.raises(Rejected, match="calibration"):  # this VRS file had none
        calibrated.read_imu(found)


def test_the_video_is_the_one_that_is_there(tmp_path):
    root = write_root(tmp_path, [record()])
    assert only_take(root)[1].video_path is None
    full = root / "takes/cmu_bike01_2/frame_aligned_videos/aria01_214-1.mp4"
    small = full.parent / "downscaled/448/aria01_214-1.mp4"
    small.parent.mkdir(parents=True)
    full.touch()
    assert only_take(root)[1].video_path.endswith("frame_aligned_videos/aria01_214-1.mp4")
    assert only_take(root, video="448")[1].video_path is None
    small.touch()
    assert only_take(root)[1].video_path.endswith("downscaled/448/aria01_214-1.mp4")
    assert only_take(root, video="full")[1].video_path.endswith("frame_aligned_videos/aria01_214-1.mp4")
    assert only_take(root, video="none")[1].video_path is None


def test_all_accepted_passes_are_used(tmp_path):
    passes = [
        a_pass(rejected=True),
        a_pass(description("  C lifts the wheel. ", 3), description("O watches.", 0.5, subject="O", ego_visible=None)),
        a_pass(description("C spins it.", "2.25", narration_subject="c", subject=None, ego_visible="0", unsure="1"), rejected="0"),
        a_pass(description("from a rejected pass", 1.0), rejected="1"),
    ]
    del passes[2]["descriptions"][0]["subject"]
    _, take, rejects = only_take(write_root(tmp_path, [record()], {"val": {"uid-1": passes}}))
    assert [(n.time_s, n.text, n.subject, n.ego_visible, n.unsure) for n in take.narrations] == [
        (0.5, "O watches.", "O", None, False),
        (2.25, "C spins it.", "C", False, True),
        (3.0, "C lifts the wheel.", "C", True, False),
    ]
    assert rejects == []
    assert take.official_split == "val"


def test_descriptions_without_time_or_text_are_counted(tmp_path):
    unusable = [description("", 1.0), description(None, 2.0), description("fine", None), description("fine", float("nan"))]
    passes = [a_pass(*unusable, description("fine", 4))]
    _, take, rejects = only_take(write_root(tmp_path, [record()], {"train": {"uid-1": passes}}))
    assert [narration.time_s for narration in take.narrations] == [4.0]
    assert [(reject.reason, reject.scope) for reject in rejects] == [("no_text", "annotation")] * 2 + [("unreadable_metadata", "annotation")] * 2


@pytest.mark.parametrize("passes", [None, {}, [None, 3, {"descriptions": None}, {"descriptions": [None, "x", 4]}]])
def test_malformed_passes_are_no_narrations(tmp_path, passes):
    _, take, _ = only_take(write_root(tmp_path, [record()], {"train": {"uid-1": passes}}))
    assert take.narrations == ()


def test_described_takes_that_are_not_listed_are_counted_once(tmp_path):
    unlisted = {"gone": [a_pass(description())]}
    root = write_root(tmp_path, [record()], {"train": unlisted, "val": unlisted | {"uid-1": []}}, {"uid-1": "val", "gone": "train"})
    _, _, rejects = only_take(root)
    assert [(reject.take_uid, reject.reason, reject.scope) for reject in rejects] == [("gone", "not_in_takes", "annotation")]
    assert only_take(root, official_splits=["val"])[2] == []


def test_official_splits_choose_takes(tmp_path):
    takes = [record(uid=uid, name=f"cmu_bike0{i}_2") for i, uid in enumerate("abc")]
    root = write_root(tmp_path, takes, splits={"a": "train", "b": "val", "c": "test"}, imu=False)
    assert [take.take_uid for take in dataset(root).takes()[0]] == ["a", "b", "c"]
    assert [take.take_uid for take in dataset(root, official_splits=["val", "test"]).takes()[0]] == ["b", "c"]
    with pytest.raises(UserError, match="official_splits"):
        dataset(root, official_splits=["valid"])
    (root / "annotations/splits.json").write_text(json.dumps({"split_to_take_uids": {"train": ["c"], "val": ["a"], "test": None}}))
    assert [take.take_uid for take in dataset(root, official_splits=["val"]).takes()[0]] == ["a"]
    (root / "annotations/splits.json").unlink()
    with pytest.raises(UserError, match=r"splits\.json"):
        dataset(root, official_splits=["val"]).takes()


def test_records_that_cannot_be_used_are_rejects(tmp_path):
    root = write_root(tmp_path, [record(), record()], imu=False)
    (root / "takes.json").write_text(json.dumps([record(), record(), {"take_name": "x_1"}, 7]))
    _, _, rejects = only_take(root)
    assert [reject.reason for reject in rejects] == ["unreadable_metadata"] * 3


def test_nulls_are_unknown_never_defaults(tmp_path):
    keys = ("participant_uid", "university_name", "task_id", "task_name", "parent_task_name", "duration_sec", "frame_aligned_videos")
    take = record(name="sfu_thing_3", **dict.fromkeys(keys))
    _, found, _ = only_take(write_root(tmp_path, [take | {"duration_sec": 4.0}], imu=False))
    assert (found.participant, found.site, found.label) == (None, None, None)
    (tmp_path / "takes.json").write_text(json.dumps([take]))
    assert only_take(tmp_path)[1].duration_s == pytest.approx(4.0)  # from its rows


def test_participants_of_one_population_are_shared(tmp_path):
    root = write_root(tmp_path, [record(participant_uid=12.0)], imu=False)
    assert only_take(root, population="people")[1].participant == "people/12"


@pytest.mark.parametrize("content", ["", "{", "{}", "[" * 100_000])
def test_unreadable_takes_json_is_the_users_to_mend(tmp_path, content):
    write_root(tmp_path, [])
    (tmp_path / "takes.json").write_text(content)
    with pytest.raises(UserError, match=r"takes\.json"):
        dataset(tmp_path).takes()


def test_a_wrong_root_names_the_command(tmp_path):
    with pytest.raises(UserError, match=r"takes\.json.*egoexo -o"):
        dataset(tmp_path).takes()
    with pytest.raises(UserError, match="imu-right, imu-left"):
        dataset(tmp_path, imu="imu_right")


@pytest.mark.parametrize(
    ("name", "task", "parent", "task_id", "label"),
    [
        ("cmu_bike01_2", "Remove a Wheel", "Bike Repair", 4001, "repair bike"),
        ("nus_covidtest_31_4", "Covid-19 Rapid Antigen Test", "Health", 2001, "medical test"),
        ("nus_cpr_31_4", "First Aid - CPR", "Health", 2002, "perform CPR"),
        ("utokyo_pcr_2001_25_6", "unheard of", "Health", 2009, "medical test"),
        ("unc_basketball_02-24-23_01_43", None, None, None, "soccer/basketball"),
        ("iiith_soccer_012_4", None, "Soccer", None, "soccer/basketball"),
        ("sfu_cooking030_4", None, "Unknown", 0, "cook"),
        ("upenn_0711_Cooking_6_4", None, "", 1003, "cook"),
        ("upenn_0722_Partner_Dance_4_2", None, None, None, "dance"),
        ("upenn_0722_Duet_Violin_4_2", None, None, None, "play music"),
        ("minnesota_rockclimbing_012_30", None, None, None, "climb rock"),
        ("uniandes_bouldering_012_30", None, None, 7001, "climb rock"),
        ("sfu_juggling_1", None, None, None, None),
        ("sfu_dance_cooking_1", None, None, None, None),
    ],
)
def test_labels(name, task, parent, task_id, label):
    assert label_of(name, task, parent, task_id) == label
    assert label is None or label in CLASSES


def test_the_task_wins_over_the_name():
    assert label_of("sfu_cooking_1", "Ballet", "Dance", 9001) == "dance"
    assert label_of_name("sfu_cooking_1") == "cook"
