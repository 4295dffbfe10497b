"""Recordings to one Parquet file of features: streamed, resumable, and the same bytes whether it was interrupted or not.

All windows of all sources form one sequence, which is encoded in batches of a fixed size; so every batch, and with it every bit, is the same
however often the work was killed. Finished groups of batches wait in `.<name>.partial` beside the output, with the place in the sequence where the
work goes on; sources before that place are not read again.
"""

import hashlib
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from primus import __version__
from primus.errors import Rejected, UserError
from primus.inference.contract import Model, open_encoder
from primus.inference.encoding import BATCH, Encoded, encode_stream, projection_name
from primus.inference.partial_file import PartialFile, Progress
from primus.inference.policy import Policy
from primus.inference.recording_windows import PreparedRecording
from primus.inference.sources import Source, find_sources
from primus.io.imu_file import read_imu
from primus.models.encoder import ImuEncoder
from primus.schema import Reject

GROUP_BATCHES = 8  # batches of a row group, after which progress is kept
STREAMED = (".vrs", ".imu.parquet")  # kinds of file that hold more than one IMU
AHEAD = 1  # sources read ahead, beyond one for each thread

Tracker = Callable[[Iterator[Source], int], Iterator[Source]]


@dataclass(frozen=True)
class EncodeSettings:
    """What the features depend on, besides model and recordings.

    Attributes:
        policy: how recordings become windows.
        stream: sensor stream of glasses, None for the default.
        units: of tables that do not state them: {"time": ..., "accel": ..., "gyro": ...}; what is left out is guessed.
        batch: windows encoded at once.
    """

    policy: Policy = field(default_factory=lambda: Policy(short="reflect"))
    stream: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    batch: int = BATCH


@dataclass(frozen=True)
class EncodeReport:
    """What became of the sources.

    Attributes:
        sources: how many there were.
        windows: rows written.
        resumed_windows: of them, those an earlier run had finished.
        rejects: sources (scope "take") and windows (scope "segment") refused, with their reasons.
        notes: repair or policy -> number of sources it was applied to.
        seconds: this run took.
    """

    sources: int
    windows: int
    resumed_windows: int
    rejects: tuple[Reject, ...]
    notes: Mapping[str, int]
    seconds: float

    @property
    def refused_sources(self) -> tuple[Reject, ...]:
        """The sources that gave nothing because of what they are."""
        return tuple(reject for reject in self.rejects if reject.scope == "take")


@dataclass(frozen=True)
class _Batch:
    """Pieces (source, its recording, first window, end) that make a batch, and the place in the sequence after it."""

    pieces: tuple[tuple[str, PreparedRecording, int, int], ...]
    source: int
    offset: int

    def imu(self) -> NDArray[np.float32]:
        parts = [prepared.windows(begin, end).imu for _, prepared, begin, end in self.pieces]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def feature_schema(encoder: ImuEncoder, about: Mapping[str, Any]) -> pa.Schema:
    """Columns source, start_s, end_s (seconds on the source's own clock), feature and projection; `about` goes into the file's metadata."""
    vectors = [("feature", encoder.feature_dim), ("projection", encoder.projection_dim)]
    fields = [("source", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())]
    return pa.schema([*fields, *((name, pa.list_(pa.float32(), width)) for name, width in vectors)], {"primus": json.dumps(about, sort_keys=True)})


def encode_paths(
    paths: Sequence[str | Path],
    model: Model,
    out: str | Path,
    settings: EncodeSettings | None = None,
    threads: int = 1,
    track: Tracker | None = None,
) -> EncodeReport:
    """Encode every recording below some paths into one Parquet file.

    The file's metadata `primus` state the model, its contract, which head the projection is from, and the policies. `<out>.rejects.csv` lists what
    was refused, and is absent when nothing was. An interrupted run continues where it was when called again with the same arguments.

    Args:
        paths: see `find_sources`.
        model: see `open_encoder`.
        out: Parquet file to write, whole or not at all.
        settings: see `EncodeSettings`; by default short recordings are mirrored and a missing gyroscope is refused.
        threads: batches encoded, and sources read, at the same time; the result does not depend on it.
        track: wraps the iterator of sources, told how many there are, to show progress.

    Raises:
        UserError: a path or the model does not exist, or no source gave a window.
    """
    began = time.monotonic()
    settings, out, encoder = settings or EncodeSettings(), Path(out), open_encoder(model)
    rejects_path = out.with_suffix(".rejects.csv")
    sources, damaged = find_sources(paths, (out, rejects_path))
    about = {
        "format": "primus.features/1",
        "model": {"weights_sha256": weights_digest(encoder), "options": encoder.options(), "training": _plain(encoder.metadata)},
        "projection": projection_name(encoder),
        "policy": settings.policy.stated(),
        "settings": {"stream": settings.stream, "units": dict(settings.units), "batch": settings.batch},
    }
    identity = {"about": about, "sources": [asdict(source) for source in sources], "version": __version__}
    with PartialFile(out, feature_schema(encoder, about), identity) as partial:
        resumed = partial.progress.rows
        reading = _Reading(sources, encoder, settings, threads, partial.progress, track)
        group: list[Encoded[_Batch]] = []
        for encoded in encode_stream(encoder, ((batch, batch.imu) for batch in reading.batches()), threads):
            group.append(encoded)
            if len(group) == GROUP_BATCHES:
                partial.append(_table(group, partial.schema), reading.progress_at(encoded.tag))
                group = []
        if group:
            partial.append(_table(group, partial.schema), reading.progress_at(group[-1].tag))
        rejects = (*damaged, *reading.rejects())
        if not partial.progress.rows:
            first = f"; the first: {rejects[0].take_uid}: {rejects[0].reason}: {rejects[0].detail}" if rejects else ""
            raise UserError(f"none of {len(sources)} sources gave a window{first}")
        rows = partial.progress.rows
        partial.finish(rejects, rejects_path)
    return EncodeReport(len(sources), rows, resumed, rejects, reading.notes(), time.monotonic() - began)


