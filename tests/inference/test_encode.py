"""Recordings to a file of features: every kind, refusals by reason, and the same bytes after any number of kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from primus.errors import UserError
from primus.inference import encode_paths, encode_windows, preprocess
from primus.inference.partial_file import PartialFile
from primus.inference.policy import Policy
from primus.inference.window_sequence import EncodeSettings
from primus.io.imu_file import read_imu
from primus.models.encoder import ImuEncoder
from tests.inference.motion import write_table

SMALL = EncodeSettings(Policy(hop_s=1.0, short="reflect"), batch=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of three kinds, and of what is none."""
    root = tmp_path / "in"
    for number in range(5):
        write_table(root / "people" / f"{number}.csv", seconds=9.0 + number, seed=number)
    write_table(root / "b.parquet", seconds=40.0, seed=9)
    with zipfile.ZipFile(root / "c.zip", "w") as archive:
        archive.write(root / "people" / "0.csv", "inside/0.csv")
    (root / "empty.csv").write_text("")
    (root / "header.csv").write_text("timestamp_us,accel_x_m_s2,accel_y_m_s2,accel_z_m_s2\n")
    (root / "people.csv").write_text("name,age\nA,3\n")
    (root / "broken.zip").write_bytes(b"PK")
    (root / "torn.mp4").write_bytes(b"\0" * 100)
    (root / ".hidden.csv").write_text("no")
    (root / "notes.txt").write_text("no")
    return root


