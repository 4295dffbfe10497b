"""Tables of one's own: columns and units as stated, or guessed and said so; people, labels, narrations; and what cannot be used."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import primus
from primus.errors import Rejected, UserError
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.io.recording import ImuRecording
from primus.io.table import TableDataset, read_imu_table
from primus.io.table_guess import guess_columns, guess_time_unit, unit_in_name

G = 9.80665


def frame(n: int = 400, rate_hz: float = 100.0, time: str = "timestamp", start_s: float = 0.0, **columns: Any) -> pd.DataFrame:
    """Time in seconds, 1 g turning slowly, a moderate rotation in rad/s."""
    seconds = np.arange(n) / rate_hz
    angle = 0.5 * seconds
    table = pd.DataFrame({time: start_s + seconds})
    for axis, value in zip("xyz", (G * np.sin(angle), 0.1 * np.ones(n), G * np.cos(angle)), strict=True):
        table[f"acc_{axis}"] = value
    for axis, value in zip("xyz", (0.2 * np.sin(seconds), 0.5 * np.ones(n), np.cos(seconds)), strict=True):
        table[f"gyro_{axis}"] = value
    return table.assign(**columns)


def save(table: pd.DataFrame, path: Path, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False, **how)
    return path


def dataset(root: Path, **config: Any) -> TableDataset:
    return TableDataset("mine", config, FileSet.scan(root))


def expect(path: Path, notes: dict[str, int] | None = None, **hints: Any) -> ImuRecording:
    """The recording of a file, which must be that of `frame()`."""
    recording = read_imu_table(path, **hints)
    reference = frame()
    assert recording.gyro is not None
    np.testing.assert_allclose(recording.accel, reference[["acc_x", "acc_y", "acc_z"]], atol=1e-9)
    np.testing.assert_allclose(recording.gyro, reference[["gyro_x", "gyro_y", "gyro_z"]], atol=1e-9)
    assert recording.rate_hz == pytest.approx(100, rel=1e-3)
    if notes is not None:
        assert recording.notes == notes
    return recording


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(("unit", "scale"), [("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
@pytest.mark.parametrize("start_s", [0.0, 284.0, 1_657_533_977.0])
def test_units_of_time(tmp_path: Path, suffix: str, unit: str, scale: float, start_s: float) -> None:
    table = frame()
    table["timestamp"] = np.round((start_s * 1000 + table["timestamp"] * 1000).to_numpy()) * (scale / 1000)
    if unit != "s":
        table["timestamp"] = table["timestamp"].astype("int64")
    path = save(table, tmp_path / f"walk{suffix}")
    expect(path, {f"guessed_time_{unit}": 1, "guessed_accel_m_s_2": 1, "guessed_gyro_rad_s": 1})
    expect(path, {}, units={"time": unit, "accel": "m/s^2", "gyro": "rad/s"})
    start_ns = read_imu_table(path).timestamps_ns[0]
    assert start_ns == pytest.approx(start_s * 1e9, abs=200)


def test_sensor_units_are_guessed_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = frame()
    table[["acc_x", "acc_y", "acc_z"]] /= G
    table[["gyro_x", "gyro_y", "gyro_z"]] = np.rad2deg(table[["gyro_x", "gyro_y", "gyro_z"]])
    path = save(table, tmp_path / "walk.csv")
    with caplog.at_level(logging.WARNING):
        expect(path, {"guessed_time_s": 1, "guessed_accel_g": 1, "guessed_gyro_deg_s": 1})
    assert "walk.csv: units guessed: accel g, gyro deg/s, time s; state it (--accel-unit, --gyro-unit, --time-unit; in Python units=" in caplog.text
    caplog.clear()
    expect(path, {}, units={"time": "s", "accel": "g", "gyro": "dps"})
    assert not caplog.text


def test_units_in_the_columns_names(tmp_path: Path) -> None:
    table = frame()
    table["timestamp"] *= 1000
    table[["acc_x", "acc_y", "acc_z"]] /= G / 1000
    table[["gyro_x", "gyro_y", "gyro_z"]] = np.rad2deg(table[["gyro_x", "gyro_y", "gyro_z"]])
    table.columns = ["Time (ms)", "Accel X [mg]", "Accel Y [mg]", "Accel Z [mg]", "Gyro X [°/s]", "Gyro Y [°/s]", "Gyro Z [°/s]"]
    assert expect(save(table, tmp_path / "walk.csv")).notes == {}, "nothing had to be guessed"


@pytest.mark.parametrize(
    "names",
    [
        "t ax ay az gx gy gz",
        "timestamp acc_x acc_y acc_z gyr_x gyr_y gyr_z",
        "timestamp x_acc y_acc z_acc x_gyro y_gyro z_gyro",
        "Time AccX AccY AccZ GyroX GyroY GyroZ",
        "timestamp_s accelerometer.x accelerometer.y accelerometer.z gyroscope.x gyroscope.y gyroscope.z",
        "time acceleration_x acceleration_y acceleration_z angular_velocity_x angular_velocity_y angular_velocity_z",
        "ts x y z wx wy wz",
    ],
)
def test_names_of_columns(tmp_path: Path, names: str) -> None:
    table = frame().set_axis(names.split(), axis=1)
    table["id"], table["mag_x"], table["gravity_x"] = range(len(table)), 3.0, 1.0
    for axis in "xyz":
        table[f"linear_acceleration_{axis}"] = 77.0
    assert len(expect(save(table, tmp_path / "walk.csv")).accel) == len(table)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separators(tmp_path: Path, separator: str) -> None:
    assert len(expect(save(frame(), tmp_path / "walk.csv", sep=separator)).accel) == len(frame())


def test_stated_columns_win(tmp_path: Path) -> None:
    table = frame().rename(columns={"timestamp": "when"})
    table["acc_x2"], table["acc_y2"], table["acc_z2"] = table["acc_x"], table["acc_y"], -table["acc_z"]
    path = save(table, tmp_path / "walk.csv")
    recording = read_imu_table(path, columns={"time": "when", "accel": ["acc_x2", "acc_y2", "acc_z2"], "gyro": None})
    assert recording.gyro is None
    np.testing.assert_allclose(recording.accel[:, 2], -table["acc_z"])


def test_accelerometer_only(tmp_path: Path) -> None:
    assert read_imu_table(save(frame().iloc[:, :4], tmp_path / "walk.csv")).gyro is None


@pytest.mark.parametrize("kind", ["datetime", "zoned", "text"])
def test_times_of_day(tmp_path: Path, kind: str) -> None:
    table = frame()
    times = pd.to_datetime((1_657_533_977 + table["timestamp"]) * 1e9, unit="ns", utc=kind == "zoned")
    table["timestamp"] = times.dt.strftime("%Y-%m-%dT%H:%M:%S.%f") if kind == "text" else times
    path = save(table, tmp_path / ("walk.csv" if kind == "text" else "walk.parquet"))
    expect(path, {"guessed_accel_m_s_2": 1, "guessed_gyro_rad_s": 1})
    assert read_imu_table(path).timestamps_ns[0] == pytest.approx(1_657_533_977e9, abs=2000)


def test_through_the_package(tmp_path: Path) -> None:
    path = save(frame(), tmp_path / "walk.csv")
    assert primus.read_imu(path, units={"accel": "m/s^2"}).rate_hz == pytest.approx(100)


@pytest.mark.parametrize(
    ("change", "hints", "text"),
    [
        (
            lambda t: t.drop(columns="timestamp"),
            {},
            r"which column is time\? rename it to time_s, or state columns.time in params.yaml; found acc_x, acc_y",
        ),
        (lambda t: t.drop(columns="acc_y"), {}, r"which column is accel\?"),
        (
            lambda t: t.assign(time=1.0, t_time=2.0).drop(columns="timestamp"),
            {},
            "time may be time or t_time; rename the others, or state columns.time in params.yaml",
        ),
        (lambda t: t.assign(wrist_acc_x=1, wrist_acc_y=1, wrist_acc_z=1), {}, "accel may be acc_x/acc_y/acc_z or wrist_acc_x"),
        (lambda t: t.assign(acc_x=0.0, acc_y=0.01, acc_z=0.0), {}, "median magnitude is 0.01, which is gravity in no unit"),
        (lambda t: t.assign(timestamp=np.arange(len(t)) * 200.0), {}, "unit of time cannot be told .the median step is 200"),
        (lambda t: t.assign(timestamp=5), {}, "no stamp follows another"),
        (lambda t: t, {"columns": {"accel": ["acc_x", "acc_y", "acc_q"]}}, "no column acc_q; it has timestamp"),
        (lambda t: t, {"columns": {"accel": "acc_x"}}, "columns.accel is 'acc_x'; expected three names"),
        (lambda t: t, {"columns": {"acc": ["acc_x"]}}, "expected a mapping with time, accel"),
        (lambda t: t, {"columns": {"time": 3}}, "columns.time is 3; expected a name"),
        (lambda t: t, {"units": {"accel": "furlong"}}, r"units.accel: unit 'furlong' is unknown; expected one of m/s\^2, g, mg"),
        (lambda t: t, {"units": "g"}, "units is 'g'; expected a mapping"),
    ],
)
def test_what_a_person_must_mend(tmp_path: Path, change: Any, hints: Any, text: str) -> None:
    with pytest.raises(UserError, match=text) as caught:
        read_imu_table(save(change(frame()), tmp_path / "walk.csv"), **hints)
    assert str(caught.value).startswith("walk.csv")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("walk.csv", b"", "unreadable_imu"),
        ("walk.csv", b"timestamp,acc_x,acc_y,acc_z\n", "no_imu"),
        ("walk.csv", b'timestamp,acc_x,acc_y,acc_z\n1,2,3,"4\n', "unreadable_imu"),
        ("walk.csv", b"timestamp,acc_x,acc_y,acc_z\n1,2,3,4\n2,2,3,4,5\n", "unreadable_imu"),
        ("walk.parquet", b"PAR1 not so", "unreadable_imu"),
        ("walk.parquet", b"", "unreadable_imu"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Rejected, match=r"walk\.") as caught:
        read_imu_table(tmp_path / name, units={"time": "s", "accel": "g"})
    assert caught.value.reason == reason


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_incomplete_rows(tmp_path: Path, suffix: str) -> None:
    table = frame()
    table.loc[10, "acc_x"] = np.nan
    table.loc[20, "timestamp"] = np.nan
    table.loc[30, "gyro_z"] = np.inf
    table.loc[40, ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]] = np.nan
    recording = read_imu_table(save(table, tmp_path / f"walk{suffix}"), units={"time": "s", "accel": "m/s^2", "gyro": "rad/s"})
    assert recording.notes == {"missing_values": 3, "rows_without_imu": 1}
    assert len(recording.accel) == 396
    table["gyro_y"] = np.nan
    with pytest.raises(Rejected, match="gyro_y has no value") as caught:
        read_imu_table(save(table, tmp_path / f"walk{suffix}"))
    assert caught.value.reason == "missing_axis"


def test_a_folder_of_recordings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    still = frame()
    still[["gyro_x", "gyro_y", "gyro_z"]] = 0.5  # deg/s, that alone would pass for rad/s
    fast = frame(label=["sit"] * 150 + ["walk"] * 250)
    fast[["gyro_x", "gyro_y", "gyro_z"]] = np.rad2deg(fast[["gyro_x", "gyro_y", "gyro_z"]])
    save(still, tmp_path / "anna" / "still_lying.csv")
    save(fast, tmp_path / "bert" / "walk_mixed.parquet")
    save(pd.DataFrame({"name": ["anna"], "age": [33]}), tmp_path / "people.csv")
    (tmp_path / "narrations.csv").write_text("take,timestamp_s,text\nanna_still_lying,1.5,C lies\nnobody,1,C flies\n")
    config = {
        "reader": "table",
        "participants": r"^(?P<participant>[a-z]+)/",
        "labels": r"_(?P<label>[a-z]+)\.",
        "device": "watch",
        "population": "us",
    }
    reader = open_dataset("mine", config, FileSet.scan(tmp_path))
    with caplog.at_level(logging.WARNING):
        takes, rejects = reader.takes()
    assert caplog.text.count("units guessed") == 1
    assert "accel m/s^2, gyro deg/s, time s" in caplog.text
    assert [(take.take_uid, take.participant, take.device) for take in takes] == [
        ("anna_still_lying", "us/anna", "watch"),
        ("bert_walk_mixed", "us/bert", "watch"),
    ]
    assert takes[0].label == "lying"
    assert [narration.text for narration in takes[0].narrations] == ["C lies"]
    assert [(a.start_s, a.end_s, a.label) for a in takes[1].activities] == [(0.0, 1.5, "sit"), (1.5, 4.0, "walk")]
    assert sorted((reject.take_uid, reject.reason, reject.scope) for reject in rejects) == [
        ("nobody", "not_in_takes", "annotation"),
        ("people", "no_imu", "take"),
    ]
    for take in takes:
        imu = reader.read_imu(take)
        assert imu.recording.notes["guessed_gyro_deg_s"] == 1
        assert imu.origin_ns == 0
        assert reader.files(take) == [take.imu_path]
    np.testing.assert_allclose(reader.read_imu(takes[0]).recording.gyro, np.deg2rad(0.5))  # type: ignore[arg-type]


def test_one_table_of_many_people(tmp_path: Path) -> None:
    table = pd.concat([frame(200, subject="s2"), frame(300, subject="s1"), frame(100, subject="")])
    save(table, tmp_path / "all.csv")
    takes, rejects = dataset(tmp_path).takes()
    assert rejects == []
    assert [(take.take_uid, take.participant) for take in takes] == [("all_s1", "mine/s1"), ("all_s2", "mine/s2"), ("all_unknown", None)]
    assert [len(dataset(tmp_path).read_imu(take).recording.accel) for take in takes] == [300, 200, 100]


def test_one_bad_table_costs_its_take(tmp_path: Path) -> None:
    save(frame(), tmp_path / "a" / "walk.csv")
    save(frame(), tmp_path / "a_walk.csv")
    save(pd.concat([frame(), frame()]), tmp_path / "twice.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    takes, rejects = dataset(tmp_path).takes()
    assert [take.imu_path for take in takes] == ["a/walk.csv"]
    assert sorted((reject.take_uid, reject.reason) for reject in rejects) == [
        ("a_walk", "unreadable_metadata"),
        ("broken", "unreadable_imu"),
        ("twice", "non_monotonic"),
    ]
    gone = dataset(tmp_path)
    gone.root_files = FileSet(tmp_path, {})
    with pytest.raises(Rejected, match="not in the dataset"):
        gone.read_imu(takes[0])


def test_a_folder_that_needs_a_person(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no table"):
        dataset(tmp_path)
    save(pd.DataFrame({"a": [1]}), tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"a\.csv: which column is"):
        dataset(tmp_path).takes()
    save(frame().assign(timestamp=np.arange(400) * 200.0), tmp_path / "a.csv")
    with pytest.raises(UserError, match="unit of time cannot be told"):
        dataset(tmp_path).takes()
    for config, text in (
        ({"narrations": "no.csv"}, "has no no.csv"),
        ({"labels": "x"}, r"no group \(\?P<label>"),
        ({"units": {"tme": "s"}}, "units is"),
    ):
        with pytest.raises(UserError, match=text):
            dataset(tmp_path, **config)


@settings(max_examples=80, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from([".csv", ".parquet"]))
def test_mutated_tables_are_read_or_refused_by_name(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    path = save(frame(60), tmp_path / f"walk{suffix}")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        recording = read_imu_table(path, units={"time": "s", "accel": "m/s^2", "gyro": "rad/s"})
    except (Rejected, UserError) as error:
        message = str(error)
    else:
        message = f"walk{suffix}"
        assert (np.diff(recording.timestamps_ns) > 0).all()
        assert np.isfinite(recording.accel).all()
    assert "walk" in message


@given(st.floats(8.5, 3900), st.sampled_from([("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)]), st.floats(0, 1e4))
def test_the_step_of_time_tells_its_unit(rate_hz: float, unit: tuple[str, float], start_s: float) -> None:
    stamps = (start_s + np.arange(200) / rate_hz) * unit[1]
    assert guess_time_unit(stamps, "x") == unit[0]


def test_names_tell_units() -> None:
    assert [unit_in_name(name) for name in ("acc_x", "ax_g", "gx", "gx_dps", "Gyro Z (rad/s)", "acc_x_m/s²", "accX(m/s^2)")] == [
        None, "g", None, "deg/s", "rad/s", "m/s^2", "m/s^2",
    ]  # fmt: skip
    assert [unit_in_name(name, time=True) for name in ("t", "time_ms", "timestamp (ns)", "attr_time", "timestampUs")] == [
        None,
        "ms",
        "ns",
        None,
        "us",
    ]
    assert guess_columns(["attr_time", "attr_x", "attr_y", "attr_z"], "x").accel == ("attr_x", "attr_y", "attr_z")


@pytest.mark.parametrize("how", [{}, {"sep": ";", "decimal": ","}])
def test_a_table_without_a_header_line(tmp_path: Path, how: dict[str, str]) -> None:
    table = frame()
    path = save(table, tmp_path / "walk.csv", header=False, **how)
    if not how:
        with pytest.raises(UserError, match=r"walk\.csv: has no header line, it begins with 0\.0, .*; add one, or state .* `header: \[\.\.\.\]`"):
            read_imu_table(path)
    names = list(table.columns)
    expect(path, header=names)
    (take,), _ = dataset(tmp_path, header=names).takes()
    assert dataset(tmp_path, header=names).read_imu(take).recording.rate_hz == pytest.approx(100, rel=1e-3)
    for wrong, said in (("time", "expected a list with the name of every column"), (["t", "t"], "names t twice")):
        with pytest.raises(UserError, match=said):
            dataset(tmp_path, header=wrong)
    with pytest.raises(UserError, match="a Parquet file names its columns itself"):
        read_imu_table(save(table, tmp_path / "walk.parquet"), header=names)
