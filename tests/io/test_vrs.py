"""The VRS reader against projectaria_tools on real and generated files, and against damage of every kind."""

import importlib.util
import struct
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from primus.errors import Rejected, UserError
from primus.io.vrs import read_imu_vrs
from tests.io import vrs_files
from tests.io.vrs_files import PAYLOAD, RECORD, imu_rows, signal


def projectaria(path: Path, label: str):
    """(timestamps, accel, gyro) of the valid samples by the vendor's library."""
    provider_module = pytest.importorskip("projectaria_tools.core.data_provider", reason="the extra `aria` is not installed")
    provider = provider_module.create_vrs_data_provider(str(path))
    stream = provider.get_stream_id_from_label(label)
    data = [provider.get_imu_data_by_index(stream, i) for i in range(provider.get_num_data(stream))]
    data = [d for d in data if d.accel_valid and d.gyro_valid]
    return (np.array([d.capture_timestamp_ns for d in data]), np.array([d.accel_msec2 for d in data]), np.array([d.gyro_radsec for d in data]))


def assert_same(recording, expected) -> None:
    np.testing.assert_array_equal(recording.timestamps_ns, expected[0])
    np.testing.assert_array_equal(recording.accel.astype(np.float64), expected[1])
    np.testing.assert_array_equal(recording.gyro.astype(np.float64), expected[2])


@pytest.fixture(scope="module")
def sample(shared_dir: Path) -> Path:
    return shared_dir / "data/aria/recording.vrs"


@pytest.fixture(scope="module")
def make_vrs(shared_dir: Path):
    spec = importlib.util.spec_from_file_location("make_vrs", shared_dir / "tools/make_vrs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("label", "count", "rate"), [("imu-right", 400, 1000), ("imu-left", 319, 800)])
def test_real_recording_equals_projectaria(sample, label, count, rate):
    recording = read_imu_vrs(sample, label)
    assert len(recording.timestamps_ns) == count
    assert recording.accel.dtype == recording.gyro.dtype == np.float32
    assert abs(recording.rate_hz - rate) < 3
    assert dict(recording.notes) == {}
    assert 9.5 < np.linalg.norm(recording.accel.mean(axis=0)) < 10.1
    assert_same(recording, projectaria(sample, label))


def test_real_calibration_equals_projectaria(sample):
    provider_module = pytest.importorskip("projectaria_tools.core.data_provider", reason="the extra `aria` is not installed")
    calibration = provider_module.create_vrs_data_provider(str(sample)).get_device_calibration().get_imu_calib("imu-left")
    raw, rectified = read_imu_vrs(sample, "imu-left"), read_imu_vrs(sample, "imu-left", calibrated=True)
    accel = [calibration.raw_to_rectified_accel(row) for row in raw.accel.astype(np.float64)]
    gyro = [calibration.raw_to_rectified_gyro(row) for row in raw.gyro.astype(np.float64)]
    np.testing.assert_allclose(rectified.accel, accel, atol=1e-12)
    np.testing.assert_allclose(rectified.gyro, gyro, atol=1e-12)


def test_whole_take_with_gap_and_invalid_samples_equals_projectaria(make_vrs, sample, tmp_path):
    t, accel, gyro = signal(4.0)
    t[2500:] += 600_000_000
    invalid = np.zeros(len(t), bool)
    invalid[[0, 7, 8, 2499, -1]] = True
    left = signal(4.0, 800, seed=1)
    path = tmp_path / "aria01_noimagestreams.vrs"
    make_vrs.write(path, sample, right=(t, accel, gyro), left=left, invalid=invalid)
    right = read_imu_vrs(path)
    assert right.notes == {"invalid_samples": 5}
    assert right.timestamps_ns[0] == t[1] > 284_000_000_000
    assert np.diff(right.timestamps_ns).max() > 600_000_000
    assert_same(right, projectaria(path, "imu-right"))
    assert_same(read_imu_vrs(path, "imu-left"), left)


def test_only_the_left_stream(make_vrs, sample, tmp_path):
    path = tmp_path / "left.vrs"
    make_vrs.write(path, sample, left=signal(1.0, 800))
    with pytest.raises(Rejected) as rejected:
        read_imu_vrs(path, "imu-right")
    assert rejected.value.reason == "no_imu"
    assert len(read_imu_vrs(path, "imu-left").timestamps_ns) == 800


def test_second_generation_swaps_the_streams(tmp_path):
    one, two = signal(0.5, 800, seed=1), signal(0.5, 790, seed=2)
    path = vrs_files.write(tmp_path / "gen2.vrs", {1: imu_rows(*one), 2: imu_rows(*two)}, device="Oatmeal")
    assert_same(read_imu_vrs(path, "imu-left"), one)
    assert_same(read_imu_vrs(path, "imu-right"), two)


def test_fields_are_found_where_the_file_says(tmp_path):
    order = ["gyroscope", "capture_timestamp_ns", "magnetometer_valid", "gyroscope_valid", "accelerometer", "accelerometer_valid"]
    moved = np.dtype([(name, PAYLOAD.fields[name][0]) for name in order])
    expected = signal(0.3)
    path = vrs_files.write(tmp_path / "moved.vrs", {1: imu_rows(*expected, dtype=moved)}, version=7, index_at_end=True, other=b"\x05" * 400)
    assert_same(read_imu_vrs(path), expected)


def test_more_records_than_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr("primus.io.vrs._BLOCK", 64)
    expected = signal(0.2)
    assert_same(read_imu_vrs(vrs_files.write(tmp_path / "a.vrs", {1: imu_rows(*expected)})), expected)


def test_compressed_records_are_read_by_the_library(make_vrs, sample, tmp_path):
    pytest.importorskip("projectaria_tools", reason="the extra `aria` is not installed")
    t, accel, gyro = signal(0.2)
    path = tmp_path / "plain.vrs"
    make_vrs.write(path, sample, right=(t, accel, gyro))
    data = path.read_bytes()
    position, previous = struct.unpack_from("<q", data, 40)[0], None
    out = data[:position]
    while position < len(data):
        head = list(RECORD.unpack_from(data, position))
        payload = data[position + 32 : position + head[0]]
        position += head[0]
        if head[2] == 1202 and head[6] == 3:
            head[8], payload, head[7] = len(payload), pa.compress(payload, codec="zstd", asbytes=True), 2
            head[0] = 32 + len(payload)
        head[1], previous = previous or head[1], head[0]
        out += RECORD.pack(*head) + payload
    packed = tmp_path / "packed.vrs"
    packed.write_bytes(out)
    assert_same(read_imu_vrs(packed), (t, accel, gyro))


def test_a_needed_but_missing_library_is_named(tmp_path, monkeypatch):
    path = vrs_files.write(tmp_path / "a.vrs", {1: imu_rows(*signal(0.1))}, compress=(2, lambda payload: payload))
    monkeypatch.setitem(sys.modules, "projectaria_tools", None)
    monkeypatch.setitem(sys.modules, "projectaria_tools.core", None)
    with pytest.raises(UserError, match=r"primus-imu\[aria\]"):
        read_imu_vrs(path)


def test_unknown_label_names_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="imu-right, imu-left"):
        read_imu_vrs(tmp_path / "a.vrs", "imu")


