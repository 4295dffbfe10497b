"""Which faults are a recording's own, and are remembered of it, and which end the command because the recording may be well."""

import errno
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.errors import Rejected, UserError
from primus.inference import encode_paths
from primus.inference.policy import Policy
from primus.inference.reading import read_recording, reading
from primus.inference.window_sequence import EncodeSettings
from primus.io.imu_parquet import write_imu_parquet
from primus.io.raw_imu import RawImu
from primus.models.encoder import ImuEncoder
from tests.inference.broken_system import fail_to_open
from tests.inference.motion import motion, write_table

SMALL = EncodeSettings(Policy(hop_s=1.0, short="reflect"), batch=4)
FAULTS = [OSError(errno.EIO, "Input/output error"), PermissionError(errno.EACCES, "Permission denied"), MemoryError()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        write_table(tmp_path / "in" / f"{number}.csv", seconds=9.0 + number, seed=number)
    (tmp_path / "in" / "0_empty.csv").write_text("")
    return tmp_path / "in"


@pytest.mark.parametrize("fault", FAULTS, ids=["EIO", "EACCES", "memory"])
def test_the_systems_fault_ends_the_command_and_keeps_what_is_done(
    folder: Path, encoder: ImuEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr("primus.inference.feature_file.GROUP_BATCHES", 1)
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    encode_paths([folder], encoder, whole, SMALL)
    with monkeypatch.context() as broken:
        fail_to_open(broken, "5.csv", fault)
        with pytest.raises(
            UserError, match=r"in/5.csv: .*(Input/output error|Permission denied|MemoryError).*rerun, finished work is kept"
        ) as caught:
            encode_paths([folder], encoder, out, SMALL, threads=2)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert not out.with_suffix(".rejects.csv").exists()
    report = encode_paths([folder], encoder, out, SMALL)
    assert report.resumed_windows > 0
    assert [(Path(reject.take_uid).name, reject.reason) for reject in report.rejects] == [("0_empty.csv", "unreadable_imu")]
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("fault", FAULTS[::2], ids=["EIO", "memory"])
def test_an_archive_that_the_system_cannot_open_is_not_refused(
    folder: Path, encoder: ImuEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fails(self: zipfile.ZipFile, *arguments: object, **options: object) -> None:
        raise fault

    (folder / "more.zip").write_bytes(b"PK")
    assert "more.zip" in " ".join(reject.take_uid for reject in encode_paths([folder], encoder, tmp_path / "out.parquet", SMALL).rejects)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", fails)
    with pytest.raises(UserError, match=r"in/more.zip: .*rerun"):
        encode_paths([folder], encoder, tmp_path / "more.parquet", SMALL)


def unstated(values: np.ndarray, step: float = 0.01) -> pd.DataFrame:
    """A table whose columns state no unit."""
    table = pd.DataFrame(values, columns=["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"])
    table.insert(0, "timestamp", np.arange(len(table)) * step)
    return table


@pytest.mark.parametrize(
    ("table", "reason", "words"),
    [
        (unstated(motion(100, 12)).drop(columns="acc_x"), "no_imu", "which column is accel"),
        (pd.DataFrame({"start_time": [1.0], "end_time": [2.0], "text": ["C walks"]}), "no_imu", "time may be start_time or end_time"),
        (unstated(motion(100, 12)).assign(other_timestamp=0.0), "unreadable_imu", "time may be timestamp or other_timestamp"),
        (unstated(motion(100, 12), step=200.0), "unreadable_imu", "unit of time cannot be told"),
        (unstated(motion(100, 12) - [0, 0, 9.8, 0, 0, 0] + [0.1] * 6).mul(0.1), "implausible_gravity", "gravity in no unit"),
    ],
)
def test_a_table_that_cannot_be_told_has_the_reason_that_fits(table: pd.DataFrame, reason: str, words: str, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(Rejected, match=words) as caught, reading("a.csv"):
        read_recording(tmp_path / "a.csv", {})
    assert caught.value.reason == reason


def test_an_error_that_nobody_foresaw_is_the_recordings_own() -> None:
    with pytest.raises(Rejected, match="reader_crashed: IndexError: over two lines"), reading("a.csv"):
        raise IndexError("over\ntwo lines")
    with pytest.raises(KeyboardInterrupt), reading("a.csv"):
        raise KeyboardInterrupt


def test_a_package_that_is_not_installed_is_no_fault_of_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "telemetry_parser", None)
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match=r"clip.mp4: .*pip install 'primus-imu\[actioncam\]', or leave such files out"), reading("clip.mp4"):
        read_recording(tmp_path / "clip.mp4", {})


def test_units_are_for_tables_and_streams_for_glasses(tmp_path: Path) -> None:
    values = motion(100, 6).astype(np.float32)
    stamps = np.arange(len(values), dtype=np.int64) * 10_000_000
    write_imu_parquet(tmp_path / "a.imu.parquet", {"imu-left": RawImu(stamps, values[:, :3], values[:, 3:], {})}, None)
    unstated(motion(100, 6)).to_csv(tmp_path / "b.csv", index=False)
    for name in ("a.imu.parquet", "b.csv"):
        assert len(read_recording(tmp_path / name, {"accel": "m/s^2"}, "imu-left").timestamps_ns) == 600
