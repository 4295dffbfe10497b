"""Labelled CSV data sets by specification: people from the folder, intervals from rows, units, and every way a file can be wrong."""

from collections import Counter
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primus.errors import Rejected, UserError
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.io.label_runs import label_runs
from primus.io.labelled_csv import LabelledCsvDataset
from primus.io.specs import SPECS, UCA_EHAR, CsvSpec, find_spec

HEADER = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n"


def rows(n: int = 200, start: int = 1_657_533_977_813, step: int = 10, label: str = "WALKING", gyro: float = 0.1) -> str:
    return "".join(f"0.1,9.8,{k % 7 * 0.1:.1f},{gyro},{-gyro},{k % 5 * 0.01:.2f},{start + k * step},{label}\n" for k in range(n))


def dataset(root: Path, spec: Any = "sp-sw-har-phone", **config: Any) -> LabelledCsvDataset:
    return LabelledCsvDataset("phone", {"spec": spec, **config}, FileSet.scan(root))


def write(root: Path, name: str, text: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def only_reject(root: Path, **config: Any) -> tuple[str, str]:
    takes, rejects = dataset(root, **config).takes()
    assert takes == []
    assert len(rejects) == 1
    assert rejects[0].scope == "take"
    return rejects[0].reason, rejects[0].detail


@pytest.mark.parametrize(("spec", "intervals", "longest_s"), [("sp-sw-har-phone", 901, 3.8), ("sp-sw-har-watch", 898, 3.8)])
def test_every_real_file_reads(shared_dir: Path, spec: str, intervals: int, longest_s: float) -> None:
    files = FileSet.scan(shared_dir / "data" / "sp-sw-har")
    reader = open_dataset(spec, {"reader": "labelled_csv", "spec": spec}, files)
    takes, rejects = reader.takes()
    suffix = "_sp.csv" if spec.endswith("phone") else "_sw.csv"
    assert [take.imu_path for take in takes] == files.names(suffix)
    assert rejects == []
    assert {take.participant for take in takes} == {f"sp-sw-har/s{k:02}" for k in range(1, 13)}
    activities = [activity for take in takes for activity in take.activities]
    assert len(activities) == intervals
    assert {activity.label for activity in activities} == {"SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"}
    assert max(activity.end_s - activity.start_s for activity in activities) == pytest.approx(longest_s, abs=0.05)
    samples = repeated = 0
    for take in takes:
        imu = reader.read_imu(take)
        recording = imu.recording
        assert recording.gyro is not None
        assert imu.origin_ns == recording.timestamps_ns[0]
        assert 95 < recording.rate_hz < 110
        assert (np.diff(recording.timestamps_ns) > 0).all()
        assert np.linalg.norm(recording.accel, axis=1).mean() == pytest.approx(10.4, abs=1.1)
        assert take.activities[-1].end_s == pytest.approx(recording.duration_s, abs=0.02)
        assert all(a.end_s == b.start_s for a, b in pairwise(take.activities)), "bursts are no gaps"
        samples, repeated = samples + len(recording.accel), repeated + recording.notes.get("duplicate_stamps", 0)
    lines = sum(file.read_bytes().count(b"\n") - 1 for file in (shared_dir / "data" / "sp-sw-har").rglob(f"*{suffix}"))
    assert samples == pytest.approx(lines, abs=len(takes)), "no row is dropped"
    if spec.endswith("phone"):
        assert repeated / samples == pytest.approx(0.08, abs=0.01)


def test_watch_and_phone_share_people_whom_nobody_lists(tmp_path: Path) -> None:
    write(tmp_path, "s77/s77_01_sp.csv", HEADER + rows())
    write(tmp_path, "s77/s77_01_sw.csv", HEADER + rows())
    write(tmp_path, "subjects_info.csv", "subject_id\ns77\n")
    phone, watch = (dataset(tmp_path, f"sp-sw-har-{device}").takes()[0] for device in ("phone", "watch"))
    assert [take.participant for take in (*phone, *watch)] == ["sp-sw-har/s77"] * 2
    assert [take.take_uid for take in (*phone, *watch)] == ["s77_01_sp", "s77_01_sw"]
    assert dataset(tmp_path, population="others").takes()[0][0].participant == "others/s77"


def test_a_new_data_set_in_a_few_lines_of_params(tmp_path: Path) -> None:
    write(tmp_path, "anna-3.txt", "t|a|b|c|what\n" + "".join(f"{k * 0.02}|0|0|1|{'sit' if k < 50 else 'run'}\n" for k in range(100)))
    spec = {
        "file": r"(?P<participant>[a-z]+)-\d+\.txt", "separator": "|", "time": "t", "time_unit": "s", "accel": ["a", "b", "c"], "accel_unit": "g",
        "gyro": None, "label": "what", "labels": {"sit": "sitting", "run": "running"},
    }  # fmt: skip
    takes, rejects = dataset(tmp_path, spec).takes()
    assert rejects == []
    assert takes[0].participant == "phone/anna"
    assert [(a.start_s, a.end_s, a.label) for a in takes[0].activities] == [(0.0, 1.0, "sitting"), (1.0, 2.0, "running")]
    recording = dataset(tmp_path, spec).read_imu(takes[0]).recording
    assert recording.gyro is None
    np.testing.assert_allclose(recording.accel[:, 2], 9.80665)
    assert recording.rate_hz == pytest.approx(50)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("absent", r"spec 'absent' is unknown; expected one of sp-sw-har-phone"),
        (None, "spec None is unknown"),
        ({"file": "x"}, r"missing value for .*spec\.gyro.*null.*missing value for .*spec\.time: set it there;"),
        (["sp-sw-har-phone"], r"spec \['sp-sw-har-phone'\] is unknown"),
        ({**asdict(UCA_EHAR), "tiem": 1}, r"unknown key dataset mine: spec\.tiem; did you mean 'time'\?"),
        ({**asdict(UCA_EHAR), "accel": ["Ax"]}, r"spec\.accel must list 3 values, found \['Ax'\]"),
        ({**asdict(UCA_EHAR), "gyro": "Gx"}, r"spec\.gyro must be a list, found 'Gx'"),
        (
            {**asdict(UCA_EHAR), "time": 3, "label": ["activity"]},
            r"spec\.time must be a text, found 3; .*spec\.label must be a text, found \['activity'\]",
        ),
        ({**asdict(UCA_EHAR), "labels": ["walk"]}, r"spec\.labels must be a mapping, found \['walk'\]"),
        ({**asdict(UCA_EHAR), "separator": 1}, r"spec\.separator must be a text, found 1"),
        ({**asdict(UCA_EHAR), "separator": ";;"}, "separator is ';;'; expected one character"),
        ({**asdict(UCA_EHAR), "tables": "("}, "tables '.' is not a regular expression"),
        ({**asdict(UCA_EHAR), "header": "T"}, r"spec\.header must be a list"),
        ({**asdict(UCA_EHAR), "header": ["T", "T"]}, "header names T twice"),
        ({**asdict(UCA_EHAR), "header": ["T", "Ax"]}, "header lacks Ay, Az, Gx, Gy, Gz, CLASS"),
        ({**asdict(UCA_EHAR), "accel_unit": "furlong"}, "unit 'furlong' is unknown; expected one of m/s"),
        ({**asdict(UCA_EHAR), "time_unit": "min"}, r"spec\.time_unit must be one of 's', 'ms', 'us', 'ns', found 'min'"),
        ({**asdict(UCA_EHAR), "file": "("}, "not a regular expression"),
        ({**asdict(UCA_EHAR), "file": "x"}, "no group"),
    ],
)
def test_wrong_specifications_are_named(spec: Any, text: str) -> None:
    with pytest.raises(UserError, match=text):
        find_spec(spec, "mine")


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file below"):
        dataset(tmp_path)
    write(tmp_path, "s01_01_sp.csv", HEADER + rows())
    for units in ({"accl": "g"}, "g"):
        with pytest.raises(UserError, match="expected a mapping with accel and gyro"):
            dataset(tmp_path, units=units)
    with pytest.raises(UserError, match=r"units\.gyro: unit 'turns' is unknown"):
        dataset(tmp_path, units={"gyro": "turns"})


