"""The video reader shows the right frame for every time, with both decoders, and says so when it cannot."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primus.errors import Rejected, UserError
from primus.io import video
from primus.io.video import frames_at, probe
from tests.io.video_files import number_of, turn, write_clip

NTSC = Fraction(30000, 1001)
BACKENDS = ["pyav", pytest.param("decord", marks=pytest.mark.skipif(video.decord is None, reason="decord is not installed"))]


def shown(path: Path, times: Any, backend: Any = "auto") -> dict[int, int]:
    return {i: number_of(frame) for i, frame in frames_at(path, times, backend)}


@pytest.fixture(scope="module")
def vfr(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A clip of variable frame rate that does not start at zero, with B-frames; and the time each frame is shown."""
    stamps = np.cumsum(np.random.default_rng(0).integers(20, 90, 60))
    path = write_clip(tmp_path_factory.mktemp("vfr") / "vfr.mp4", stamps=stamps.tolist())
    return path, (stamps - stamps[0]) / 1000


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rate", [30, 25, NTSC, Fraction(24000, 1001)], ids=str)
@pytest.mark.parametrize("b_frames", [0, 3])
def test_every_frame_is_shown_from_its_stamp_to_the_next(tmp_path: Path, backend: str, rate: Fraction, b_frames: int) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=90, rate=rate, b_frames=b_frames)
    starts = [float(k / Fraction(rate)) for k in range(90)]
    middles = [float((k + Fraction(1, 2)) / Fraction(rate)) for k in range(90)]
    late = [float((k + Fraction(95, 100)) / Fraction(rate)) for k in range(90)]
    for times in (starts, middles, late):
        assert shown(path, times, backend) == {k: k for k in range(90)}


@pytest.mark.parametrize("backend", BACKENDS)
def test_variable_rate_goes_by_stamps(vfr: tuple[Path, np.ndarray], backend: str) -> None:
    path, starts = vfr
    assert list(shown(path, starts, backend).values()) == list(range(60))
    assert list(shown(path, (starts[:-1] + starts[1:]) / 2, backend).values()) == list(range(59))
    assert list(shown(path, starts[1:] - 0.002, backend).values()) == list(range(59))


@pytest.mark.skipif(video.decord is None, reason="decord is not installed")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_both_decoders_show_the_same(vfr: tuple[Path, np.ndarray], data: st.DataObject) -> None:
    path, starts = vfr
    close = st.sampled_from(starts.tolist()).flatmap(lambda start: st.floats(start - 0.001, start + 0.001))
    times = sorted(data.draw(st.lists(st.floats(-0.2, float(starts[-1]) + 0.3) | close, max_size=40)))
    one, other = frames_at(path, times, "decord"), frames_at(path, times, "pyav")
    ours, theirs = list(one), list(other)
    assert [i for i, _ in ours] == [i for i, _ in theirs]
    for (_, a), (_, b) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.notes == other.notes
    strict, lenient = (np.maximum(np.searchsorted(starts, np.array(times) + slack, side="right") - 1, 0) for slack in (0.0, 0.001))
    assert all(number_of(frame) in (strict[i], lenient[i]) for i, frame in ours)  # within a rounding of a stamp either frame is right


@pytest.mark.skipif(video.decord is None, reason="decord is not installed")
@pytest.mark.parametrize("fps", [1, 2, 10, 30])
@pytest.mark.parametrize("kind", ["ntsc", "variable", "b-frames", "turned", "all key frames", "one key frame"])
def test_decoders_give_the_same_bytes_on_any_grid(tmp_path: Path, vfr: tuple[Path, np.ndarray], kind: str, fps: int) -> None:
    path = tmp_path / "clip.mp4"
    if kind == "variable":
        path = vfr[0]
    elif kind == "turned":
        turn(write_clip(path, n=120, b_frames=2), 1)
    else:
        write_clip(path, n=120, rate=NTSC if kind == "ntsc" else 30, b_frames=4, gop={"all key frames": 1, "one key frame": 250}.get(kind, 12))
    times = np.arange(4 * fps) / fps
    one, other = frames_at(path, times, "decord"), frames_at(path, times, "pyav")
    pairs = list(zip(one, other, strict=True))
    assert len(pairs) >= 3 * fps
    for (i, a), (k, b) in pairs:
        assert i == k
        np.testing.assert_array_equal(a, b)
    assert one.notes == other.notes, "no decoder gave up"