class _Reading:
    """The sequence of windows from a place in it on, as batches; remembers what each source had to say."""

    def __init__(
        self, sources: Sequence[Source], encoder: ImuEncoder, settings: EncodeSettings, threads: int, progress: Progress, track: Tracker | None
    ) -> None:
        self._sources, self._contract, self._settings, self._threads = sources, encoder.inputs, settings, threads
        self._begin = progress
        self._track: Tracker = track or (lambda items, total: items)
        self._said: list[tuple[int, list[Reject], Counter[str]]] = []

    def batches(self) -> Iterator[_Batch]:
        """Batches of exactly the set size, except the last."""
        size = self._settings.batch
        pieces: list[tuple[str, PreparedRecording, int, int]] = []
        waiting = 0
        for number, source, prepared in self._prepared():
            begin = self._begin.offset if number == self._begin.source else 0
            while begin < len(prepared):
                end = min(len(prepared), begin + size - waiting)
                pieces.append((source.name, prepared, begin, end))
                waiting += end - begin
                begin = end
                if waiting == size:
                    yield _Batch(tuple(pieces), *((number + 1, 0) if end == len(prepared) else (number, end)))
                    pieces, waiting = [], 0
        if pieces:
            yield _Batch(tuple(pieces), len(self._sources), 0)

    def progress_at(self, batch: _Batch) -> Progress:
        """What to keep once everything up to and including `batch` is written; sources that are not finished will speak again."""
        rejects, notes = list(self._begin.rejects), Counter(self._begin.notes)
        for number, refused, noted in self._said:
            if number < batch.source:
                rejects += refused
                notes.update(noted)
        return Progress(batch.source, batch.offset, rejects=rejects, notes=dict(notes))

    def rejects(self) -> tuple[Reject, ...]:
        """Everything refused so far, in order."""
        return (*self._begin.rejects, *(reject for _, refused, _ in self._said for reject in refused))

    def notes(self) -> dict[str, int]:
        """How many sources each repair or policy was applied to."""
        total = Counter(self._begin.notes)
        for _, _, noted in self._said:
            total.update(noted)
        return dict(sorted(total.items()))

    def _prepared(self) -> Iterator[tuple[int, Source, PreparedRecording]]:
        """The sources that can be used, in order, read by threads that run a little ahead."""
        left = iter(enumerate(self._sources[self._begin.source :], self._begin.source))
        waiting: deque[tuple[int, Source, Future[PreparedRecording | Reject]]] = deque()
        with ThreadPoolExecutor(self._threads) as readers:

            def ask() -> None:
                if (item := next(left, None)) is not None:
                    waiting.append((*item, readers.submit(self._read, item[1])))

            def answered() -> Iterator[Source]:
                while waiting:
                    yield waiting[0][1]

            try:
                for _ in range(self._threads + AHEAD):
                    ask()
                for source in self._track(answered(), len(self._sources) - self._begin.source):
                    number, _, future = waiting[0]
                    found = future.result()
                    waiting.popleft()
                    ask()
                    if isinstance(found, Reject):
                        self._said.append((number, [found], Counter()))
                        continue
                    rejects = [Reject("", source.name, r.reason, r.detail, r.scope, None, r.start_s, r.end_s) for r in found.rejects]
                    self._said.append((number, rejects, Counter(dict.fromkeys(found.notes, 1))))
                    yield number, source, found
            finally:
                for _, _, future in waiting:
                    future.cancel()

    def _read(self, source: Source) -> PreparedRecording | Reject:
        hints = {"units": dict(self._settings.units)} if source.is_table and self._settings.units else {}
        stream = self._settings.stream if source.name.lower().endswith(STREAMED) else None
        try:
            return PreparedRecording(read_imu(source.name, stream, **hints), self._contract, self._settings.policy)
        except Rejected as refused:
            return Reject("", source.name, refused.reason, refused.detail)
        except UserError as error:  # a table of something else beside the recordings, or a missing extra
            return Reject("", source.name, "no_imu", str(error))
        except Exception as error:
            return Reject("", source.name, "reader_crashed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _table(group: Sequence[Encoded[_Batch]], schema: pa.Schema) -> pa.Table:
    """Rows of some batches."""
    names: list[str] = []
    times: list[NDArray[np.float64]] = []
    for encoded in group:
        for name, prepared, begin, end in encoded.tag.pieces:
            names += [name] * (end - begin)
            times.append(prepared.times_s(begin, end))
    start_s, end_s = np.concatenate(times, axis=1)
    feature = np.concatenate([encoded.feature for encoded in group])
    vectors = [pa.FixedSizeListArray.from_arrays(pa.array(feature.ravel()), type=schema.field("feature").type)]
    if group[0].projection is None:
        vectors.append(pa.nulls(len(feature), schema.field("projection").type))
    else:
        projection = np.concatenate([encoded.projection for encoded in group if encoded.projection is not None])
        vectors.append(pa.FixedSizeListArray.from_arrays(pa.array(projection.ravel()), type=schema.field("projection").type))
    return pa.Table.from_arrays([pa.array(names, pa.string()), pa.array(start_s), pa.array(end_s), *vectors], schema=schema)


def weights_digest(encoder: ImuEncoder) -> str:
    """SHA-256 of the encoder's tensors and their names, by which files of features and heads tell whose they are."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The single facts among what is known of the training."""
    return {key: value for key, value in metadata.items() if isinstance(value, str | int | float | bool)}