def test_specifications_are_short() -> None:
    source = (Path(__file__).parents[2] / "primus" / "io" / "specs.py").read_text()
    blocks = [block.split("\n)\n")[0] for block in source.split(" = CsvSpec(\n")[1:]]
    assert len(blocks) == len(SPECS)
    assert max(block.count("\n") + 3 for block in blocks) <= 25
    assert all(isinstance(spec, CsvSpec) for spec in SPECS.values())


def test_uca_ehar_quirks(tmp_path: Path) -> None:
    """Semicolons, a person behind T, parts, rows of the barometer alone, rows without a label, transitions that are no class, gaps."""
    lines = ["T;Ax;Ay;Az;Gx;Gy;Gz;P;CLASS"]
    for k in range(300):
        word = "WALKING_UPSTAIRS" if k < 100 else "SIT_TO_STAND" if k < 150 else "" if k < 200 else "DRINKING"
        time = 300_930 + 40 * k + (5000 if k >= 250 else 0)
        lines.append(f"{time};0.1;9.7;0.2;0.01;0.02;0.03;;{word}")
        if k % 10 == 0:
            lines.append(f"{time + 13};;;;;;;1013.25;{word}")
    write(tmp_path, "UCA-EHAR-1.0.0/WALKING_UPSTAIRS_T12_2.csv", "\n".join(lines) + "\n")
    reader = dataset(tmp_path, "uca-ehar")
    takes, rejects = reader.takes()
    (take,) = takes
    assert (take.take_uid, take.participant) == ("WALKING_UPSTAIRS_T12_2", "uca-ehar/T12")
    assert [(a.start_s, a.end_s, a.label) for a in take.activities] == [
        (0.0, 4.0, "walking upstairs"),
        (8.0, 10.0, "drinking"),
        (15.0, 17.0, "drinking"),
    ]
    assert [(r.reason, r.scope, r.detail) for r in rejects] == [
        ("no_label", "annotation", "labels without a class: empty (50 samples), SIT_TO_STAND (50 samples)")
    ]
    recording = reader.read_imu(take).recording
    assert recording.notes == {"rows_without_imu": 30}
    assert len(recording.accel) == 300


