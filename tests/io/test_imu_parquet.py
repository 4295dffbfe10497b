"""The compact IMU file: what goes in comes out, and anything else is refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from primus.errors import Rejected
from primus.io.imu_parquet import is_imu_parquet, read_imu_file, read_imu_parquet, write_imu_parquet
from primus.io.raw_imu import RawImu
from primus.io.recording import build_recording
from tests.io.vrs_files import signal


@pytest.fixture
def recordings():
    return {
        "imu-right": build_recording(*signal(2.0), "right", {"invalid_samples": 3}),
        "imu-left": build_recording(*signal(1.0, 800, seed=1), "left"),
    }


def test_round_trip(tmp_path, recordings):
    path = tmp_path / "a.imu.parquet"
    write_imu_parquet(path, recordings)
    assert is_imu_parquet(path)
    for label, original in recordings.items():
        found = read_imu_parquet(path, label)
        np.testing.assert_array_equal(found.timestamps_ns, original.timestamps_ns)
        np.testing.assert_array_equal(found.accel, original.accel)
        np.testing.assert_array_equal(found.gyro, original.gyro)
        assert found.accel.dtype == np.float32
        assert dict(found.notes) == dict(original.notes)
    assert len(read_imu_parquet(path).timestamps_ns) == 2000  # imu-right when there are two
    assert path.stat().st_size < 36 * 2800


def test_the_only_stream_needs_no_name(tmp_path, recordings):
    path = tmp_path / "a.imu.parquet"
    write_imu_parquet(path, {"imu-left": recordings["imu-left"]})
    assert len(read_imu_parquet(path).timestamps_ns) == 800
    with pytest.raises(Rejected) as rejected:
        read_imu_parquet(path, "imu-right")
    assert rejected.value.reason == "no_imu"


def test_calibration_travels_with_the_samples(tmp_path, recordings):
    path = tmp_path / "a.imu.parquet"
    model = {"Model": {"RectificationMatrix": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}, "Bias": {"Offset": [0, 0, 1]}}
    calibration = json.dumps({"ImuCalibrations": [{"Label": "imu-right", "Accelerometer": model, "Gyroscope": model}]})
    write_imu_parquet(path, recordings, calibration)
    raw, rectified = read_imu_parquet(path), read_imu_parquet(path, calibrated=True)
    np.testing.assert_allclose(rectified.accel, (raw.accel - [0, 0, 1]) / [2, 1, 1])
    write_imu_parquet(path, recordings)
    with pytest.raises(Rejected, match="calibration") as rejected:
        read_imu_parquet(path, calibrated=True)
    assert rejected.value.reason == "unreadable_imu"


def test_stamps_are_kept_as_the_device_wrote_them(tmp_path):
    path = tmp_path / "a.imu.parquet"
    t, accel, gyro = signal(1.0)
    t[5], accel[7, 1] = t[4], np.nan
    raw = RawImu(t, accel, gyro, {"invalid_samples": 2})
    write_imu_parquet(path, {"imu-right": raw})
    assert read_imu_file(path).streams["imu-right"].equals(raw)
    found, expected = read_imu_parquet(path), raw.recording("x")
    np.testing.assert_array_equal(found.timestamps_ns, expected.timestamps_ns)
    assert dict(found.notes) == dict(expected.notes) == {"invalid_samples": 2, "duplicate_stamps": 1, "missing_values": 1}
    write_imu_parquet(path, {"imu-right": RawImu(t[::-1].copy(), accel, gyro)})
    with pytest.raises(Rejected) as rejected:
        read_imu_parquet(path)
    assert rejected.value.reason == "non_monotonic"


def test_steps_of_a_converter_take_less_space_and_stay_exact(tmp_path):
    t, accel, gyro = signal(60.0)
    steps = [np.round(values / step).astype(np.float32) * np.float32(step) for values, step in ((accel, 0.0024), (gyro, 0.00053))]
    steps[1][::2, 0] *= np.float32(-0.0)  # both zeros
    for name, samples in (("smooth", RawImu(t, accel, gyro)), ("steps", RawImu(t, *steps))):
        write_imu_parquet(tmp_path / name, {"imu-right": samples})
        assert read_imu_file(tmp_path / name).streams["imu-right"].equals(samples)
    assert (tmp_path / "steps").stat().st_size < 0.7 * (tmp_path / "smooth").stat().st_size


def test_values_that_would_be_rounded_are_refused(tmp_path):
    t, accel, gyro = signal(0.1)
    with pytest.raises(ValueError, match="float32"):
        write_imu_parquet(tmp_path / "a.imu.parquet", {"x": build_recording(t, accel.astype(np.float64), gyro, "x")})


def test_a_recording_without_gyroscope_is_refused_before_writing(tmp_path, recordings):
    t, accel, _ = signal(0.1)
    with pytest.raises(ValueError, match="gyroscope"):
        write_imu_parquet(tmp_path / "a.imu.parquet", {"x": build_recording(t, accel, None, "x")})
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_told_apart_and_refused(tmp_path, recordings):
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"t": [1, 2]}), other)
    broken = tmp_path / "broken.imu.parquet"
    write_imu_parquet(broken, recordings)
    broken.write_bytes(broken.read_bytes()[:-20])
    for path in (other, broken, tmp_path / "absent.parquet"):
        assert not is_imu_parquet(path)
        with pytest.raises(Rejected) as rejected:
            read_imu_parquet(path)
        assert rejected.value.reason == "unreadable_imu"


def test_a_flipped_bit_changes_no_sample_unnoticed(tmp_path, recordings):
    path = tmp_path / "a.imu.parquet"
    write_imu_parquet(path, recordings)
    sound, refused = path.read_bytes(), 0
    expected = read_imu_parquet(path, "imu-right")
    for at in range(4, len(sound), len(sound) // 60):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        try:
            found = read_imu_parquet(path, "imu-right")
        except Rejected:
            refused += 1
        else:
            np.testing.assert_array_equal(found.timestamps_ns, expected.timestamps_ns)
            np.testing.assert_array_equal(found.accel, expected.accel)
            np.testing.assert_array_equal(found.gyro, expected.gyro)
    assert refused > 40


def test_names_that_are_no_text_are_told_apart(tmp_path, recordings):
    path = tmp_path / "a.imu.parquet"
    write_imu_parquet(path, recordings)
    path.write_bytes(path.read_bytes().replace(b"timestamp_ns", b"time\xe5tamp_ns"))
    assert not is_imu_parquet(path)
    with pytest.raises(Rejected, match="unreadable_imu"):
        read_imu_parquet(path)
