"""What a worker does: one take's video to its segments' embeddings, or one chunk of texts, from the cache where it can."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from primus.embeddings.clip import Device, EncoderIdentity, FrozenClip
from primus.embeddings.frames import FrameCache, VideoFrames, encode_video
from primus.embeddings.pool import Pool, grid_range, pool_segments
from primus.embeddings.text import TextCache
from primus.errors import UserError


@dataclass(frozen=True)
class EncoderChoice:
    """Params section `embed.encoder`: an encoder by name, so that a worker can build its own, once. See `weights.load_encoder`."""

    model: str
    weights: str
    device: Device


@dataclass(frozen=True)
class TakeJob:
    """The segments of one take and the video they are to be embedded from.

    Attributes:
        dataset, take_uid: of the take.
        path: the video.
        name: the video below its dataset's root, its identity's name.
        segment_ids: (M,) ordered.
        start_s, end_s: (M,) half-open intervals in seconds from take start.
        encoder, identity: the encoder to build if frames are missing, and what it must turn out to be.
        fps, pool: grid frames per second; how they are pooled.
        threads: batches encoded at a time.
    """

    dataset: str
    take_uid: str
    path: Path
    name: str
    segment_ids: tuple[str, ...]
    start_s: tuple[float, ...]
    end_s: tuple[float, ...]
    encoder: EncoderChoice
    identity: EncoderIdentity
    fps: float
    pool: Pool
    threads: int = 1


@dataclass(frozen=True)
class TakeEmbeddings:
    """Result of a `TakeJob`.

    Attributes:
        segment_ids: those that have an embedding, ordered.
        vectors: (len(segment_ids), dim) float16, unit norm up to rounding.
        frames: grid frames decoded.
        frames_used: distinct grid frames that segments show.
        frames_plain: frames that segment-by-segment encoding would decode and encode.
        reused: whether the frames came from the cache.
        trouble: why frames are missing, or "".
    """

    segment_ids: tuple[str, ...]
    vectors: np.ndarray
    frames: int
    frames_used: int
    frames_plain: int
    reused: bool
    trouble: str


def embed_take(job: TakeJob) -> TakeEmbeddings:
    """Embed the segments of one take; only frames that no earlier run has seen are decoded and encoded."""
    if not job.path.is_file():
        return _pooled(
            job, VideoFrames(np.empty(0, np.int64), np.empty((0, job.identity.dim), np.float16), None, "the file is missing"), reused=False
        )
    cache = FrameCache(job.identity, job.fps)
    key = cache.key(job.path, job.name)
    frames = cache.load(key)
    reused = frames is not None
    if frames is None:
        frames = encode_video(job.path, _encoder(job.encoder, job.identity), job.fps, job.threads)
        cache.store(key, frames)
    return _pooled(job, frames, reused)


def _pooled(job: TakeJob, frames: VideoFrames, reused: bool) -> TakeEmbeddings:
    start, end = np.asarray(job.start_s), np.asarray(job.end_s)
    has, vectors = pool_segments(frames.grid, frames.embedding, start, end, job.fps, job.pool)
    first, stop = grid_range(start, end, job.fps)
    low, high = np.searchsorted(frames.grid, first), np.searchsorted(frames.grid, stop)
    used = np.zeros(len(frames.grid), bool)
    for a, b in zip(low, high, strict=True):
        used[a:b] = True
    return TakeEmbeddings(
        segment_ids=tuple(name for name, kept in zip(job.segment_ids, has, strict=True) if kept),
        vectors=vectors.astype(np.float16),
        frames=len(frames.grid),
        frames_used=int(used.sum()),
        frames_plain=int((high - low).sum()),
        reused=reused,
        trouble=frames.trouble,
    )


@dataclass(frozen=True)
class TextJob:
    """A chunk of distinct, cleaned texts (`text.chunks`) and the encoder for them."""

    texts: tuple[str, ...]
    encoder: EncoderChoice
    identity: EncoderIdentity


@dataclass(frozen=True)
class TextEmbeddings:
    """Result of a `TextJob`: embeddings (n, dim) float16, not normalised; which texts were cut (n,) bool; whether they came from the cache."""

    embedding: np.ndarray
    truncated: np.ndarray
    reused: bool


def embed_texts(job: TextJob) -> TextEmbeddings:
    """Embed one chunk of texts, unless an earlier run has."""
    cache = TextCache(job.identity)
    key = cache.key(job.texts)
    found = cache.load(key)
    if found is not None:
        return TextEmbeddings(*found, reused=True)
    return TextEmbeddings(*cache.encode(key, job.texts, _encoder(job.encoder, job.identity)), reused=False)


def _encoder(choice: EncoderChoice, identity: EncoderIdentity) -> FrozenClip:
    from primus.embeddings.weights import shared_encoder  # open_clip takes seconds to import, and a worker that finds its frames cached needs none

    encoder = shared_encoder(choice.model, choice.weights, choice.device)
    if encoder.identity != identity:
        raise UserError(f"the encoder became {encoder.identity} while the stage ran, expected {identity}; leave its weights alone and rerun")
    return encoder
