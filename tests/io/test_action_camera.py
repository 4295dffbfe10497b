"""Camera telemetry: each sensor on its own packets and rate, in SI units and the stated axes, on the video's clock; and folders of clips."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from primus.errors import Rejected, UserError
from primus.io.action_camera import ActionCameraDataset, read_imu_telemetry
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.io.telemetry import read_telemetry
from tests.io.insv_file import trailer
from tests.io.video_files import write_clip

pytest.importorskip("telemetry_parser", reason="the extra actioncam is not installed")

CLIPS = {"karma": (2397, 4795, 198.8, 9.80), "max-heromode": (2082, 2082, 197.45, 9.835)}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make telemetry-parser return given packets."""

    def install(packets: Any, camera: str = "GoPro", model: str = "HERO5 Black") -> None:
        def telemetry() -> Any:
            if isinstance(packets, BaseException):
                raise packets
            return packets

        parser = SimpleNamespace(camera=camera, model=model, telemetry=telemetry)
        monkeypatch.setitem(sys.modules, "telemetry_parser", SimpleNamespace(Parser=lambda path: parser))

    return install


def sensor(values: Any, scale: int = 1, unit: str = "m/s²", **tags: Any) -> dict[str, Any]:
    return {"Data": [{"x": x, "y": y, "z": z} for x, y, z in values], "Scale": scale, "Unit": unit, **tags}


@pytest.mark.parametrize("clip", CLIPS)
def test_gopro_clips(shared_dir: Path, clip: str) -> None:
    path = shared_dir / "data" / "actioncam" / f"{clip}.mp4"
    n_accel, n_gyro, rate_hz, force = CLIPS[clip]
    telemetry = read_telemetry(path)
    assert telemetry.gyro is not None
    assert (len(telemetry.accel.values), len(telemetry.gyro.values)) == (n_accel, n_gyro)
    recording = read_imu_telemetry(path)
    assert recording.gyro is not None
    assert recording.rate_hz == pytest.approx(rate_hz, abs=0.1)
    assert len(recording.accel) == n_accel
    np.testing.assert_array_equal(recording.accel, telemetry.accel.values)  # the slower sensor is kept as it is
    steps = np.diff(recording.timestamps_ns) * 1e-9
    assert steps.max() < 1.02 / rate_hz, "a gap in the accelerometer"
    assert np.linalg.norm(recording.accel, axis=1).mean() == pytest.approx(force, abs=0.01)
    mean = recording.accel.mean(axis=0)
    assert mean[2] > 9.5, "z is up"
    assert np.abs(recording.gyro).max() < 6, "rad/s"
    assert recording.notes == {}
    start, end = recording.timestamps_ns[[0, -1]] * 1e-9
    assert -0.05 < start < 0.0
    assert {"karma": 12.0787, "max-heromode": 10.5105}[clip] == pytest.approx(end, abs=0.05)


def test_gyroscope_and_accelerometer_share_one_right_handed_frame(shared_dir: Path) -> None:
    """In a walking clip gravity turns in the camera's frame as the gyroscope says: d(a)/dt = a x w."""
    recording = read_imu_telemetry(shared_dir / "data" / "actioncam" / "max-heromode.mp4")
    assert recording.gyro is not None
    window = np.hanning(201) / np.hanning(201).sum()
    slow = [np.stack([np.convolve(v[:, k], window, "valid") for k in range(3)], axis=1) for v in (recording.accel, recording.gyro)]
    turned = np.gradient(slow[0], 1 / recording.rate_hz, axis=0)

    def agreement(rates: np.ndarray) -> float:
        expected = np.cross(slow[0], rates)
        return float((turned * expected).sum() / np.sqrt((turned**2).sum() * (expected**2).sum()))

    assert agreement(slow[1]) > 0.3
    assert agreement(-slow[1]) < -0.3
    assert agreement(slow[1][:, [1, 0, 2]]) < agreement(slow[1]) - 0.2


