"""The engine's calls on this machine: in this process, or by worker processes that are replaced when a take is too much for them."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from primus.engine_board import STARTS, Board, TimeLimit, Trouble, Working, pause_s
from primus.engine_call import THREAD_VARIABLES, Item, Outcome, OutOfMemory, Result, call_once
from primus.errors import Rejected, UserError


def in_process(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Outcome[Item, Result]]:
    """Outcomes in this process, where a crash cannot be caught and no time limit holds."""
    loaded, controller = 0, None
    for item in items:
        if controller is None or len(sys.modules) != loaded:  # a library imported meanwhile brings its own threads
            loaded, controller = len(sys.modules), ThreadpoolController()
        with controller.limit(limits=1):
            value, refused = call_once(function, item)
        yield Outcome(item, value, refused)


@dataclass
class _Worker(Working):
    """A child process, and the pipe to it."""

    process: SpawnProcess
    pipe: Connection

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def in_workers(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, timeout_s: TimeLimit
) -> Generator[Outcome[Item, Result], None, None]:
    """Outcomes by processes of this machine; see `primus.engine.map_takes` for the arguments."""
    pool = [_start(function) for _ in range(workers)]
    board = Board()
    try:
        while board.next_due < len(items):
            for worker in pool:
                busy = {other.index for other in pool if other.index is not None}
                _give(worker, items, board.next_index(busy, board.limit(items, workers)) if worker.free else None, timeout_s)
            found = board.due()
            if found is not None:
                yield Outcome(items[board.next_due - 1], *found)
                continue
            active = set(wait([worker.pipe for worker in pool], timeout=pause_s(pool)))
            for number, worker in enumerate(pool):
                trouble = _hear(worker, board) if worker.pipe in active else worker.overdue()
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


def _give(worker: _Worker, items: Sequence[Any], index: int | None, timeout_s: TimeLimit) -> None:
    if index is None:
        return
    worker.begin(index, items[index], timeout_s)
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
        worker.end()
    return None


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
