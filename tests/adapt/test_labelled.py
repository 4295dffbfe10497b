"""Labels from columns, folders and names; windows where they belong; refusals that say what was found."""

import errno
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.adapt.label_source import LabelledRecording, LabelSource
from primus.adapt.labelled import read_labelled
from primus.adapt.labelled_windows import labelled_windows
from primus.errors import UserError
from primus.inference.policy import Policy
from primus.io.imu_file import read_imu
from primus.io.takes import Activity
from primus.models.encoder import InputContract
from tests.adapt.activities import activity, class_folders, labelled_tables, table
from tests.inference.broken_system import fail_to_open

CONTRACT, REFLECT = InputContract(), Policy(short="reflect")


def test_long_activities_are_tiled_and_nobody_is_lost(labelled: Path) -> None:
    rows = read_labelled(labelled, CONTRACT, LabelSource(), REFLECT)
    assert (len(rows), rows.classes, rows.group_kind) == (4 * 2 * 4, ["rest", "walk"], "participant")
    assert sorted(set(rows.group)) == ["p0", "p1", "p2", "p3"]
    assert rows.imu is not None
    assert rows.imu.shape == (32, 6, 250)
    strength = rows.imu[:, 0].std(axis=1)
    assert strength[rows.label == "rest"].max() < strength[rows.label == "walk"].min()
    walk = rows.label == "walk"
    assert ((rows.start_s[walk] >= 19.9) & (rows.end_s[walk] <= 40.0)).all()
    assert rows.numbers().tolist() == (rows.label == "walk").astype(int).tolist()


def test_a_short_activity_gets_the_window_around_it_if_it_covers_enough(tmp_path: Path) -> None:
    parts = [("rest", activity("rest", 0, 10)), ("walk", activity("walk", 0, 3)), ("rest", activity("rest", 1, 10)), ("run", activity("run", 0, 1.0))]
    table([*parts, ("rest", activity("rest", 2, 10))]).to_csv(tmp_path / "a.csv", index=False)
    rows = read_labelled(tmp_path, CONTRACT, LabelSource(), REFLECT)
    assert rows.group_kind == "file"
    assert rows.start_s[rows.label == "walk"] == pytest.approx([10 + 1.5 - 2.5], abs=0.051)
    assert rows.classes == ["rest", "walk"]
    assert rows.left_out["mixed_label"] == 1
    assert any("no window of run" in line for line in rows.said)
    assert "run" in read_labelled(tmp_path, CONTRACT, LabelSource(share=0.15), REFLECT).classes


def test_folders_and_names_say_class_and_person(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "in")
    (root / "rest" / "torn.csv").write_bytes(b"\0\0")
    by_file = read_labelled(root, CONTRACT, LabelSource(), REFLECT)
    assert (len(by_file), by_file.group_kind, by_file.classes) == (12, "file", ["rest", "walk"])
    assert sum(by_file.left_out.values()) == 1
    people = LabelSource(participants=r"/(?P<participant>p\d)_")
    assert sorted(set(read_labelled(root, CONTRACT, people, REFLECT).group)) == ["p0", "p1", "p2"]
    named = LabelSource(labels=r"/p\d_(?P<label>\d)")
    assert read_labelled(root, CONTRACT, named, REFLECT).classes == ["1"]
    assert set(read_labelled(root, CONTRACT, LabelSource(match="walk/"), REFLECT).label) == {"walk"}


def test_guessed_units_are_summed_up(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "in")
    for file in root.rglob("*.csv"):
        pd.read_csv(file).rename(columns=lambda name: name.replace("_m_s2", "")).to_csv(file, index=False)
    said = read_labelled(root, CONTRACT, LabelSource(), REFLECT).said
    files = len(list(root.rglob("*.csv")))
    assert said.count(f"unit guessed: accel in m/s^2 ({files} of {files} recordings)") == 1


def test_a_window_that_is_refused_is_counted_by_its_reason(tmp_path: Path) -> None:
    frame = table([("rest", activity("rest", 0, 20)), ("walk", activity("walk", 0, 20))])
    seconds = frame["timestamp_us"] / 1e6
    frame.assign(accel_y_m_s2=frame["accel_y_m_s2"].where(seconds < 31, 0.5)).to_csv(tmp_path / "a.csv", index=False)
    rows = read_labelled(tmp_path, CONTRACT, LabelSource(), REFLECT)
    assert (len(rows), rows.left_out) == (6, {"flat_axis": 2})
    late = LabelledRecording("a.csv", read_imu(tmp_path / "a.csv"), None, None, [Activity(35.15, 40.1, "walk")])
    left_out: Counter[str] = Counter()
    labelled_windows(late, CONTRACT, REFLECT, 0.5, left_out)
    assert left_out == {"imu_short": 1}, "it would end after the recording"


