"""GoPro cameras of other models than those at hand: payloads as each is documented to write them, through telemetry-parser itself.

Data orders and rates are those of the gpmf-parser documentation (HERO5 Z,X,Y with a gyroscope twice as fast; Fusion -Y,X,Z at 3200 Hz; HERO6 Y,-X,Z;
later models state theirs by ORIN and ORIO, most with MTRX). Whatever the order, one motion must come out in the one stated frame.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primus.errors import Rejected
from primus.io.action_camera import read_imu_telemetry
from tests.io import gpmf_file
from tests.io.gpmf_file import PAYLOAD_S, device, orientation, stream, with_telemetry

pytest.importorskip("telemetry_parser", reason="the extra actioncam is not installed")

PAYLOADS = 13  # of the clip they are put into


def force(seconds: np.ndarray) -> np.ndarray:
    """(N, 3) m/s^2, x right, y forward, z up."""
    return np.stack([2 * np.sin(2 * np.pi * 0.8 * seconds), 1 + np.cos(2 * np.pi * 0.5 * seconds), 9.81 + np.sin(2 * np.pi * seconds)], axis=1)


def rotation(seconds: np.ndarray) -> np.ndarray:
    """(N, 3) rad/s, about the same axes."""
    return np.stack([np.cos(2 * np.pi * 0.7 * seconds), 0.5 * np.sin(2 * np.pi * 0.9 * seconds), np.sin(2 * np.pi * 0.4 * seconds) - 0.3], axis=1)


def times(number: int, count: int) -> np.ndarray:
    """Seconds of a payload's samples from the first video frame."""
    return (number + np.arange(count) / count) * PAYLOAD_S


