"""All windows of all sources as one sequence of batches of a fixed size, read a little ahead, from any place in it on."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.inference.encoding import BATCH
from primus.inference.partial_file import Progress
from primus.inference.policy import Policy
from primus.inference.reading import read_recording, reading
from primus.inference.recording_windows import PreparedRecording
from primus.inference.sources import Source
from primus.models.encoder import ImuEncoder
from primus.schema import Reject

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
class WindowBatch:
    """Pieces (source, its recording, first window, end) that make a batch, and the place in the sequence after it."""

    pieces: tuple[tuple[str, PreparedRecording, int, int], ...]
    source: int
    offset: int

    def imu(self) -> NDArray[np.float32]:
        parts = [prepared.windows(begin, end).imu for _, prepared, begin, end in self.pieces]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class WindowSequence:
    """The sequence of windows from a place in it on, as batches; remembers what each source had to say."""

    def __init__(
        self, sources: Sequence[Source], encoder: ImuEncoder, settings: EncodeSettings, threads: int, progress: Progress, track: Tracker | None
    ) -> None:
        self._sources, self._contract, self._settings, self._threads = sources, encoder.inputs, settings, threads
        self._begin = progress
        self._track: Tracker = track or (lambda items, total: items)
        self._said: list[tuple[int, list[Reject], Counter[str]]] = []

    def batches(self) -> Iterator[WindowBatch]:
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
                    yield WindowBatch(tuple(pieces), *((number + 1, 0) if end == len(prepared) else (number, end)))
                    pieces, waiting = [], 0
        if pieces:
            yield WindowBatch(tuple(pieces), len(self._sources), 0)

    def progress_at(self, batch: WindowBatch) -> Progress:
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
        try:
            with reading(source.name):
                recording = read_recording(source.name, self._settings.units, self._settings.stream)
                return PreparedRecording(recording, self._contract, self._settings.policy)
        except Rejected as refused:
            return Reject("", source.name, refused.reason, refused.detail)
