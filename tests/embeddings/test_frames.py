"""One pass over a video: the right frames, each once, the same bytes however they are scheduled, and never again once cached."""

import errno
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from primus.embeddings.clip import FrozenClip
from primus.embeddings.demo_clip import demo_encoder
from primus.embeddings.frames import FRAMES_PER_BATCH, FrameCache, VideoFrames, encode_video
from primus.embeddings.jobs import EncoderChoice, TakeEmbeddings, TakeJob, embed_videos
from primus.engine import map_takes
from primus.errors import Rejected
from tests.embeddings.conftest import Clip

LEVELS = [20 + 4 * (number % 50) for number in range(240)]  # 8 s at 30 fps; neighbouring frames differ by four


def brightness(frames: VideoFrames) -> np.ndarray:
    return frames.embedding[:, 0].astype(np.float64) * 255


def frames_given(encoder: FrozenClip) -> int:
    return encoder._model.frames  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("backend", ["auto", "pyav"])
@pytest.mark.parametrize("fps", [1.0, 10.0, 7.5])
def test_grid_frames_are_the_ones_shown_at_their_times(toy: FrozenClip, clip: Clip, fps: float, backend: str) -> None:
    frames = encode_video(clip("v.mp4", LEVELS), toy, fps, backend=backend)  # type: ignore[arg-type]
    assert frames.expected == len(frames.grid) == 8 * fps
    assert frames.trouble == ""
    shown = [LEVELS[int(np.floor(k / fps * 30 + 1e-6))] for k in frames.grid]
    assert np.abs(brightness(frames) - shown).max() < 2
    assert frames_given(toy) == len(frames.grid), "each grid frame is encoded once"


def test_frame_rates_that_are_no_whole_numbers(toy: FrozenClip, clip: Clip) -> None:
    rate = Fraction(30000, 1001)
    frames = encode_video(clip("ntsc.mp4", LEVELS, fps=rate), toy, 10)
    shown = [LEVELS[int(np.floor(k / 10 * rate + Fraction(1, 1000)))] for k in frames.grid]
    assert len(shown) == 81
    assert np.abs(brightness(frames) - shown).max() < 2


def test_threads_do_not_change_a_bit(clip: Clip) -> None:
    encoder = demo_encoder()
    path = clip("v.mp4", LEVELS, size=128)
    before = torch.get_num_threads()
    found = []
    for encoding, numeric in ((1, 1), (2, 1), (3, 2)):
        torch.set_num_threads(numeric)
        found.append(encode_video(path, encoder, 30, threads=encoding))
    torch.set_num_threads(before)
    assert len(found[0].grid) == 240 > 3 * FRAMES_PER_BATCH
    assert all(np.array_equal(found[0].embedding, other.embedding) for other in found[1:])


def test_a_truncated_file_keeps_what_lies_before(toy: FrozenClip, clip: Clip) -> None:
    path = clip("v.mkv", LEVELS)
    whole = encode_video(path, toy, 10)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    part = encode_video(path, toy, 10)
    assert 20 < len(part.grid) < len(whole.grid)
    assert np.array_equal(part.embedding, whole.embedding[: len(part.grid)])


