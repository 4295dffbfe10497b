"""The registry of readers: strict settings, and prefixes for recordings of equal names."""

from pathlib import Path

import pytest

from primus.errors import UserError
from primus.io.datasets import READERS, open_dataset
from primus.io.files import FileSet

TABLE = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,participant\n" + "".join(f"{k / 50},0.1,{k % 3},9.8,0.1,0.2,{k % 5},anna\n" for k in range(100))


@pytest.mark.parametrize("reader", READERS)
def test_unknown_settings_are_refused_with_the_nearest_one(tmp_path: Path, reader: str) -> None:
    (tmp_path / "a.csv").write_text(TABLE)
    with pytest.raises(UserError, match=r"dataset mine: unknown setting 'populaton'; did you mean 'population'\?.*prefix"):
        open_dataset("mine", {"reader": reader, "populaton": "us"}, FileSet.scan(tmp_path))


def test_an_unknown_reader_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reader 'tables' is unknown; did you mean 'table'\?"):
        open_dataset("mine", {"reader": "tables"}, FileSet(tmp_path, {}))


def test_a_prefix_names_takes_and_rejects_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "walk.csv").write_text(TABLE)
    (tmp_path / "empty.csv").write_text("")
    files = FileSet.scan(tmp_path)
    plain, longer = (open_dataset("mine", {"reader": "table", **extra}, files) for extra in ({}, {"prefix": "probe_"}))
    (take,), rejects = longer.takes()
    assert take.take_uid == "probe_walk"
    assert [reject.take_uid for reject in rejects] == ["probe_empty"]
    assert take.participant == plain.takes()[0][0].participant == "mine/anna"
    assert longer.files(take) == ["walk.csv"]
    assert longer.read_imu(take).recording.accel.shape == (100, 3)


def test_tables_of_equal_names_in_two_folders_are_two_takes(tmp_path: Path) -> None:
    for person in ("anna", "ben"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "walk.csv").write_text(TABLE)
    takes, rejects = open_dataset("mine", {"reader": "table"}, FileSet.scan(tmp_path)).takes()
    assert [take.take_uid for take in takes] == ["anna_walk", "ben_walk"]
    assert rejects == []
