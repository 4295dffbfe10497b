"""Files that are not what they should be, in a folder with one that is: each has its line, and none has a row."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from primus.adapt.prediction import features_of
from primus.errors import UserError
from primus.inference import encode_paths
from primus.inference.policy import Policy
from primus.inference.window_sequence import EncodeSettings
from primus.io.units import STANDARD_GRAVITY
from primus.models.encoder import ImuEncoder
from tests.inference.motion import write_table

ACCEL = [f"accel_{axis}_m_s2" for axis in "xyz"]
BARE = [f"accel_{axis}" for axis in "xyz"]
GYRO = [f"gyro_{axis}_rad_s" for axis in "xyz"]


def _constant(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(accel_y_m_s2=0.5)


def _holes(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[table["timestamp_us"] // 1_000_000 % 2 == 1, ACCEL] = float("nan")  # every other second
    return table


def _slow_stamps(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(timestamp_us=table["timestamp_us"] * 10)


def _without_units(table: pd.DataFrame) -> pd.DataFrame:
    """With bare names, so that every unit has to be guessed."""
    return table.rename(columns=lambda name: name.replace("_m_s2", "").replace("_rad_s", "").replace("_us", ""))


def _torn(table: pd.DataFrame) -> pd.DataFrame:
    """One sensor's axes never in the same row."""
    table = _without_units(table)
    for place, name in enumerate(BARE):
        table.loc[table.index % 3 != place, name] = float("nan")
    return table


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, str]] = {
    "g_said_to_be_si": (lambda t: t.assign(**{name: t[name] / STANDARD_GRAVITY for name in ACCEL}), "implausible_gravity", "values in g"),
    "degrees_said_to_be_rad": (lambda t: t.assign(**{name: t[name] * 180 / 3.14159 for name in GYRO}), "unreadable_imu", "deg/s"),
    "ten_hertz": (_slow_stamps, "low_rate", "10.00 Hz; expected at least 20 Hz"),
    "constant": (_constant, "flat_axis", "accel_y repeats one value"),
    "three_axes": (lambda t: t.drop(columns=GYRO), "missing_axis", "--missing-gyro zeros (in Python missing_gyro='zeros')"),
    "nan_run": (_holes, "gap", "no sample for more than"),
    "no_rows": (lambda t: t.iloc[:0], "no_imu", "no row below its header"),
    "no_rows_nor_units": (lambda t: _without_units(t).iloc[:0], "no_imu", "no row below its header"),
    "backwards": (lambda t: _without_units(t).iloc[::-1], "non_monotonic", "time runs backwards at"),
    "empty_axis": (lambda t: _without_units(t).assign(accel_y=float("nan")), "missing_axis", "accel_y has no value in"),
    "empty_axes": (lambda t: _without_units(t).assign(**dict.fromkeys(BARE, float("nan"))), "missing_axis", "accel_x, accel_y, accel_z has no value"),
    "torn_rows": (_torn, "missing_axis", "no row has a value of every axis"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    good = pd.read_csv(write_table(root / "good.csv"))
    for name, (spoil, _, _) in FAULTS.items():
        spoil(good.copy()).to_csv(root / f"{name}.csv", index=False)
    (root / "empty.csv").write_text("")
    return root


def test_each_fault_has_its_line_and_no_row(folder: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    report = encode_paths([folder], encoder, tmp_path / "out.parquet")
    assert set(pd.read_parquet(tmp_path / "out.parquet")["source"]) == {f"{folder}/good.csv"}
    said = {Path(reject.take_uid).stem: reject for reject in report.rejects}
    assert said["empty"].reason == "unreadable_imu"
    for name, (_, reason, words) in FAULTS.items():
        assert said[name].reason == reason, said[name]
        assert words in said[name].detail, said[name]
        assert "\n" not in said[name].detail
    listed = pd.read_csv(tmp_path / "out.rejects.csv")
    assert set(listed["source"]) == {f"{folder}/{name}.csv" for name in (*FAULTS, "empty")}


def test_where_everything_is_refused_the_list_is_written_and_named(folder: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    (folder / "good.csv").unlink()
    with pytest.raises(UserError, match=r"none of \d+ sources gave a window.*out.rejects.csv"):
        encode_paths([folder], encoder, tmp_path / "out.parquet")
    assert set(pd.read_csv(tmp_path / "out.rejects.csv")["source"]) == {f"{folder}/{name}.csv" for name in (*FAULTS, "empty")}
    with pytest.raises(UserError, match=r"labels.rejects.csv"), features_of([folder], encoder, "m", tmp_path / "labels.parquet"):
        pass
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["labels.rejects.csv", "out.rejects.csv"]


def test_three_axes_have_rows_where_that_is_asked_for_and_said(folder: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    settings = EncodeSettings(Policy(missing_gyro="zeros", short="reflect"))
    report = encode_paths([folder / "three_axes.csv", folder / "good.csv"], encoder, tmp_path / "out.parquet", settings)
    assert report.notes["gyroscope_zeros"] == 1
    assert pd.read_parquet(tmp_path / "out.parquet")["source"].nunique() == 2


def test_a_slow_recording_is_brought_to_the_rate_and_said(encoder: ImuEncoder, tmp_path: Path) -> None:
    from primus.inference.recording_windows import policy_words

    write_table(tmp_path / "in" / "slow.csv", rate_hz=25.0)
    write_table(tmp_path / "in" / "usual.csv", rate_hz=50.0)
    report = encode_paths([tmp_path / "in"], encoder, tmp_path / "out.parquet")
    assert report.notes["slower_than_the_model"] == 1
    assert any("more slowly than the model's input" in words for words in policy_words(report.notes))
