"""Map a function over takes with local processes, or on a Ray cluster: ordered results, and whatever happens to one take costs that take only.

Every call runs with the numeric libraries on one thread, in a worker or not, so that no result depends on how the work was spread.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from primus.errors import Rejected, UserError
from primus.system_faults import lacked_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Results that may wait, per worker, for an earlier one to be finished; it bounds memory when one take is slow."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ENGINES = ("local", "ray")
STARTS = 3
"""Workers that may be killed while they start, one after the other, before the run ends."""


log = logging.getLogger(__name__)


class OutOfMemory(Rejected):
    """A call for which there was not enough memory: perhaps there is once it runs alone."""


@dataclass(frozen=True)
class Needs:
    """What one call takes of a node when calls are spread over a cluster."""

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a `value`, or the reason it was `refused`."""

    item: Item
    value: Result | None
    refused: Rejected | None


def map_takes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    timeout_s: float | Callable[[Item], float] | None = None,
    needs: Needs | None = None,
) -> Iterator[Outcome[Item, Result]]:
    """Yield the outcome of `function` for each item, in the items' order.

    `Rejected` from the function, any exception that is not a UserError, the death of its process (segmentation fault, out of memory) and a call that
    lasts longer than `timeout_s` refuse that item, the last three as `reader_crashed`; the process is replaced. What lacked memory, or was killed as
    the system does then, is said and done once more by a fresh process while no other works, and refused only when that fails too (a reader's own
    reason is kept). Closing the iterator, an exception in the consumer, Ctrl-C and even the death of this process end all workers.

    Args:
        function: picklable unless `workers` is 0, sent to each worker once; whatever it returns must be picklable.
        items: picklable unless `workers` is 0.
        workers: processes besides this one; a single one too protects the run from a crash. With 0, and within a worker, everything runs in this
            process, where a crash cannot be caught and no time limit holds.
        timeout_s: seconds one call may take, or a function of the item that gives them; None for no limit.
        needs: given where the calls may leave this machine: with `PRIMUS_ENGINE=ray` the workers are then those of a Ray cluster (`engine_ray`).

    Raises:
        UserError: the function raised it, or `PRIMUS_ENGINE` names no engine.
        RuntimeError: a worker could not start.
    """
    workers = min(workers, len(items))
    if workers < 1 or multiprocessing.current_process().daemon:
        yield from _in_process(function, items)
    elif needs is not None and engine_name() == "ray":
        from primus.engine_ray import map_on_ray

        with contextlib.closing(map_on_ray(function, items, workers, timeout_s, needs)) as spread:
            yield from spread
    else:
        with contextlib.closing(_in_workers(function, items, workers, timeout_s)) as outcomes:
            yield from outcomes


def engine_name() -> str:
    """ "local" or "ray", as `PRIMUS_ENGINE` says: where work is done is no parameter of a stage, since no result depends on it."""
    name = os.environ.get("PRIMUS_ENGINE") or "local"
    if name not in ENGINES:
        raise UserError(f"PRIMUS_ENGINE is {name!r}; expected {' or '.join(ENGINES)}")
    return name


def call_once(function: Callable[[Item], Result], item: Item) -> tuple[Result | None, Rejected | None]:
    """The value of one call, or why its item is refused."""
    try:
        return function(item), None
    except Rejected as refused:
        return None, OutOfMemory(refused.reason, refused.detail) if lacked_memory(refused) else refused
    except UserError:
        raise
    except Exception as error:
        kind = OutOfMemory if lacked_memory(error) else Rejected
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:300]
        return None, kind("reader_crashed", f"{type(error).__name__}: {text} ({os.path.basename(place.filename)}:{place.lineno})")


def _in_process(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Outcome[Item, Result]]:
    loaded, controller = 0, None
    for item in items:
        if controller is None or len(sys.modules) != loaded:  # a library imported meanwhile brings its own threads
            loaded, controller = len(sys.modules), ThreadpoolController()
        with controller.limit(limits=1):
            value, refused = call_once(function, item)
        yield Outcome(item, value, refused)