def test_rows_are_what_the_library_gives(folder: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    report = encode_paths([folder], encoder, out, SMALL, threads=2)
    table = pq.read_table(out)
    assert table.schema.names == ["source", "start_s", "end_s", "feature", "projection"]
    assert str(table.schema.field("feature").type) == "fixed_size_list<element: float>[24]"
    assert str(table.schema.field("projection").type) == "fixed_size_list<element: float>[8]"
    about = json.loads(table.schema.metadata[b"primus"])
    assert (about["projection"], about["policy"]["short"], about["model"]["options"]["inputs"]["rate_hz"]) == ("multimodal", "reflect", 50.0)
    frame = table.to_pandas()
    assert report.windows == len(frame) == sum(5 + n for n in range(5)) + 36 + 5
    names = [f"{folder}/b.parquet", f"{folder}/c.zip::inside/0.csv", *(f"{folder}/people/{n}.csv" for n in range(5))]
    assert list(dict.fromkeys(frame["source"])) == names
    windows = preprocess(read_imu(names[3]), encoder, hop_s=1.0)
    feature, projection = encode_windows(encoder, windows.imu)
    mine = frame[frame["source"] == names[3]]
    np.testing.assert_allclose(np.stack(mine["feature"]), feature, atol=1e-5)
    np.testing.assert_allclose(np.stack(mine["projection"]), projection, atol=1e-5)
    np.testing.assert_allclose(mine[["start_s", "end_s"]], np.stack([windows.start_s, windows.end_s], axis=1))
    refused = {Path(reject.take_uid).name: reject.reason for reject in report.refused_sources}
    assert refused == {
        "empty.csv": "unreadable_imu", "header.csv": "no_imu", "people.csv": "no_imu", "broken.zip": "unreadable_imu", "torn.mp4": "unreadable_imu",
    }  # fmt: skip
    listed = pd.read_csv(tmp_path / "features.rejects.csv")
    assert sorted(listed["reason"]) == sorted(refused.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.parquet", "features.rejects.csv", "in"]


@pytest.mark.parametrize("threads", [1, 3])
def test_neither_threads_nor_interruptions_change_a_byte(
    folder: Path, encoder: ImuEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr("primus.inference.feature_file.GROUP_BATCHES", 2)
    whole = tmp_path / "whole.parquet"
    encode_paths([folder], encoder, whole, SMALL)
    out, append = tmp_path / "out.parquet", PartialFile.append
    read: list[str] = []

    def counted(name: str, *rest: object, **hints: object) -> object:
        read.append(Path(name).name)
        return read_imu(name, *rest, **hints)  # type: ignore[arg-type]

    def dies_after_one(self: PartialFile, *arguments: object) -> None:
        append(self, *arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("primus.inference.reading.read_imu", counted)
    monkeypatch.setattr(PartialFile, "append", dies_after_one)
    interruptions = 0
    while not out.exists():
        read.clear()
        try:
            report = encode_paths([folder], encoder, out, SMALL, threads)
        except KeyboardInterrupt:
            interruptions += 1
            assert not out.exists()
    assert interruptions > 3
    assert report.resumed_windows > 0
    assert "b.parquet" not in read, "a finished source is not read again"
    assert out.read_bytes() == whole.read_bytes()
    assert out.with_suffix(".rejects.csv").read_bytes() == whole.with_suffix(".rejects.csv").read_bytes()


def test_progress_of_another_question_is_not_used(folder: Path, encoder: ImuEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out, append = tmp_path / "out.parquet", PartialFile.append

    def dies(self: PartialFile, *arguments: object) -> None:
        append(self, *arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PartialFile, "append", dies)
        encode_paths([folder], encoder, out, SMALL)
    report = encode_paths([folder], encoder, out, EncodeSettings(Policy(hop_s=2.0, short="reflect"), batch=4))
    assert report.resumed_windows == 0
    assert "starting anew" in caplog.text


def test_two_runs_never_write_the_same_file(folder: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    import pyarrow as pa

    with PartialFile(tmp_path / "out.parquet", pa.schema([]), {}), pytest.raises(UserError, match="another process is writing"):
        encode_paths([folder], encoder, tmp_path / "out.parquet", SMALL)


@pytest.mark.slow
def test_a_killed_command_continues(folder: Path, model: Path, tmp_path: Path) -> None:
    for number in range(40):
        shutil.copy(folder / "b.parquet", folder / f"more{number:02d}.parquet")
    arguments = [
        sys.executable,
        "-m",
        "primus",
        "encode",
        str(folder),
        "--model",
        str(model),
        "--hop",
        "0.1",
        "--batch",
        "32",
        "--threads",
        "1",
        "--out",
    ]
    subprocess.run([*arguments, str(tmp_path / "whole.parquet")], check=True, capture_output=True)
    out, state = tmp_path / "out.parquet", tmp_path / ".out.parquet.partial" / "state"
    kills = 0
    while not out.exists():
        before = groups(state) if state.exists() else 0
        process = subprocess.Popen([*arguments, str(out)], stderr=subprocess.DEVNULL, start_new_session=True)
        while process.poll() is None and kills < 3:
            time.sleep(0.05)
            if state.exists() and groups(state) > before:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                break
        process.wait()
    assert kills == 3
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def groups(state: Path) -> int:
    """Groups of batches that are finished; the first line of the file is a checksum."""
    return int(json.loads(state.read_text().partition("\n")[2])["progress"]["groups"])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "primus", "encode", *arguments], capture_output=True, text=True, check=False)


def test_the_command_says_what_it_did(folder: Path, model: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "features.parquet")
    done = run(str(folder), "--model", str(model), "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["windows"] == pq.read_metadata(out).num_rows
    assert "empty.csv: unreadable_imu" in done.stderr
    assert document["sources"] == 11


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("absent.csv",), "absent.csv: no such file or folder"),
        (("{folder}/people.csv",), "none of 1 sources gave a window; the first: .*people.csv: no_imu"),
        (("{folder}/notes.txt",), "is not a kind of IMU file"),
        (("{folder}", "--hop", "0"), "--hop is 0"),
        (("{folder}", "--accel-unit", "feet"), "--accel-unit: unit 'feet' is unknown"),
        (("{folder}", "--missing-gyro", "guess"), "--missing-gyro is 'guess'"),
        (("{folder}", "--device", "tpu"), "--device is tpu"),
        (("{folder}", "--stream", "imu-top"), "--stream is imu-top; expected imu-right or imu-left"),
        (("{folder}", "--out", "."), r"\. is a folder; give the .parquet file to write"),
    ],
)
def test_mistakes_are_one_line(folder: Path, model: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    out = () if "--out" in arguments else ("--out", str(tmp_path / "x.parquet"))
    done = run(*(argument.format(folder=folder) for argument in arguments), "--model", str(model), *out)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert pytest.importorskip("re").search(said, done.stderr)
    assert not (tmp_path / "x.parquet").exists()
    assert not list(tmp_path.glob(".*partial"))


def test_glasses_and_action_cameras_need_no_options(shared_dir: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    pytest.importorskip("telemetry_parser", reason="the extra `actioncam` is not installed")
    clips = [
        shared_dir / "data" / "aria" / "recording.vrs",
        *(shared_dir / "data" / "actioncam" / name for name in ("karma.mp4", "max-heromode.mp4")),
    ]
    report = encode_paths(clips, encoder, tmp_path / "out.parquet")
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert frame.groupby("source", sort=False).size().to_list() == [1, 2, 2]
    assert not report.rejects
    assert report.notes["mirrored_to_a_window"] == 1
    short = frame.iloc[0]
    assert short["end_s"] - short["start_s"] == pytest.approx(0.4, abs=0.01), "the row says how much was recorded"
