"""Videos and texts to embeddings, take by take and chunk by chunk: from the cache where they are there, else in worker processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from primus.embeddings.clip import Device, EncoderIdentity, FrozenClip
from primus.embeddings.frames import FrameCache, VideoFrames, encode_video
from primus.embeddings.pool import Pool, grid_range, pool_segments
from primus.embeddings.text import TextCache
from primus.engine import engine_name, map_takes
from primus.engine_call import Needs, Outcome
from primus.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")

WORTH_WORKERS = 2000
"""Frames or texts from which worker processes are started: each takes seconds to import PyTorch and build its encoder."""


LIMIT_S, LIMIT_PER_FRAME_S = 1800.0, 2.0
"""A take whose video takes longer than this to decode and encode hangs: many times what a processor needs for the largest encoders."""


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

    @property
    def frames(self) -> int:
        """About how many frames there are to encode."""
        return round(max(self.end_s) * self.fps)


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


def cached_take(job: TakeJob) -> TakeEmbeddings | None:
    """The segments' embeddings from frames that an earlier run has encoded; None if there are none yet."""
    if not job.path.is_file():
        nothing = VideoFrames(np.empty(0, np.int64), np.empty((0, job.identity.dim), np.float16), None, "the file is missing")
        return _pooled(job, nothing, reused=False)
    cache = FrameCache(job.identity, job.fps)
    frames = cache.load(cache.key(job.path, job.name))
    return None if frames is None else _pooled(job, frames, reused=True)


def embed_take(job: TakeJob, threads: int = 1) -> TakeEmbeddings:
    """The segments' embeddings; frames that no earlier run has encoded are decoded, encoded (`threads` batches at a time) and kept."""
    found = cached_take(job)
    if found is not None:
        return found
    encoder = _encoder(job.encoder, job.identity)
    encoder.drop_text_tower()  # no process embeds both videos and texts
    frames = encode_video(job.path, encoder, job.fps, threads)
    cache = FrameCache(job.identity, job.fps)
    cache.store(cache.key(job.path, job.name), frames)
    return _pooled(job, frames, reused=False)


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


def cached_texts(job: TextJob) -> TextEmbeddings | None:
    """The chunk's embeddings if an earlier run has encoded it."""
    found = TextCache(job.identity).load(job.texts)
    return None if found is None else TextEmbeddings(*found, reused=True)


def embed_texts(job: TextJob) -> TextEmbeddings:
    """The chunk's embeddings, encoded and kept unless an earlier run has done so."""
    return cached_texts(job) or TextEmbeddings(*TextCache(job.identity).encode(job.texts, _encoder(job.encoder, job.identity)), reused=False)


def embed_videos(jobs: Sequence[TakeJob], workers: int) -> Iterator[Outcome[TakeJob, TakeEmbeddings]]:
    """Outcomes in the jobs' order. With fewer videos than workers of this machine, several batches of one video are encoded at a time."""

    def threads(processes: int) -> int:
        if engine_name() == "ray":  # its workers may have a processor each
            return 1
        return max(1, workers // processes)

    def work(processes: int) -> Callable[[TakeJob], TakeEmbeddings]:
        return partial(embed_take, threads=threads(processes))

    def needs(processes: int) -> Needs:
        return _needs(jobs[0].encoder, threads(processes))

    return _reuse_then_map(jobs, cached_take, work, lambda job: job.frames, workers, least=1, needs=needs, timeout_s=_take_limit_s)


def _take_limit_s(job: TakeJob) -> float:
    return LIMIT_S + LIMIT_PER_FRAME_S * job.frames


def embed_chunks(jobs: Sequence[TextJob], workers: int) -> Iterator[Outcome[TextJob, TextEmbeddings]]:
    """Outcomes in the jobs' order."""
    return _reuse_then_map(
        jobs, cached_texts, lambda _: embed_texts, lambda job: len(job.texts), workers, least=0, needs=lambda _: _needs(jobs[0].encoder, 1)
    )


def _needs(encoder: EncoderChoice, threads: int) -> Needs:
    """A processor for each thread and, where the encoder runs on a GPU, `$PRIMUS_GPU_SHARE` of one (default 1: the whole)."""
    if encoder.device == "cpu":
        return Needs(cpus=threads)
    text = os.environ.get("PRIMUS_GPU_SHARE") or "1"
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f"PRIMUS_GPU_SHARE is {text!r}; expected a number above 0 and at most 1: the part of a GPU that one worker takes")
    return Needs(cpus=threads, gpus=share)


def _reuse_then_map(
    jobs: Sequence[Job],
    reuse: Callable[[Job], Result | None],
    work: Callable[[int], Callable[[Job], Result]],
    effort: Callable[[Job], int],
    workers: int,
    least: int,
    needs: Callable[[int], Needs],
    timeout_s: Callable[[Job], float] | None = None,
) -> Iterator[Outcome[Job, Result]]:
    """Read in this process what an earlier run has done; from the first job that it has not, workers do the rest.

    Where their start is not worth it, `least` of them do: 0 for this process, 1 where a decoder may crash and must not take the run with it.
    """
    for number, job in enumerate(jobs):
        found = reuse(job)
        if found is None:
            rest = jobs[number:]
            processes = least if sum(map(effort, rest)) < WORTH_WORKERS else max(1, min(workers, len(rest)))
            yield from map_takes(work(max(1, processes)), rest, processes, timeout_s, needs(max(1, processes)))
            return
        yield Outcome(job, found, None)


def _encoder(choice: EncoderChoice, identity: EncoderIdentity) -> FrozenClip:
    from primus.embeddings.weights import shared_encoder  # open_clip takes seconds to import, and a worker that finds its frames cached needs none

    encoder = shared_encoder(choice.model, choice.weights, choice.device)
    if encoder.identity != identity:
        raise UserError(f"the encoder became {encoder.identity} while the stage ran, expected {identity}; leave its weights alone and rerun")
    return encoder