@dataclass
class _Worker:
    """A child process, the pipe to it, and what it is doing."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    index: int | None = None
    limit_s: float | None = None
    deadline: float | None = None

    @property
    def free(self) -> bool:
        return self.ready and self.index is None

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass(frozen=True)
class Trouble:
    """Why a worker is replaced, whether that may have been for lack of memory, and the reason to refuse its item with."""

    text: str
    memory: bool = False
    reason: str = "reader_crashed"


@dataclass
class Board:
    """Finished outcomes by index, the next index to hand out and to hand over, and what is done once more: `waiting`, then `alone`."""

    finished: dict[int, tuple[Any, Rejected | None]] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)
    next_given: int = 0
    next_due: int = 0
    failed_starts: int = 0

    def next_index(self, busy: set[int], limit: int) -> int | None:
        """What a free worker does next while others are `busy` with theirs; None to wait."""
        if self.waiting:
            if busy:
                return None
            self.alone.add(again := self.waiting.pop(0))
            return again
        if self.next_given >= limit or busy & self.alone:
            return None
        self.next_given += 1
        return self.next_given - 1

    def failed(self, index: int, trouble: Trouble) -> None:
        """Refuse an item, or have it done once more where it may have been for lack of memory."""
        if trouble.memory and index not in self.alone:
            log.warning("item %d of the work: %s; it is done once more by itself", index + 1, trouble.text)
            self.waiting.append(index)
        else:
            self.finished[index] = (None, Rejected(trouble.reason, trouble.text + (", also by itself" if trouble.memory else "")))


def _in_workers(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, timeout_s: float | Callable[[Item], float] | None
) -> Generator[Outcome[Item, Result], None, None]:
    pool = [_start(function) for _ in range(workers)]
    board = Board()
    try:
        while board.next_due < len(items):
            for worker in pool:
                busy = {other.index for other in pool if other.index is not None}
                _give(worker, items, board.next_index(busy, min(len(items), board.next_due + AHEAD * workers)) if worker.free else None, timeout_s)
            if board.next_due in board.finished:
                value, refused = board.finished.pop(board.next_due)
                board.next_due += 1
                yield Outcome(items[board.next_due - 1], value, refused)
                continue
            deadlines = [worker.deadline for worker in pool if worker.deadline is not None]
            pause = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            active = set(wait([worker.pipe for worker in pool], timeout=pause))
            for number, worker in enumerate(pool):
                trouble = _hear(worker, board) if worker.pipe in active else _overdue(worker)
                if trouble is not None:
                    board.failed_starts = 0 if worker.ready else board.failed_starts + 1
                    if not worker.ready and (not trouble.memory or board.failed_starts > STARTS):
                        raise RuntimeError(f"a worker process could not start: {trouble.text}; its own message is above")
                    if worker.index is not None:
                        board.failed(worker.index, trouble)
                    worker.stop()
                    pool[number] = _start(function)
    finally:
        for worker in pool:
            worker.stop()


def _start(function: Callable[[Any], Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the child inherits: Ctrl-C is not for it, not even while it starts
    try:
        with _one_thread():
            process = context.Process(target=_work, args=(function, there), daemon=True)
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    there.close()
    return _Worker(process, here)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Children started meanwhile load their numeric libraries with one thread."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _give(worker: _Worker, items: Sequence[Any], index: int | None, timeout_s: float | Callable[[Any], float] | None) -> None:
    if index is None:
        return
    worker.index = index
    worker.limit_s = timeout_s(items[index]) if callable(timeout_s) else timeout_s
    worker.deadline = None if worker.limit_s is None else time.monotonic() + worker.limit_s
    # A worker that died just now is noticed when its pipe is read.
    with contextlib.suppress(BrokenPipeError):
        worker.pipe.send(items[index])


def _hear(worker: _Worker, board: Board) -> Trouble | None:
    """Take a worker's message; why it cannot go on where it says so, or says nothing any more."""
    try:
        kind, *content = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join(timeout=10)
        return _last_words(worker.process.exitcode)
    if kind == "ready":
        worker.ready = True
    elif kind == "mistake":
        raise UserError(content[0])
    elif kind == "memory":
        return Trouble(content[0], memory=True, reason=content[1])
    else:
        assert worker.index is not None
        board.finished[worker.index] = (content[0], Rejected(*content[1]) if content[1] else None)
        worker.index = worker.deadline = None
    return None


def _overdue(worker: _Worker) -> Trouble | None:
    if worker.deadline is None or time.monotonic() < worker.deadline:
        return None
    return Trouble(f"no result within its time limit of {worker.limit_s:g} s")


def _last_words(exitcode: int | None) -> Trouble:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        killed = exitcode == -signal.SIGKILL
        return Trouble(f"its process was ended by {name}" + (" (out of memory?)" if killed else ""), memory=killed)
    return Trouble(f"its process ended with exit code {exitcode}")


def _work(function: Callable[[Any], Any], pipe: Connection) -> None:
    """A worker's life. Ctrl-C is the parent's to handle; without a parent there is nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    pipe.send(("ready",))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            value, refused = call_once(function, item)
        except UserError as mistake:
            pipe.send(("mistake", str(mistake)))
            continue
        if isinstance(refused, OutOfMemory):
            pipe.send(("memory", refused.detail, refused.reason))
            continue
        pipe.send(("done", value, (refused.reason, refused.detail) if refused else None))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