@pytest.mark.parametrize("where", [LabelSource(labels="folder"), LabelSource(labels="column"), LabelSource()])
@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), PermissionError(errno.EACCES, "Permission denied"), MemoryError()])
def test_what_the_system_is_at_fault_for_is_not_left_out(
    tmp_path: Path, where: LabelSource, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled_tables(tmp_path / "in" / "walk", people=2, seconds=6.0)
    fail_to_open(monkeypatch, "day_1.csv", fault)
    with pytest.raises((UserError, MemoryError)) as caught:
        read_labelled(tmp_path / "in", CONTRACT, where, REFLECT)
    if not isinstance(caught.value, MemoryError):  # which the command says in a line
        assert re.search(r"day_1.csv.*(Input/output error|Permission denied|MemoryError).*rerun", str(caught.value))


def test_a_recording_shorter_than_a_window_is_mirrored_or_refused(tmp_path: Path) -> None:
    labelled_tables(tmp_path, people=1, classes=("walk",), seconds=3.0)
    rows = read_labelled(tmp_path, CONTRACT, LabelSource(), REFLECT)
    assert rows.label.tolist() == ["walk"]
    assert rows.end_s - rows.start_s == pytest.approx([3.0], abs=0.05)
    with pytest.raises(UserError, match=r"no labelled window \(too_short 1\)"):
        read_labelled(tmp_path, CONTRACT, LabelSource(), Policy())


def test_wrong_units_give_no_windows_rather_than_wrong_ones(tmp_path: Path) -> None:
    frame = table([("walk", activity("walk", 0, 11))])
    renamed = {name: name.replace("_m_s2", "") for name in frame.columns}
    frame.rename(columns=renamed).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match="implausible_gravity"):
        read_labelled(tmp_path, CONTRACT, LabelSource(units={"accel": "g"}), REFLECT)
    assert len(read_labelled(tmp_path, CONTRACT, LabelSource(), REFLECT)) == 2, "guessed by size"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (LabelSource(labels="column"), "no table has a column of labels"),
        (LabelSource(match="xyz"), "no recording matching 'xyz'"),
        (LabelSource(labels="(?P<label>never)"), "no labels; expected"),
    ],
)
def test_what_is_not_labelled_is_refused(tmp_path: Path, where: LabelSource, said: str) -> None:
    table([("walk", activity("walk", 0, 6))]).drop(columns="label").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match=said):
        read_labelled(tmp_path, CONTRACT, where, REFLECT)


@pytest.mark.parametrize("participants", ["folder", "column", "(?P<participant>nobody)"])
def test_stated_participants_that_find_nobody_are_refused(tmp_path: Path, participants: str) -> None:
    labelled_tables(tmp_path / "in", people=2, seconds=6.0, named=False)
    with pytest.raises(UserError, match=r"finds nobody in 2 recordings \(the first is day_0.csv") as caught:
        read_labelled(tmp_path / "in", CONTRACT, LabelSource(participants=participants), REFLECT)
    assert participants in str(caught.value)
    assert read_labelled(tmp_path / "in", CONTRACT, LabelSource(), REFLECT).group_kind == "file"


def test_files_that_no_label_matches_are_counted(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "in", people=1)
    (root / "loose.csv").write_bytes((root / "rest" / "p0_1.csv").read_bytes())
    assert read_labelled(root, CONTRACT, LabelSource(), REFLECT).left_out == {"no_label": 1}


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for wrong in ({"labels": "(x"}, {"labels": "x"}, {"participants": "(?P<label>x)"}, {"share": 1.0}, {"match": "["}):
        with pytest.raises(UserError):
            LabelSource(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="both"):
        LabelSource(labels="folder", participants="folder")
    with pytest.raises(UserError, match="no such file"):
        read_labelled(tmp_path / "none", CONTRACT, LabelSource(), REFLECT)
    (tmp_path / "notes.txt").write_text("no")
    with pytest.raises(UserError, match="no recording"):
        read_labelled(tmp_path, CONTRACT, LabelSource(), REFLECT)


def test_windows_are_those_of_encode(tmp_path: Path) -> None:
    from primus.inference import windows

    path = class_folders(tmp_path / "in", people=1, classes=("walk",))
    rows = read_labelled(path, CONTRACT, LabelSource(), REFLECT)
    (block,) = windows(path / "walk" / "p0_1.csv")
    assert rows.imu is not None
    assert np.array_equal(rows.imu, block.imu)
