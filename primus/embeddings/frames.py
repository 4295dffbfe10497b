"""Embeddings of a video's frames: one pass, each frame of a fixed grid decoded and encoded once, kept for every later use.

The grid is k / fps seconds from the take's start and covers the whole video, not only what today's segments touch. On narrations a little over a
second apart the two differ by a few percent, and in return no change of window length, stride, narration filter or pooling ever decodes or encodes
a frame again. It also fixes which frames share a batch, so that the bytes depend neither on the segments, nor on what was cached, nor on the number
of workers.
"""

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from primus.embeddings.clip import EncoderIdentity, FrozenClip, single_threaded
from primus.errors import Rejected
from primus.io.video import Backend, frames_at, probe
from primus.provenance import file_identity
from primus.system_faults import system_fault
from primus.work_cache import WorkCache

FRAMES_PER_BATCH = 64
BATCHES_AHEAD = 4
"""Batches that may wait for the encoder (40 MB at 224 pixels): neither side stands still because the other was held up for a moment."""
LONGEST_S = 24 * 3600
"""How far to look for frames in a file that does not say truly how long it is."""


@dataclass(frozen=True)
class VideoFrames:
    """Embeddings of one video's grid frames.

    Attributes:
        grid: (n,) int64, ascending: which grid frames were decoded; frame k shows the take at k / fps seconds.
        embedding: (n, dim) float16, projected, not normalised (pooling decides when to normalise).
        expected: grid frames that the container promises; None where it cannot be trusted.
        trouble: why frames are missing (a file that breaks off, is damaged or cannot be opened), or "".
    """

    grid: np.ndarray
    embedding: np.ndarray
    expected: int | None
    trouble: str


def encode_video(path: Path, encoder: FrozenClip, fps: float, threads: int = 1, backend: Backend = "auto") -> VideoFrames:
    """Decode and encode the grid frames of a video, the one while the other runs; memory does not grow with the video's length.

    Args:
        path: the video.
        encoder: the frozen CLIP.
        fps: grid frames per second of the take.
        threads: batches encoded at a time, each on one thread; the result does not depend on it.
        backend: decoder, as `primus.io.video.frames_at` has it.

    A video that cannot be opened, or that ends early, is no error: what was decoded before is kept and `trouble` says what happened.

    Raises:
        Rejected: the system was at fault (no memory, a failing disk, no permission), so that nothing may be kept.
    """
    trouble = ""
    expected = None
    try:
        expected = max(1, math.ceil(round(probe(path).duration_s * fps, 6)))
    except Rejected as error:  # truncated, perhaps: what comes before the break is still good
        if system_fault(error):
            raise
        trouble = str(error)
    count = math.ceil(LONGEST_S * fps) if expected is None else expected
    indices: list[int] = []
    parts = [np.empty((0, encoder.identity.dim), np.float16)]
    waiting: deque[Future[np.ndarray]] = deque()

    def batches() -> Iterator[torch.Tensor]:
        nonlocal trouble
        stream = frames_at(path, np.arange(count) / fps, backend=backend)
        block: list[torch.Tensor] = []
        try:
            for index, frame in stream:
                indices.append(index)
                block.append(encoder.preprocessing.apply(frame))
                if len(block) == FRAMES_PER_BATCH:
                    yield torch.stack(block)
                    block = []
        except Rejected as error:
            if system_fault(error):
                raise
            trouble = trouble or str(error)
        if stream.notes.get("lost_frames"):
            trouble = trouble or f"unreadable_video: {path.name} breaks off after frame {len(indices)} of {count}"
        if block:
            yield torch.stack(block)

    with single_threaded(), ThreadPoolExecutor(threads) as pool:
        for pixels in batches():
            waiting.append(pool.submit(_encode, encoder, pixels))
            if len(waiting) > threads + BATCHES_AHEAD:
                parts.append(waiting.popleft().result())
        parts += [future.result() for future in waiting]
    return VideoFrames(np.asarray(indices, np.int64), np.concatenate(parts), expected, trouble)


def _encode(encoder: FrozenClip, pixels: torch.Tensor) -> np.ndarray:
    return encoder.encode_images(pixels).astype(np.float16)


class FrameCache:
    """Per-video frame embeddings in the work cache, found by the file's identity, the encoder's, the grid and the code.

    Args:
        identity: of the encoder; the encoder itself is needed only for frames that are not there yet.
        fps: of the grid.
    """

    def __init__(self, identity: EncoderIdentity, fps: float) -> None:
        self._cache = WorkCache("frames")
        self._identity, self._fps = identity, fps

    def key(self, path: Path, name: str) -> str:
        """Key of the video at `path`, called `name` below its dataset's root."""
        return self._cache.key([file_identity(path, name), str(self._identity)], {"fps": self._fps, "batch": FRAMES_PER_BATCH}, __name__)

    def load(self, key: str) -> VideoFrames | None:
        """The embeddings stored under `key`, or None."""
        found = self._cache.load(key)
        if found is None:
            return None
        arrays, meta = found
        return VideoFrames(arrays["grid"], arrays["embedding"], meta["expected"], meta["trouble"])

    def store(self, key: str, frames: VideoFrames) -> None:
        """Keep the embeddings; they appear whole or not at all."""
        arrays = {"grid": frames.grid, "embedding": frames.embedding}
        self._cache.store(key, arrays, {"expected": frames.expected, "trouble": frames.trouble})