def payloads(
    order: str = "ZXY", accel_hz: int = 200, gyro_hz: int | None = 400, tags: Any = (), stamps: str = "none", gyro_first: bool = False, skip: int = 0
) -> list[bytes]:
    """A clip's payloads.

    Args:
        stamps: "us", "ms" or "none": what the camera stamps its streams with; its clock does not start with the video.
        skip: payloads at the beginning that hold no sensor yet.
    """
    made = []
    for number in range(PAYLOADS):
        microseconds = round(7_654_321 + number * PAYLOAD_S * 1e6)
        how = {"stamp_us": microseconds} if stamps == "us" else {"tick_ms": microseconds // 1000} if stamps == "ms" else {}
        accel = stream("ACCL", force(times(number, accel_hz)), order, tags, **how)
        gyro = [] if gyro_hz is None else [stream("GYRO", rotation(times(number, gyro_hz)), order, tags, **how)]
        streams = [] if number < skip else [*gyro, accel] if gyro_first else [accel, *gyro]
        made.append(device(*streams))
    return made


@pytest.fixture(scope="module")
def clip(shared_dir: Path) -> Path:
    return shared_dir / "data" / "actioncam" / "karma.mp4"


MODELS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "HERO5, ticks": (b"HERO5 Black", {"stamps": "ms"}),
    "HERO5, launch firmware without stamps": (b"HERO5 Black", {}),
    "HERO6": (b"HERO6 Black", {"order": "YxZ", "gyro_hz": 200}),
    "HERO5, a gyroscope as fast as Fusion's": (b"HERO5 Black", {"gyro_hz": 3200, "stamps": "us"}),
    "HERO7, order not stated": (b"HERO7 Black", {"order": "YxZ", "gyro_hz": 200, "stamps": "us"}),
    "HERO7, stated order": (b"HERO7 Black", {"order": "YxZ", "gyro_hz": 200, "tags": orientation("YxZ"), "stamps": "us"}),
    "HERO8, order without a matrix": (b"HERO8 Black", {"order": "YxZ", "gyro_hz": 200, "tags": orientation("YxZ", matrix=False), "stamps": "us"}),
    "HERO8, a matrix of nine elements": (
        b"HERO8 Black",
        {"order": "YxZ", "gyro_hz": 200, "tags": orientation("YxZ", matrix_of=4), "stamps": "us"},
    ),
    "MAX": (b"GoPro Max", {"order": "XzY", "gyro_hz": 200, "tags": orientation("XzY"), "stamps": "us"}),
    "HERO9, gyroscope first": (b"HERO9 Black", {"order": "zxY", "gyro_hz": 200, "tags": orientation("zxY"), "stamps": "us", "gyro_first": True}),
    "HERO11, other order": (b"HERO11 Bla", {"order": "yzX", "gyro_hz": 200, "tags": orientation("yzX"), "stamps": "us"}),
    "HERO13, fast accelerometer": (b"HERO13 Bla", {"accel_hz": 800, "gyro_hz": 800, "tags": orientation("ZXY"), "stamps": "us"}),
    "a slower gyroscope": (b"HERO12 Bla", {"accel_hz": 400, "gyro_hz": 200, "tags": orientation("ZXY"), "stamps": "us"}),
    "sensors that wake late": (b"HERO10 Bla", {"gyro_hz": 200, "tags": orientation("ZXY"), "stamps": "us", "skip": 2}),
    "sensors that wake late, without stamps": (b"HERO5 Black", {"skip": 2}),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_gives_the_same_motion_in_the_same_frame(clip: Path, tmp_path: Path, name: str) -> None:
    model, how = MODELS[name]
    recording = read_imu_telemetry(with_telemetry(clip, tmp_path / "clip.mp4", payloads(**how), model))
    assert recording.gyro is not None
    slower = min(how.get("accel_hz", 200), how.get("gyro_hz", 400))
    assert recording.rate_hz == pytest.approx(slower / PAYLOAD_S, rel=1e-3)
    assert len(recording.accel) == pytest.approx((PAYLOADS - how.get("skip", 0)) * slower, abs=2)
    seconds = recording.timestamps_ns * 1e-9
    assert seconds[0] == pytest.approx(how.get("skip", 0) * PAYLOAD_S, abs=2e-3)
    inside = slice(20, -20)  # the faster sensor is low-passed, whose ends are less exact
    np.testing.assert_allclose(recording.accel[inside], force(seconds)[inside], atol=0.02)
    np.testing.assert_allclose(recording.gyro[inside], rotation(seconds)[inside], atol=0.01)
    assert np.linalg.norm(recording.accel, axis=1).mean() == pytest.approx(9.99, abs=0.05)


def test_a_camera_without_gyroscope(clip: Path, tmp_path: Path) -> None:
    recording = read_imu_telemetry(with_telemetry(clip, tmp_path / "clip.mp4", payloads(gyro_hz=None, stamps="us"), b"HERO5 Black"))
    assert recording.gyro is None
    assert len(recording.accel) == PAYLOADS * 200


def test_a_lost_payload_is_a_gap(clip: Path, tmp_path: Path) -> None:
    made = payloads(gyro_hz=200, stamps="us")
    made[5] = device()
    recording = read_imu_telemetry(with_telemetry(clip, tmp_path / "clip.mp4", made, b"HERO5 Black"))
    steps = np.diff(recording.timestamps_ns) * 1e-9
    assert (steps > 0.9).sum() == 1
    seconds = recording.timestamps_ns * 1e-9
    np.testing.assert_allclose(recording.accel, force(seconds), atol=0.02)


def test_a_lost_payload_is_a_gap_without_stamps_too(clip: Path, tmp_path: Path) -> None:
    made = payloads(gyro_hz=200)
    made[5] = device()
    recording = read_imu_telemetry(with_telemetry(clip, tmp_path / "clip.mp4", made, b"HERO5 Black"))
    seconds = recording.timestamps_ns * 1e-9
    assert (np.diff(seconds) > 0.9).sum() == 1
    np.testing.assert_allclose(recording.accel, force(seconds), atol=0.02)


def test_a_stated_order_that_is_none_is_refused(clip: Path, tmp_path: Path) -> None:
    tags = [gpmf_file.klv("MTRX", "f", 36, np.full(9, 0.4, ">f4").tobytes())]
    with pytest.raises(Rejected) as caught:
        read_imu_telemetry(with_telemetry(clip, tmp_path / "clip.mp4", payloads(tags=tags), b"HERO8 Black"))
    assert caught.value.reason == "unreadable_imu"