def test_time_running_backwards_is_refused(tmp_path):
    t, accel, gyro = signal(0.5)
    rows = imu_rows(t, accel, gyro)
    path = vrs_files.write(tmp_path / "a.vrs", {1: rows})
    data = bytearray(path.read_bytes())
    at = data.find(struct.pack("<q", t[200]))
    struct.pack_into("<q", data, at, int(t[100]))
    path.write_bytes(data)
    with pytest.raises(Rejected) as rejected:
        read_imu_vrs(path)
    assert rejected.value.reason == "non_monotonic"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "unreadable_imu"),
        (lambda data: data[:50], "unreadable_imu"),
        (lambda data: data[:-1], "unreadable_imu"),
        (lambda data: data[: len(data) // 2], "unreadable_imu"),
        (lambda data: b"\x00" * len(data), "unreadable_imu"),
        (lambda data: data[:40] + struct.pack("<q", 2**62) + data[48:], "unreadable_imu"),
        (lambda data: data[:40] + struct.pack("<q", -5) + data[48:], "unreadable_imu"),
        (lambda data: data[:80] + struct.pack("<I", 2**32 - 1) + data[84:], "unreadable_imu"),
        (lambda data: data[:112] + struct.pack("<I", 2**32 - 1) + data[116:], "unreadable_imu"),
        (lambda data: data.replace(b"Aria", b"Quest"[:4]), "unreadable_imu"),
        (lambda data: data.replace(b'{"data_layout', b"{[data_layout"), "unreadable_imu"),
        (lambda data: data[: struct.unpack_from("<q", data, 40)[0]], "no_imu"),
    ],
)
def test_damage_is_named(tmp_path, damage, reason):
    path = vrs_files.write(tmp_path / "a.vrs", {1: imu_rows(*signal(0.1))})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Rejected) as rejected:
        read_imu_vrs(path)
    assert rejected.value.reason == reason
    assert "a.vrs" in rejected.value.detail


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(Rejected, match="cannot be read"):
        read_imu_vrs(tmp_path / "absent.vrs")


def test_every_sample_invalid(tmp_path):
    path = vrs_files.write(tmp_path / "a.vrs", {1: imu_rows(*signal(0.1), valid=False)})
    with pytest.raises(Rejected) as rejected:
        read_imu_vrs(path)
    assert rejected.value.reason == "no_imu"
