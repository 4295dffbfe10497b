"""Ego-Exo4D: spellings and gaps of the release's metadata, each with what must come of it; what nobody could verify is asserted by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from primus.errors import Rejected, UserError
from primus.io.datasets import open_dataset
from primus.io.egoexo4d_labels import CLASSES, label_of, label_of_name
from primus.io.files import FileSet
from primus.io.takes import Take
from primus.params import load_datasets
from tests.io.egoexo4d_root import START_NS, a_pass, dataset, description, record, timesync_stamps, write_imu, write_root, write_timesync


def read_one(root: Path, **config: Any) -> tuple[Any, Take, list[Any]]:
    reader = dataset(root, **config)
    (take,), rejects = reader.takes()
    return reader, take, rejects


def test_of_two_pairs_of_glasses_the_one_that_was_recorded_counts(tmp_path: Path) -> None:
    take = record(camera="aria02")
    take["capture"]["cameras"].insert(0, {"cam_id": "aria01", "is_ego": True})
    write_root(tmp_path, [take])
    stamps = timesync_stamps(300)
    lines = ["aria01_214-1_capture_timestamp_ns,aria02_214-1_capture_timestamp_ns", *(f"{stamp + 10**12},{stamp}" for stamp in stamps)]
    (tmp_path / "captures/cmu_bike01/timesync.csv").write_text("\n".join(lines) + "\n")
    reader, found, _ = read_one(tmp_path)
    assert found.source["camera"] == "aria02"
    assert reader.read_imu(found).origin_ns == START_NS


def test_glasses_that_cannot_be_told_apart_are_refused_by_name(tmp_path: Path) -> None:
    take = record(vrs_relative_path="glasses.vrs")
    take["capture"]["cameras"] = [{"cam_id": cam, "is_ego": True} for cam in ("aria01", "aria02")]
    del take["frame_aligned_videos"]
    write_root(tmp_path, [take], timesync=False)
    stamps = timesync_stamps(300)
    lines = ["aria01_214-1_capture_timestamp_ns,aria02_214-1_capture_timestamp_ns", *(f"{stamp + 10**12},{stamp}" for stamp in stamps)]
    (tmp_path / "captures/cmu_bike01").mkdir(parents=True)
    (tmp_path / "captures/cmu_bike01/timesync.csv").write_text("\n".join(lines) + "\n")
    reader, found, _ = read_one(tmp_path)
    assert found.video_path is None
    with pytest.raises(Rejected, match=r"timesync_invalid: .*no column aria<NN>_214-1_capture_timestamp_ns"):
        reader.read_imu(found)


@pytest.mark.parametrize("spelling", [True, 1, "1", "true", "True", 1.0])
def test_truth_is_spelt_in_many_ways(tmp_path: Path, spelling: Any) -> None:
    take = record(has_trimmed_vrs=spelling)
    take["capture"]["cameras"] = [
        {"cam_id": "aria01", "is_ego": spelling},
        {"cam_id": "aria02", "is_ego": False},
        {"cam_id": "aria03", "is_ego": "0"},
    ]
    del take["frame_aligned_videos"]
    passes = [a_pass(description("rejected"), rejected=spelling), a_pass(description("kept", ego_visible=spelling, unsure=spelling))]
    _, found, _ = read_one(write_root(tmp_path, [take], {"train": {"uid-1": passes}}))
    assert found.source["camera"] == "aria01"
    assert found.imu_path is not None
    assert [(one.text, one.ego_visible, one.unsure) for one in found.narrations] == [("kept", True, True)]


def test_a_rejected_first_pass_does_not_cost_the_take(tmp_path: Path) -> None:
    """One take in fifteen has one, and readers that take the first pass lose it."""
    passes = [a_pass(rejected=True), a_pass(description("C turns a bolt."))]
    _, found, _ = read_one(write_root(tmp_path, [record()], {"val": {"uid-1": passes}}))
    assert len(found.narrations) == 1


def test_a_test_take_has_no_descriptions_and_keeps_its_split(tmp_path: Path) -> None:
    root = write_root(tmp_path, [record()], {"train": {}, "val": {}}, {"uid-1": "test"})
    _, found, rejects = read_one(root)
    assert (found.official_split, found.narrations, rejects) == ("test", (), [])


def test_the_full_recording_serves_where_the_one_without_images_was_not_fetched(tmp_path: Path) -> None:
    take = record(vrs_all_streams_relative_path="aria01.vrs")
    root = write_root(tmp_path, [take])
    folder = root / "takes/cmu_bike01_2"
    (folder / "aria01_noimagestreams.vrs").rename(folder / "aria01.vrs")
    reader, found, _ = read_one(root)
    assert found.imu_path == "takes/cmu_bike01_2/aria01.vrs"
    assert reader.read_imu(found).clock == "timesync"


def test_a_dropped_take_is_refused(tmp_path: Path) -> None:
    takes, rejects = dataset(write_root(tmp_path, [record(is_dropped=True)], imu=False)).takes()
    assert takes == []
    assert [(reject.take_uid, reject.reason) for reject in rejects] == [("uid-1", "unreadable_metadata")]
    assert "is_dropped" in rejects[0].detail


@pytest.mark.parametrize(("rows", "fits"), [(-3, True), (-1, True), (1, True), (3, True), (-4, False), (30, False)])
def test_the_rows_of_timesync_must_be_as_long_as_the_take(tmp_path: Path, rows: int, fits: bool) -> None:
    """duration_sec * 30 is the number of rows in both published examples; public readers differ by up to three rows."""
    take = record()
    take["timesync_end_idx"] += rows
    root = write_root(tmp_path, [take], imu=False)
    write_imu(root, take | {"duration_sec": 6.0})
    reader, found, _ = read_one(root)
    assert found.video_frames == 120 + rows
    if fits:
        assert reader.read_imu(found).origin_ns == START_NS
        return
    with pytest.raises(Rejected) as caught:
        reader.read_imu(found)
    assert caught.value.reason == "timesync_invalid"
    assert f"duration_sec is 4.000 s in takes.json, but rows 60 to {180 + rows}" in caught.value.detail


@pytest.mark.parametrize("spell", [float, str])
def test_rows_may_be_written_as_decimals_or_text(tmp_path: Path, spell: type) -> None:
    """Written so, they must not be taken for missing: the take would silently lose its clock."""
    take = record()
    root = write_root(tmp_path, [take])
    rows = {key: spell(take[key]) for key in ("timesync_start_idx", "timesync_end_idx")}
    (root / "takes.json").write_text(json.dumps([take | rows]))
    reader, found, _ = read_one(root)
    assert reader.read_imu(found).clock == "timesync"
    (root / "takes.json").write_text(json.dumps([take | {"timesync_start_idx": None}]))
    reader, found, _ = read_one(root)
    assert reader.read_imu(found).clock == "first_sample"


def test_stamps_written_as_integers_or_with_exponents(tmp_path: Path) -> None:
    root = write_root(tmp_path, [record()])
    path = root / "captures/cmu_bike01/timesync.csv"
    reader, found, _ = read_one(root)
    for form in ("{:d}", "{:d}.0", "{:.17e}", " {:d} "):
        lines = ["cam01_pts,aria01_214-1_capture_timestamp_ns", *(f"{i},{form.format(int(s))}" for i, s in enumerate(timesync_stamps(300)))]
        path.write_text("\r\n".join(lines) + "\r\n")
        assert reader.read_imu(found).origin_ns == START_NS


@pytest.mark.parametrize("hole", ["", "nan", "NaN", "null", "-"])
def test_dropped_frames_are_spelt_in_many_ways(tmp_path: Path, hole: str) -> None:
    root = write_root(tmp_path, [record()])
    cells = [hole if 60 <= i < 64 else str(stamp) for i, stamp in enumerate(timesync_stamps(300))]
    (root / "captures/cmu_bike01/timesync.csv").write_text("aria01_214-1_capture_timestamp_ns,x\n" + "".join(f"{cell},1\n" for cell in cells))
    reader, found, _ = read_one(root)
    assert abs(reader.read_imu(found).origin_ns - START_NS) <= 2


def test_a_take_may_start_at_the_captures_first_row(tmp_path: Path) -> None:
    take = record(timesync_start_idx=0, timesync_end_idx=120)
    root = write_root(tmp_path, [take])
    write_timesync(root / "captures/cmu_bike01/timesync.csv", list(timesync_stamps(400)[60:]))
    reader, found, _ = read_one(root)
    assert reader.read_imu(found).origin_ns == START_NS


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("nus_covidtest_31_4", 0), ("georgiatech_covid_18_2", 0), ("utokyo_pcr_2001_25_6", 0), ("sfu_covid_007_3", 0),
        ("georgiatech_bike_06_6", 1), ("indiana_bike_02_3", 1), ("cmu_bike09_6", 1), ("fair_bike_05_2", 1),
        ("uniandes_bouldering_025_20", 2), ("minnesota_rockclimbing_013_20", 2),
        ("unc_basketball_02-24-23_01_43", 3), ("sfu_basketball014_4", 3), ("uniandes_basketball_004_7", 3), ("iiith_soccer_012_4", 3),
        ("unc_soccer_09-21-23_01_2", 3), ("nus_soccer_4_2", 3), ("cmu_soccer06_2", 3), ("utokyo_soccer_8000_43_2", 3),
        ("nus_cpr_12_1", 4), ("utokyo_cpr_2005_24_1", 4),
        ("iiith_cooking_12_2", 5), ("sfu_cooking030_4", 5), ("upenn_0711_Cooking_6_4", 5), ("georgiatech_cooking_01_02_4", 5),
        ("utokyo_salad_7_2", 5), ("utokyo_omelet_5", 5), ("nus_sushi_1", 5),
        ("uniandes_dance_016_33", 6), ("upenn_0722_Partner_Dance_4_2", 6),
        ("upenn_0722_Duet_Violin_4_2", 7), ("upenn_0714_Piano_2_3", 7), ("upenn_0713_Guitar_1", 7), ("indiana_music_07_3", 7), ("unc_music_1", 7),
    ],
)  # fmt: skip
def test_names_of_takes_give_the_published_class(name: str, label: int) -> None:
    """Each site and spelling of the published label list, by the class id it has there; with no task given at all."""
    assert label_of_name(name) == CLASSES[label] == label_of(name, None, None, None)


@pytest.mark.parametrize("task_id", [2004, 2004.0])
@pytest.mark.parametrize(("task", "name", "label"), [
    ("Covid-19 Rapid Antigen Test", "x_1", "medical test"), ("COVID-19 test", "x_1", "medical test"), ("First Aid - CPR", "x_1", "perform CPR"),
    ("CPR", "x_1", "perform CPR"), ("Bandage a Wound", "nus_cpr_1_2", "perform CPR"), ("Bandage a Wound", "nus_1", None),
    (None, "sfu_covid_1", "medical test"),
])  # fmt: skip
def test_health_is_told_apart_by_the_task_whatever_its_spelling(task: str | None, name: str, label: str | None, task_id: float) -> None:
    """That takes.json has the task names of the keystep annotations is unverified: a word decides, then the take's name, else no class."""
    assert label_of(name, task, "Health", task_id) == label
    assert label_of(name, task, None, task_id) == label