def test_degrees_said_to_be_radians_are_noticed(tmp_path: Path) -> None:
    """A slow recording in deg/s passes for rad/s, so a fast one speaks for the data set; one damaged file among many does not."""
    write(tmp_path, "s01_01_sp.csv", HEADER + rows(gyro=150.0))
    write(tmp_path, "s02_01_sp.csv", HEADER + rows(gyro=1.0))
    with pytest.raises(UserError, match=r"is it deg/s\? state it \(.* gyro_unit of a specification\).*1 such of 2 recordings"):
        dataset(tmp_path).takes()
    for person in range(3, 13):
        write(tmp_path / "many", f"s{person:02}_01_sp.csv", HEADER + rows(gyro=150.0 if person == 5 else 1.0))
    assert [(reject.take_uid, reject.reason) for reject in dataset(tmp_path / "many").takes()[1]] == [("s05_01_sp", "unreadable_imu")]
    takes, rejects = dataset(tmp_path, units={"gyro": "deg/s"}).takes()
    assert rejects == []
    assert dataset(tmp_path, units={"gyro": "dps"}).read_imu(takes[0]).recording.gyro[0, 0] == pytest.approx(np.deg2rad(150))  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("", "unreadable_imu", "cannot be read as a table"),
        (HEADER, "no_imu", "no row"),
        (b"\x00\xff\xfe" * 50, "unreadable_imu", ""),
        (HEADER.replace("y_acc", "acc_y") + rows(), "unreadable_imu", "no column y_acc"),
        (HEADER + rows().replace(",9.8,", ",,"), "missing_axis", "y_acc has no value in 200 rows"),
        (HEADER + rows(50) + rows(50), "non_monotonic", "time runs backwards 1 times"),
        (HEADER + rows(50, step=0), "non_monotonic", "all 50 samples"),
        (HEADER + rows(10) + "1,2,3,4,5,6,7,8,9,10,11\n", "unreadable_imu", "Expected 9 fields in line 12"),
        (HEADER + "0,0,0," + rows(10), "unreadable_imu", "its first row has 11 values, its header 8 columns"),
        (HEADER + "0," + rows(10), "unreadable_imu", "row 2 has more values than its header has columns (8)"),
        (HEADER + rows(10, start=10**30), "unreadable_imu", "expected a clock"),
    ],
)
def test_files_that_cannot_be_trusted(tmp_path: Path, text: str | bytes, reason: str, detail: str) -> None:
    write(tmp_path, "s01_01_sp.csv", text)
    found = only_reject(tmp_path)
    assert found[0] == reason
    assert detail in found[1]
    assert "s01_01_sp.csv" in found[1]