@pytest.mark.parametrize("clip", ["karma", "max-heromode"])
def test_gopro_clips(shared_dir: Path, clip: str) -> None:
    path = shared_dir / "data" / "actioncam" / f"{clip}.mp4"
    info = probe(path)
    frames, size = {"karma": (362, (854, 480)), "max-heromode": (315, (848, 480))}[clip]
    assert (info.n_frames, (info.width, info.height)) == (frames, size)
    assert info.fps == pytest.approx(float(NTSC))
    assert info.duration_s == pytest.approx(frames / float(NTSC), abs=1e-3)
    with av.open(str(path)) as container:
        by_number = {k: frame.to_ndarray(format="rgb24") for k, frame in enumerate(container.decode(video=0)) if k % 10 == 3}
    times = [float(k / NTSC) for k in by_number]
    for backend in ("pyav", "decord") if video.decord is not None else ("pyav",):
        for (i, frame), expected in zip(frames_at(path, times, backend), by_number.values(), strict=True):
            assert np.abs(frame.astype(int) - expected).max() <= 2, (backend, i)


def test_an_hour_at_ntsc_rate_does_not_drift(tmp_path: Path) -> None:
    # one frame a minute keeps the file small; decord's own stamps are float32, good to 0.2 ms here
    stamps = [round(k * 60 * 1001 / 1000 * 1000) for k in range(64)]
    path = write_clip(tmp_path / "long.mp4", n=64, stamps=stamps)
    times = [stamp / 1000 for stamp in stamps]
    for backend in ("pyav", "auto"):
        assert shown(path, times, backend) == {k: k for k in range(64)}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotation_mark_is_applied(tmp_path: Path, backend: str, turns: int) -> None:
    path = turn(write_clip(tmp_path / "clip.mp4", n=10), turns)
    info = probe(path)
    assert (info.width, info.height) == ((64, 96) if turns % 2 else (96, 64))
    for i, frame in frames_at(path, np.arange(10) / 30, backend):
        assert frame.shape == (info.height, info.width, 3)
        assert number_of(np.rot90(frame, turns)) == i


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx265"), (".mkv", "libx264"), (".mp4", "libsvtav1"), (".webm", "libvpx-vp9")])
def test_other_codecs_and_containers(tmp_path: Path, suffix: str, codec: str) -> None:
    try:
        path = write_clip(tmp_path / f"clip{suffix}", n=40, codec=codec)
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this PyAV was built without {codec}")
    assert probe(path).n_frames == 40
    assert probe(path).duration_s == pytest.approx(40 / 30, abs=0.05)
    assert shown(path, np.arange(40) / 30) == {k: k for k in range(40)}


def test_times_no_frame_shows_are_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=30)
    for backend in ("pyav", "auto"):
        stream = frames_at(path, [-1.0, -0.1, 0.0, 0.5, 0.999, 1.0, 7.0], backend)
        assert [i for i, _ in stream] == [2, 3, 4]
        assert stream.notes == {"before_first_frame": 2, "after_last_frame": 2}


def test_repeated_times_and_none(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=30)
    for backend in ("pyav", "auto"):
        assert shown(path, [0.1, 0.1, 0.101], backend) == {0: 3, 1: 3, 2: 3}
        assert shown(path, [], backend) == {}