def test_a_task_of_no_class_is_named_in_the_take(tmp_path: Path) -> None:
    take = record(name="nus_health_3", task_name="Bandage a Wound", parent_task_name="Health", task_id=2009)
    _, found, _ = read_one(write_root(tmp_path, [take], imu=False))
    assert found.label is None
    assert found.source["label_missing"] == "task 'Bandage a Wound' of 'Health' (2009) and take_name 'nus_health_3' name none of the eight classes"


def test_calibration_is_reached_from_params(tmp_path: Path) -> None:
    params = {"data": "p", "profiles": {"p": {"datasets": {"e": {"reader": "egoexo4d", "root": "r", "purpose": ["pretrain"], "calibrated": True}}}}}
    (tmp_path / "params.yaml").write_text(json.dumps(params))  # JSON is YAML
    write_root(tmp_path / "r", [record()])
    files = FileSet.scan(tmp_path / "r")
    config = load_datasets(tmp_path / "params.yaml")["e"]
    reader = open_dataset("e", config, files)
    (take,), _ = reader.takes()
    with pytest.raises(Rejected, match="no factory calibration"):  # this file has none, and says so rather than go without
        reader.read_imu(take)
    assert open_dataset("e", config | {"calibrated": False}, files).read_imu(take).clock == "timesync"
    with pytest.raises(UserError, match="calibrated is 'yes'; expected true or false"):
        open_dataset("e", config | {"calibrated": "yes"}, files)
