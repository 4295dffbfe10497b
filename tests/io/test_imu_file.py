"""One entry for every kind of IMU file."""

import io
import zipfile

import numpy as np
import pytest

import primus
import primus.io
from primus.errors import Rejected, UserError
from primus.io.imu_parquet import write_imu_parquet
from primus.io.recording import ImuRecording, build_recording
from tests.io import test_ego4d, vrs_files
from tests.io.vrs_files import imu_rows, signal


def test_the_public_names_are_functions_whatever_was_imported_before():
    import primus.io.imu_file

    assert primus.io.read_imu is primus.read_imu is primus.io.imu_file.read_imu
    assert primus.io.ImuRecording is primus.ImuRecording is ImuRecording


def test_glasses(tmp_path):
    right, left = signal(0.2), signal(0.2, 800, seed=1)
    path = vrs_files.write(tmp_path / "A.VRS", {1: imu_rows(*right), 2: imu_rows(*left)})
    np.testing.assert_array_equal(primus.read_imu(path).timestamps_ns, right[0])
    np.testing.assert_array_equal(primus.read_imu(str(path), stream="imu-left").timestamps_ns, left[0])


def test_compact_files(tmp_path):
    path = tmp_path / "a.imu.parquet"
    write_imu_parquet(path, {"imu-left": build_recording(*signal(0.2), "x")})
    assert len(primus.read_imu(path).timestamps_ns) == 200
    assert len(primus.read_imu(path, stream="imu-left", calibrated=False).timestamps_ns) == 200


def test_ego4d_tables_are_known_by_their_columns(tmp_path):
    path = test_ego4d.write_csv(tmp_path / "uid.csv", test_ego4d.imu_table(1.0))
    assert primus.read_imu(path).rate_hz == pytest.approx(201.0)
    assert len(primus.read_imu(path, duration_s=1.0).timestamps_ns) == 201


@pytest.mark.parametrize(("clip", "samples"), [("karma.mp4", 2300), ("max-heromode.mp4", 2000)])
def test_real_action_cameras(shared_dir, clip, samples):
    pytest.importorskip("telemetry_parser", reason="the extra `actioncam` is not installed")
    recording = primus.read_imu(shared_dir / "data/actioncam" / clip)
    assert len(recording.timestamps_ns) > samples
    assert 9.0 < np.linalg.norm(recording.accel, axis=1).mean() < 10.8


def test_members_of_archives_nested_ones_too(tmp_path):
    table = test_ego4d.write_csv(tmp_path / "uid.csv", test_ego4d.imu_table(1.0)).read_bytes()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("../../evil/uid.csv", table)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("part.zip", inner.getvalue())
        packed.writestr("a/uid.csv", table)
        packed.writestr("bad.csv", b"canonical_timestamp_ms\n1\n")
    recording = primus.read_imu(f"{tmp_path}/outer.zip::a/uid.csv")
    assert len(recording.timestamps_ns) == 201
    assert recording.source == "outer.zip::a/uid.csv"
    assert len(primus.read_imu(f"{tmp_path}/outer.zip::part.zip::../../evil/uid.csv").timestamps_ns) == 201
    assert not (tmp_path.parent / "evil").exists()
    with pytest.raises(Rejected, match=r"outer\.zip::bad\.csv"):
        primus.read_imu(f"{tmp_path}/outer.zip::bad.csv")
    with pytest.raises(Rejected, match=r"outer\.zip::b\.csv is not in the archive"):
        primus.read_imu(f"{tmp_path}/outer.zip::b.csv")


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("primus.io.imu_file._MEMBER_LIMIT", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", b"0" * (1 << 24))
    with pytest.raises(Rejected, match="unpacks to more"):
        primus.read_imu(f"{tmp_path}/bomb.zip::a.csv")


@pytest.mark.parametrize("spoil", [lambda data: b"not a zip", lambda data: data[:-30], lambda data: data[:60] + b"\xff" * 40 + data[100:]])
def test_broken_archives_are_refused(tmp_path, spoil):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", np.random.default_rng(0).bytes(500))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(Rejected):
        primus.read_imu(f"{path}::a.csv")


def test_mistakes_are_explained(tmp_path):
    with pytest.raises(UserError, match="is not a file"):
        primus.read_imu(tmp_path / "absent.vrs")
    (tmp_path / "a.txt").touch()
    with pytest.raises(UserError, match=r"\.txt is not a kind of IMU file.*\.vrs"):
        primus.read_imu(tmp_path / "a.txt")
    path = vrs_files.write(tmp_path / "a.vrs", {1: imu_rows(*signal(0.1))})
    with pytest.raises(UserError, match="units"):
        primus.read_imu(path, units="g")
    table = test_ego4d.write_csv(tmp_path / "uid.csv", test_ego4d.imu_table(1.0))
    with pytest.raises(UserError, match="no named streams"):
        primus.read_imu(table, stream="imu-left")
