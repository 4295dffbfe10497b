"""Our VRS files read back identically by the official reader and by ours."""

from pathlib import Path

import numpy as np
import pytest

from primus.io.vrs import read_imu_vrs
from primus.simulate.calibration import CAMERA_FROM_HEAD, LEVER_ARM_M, SENSOR_FROM_HEAD
from primus.simulate.vrs import ImuStream, write_aria_vrs


def stream(count: int, step_ns: float, seed: int) -> ImuStream:
    rng = np.random.default_rng(seed)
    stamps = 284_324_000_000 + np.cumsum(rng.normal(step_ns, step_ns * 0.03, count)).astype(np.int64)
    return ImuStream(stamps, rng.normal(0, 9, (count, 3)).astype(np.float32), rng.normal(0, 2, (count, 3)).astype(np.float32))


@pytest.fixture(params=[False, True], ids=["right", "right and left"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, ImuStream]]:
    streams = {"imu-right": stream(1500, 1e6, 1)}
    if request.param:
        streams["imu-left"] = stream(1200, 1.25e6, 2)
    path = tmp_path / "aria01_noimagestreams.vrs"
    write_aria_vrs(path, "1WM0", streams["imu-right"], streams.get("imu-left"))
    return path, streams


def test_official_reader_sees_every_value(written: tuple[Path, dict[str, ImuStream]]) -> None:
    data_provider = pytest.importorskip("projectaria_tools.core.data_provider", reason="needs the `aria` extra")
    from projectaria_tools.core.sensor_data import TimeDomain

    path, streams = written
    provider = data_provider.create_vrs_data_provider(str(path))
    assert provider is not None
    for label, truth in streams.items():
        identity = provider.get_stream_id_from_label(label)
        assert provider.get_timestamps_ns(identity, TimeDomain.DEVICE_TIME) == truth.timestamps_ns.tolist()
        rows = [provider.get_imu_data_by_index(identity, index) for index in range(provider.get_num_data(identity))]
        assert all(row.accel_valid and row.gyro_valid for row in rows)
        np.testing.assert_array_equal(np.array([row.accel_msec2 for row in rows], np.float32), truth.accel)
        np.testing.assert_array_equal(np.array([row.gyro_radsec for row in rows], np.float32), truth.gyro)
        configuration = provider.get_imu_configuration(identity)
        assert configuration.nominal_rate_hz == {"imu-right": 1000.0, "imu-left": 800.0}[label]
        assert configuration.device_serial == "1WM0"
        pose = provider.get_device_calibration().get_imu_calib(label).get_transform_device_imu().to_matrix()
        np.testing.assert_allclose(pose[:3, :3], CAMERA_FROM_HEAD @ SENSOR_FROM_HEAD[label].T, atol=1e-6)
        np.testing.assert_allclose(pose[:3, 3], CAMERA_FROM_HEAD @ np.array(LEVER_ARM_M[label]), atol=1e-6)
    assert len(provider.get_all_streams()) == len(streams)


def test_official_reader_finds_the_index_complete(written: tuple[Path, dict[str, ImuStream]], capfd: pytest.CaptureFixture[str]) -> None:
    data_provider = pytest.importorskip("projectaria_tools.core.data_provider", reason="needs the `aria` extra")
    data_provider.create_vrs_data_provider(str(written[0]))
    said = capfd.readouterr().err.lower()
    assert "no index" not in said
    assert "warning" not in said
    assert "error" not in said


def test_our_reader_sees_every_value(written: tuple[Path, dict[str, ImuStream]]) -> None:
    path, streams = written
    for label, truth in streams.items():
        recording = read_imu_vrs(path, label)
        np.testing.assert_array_equal(recording.timestamps_ns, truth.timestamps_ns)
        np.testing.assert_array_equal(recording.accel, truth.accel)
        np.testing.assert_array_equal(recording.gyro, truth.gyro)


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_aria_vrs(tmp_path / name, "1WM0", stream(200, 1e6, 5))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 timestamps need accel and gyro of shape \(3, 3\)"):
        ImuStream(np.arange(3), np.zeros((3, 2)), np.zeros((3, 3)))