def test_a_file_damaged_in_the_middle_says_so(toy: FrozenClip, clip: Clip) -> None:
    path = clip("v.mp4", LEVELS)
    whole = encode_video(path, toy, 10)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    length = content.index(b"moov") - start
    content[start + length // 2 : start + length] = bytes(length - length // 2)
    path.write_bytes(bytes(content))
    part = encode_video(path, toy, 10)
    assert part.trouble
    assert 0 < len(part.grid) < len(whole.grid)


@pytest.mark.parametrize("content", [b"", b"this is no video", bytes(5000)])
def test_no_video_at_all(toy: FrozenClip, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    frames = encode_video(path, toy, 10)
    assert (len(frames.grid), frames.expected, frames.embedding.shape) == (0, None, (0, 3))
    assert "unreadable_video" in frames.trouble


def job(path: Path, toy: FrozenClip, **changes: object) -> TakeJob:
    values: dict[str, object] = {
        "dataset": "d", "take_uid": "t", "path": path, "name": "d/v.mp4", "segment_ids": ("t_0", "t_1500", "t_9000"), "start_s": (0.0, 1.5, 9.0),
        "end_s": (5.0, 6.5, 14.0), "encoder": EncoderChoice("toy", "none", "cpu"), "identity": toy.identity, "fps": 10.0, "pool": "clip4clip",
    }  # fmt: skip
    return TakeJob(**{**values, **changes})  # type: ignore[arg-type]


def embed_take(job: TakeJob) -> TakeEmbeddings:
    """Through the whole of what the stage does with one job."""
    (outcome,) = embed_videos([job], workers=1)
    assert outcome.value is not None
    return outcome.value


@pytest.fixture
def shared(toy: FrozenClip, monkeypatch: pytest.MonkeyPatch) -> FrozenClip:
    """The toy where an encoder is loaded by name, and this process, which counts its frames, in place of a worker."""
    monkeypatch.setattr("primus.embeddings.weights.shared_encoder", lambda *_: toy)
    monkeypatch.setattr("primus.embeddings.jobs.map_takes", lambda function, items, *_: map_takes(function, items, workers=0))
    return toy


def test_counts_and_segments_beyond_the_video(shared: FrozenClip, clip: Clip) -> None:
    done = embed_take(job(clip("v.mp4", LEVELS), shared))
    assert done.segment_ids == ("t_0", "t_1500")
    assert done.vectors.dtype == np.float16
    assert np.abs(np.linalg.norm(done.vectors.astype(np.float32), axis=1) - 1).max() < 1e-3
    assert (done.frames, done.frames_used, done.frames_plain, done.reused) == (80, 65, 100, False)


def test_other_windows_and_pooling_encode_nothing(shared: FrozenClip, clip: Clip) -> None:
    path = clip("v.mp4", LEVELS)
    first = embed_take(job(path, shared))
    given = frames_given(shared)
    assert given == 80
    again = embed_take(job(path, shared))
    assert again.reused
    assert np.array_equal(first.vectors, again.vectors)
    for changes in (
        {"pool": "published"},
        {"start_s": (0.3, 2.9, 3.0), "end_s": (2.8, 5.4, 8.0)},
        {"segment_ids": ("x",), "start_s": (2.0,), "end_s": (3.0,)},
    ):
        assert embed_take(job(path, shared, **changes)).reused
    assert frames_given(shared) == given, "no frame was encoded again"


def test_another_file_rate_or_encoder_is_another_entry(toy: FrozenClip, clip: Clip) -> None:
    path = clip("v.mp4", LEVELS)
    base = FrameCache(toy.identity, 10)
    keys = {
        base.key(path, "d/v.mp4"),
        base.key(clip("w.mp4", LEVELS[::-1]), "d/v.mp4"),
        FrameCache(toy.identity, 5).key(path, "d/v.mp4"),
        FrameCache(replace(toy.identity, weights_sha256="1" * 64), 10).key(path, "d/v.mp4"),
        FrameCache(replace(toy.identity, preprocessing="other"), 10).key(path, "d/v.mp4"),
    }
    assert len(keys) == 5
    assert base.key(path, "d/v.mp4") in keys


def test_what_the_system_could_not_read_is_not_kept(shared: FrozenClip, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip("v.mp4", LEVELS)

    def failing(_: Path) -> None:
        try:
            raise OSError(errno.EIO, "Input/output error")
        except OSError as error:
            raise Rejected("unreadable_video", "v.mp4: cannot be opened") from error

    with monkeypatch.context() as patch:
        patch.setattr("primus.embeddings.frames.probe", failing)
        (outcome,) = embed_videos([job(path, shared)], workers=1)
    assert outcome.refused is not None
    assert outcome.refused.reason == "unreadable_video"
    done = embed_take(job(path, shared))
    assert not done.reused
    assert done.segment_ids == ("t_0", "t_1500")


def test_missing_and_unreadable_files_cost_their_segments_only(shared: FrozenClip, tmp_path: Path) -> None:
    missing = embed_take(job(tmp_path / "no.mp4", shared))
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    bad = embed_take(job(tmp_path / "bad.mp4", shared))
    for done in (missing, bad):
        assert done.segment_ids == ()
        assert done.vectors.shape == (0, 3)
        assert done.trouble