def test_rows_lacking_a_value_are_dropped_with_their_label(tmp_path: Path) -> None:
    body = rows(100).splitlines(keepends=True)
    body[10] = body[10].replace(",9.8,", ",nan,")
    body[20] = body[20].replace(",9.8,", ",oops,")
    body[30] = ",".join(["1", "2", "3", "4", "5", "6", "", "WALKING\n"])
    body[99] = body[99][: len(body[99]) // 2]  # the file was cut off
    write(tmp_path, "s01_01_sp.csv", HEADER + "".join(body))
    (take,), rejects = dataset(tmp_path).takes()
    assert rejects == []
    recording = dataset(tmp_path).read_imu(take).recording
    assert recording.notes["missing_values"] == 4
    assert len(recording.accel) == 96
    assert len(take.activities) == 1


def test_a_separator_at_the_end_of_every_row(tmp_path: Path) -> None:
    write(tmp_path, "s01_01_sp.csv", HEADER + rows().replace("\n", ",\r\n"))
    (take,), rejects = dataset(tmp_path).takes()
    assert rejects == []
    assert take.label == "WALKING"


def test_two_files_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "a/s01_01_sp.csv", HEADER + rows())
    write(tmp_path, "b/s01_01_sp.csv", HEADER + rows())
    takes, rejects = dataset(tmp_path).takes()
    assert [take.imu_path for take in takes] == ["a/s01_01_sp.csv"]
    assert [(reject.reason, reject.take_uid) for reject in rejects] == [("unreadable_metadata", "s01_01_sp")]


def test_a_take_that_left_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "s01_01_sp.csv", HEADER + rows())
    reader = dataset(tmp_path)
    (take,), _ = reader.takes()
    reader.root_files = FileSet(tmp_path, {})
    with pytest.raises(Rejected, match="not in the dataset"):
        reader.read_imu(take)


@given(
    st.lists(st.tuples(st.integers(1, 2_000_000_000), st.sampled_from(["sit", "walk", ""])), min_size=1, max_size=80),
)
def test_label_runs_partition_the_samples(steps: list[tuple[int, str]]) -> None:
    stamps = np.cumsum([step for step, _ in steps])
    labels = [label for _, label in steps]
    runs = label_runs(stamps, labels, 0.02)
    seconds = (stamps - stamps[0]) * 1e-9
    covered: Counter[int] = Counter()
    for run in runs:
        assert run.end_s > run.start_s or run.end_s == pytest.approx(run.start_s, abs=1e-8)
        inside = np.flatnonzero((np.round(seconds, 9) >= run.start_s) & (np.round(seconds, 9) < run.end_s))
        covered.update(inside.tolist())
        assert {labels[k] for k in inside} <= {run.label}
        assert (np.diff(seconds[inside]) <= 0.5 + 1e-9).all()
    assert max(covered.values(), default=0) <= 1
    assert all(a.end_s <= b.start_s for a, b in pairwise(runs))
    assert {k for k, label in enumerate(labels) if label} == set(covered)


def test_a_file_whose_name_nobody_knows_is_a_reject_and_the_other_device_is_not(tmp_path: Path) -> None:
    for name in ("s01_01_sp.csv", "s01_01_sw.csv", "anna.csv"):
        write(tmp_path, name, HEADER + rows())
    takes, rejects = dataset(tmp_path).takes()
    assert [take.take_uid for take in takes] == ["s01_01_sp"]
    assert [(reject.take_uid, reject.reason) for reject in rejects] == [("anna", "unreadable_metadata")]
    assert "anna.csv" in rejects[0].detail
    assert "_sp" in rejects[0].detail, "what was expected is said"


def test_files_without_a_header_line(tmp_path: Path) -> None:
    write(tmp_path, "s01_01_sp.csv", rows())
    reason, detail = only_reject(tmp_path)
    assert reason == "unreadable_imu"
    assert "has no header line, it begins with" in detail
    assert "`header: [...]`" in detail
    spec = {**asdict(SPECS["sp-sw-har-phone"]), "header": HEADER.strip().split(",")}
    (take,), rejects = dataset(tmp_path, spec).takes()
    assert rejects == []
    stated = dataset(tmp_path, spec).read_imu(take).recording
    write(tmp_path / "with", "s01_01_sp.csv", HEADER + rows())
    (take,), _ = dataset(tmp_path / "with").takes()
    usual = dataset(tmp_path / "with").read_imu(take).recording
    np.testing.assert_array_equal(stated.timestamps_ns, usual.timestamps_ns)
    np.testing.assert_array_equal(stated.accel, usual.accel)
    assert "is a header already" in dataset(tmp_path / "with", spec).takes()[1][0].detail
    shorter = {**spec, "header": [*spec["header"], "more"]}
    assert "its first row has 8 values, the stated header 9 columns" in dataset(tmp_path, shorter).takes()[1][0].detail
