"""Damaged inputs: every outcome is a trustworthy recording or a named refusal, in bounded time, and never anything else.

PRIMUS_FUZZ_CASES sets how many inputs are tried (default 300); the n-th is the same in every run.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from primus.errors import Rejected, UserError
from primus.io.ego4d import Ego4DDataset
from primus.io.ego4d_imu import read_ego4d_csv
from primus.io.egoexo4d import EgoExo4DDataset
from primus.io.files import FileSet
from primus.io.imu_parquet import read_imu_parquet, write_imu_parquet
from primus.io.recording import ImuRecording, build_recording
from primus.io.timesync import take_start_ns
from primus.io.vrs import read_imu_vrs
from tests.io import egoexo4d_root, test_ego4d, vrs_files
from tests.io.mutations import mutate

CASES = int(os.environ.get("PRIMUS_FUZZ_CASES", "300"))
LIMIT_S = 5.0


def trustworthy(recording: ImuRecording) -> None:
    n = len(recording.timestamps_ns)
    assert n > 0
    assert recording.accel.shape == recording.gyro.shape == (n, 3)
    assert (np.diff(recording.timestamps_ns) > 0).all()
    assert np.isfinite(recording.accel).all()
    assert np.isfinite(recording.gyro).all()


def vrs(path: Path) -> None:
    trustworthy(read_imu_vrs(path))


def parquet(path: Path) -> None:
    trustworthy(read_imu_parquet(path))


def csv(path: Path) -> None:
    trustworthy(read_ego4d_csv(path, 2.0))


def timesync(path: Path) -> None:
    assert isinstance(take_start_ns(path, "aria01", 60, 120), int)


def metadata(path: Path) -> None:
    """The same damaged JSON in each place a dataset reads JSON from."""
    content, messages = path.read_bytes(), []
    for name, reader in (
        ("takes.json", EgoExo4DDataset),
        ("annotations/atomic_descriptions_train.json", EgoExo4DDataset),
        ("annotations/splits.json", EgoExo4DDataset),
        ("v2/ego4d.json", Ego4DDataset),
        ("v2/annotations/narration.json", Ego4DDataset),
    ):
        root = path.parent / "root"
        for folder in ("annotations", "v2/annotations"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "takes.json").write_text(json.dumps([egoexo4d_root.record()]))
        (root / "v2/ego4d.json").write_text(json.dumps({"videos": [test_ego4d.video("uid-1")]}))
        (root / name).write_bytes(content)
        try:
            takes, rejects = reader("x", {}, FileSet.scan(root)).takes()
        except UserError as error:
            messages.append(str(error))
        else:
            assert all(take.take_uid for take in takes)
            assert all(isinstance(narration.text, str) for take in takes for narration in take.narrations)
            assert all(reject.reason for reject in rejects)
        (root / name).unlink()
    assert not any("\n" in message for message in messages)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> list[tuple[Callable[[Path], None], bytes]]:
    """(reader, sound file it reads)."""
    folder = tmp_path_factory.mktemp("seeds")
    t, accel, gyro = vrs_files.signal(0.3)
    rows = vrs_files.imu_rows(t, accel, gyro)
    vrs_file = vrs_files.write(folder / "a.vrs", {1: rows, 2: rows[::2]}, other=b"\x07" * 300)
    write_imu_parquet(folder / "a.imu.parquet", {"imu-right": build_recording(t, accel, gyro, "x")})
    csv_file = test_ego4d.write_csv(folder / "a.csv", test_ego4d.imu_table(1.0))
    egoexo4d_root.write_timesync(folder / "timesync.csv", list(egoexo4d_root.timesync_stamps(200)))
    passes = [egoexo4d_root.a_pass(egoexo4d_root.description(timestamp=i)) for i in range(3)]
    said = {"narrations": [{"timestamp_sec": i, "narration_text": "#C C sits"} for i in range(3)]}
    contents = [
        [egoexo4d_root.record(), egoexo4d_root.record(uid="uid-2")],
        {"annotations": {"uid-1": passes, "uid-2": passes}},
        {"take_uid_to_split": {"uid-1": "train", "uid-2": "val"}},
        {"videos": [test_ego4d.video("uid-1"), test_ego4d.video("uid-2")]},
        {"uid-1": {"status": "complete", "narration_pass_1": said, "narration_pass_2": said}},
    ]
    sound = [(vrs, vrs_file), (parquet, folder / "a.imu.parquet"), (csv, csv_file), (timesync, folder / "timesync.csv")]
    return [(read, path.read_bytes()) for read, path in sound] + [(metadata, json.dumps(content).encode()) for content in contents]


def test_sound_files_are_read(seeds, tmp_path):
    for i, (read, data) in enumerate(seeds):
        path = tmp_path / f"{i}"
        path.write_bytes(data)
        read(path)


@pytest.mark.timeout(max(300, CASES // 10))
def test_damaged_files_are_read_or_refused(seeds, tmp_path):
    outcomes = {"read": 0, "refused": 0}
    for case in range(CASES):
        read, data = seeds[case % len(seeds)]
        path = tmp_path / f"{case}"
        path.write_bytes(mutate(data, np.random.default_rng(case)))
        begun = time.monotonic()
        try:
            read(path)
            outcomes["read"] += 1
        except (Rejected, UserError):
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"case {case} ({read.__name__}) ended in {type(error).__name__}: {error}") from error
        assert time.monotonic() - begun < LIMIT_S, f"case {case} ({read.__name__}) took too long"
        path.unlink()
    assert min(outcomes.values()) > CASES // 10  # neither everything nor nothing survives