def test_dataset_of_clips(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "actioncam"
    dataset = open_dataset("clips", {"reader": "action_camera", "participants": r"(?P<participant>max)"}, FileSet.scan(folder))
    takes, rejects = dataset.takes()
    assert rejects == []
    assert [take.take_uid for take in takes] == ["karma", "max-heromode"]
    assert [len(take.narrations) for take in takes] == [4, 4]
    assert takes[0].narrations[0].text.startswith("The camera glides")
    assert [take.participant for take in takes] == [None, "clips/max"]
    for take in takes:
        assert take.video_path == take.imu_path == f"{take.take_uid}.mp4"
        imu = dataset.read_imu(take)
        assert (imu.origin_ns, imu.clock) == (0, "file")
        assert take.duration_s == pytest.approx(imu.recording.duration_s, abs=0.1)
        assert dataset.files(take) == [take.imu_path]


def test_each_sensor_is_spread_over_its_own_packets(tmp_path: Path, fake: Any) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    stamps = [5_000_000, 6_001_000, 7_000_500, 9_003_000]  # a packet is lost behind the third
    counts = [(200, 400), (200, 401), (199, 400), (50, 100)]
    fake(
        [
            {
                "Accelerometer": sensor(np.full((n, 3), (4180, 0, 0)), 418, TimestampUs=t),
                "Gyroscope": sensor(np.full((m, 3), (3755, 0, 0)), 3755, "rad/s", TimestampUs=t),
            }
            for t, (n, m) in zip(stamps, counts, strict=True)
        ]
    )
    telemetry = read_telemetry(path)
    assert telemetry.gyro is not None
    for stream, number in ((telemetry.accel, 0), (telemetry.gyro, 1)):
        starts = np.cumsum([0, *(count[number] for count in counts)])[:-1]
        np.testing.assert_allclose(stream.timestamps_ns[starts] * 1e-3, np.array(stamps) - stamps[0], atol=1e-3)
        steps = np.diff(stream.timestamps_ns) * 1e-9
        assert steps.max() == pytest.approx(1.0, abs=0.02)  # the lost packet is a gap, not a slower clock
        assert np.sort(steps)[-2] < 1.02 * np.median(steps)
    np.testing.assert_allclose(telemetry.accel.values, np.tile((0, 0, 10.0), (649, 1)))
    np.testing.assert_allclose(telemetry.gyro.values, np.tile((0, 0, 1.0), (1301, 1)))
    recording = read_imu_telemetry(path)
    assert recording.rate_hz == pytest.approx(200, rel=0.01)
    assert (np.diff(recording.timestamps_ns) > 5e8).sum() == 1
    assert recording.notes.get("unpaired_samples", 0) <= 1


def test_packets_without_camera_stamps_take_the_tracks_times(shared_dir: Path, fake: Any) -> None:
    path = shared_dir / "data" / "actioncam" / "karma.mp4"  # its telemetry track has 13 packets, one each 1.001 s
    fake([{"Accelerometer": sensor(np.ones((200, 3)), unit="g"), "Gyroscope": sensor(np.ones((400, 3)), unit="deg/s")}] * 13, model="?")
    telemetry = read_telemetry(path)
    assert telemetry.gyro is not None
    np.testing.assert_allclose(telemetry.accel.timestamps_ns[::200] * 1e-9, np.arange(13) * 1.001, atol=1e-6)
    assert telemetry.accel.timestamps_ns[-1] * 1e-9 == pytest.approx(13 * 1.001 - 1.001 / 200, abs=1e-6)
    np.testing.assert_allclose(telemetry.accel.values[0], 9.80665)
    np.testing.assert_allclose(telemetry.gyro.values[0], np.pi / 180)
    fake([{"Accelerometer": sensor(np.ones((200, 3)))}] * 12)
    with pytest.raises(Rejected, match="12 packets without camera stamps") as caught:
        read_telemetry(path)
    assert caught.value.reason == "unreadable_imu"


@pytest.mark.parametrize(
    ("camera", "model", "orientation", "expected"),
    [
        ("GoPro", "HERO5 Black", None, (2, 3, 1)),  # Z,X,Y in the file
        ("GoPro", "GoPro Max", "yXZ", (1, 3, -2)),
        ("GoPro", "Fusion", None, (2, -1, 3)),  # -Y,X,Z in the file
        ("Sony", "ILCE-7M4", "XYZ", (1, -3, 2)),
    ],
)
def test_axes(tmp_path: Path, fake: Any, camera: str, model: str, orientation: str | None, expected: tuple[int, int, int]) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    tags = {"Orientation": orientation} if orientation else {}
    fake([{"Accelerometer": sensor([(1, 2, 3)] * 10, TimestampUs=t, **tags)} for t in (0, 50_000)], camera, model)
    telemetry = read_telemetry(path)
    assert telemetry.gyro is None
    np.testing.assert_array_equal(telemetry.accel.values[0], expected)
    assert read_imu_telemetry(path).gyro is None


@pytest.mark.parametrize("raw", [False, True])
def test_insta360(tmp_path: Path, raw: bool) -> None:
    """Written byte by byte and read by telemetry-parser itself: stamps of each sample, zero at the first video frame."""
    path = tmp_path / "clip.insv"
    unit = 1000 if raw else 1
    accel, gyro = ((100, 2048, -100), (16, 0, 0)) if raw else ((100 / 2048, 1.0, -100 / 2048), (np.deg2rad(16 / 16.384), 0, 0))
    samples = [((1000 + 5 * k) * unit, accel, gyro) for k in range(300)]
    path.write_bytes(bytes(4096) + trailer("Insta360 ONE X2", samples, 1100 * unit, (16, 2000) if raw else None))
    recording = read_imu_telemetry(path)
    assert recording.gyro is not None
    assert recording.rate_hz == pytest.approx(200)
    assert recording.timestamps_ns[0] == pytest.approx(-100_000_000, abs=2)
    # telemetry-parser turns this model by xZy, (-1) x, z, (-1) y, into up, right, forward
    np.testing.assert_allclose(recording.accel[0], np.array([-100 / 2048, -1, -100 / 2048]) * 9.80665, rtol=1e-6)
    np.testing.assert_allclose(recording.gyro[0], [0, 0, -np.deg2rad(16 / 16.384)], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("packets", "reason", "text"),
    [
        ([], "no_imu", "nothing"),
        ([{"GPS": {"Data": []}}], "no_imu", "it has GPS"),
        ([{"Gyroscope": sensor([(1, 2, 3)] * 9, unit="rad/s", TimestampUs=t)} for t in (0, 9)], "no_imu", "no accelerometer"),
        ([{"Accelerometer": sensor([], TimestampUs=0)}], "no_imu", "no sample"),
        ([{"Accelerometer": sensor([(1, 2, 3)] * 9, TimestampUs=0)}], "unreadable_imu", "single packet"),
        ([{"Accelerometer": sensor([(1, 2, 3)] * 9, TimestampUs=t)} for t in (9, 5)], "non_monotonic", "begins before"),
        ([{"Accelerometer": sensor([(1, 2, 3)] * 9, unit="furlong", TimestampUs=t)} for t in (0, 9)], "unreadable_imu", "furlong"),
        ([{"Accelerometer": sensor([(1, 2, 3)] * 9, Orientation="XXX", TimestampUs=t)} for t in (0, 9)], "unreadable_imu", "XXX"),
        ([{"Accelerometer": {"Data": [{"x": 1}], "TimestampUs": 0}}], "unreadable_imu", "KeyError"),
        (OSError("Unsupported file format"), "unreadable_imu", "Unsupported"),
        (type("PanicException", (BaseException,), {})("Invalid MTRX"), "unreadable_imu", "Invalid MTRX"),
    ],
)
def test_what_cannot_be_read_is_rejected(tmp_path: Path, fake: Any, packets: Any, reason: str, text: str) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    fake(packets)
    with pytest.raises(Rejected, match=r"clip\.mp4") as caught:
        read_imu_telemetry(path)
    assert caught.value.reason == reason
    assert text in caught.value.detail


def test_an_interrupt_passes_through(tmp_path: Path, fake: Any) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    fake(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        read_imu_telemetry(path)


def test_a_video_without_telemetry(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        read_imu_telemetry(write_clip(tmp_path / "clip.mp4", n=10))
    assert caught.value.reason == "no_imu"
    (tmp_path / "half.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes()[:900])
    with pytest.raises(Rejected, match="truncated or corrupt") as caught:
        read_imu_telemetry(tmp_path / "half.mp4")
    assert caught.value.reason == "unreadable_imu"
    with pytest.raises(Rejected) as caught:
        read_imu_telemetry(tmp_path / "absent.mp4")
    assert caught.value.reason == "no_imu"


def test_truncated_and_damaged_clips_are_rejected_or_read(shared_dir: Path, tmp_path: Path) -> None:
    data = (shared_dir / "data" / "actioncam" / "max-heromode.mp4").read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(12):
        damaged = bytearray(data[: int(rng.uniform(0.1, 1.0) * len(data))] if trial % 2 else data)
        at = rng.integers(0, len(damaged), 200 if trial % 3 else 3)
        for place in at:
            damaged[place] = int(rng.integers(256))
        path = tmp_path / f"clip{trial}.mp4"
        path.write_bytes(damaged)
        try:
            recording = read_imu_telemetry(path)
        except Rejected:
            continue
        assert (np.diff(recording.timestamps_ns) > 0).all()


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    monkeypatch.setitem(sys.modules, "telemetry_parser", None)
    with pytest.raises(UserError, match=r"primus-imu\[actioncam\]"):
        read_imu_telemetry(path)


def test_dataset_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no clip"):
        ActionCameraDataset("clips", {}, FileSet.scan(tmp_path))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write_clip(tmp_path / "one" / "walk.mp4", n=5)
    write_clip(tmp_path / "two" / "walk.mp4", n=5)
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    (tmp_path / "narrations.csv").write_text(
        "take,timestamp_s,text\nwalk,2.0,C walks\nwalk,1.0,C stands\nwalk,soon,C runs\nwalk,3.0, \nelsewhere,1.0,C sits\n"
    )
    takes, rejects = ActionCameraDataset("clips", {}, FileSet.scan(tmp_path)).takes()
    assert [(take.take_uid, take.imu_path, take.video_path) for take in takes] == [
        ("broken", "broken.mp4", None),
        ("walk", "one/walk.mp4", "one/walk.mp4"),
    ]
    assert [narration.time_s for narration in takes[1].narrations] == [1.0, 2.0]
    assert sorted((reject.take_uid, reject.scope, reject.reason) for reject in rejects) == [
        ("broken", "video", "unreadable_video"),
        ("elsewhere", "annotation", "not_in_takes"),
        ("walk", "annotation", "no_text"),
        ("walk", "annotation", "unreadable_metadata"),
        ("walk", "take", "unreadable_metadata"),
    ]
    for config, text in (
        ({"participants": "("}, "not a regular expression"),
        ({"participants": "walk"}, r"no group \(\?P<participant>"),
        ({"narrations": "absent.csv"}, "has no absent.csv"),
    ):
        with pytest.raises(UserError, match=text):
            ActionCameraDataset("clips", config, FileSet.scan(tmp_path))
    (tmp_path / "narrations.csv").write_text("clip;time\n")
    with pytest.raises(UserError, match="has no column take, timestamp_s, text"):
        ActionCameraDataset("clips", {}, FileSet.scan(tmp_path)).takes()


@pytest.mark.parametrize(("at", "size"), [(-78 + 2, 2**31), (-40, 2**32 - 1), (-40, 2**20)], ids=["record", "trailer", "more than the file"])
def test_a_trailer_that_claims_more_than_it_has_is_refused_before_it_is_allocated(tmp_path: Path, at: int, size: int) -> None:
    path = tmp_path / "a.insv"
    data = bytearray(b"\0" * 500 + trailer("Insta360 OneR", [(k * 5, (0, 0, 1), (0, 0, 0)) for k in range(20)], 0))
    data[len(data) + at : len(data) + at + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(Rejected, match="claims a record larger than itself"):
        read_telemetry(path)


def test_samples_no_sensor_measures_are_left_out_before_the_sensors_are_joined(tmp_path: Path) -> None:
    samples = [(k * 5, (0.0, 0.0, 1e30 if k == 100 else 1.0), (0.0, 0.1, 0.0)) for k in range(400)]
    path = tmp_path / "a.insv"
    path.write_bytes(write_clip(tmp_path / "clip.mp4").read_bytes() + trailer("Insta360 OneR", samples, 0))
    recording = read_imu_telemetry(path)
    assert len(recording.accel) == 399
    assert recording.notes["missing_values"] == 1
    assert np.abs(recording.accel).max() == pytest.approx(9.80665)