def test_frames_are_decoded_once_and_none_beyond_the_last_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=60, b_frames=0)
    decoded = 0
    opened = av.open

    class Counting:
        def __init__(self, container: Any) -> None:
            self.container = container

        def __enter__(self) -> "Counting":
            return self

        def __exit__(self, *_: object) -> None:
            self.container.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.container, name)

        def decode(self, stream: Any) -> Any:
            nonlocal decoded
            for frame in self.container.decode(stream):
                decoded += 1
                yield frame

    monkeypatch.setattr(video.av, "open", lambda *args, **kwargs: Counting(opened(*args, **kwargs)))
    assert len(shown(path, [0.1, 0.5, 0.5, 1.0], "pyav")) == 4
    assert decoded == 32  # frames 0..30, and the next one that ends frame 30's time


def test_stopping_early_frees_the_decoder(tmp_path: Path) -> None:
    for backend in ("pyav", "auto"):
        stream = frames_at(write_clip(tmp_path / "clip.mp4"), np.arange(60) / 30, backend)
        next(stream)
        stream.close()
        assert list(stream) == []


@pytest.mark.parametrize("content", [b"", b"not a video" * 99, None])
def test_what_is_no_video_is_rejected(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    for attempt in (probe, lambda p: list(frames_at(p, [0.0])), lambda p: list(frames_at(p, [0.0], "pyav"))):
        with pytest.raises(Rejected, match=r"clip\.mp4") as caught:
            attempt(path)
        assert caught.value.reason == "unreadable_video"


@pytest.mark.parametrize("faststart", [False, True])
def test_truncated_file(tmp_path: Path, faststart: bool) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=200, faststart=faststart)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(Rejected) as caught:
        probe(path)
    assert caught.value.reason == "unreadable_video"
    if faststart:  # the index is there, so the frames before the cut are too
        stream = frames_at(path, np.arange(200) / 30)
        numbers = [number_of(frame) for _, frame in stream]
        assert numbers == list(range(len(numbers)))
        assert 60 < len(numbers) < 150
        assert stream.notes["lost_frames"] == 200 - len(numbers)


def test_a_file_that_breaks_half_way_gives_the_frames_before(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=200, gop=25, b_frames=0, faststart=True)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        broken = next(packet for packet in container.demux(video=0) if packet.pts * packet.time_base >= 4)
        at, size = broken.pos, broken.size
    data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    for backend in ("pyav", "auto"):
        stream = frames_at(path, np.arange(200) / 30, backend)
        numbers = [number_of(frame) for _, frame in stream]
        assert numbers == list(range(120))
        assert stream.notes["lost_frames"] == 80
        assert stream.notes.get("decord_failed", 0) == (backend == "auto" and video.decord is not None)


def test_long_videos_go_to_pyav_because_decord_would_hold_them_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=30)
    asked: list[Path] = []
    with_decord = video._with_decord
    monkeypatch.setattr(video, "_with_decord", lambda path, *rest: asked.append(path) or with_decord(path, *rest))
    pictures = 30 * 96 * 64 * 3
    for limit, backend, count in ((pictures, "auto", 1), (pictures - 1, "auto", 1), (pictures - 1, "decord", 2)):
        monkeypatch.setattr(video, "DECORD_BYTES", limit)
        assert shown(path, np.arange(30) / 30, backend) == {k: k for k in range(30)}
        assert len(asked) == (count if video.decord is not None else 0)
        if video.decord is None:
            break


def test_without_decord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", n=10)
    monkeypatch.setattr(video, "decord", None)
    assert shown(path, np.arange(10) / 30) == {k: k for k in range(10)}
    with pytest.raises(UserError, match="decord is not installed"):
        frames_at(path, [0.0], "decord")


@pytest.mark.parametrize("times", [[1.0, 0.5], [np.nan], [[0.0]]])
def test_times_must_ascend(tmp_path: Path, times: Any) -> None:
    with pytest.raises(ValueError, match="ascending"):
        frames_at(tmp_path / "clip.mp4", times)
