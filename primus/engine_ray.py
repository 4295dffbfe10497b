"""The engine's calls on a Ray cluster: the same functions on the same items, so the same bytes, in the same order.

A worker is a Ray actor on any node with the CPUs and GPUs a call needs. It keeps the function and what that has loaded (an encoder), does one take
at a time and is replaced when it dies. Workers are used as the cluster starts them, so that a cluster may be smaller than what was asked for, and may
grow. Every node needs the checkout, its environment and the data under the paths they have here (shared storage); docs/scale.md says how to launch.
"""

import contextlib
import os
import site
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from primus.engine_board import STARTS, Board, TimeLimit, Trouble, Working, pause_s
from primus.engine_call import THREAD_VARIABLES, Needs, Outcome, OutOfMemory, call_once
from primus.errors import Rejected, UserError

RETRIES = 2
"""Times that a take is given to another worker when its own died: nodes of a cluster are taken away, which is no fault of the take."""
_SAID_EVERY_S = 30.0
_PASSED = ("DVC_ROOT", "CLIP_WEIGHTS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
_STORE_BYTES = 512 * 2**20


class Caller:
    """What runs in a worker: the function, called for one item at a time."""

    def __init__(self, function: Callable[[Any], Any], folder: str) -> None:
        try:
            os.chdir(folder)
        except OSError as error:
            place = f"{os.uname().nodename} cannot enter {folder} ({error.strerror})"
            raise RuntimeError(f"{place}; the checkout must lie on storage that all nodes share") from None
        self.function = function

    def ready(self) -> None:
        """Return once the function has arrived."""

    def call(self, item: Any) -> tuple[str, Any, tuple[str, str] | None]:
        """("done", value, refusal), ("memory", None, refusal) where there was not enough of it, or ("mistake", message, None)."""
        try:
            value, refused = call_once(self.function, item)
        except UserError as mistake:
            return "mistake", str(mistake), None
        told = (refused.reason, refused.detail) if refused else None
        return "memory" if isinstance(refused, OutOfMemory) else "done", value, told


@dataclass
class _Worker(Working):
    """An actor, and the answer that is awaited from it."""

    actor: Any
    answer: Any


@dataclass
class _Board(Board):
    """The engine's, with takes to be tried `again` because their worker died, and how often each lost one."""

    again: list[int] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)

    def next_index(self, busy: set[int], limit: int) -> int | None:
        """The next take to hand out, those that lost their worker first; None to wait."""
        if self.again and not busy & self.alone:
            return self.again.pop(0)
        return super().next_index(busy, limit)

    def lost(self, index: int) -> None:
        """Have a take done again whose worker died; one that is to be alone still is."""
        (self.waiting if index in self.alone else self.again).append(index)


def map_on_ray(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int,
    timeout_s: TimeLimit,
    needs: Needs,
) -> Generator[Outcome[Any, Any], None, None]:
    """Yield the outcome of `function` for each item, in the items' order; see `primus.engine.map_takes` for the arguments.

    A take whose worker dies is given to another one up to `RETRIES` times, then refused as `reader_crashed`; one that exceeds its time limit is
    refused at once. What lacked memory is done once more while no other take is, as by the local engine. At most `AHEAD` takes per worker are begun
    beyond the one that is due, so that neither this process nor Ray's store fills up.

    Raises:
        UserError: the function raised it, Ray is not installed, or `RAY_ADDRESS` cannot be reached.
        RuntimeError: workers could not start.
    """
    ray = _imported()
    with _cluster(ray, workers, needs):
        pool = _Pool(ray, function, needs, workers)
        board = _Board()
        try:
            while board.next_due < len(items):
                pool.give(items, board, limit=board.limit(items, workers), timeout_s=timeout_s)
                found = board.due()
                if found is not None:
                    yield Outcome(items[board.next_due - 1], *found)
                else:
                    pool.wait(board)
        finally:
            pool.stop()


class _Pool:
    """The workers of one run."""

    def __init__(self, ray: Any, function: Callable[[Any], Any], needs: Needs, workers: int) -> None:
        self.ray, self.needs = ray, needs
        self.function = ray.put(function)
        options = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "runtime_env": {"env_vars": _environment()}, "max_restarts": 0}
        self.kind = ray.remote(**options)(Caller)
        self.failed_starts = 0
        self.said = time.monotonic()
        self.members = [self._start() for _ in range(workers)]

    def _start(self) -> _Worker:
        actor = self.kind.remote(self.function, os.getcwd())
        return _Worker(actor, actor.ready.remote())

    def stop(self) -> None:
        """End every worker, whatever it is doing."""
        for member in self.members:
            self.ray.kill(member.actor)

    def give(self, items: Sequence[Any], board: _Board, limit: int, timeout_s: TimeLimit) -> None:
        """A take for every worker that has none."""
        for worker in self.members:
            if worker.free:
                index = board.next_index({other.index for other in self.members if other.index is not None}, limit)
                if index is None:
                    return
                worker.begin(index, items[index], timeout_s)
                worker.answer = worker.actor.call.remote(items[index])

    def wait(self, board: _Board) -> None:
        """Wait for an answer or a time limit, and act on it."""
        awaited = {worker.answer: number for number, worker in enumerate(self.members) if worker.answer is not None}
        limit = pause_s(self.members)
        pause = _SAID_EVERY_S if limit is None else min(_SAID_EVERY_S, limit)
        answered, _ = self.ray.wait(list(awaited), num_returns=1, timeout=pause, fetch_local=True)
        for answer in answered:
            self._hear(awaited[answer], board)
        for number, worker in enumerate(self.members):
            trouble = worker.overdue()
            if trouble is not None and worker.index is not None:
                board.failed(worker.index, trouble)
                self._replace(number)
        if not any(worker.ready for worker in self.members) and time.monotonic() - self.said >= _SAID_EVERY_S:
            self.said = time.monotonic()
            has = {name: amount for name, amount in self.ray.available_resources().items() if name in ("CPU", "GPU")}
            wanted = f"{self.needs.cpus:g} CPU and {self.needs.gpus:g} GPU each"
            print(f"waiting for the Ray cluster to start a worker ({wanted}; free now: {has or 'nothing'})", file=sys.stderr, flush=True)

    def _hear(self, number: int, board: _Board) -> None:
        worker = self.members[number]
        index, answer = worker.index, worker.answer
        try:
            told = self.ray.get(answer)
        except self.ray.exceptions.RayActorError as error:
            self._lost(number, board, _short(error))
            return
        except self.ray.exceptions.RayError as error:  # the answer itself: it could not be packed, or was lost with its node
            if index is None:
                self._lost(number, board, _short(error))
                return
            told = ("done", None, ("reader_crashed", _short(error)))
        worker.answer = None
        if index is None:
            worker.ready, self.failed_starts = True, 0
            return
        kind, value, refused = told
        if kind == "mistake":
            raise UserError(value)
        if kind == "memory":
            board.failed(index, Trouble(refused[1], memory=True, reason=refused[0]))
            self._replace(number)
            return
        board.finished[index] = (value, Rejected(*refused) if refused else None)
        worker.end()

    def _lost(self, number: int, board: _Board, why: str) -> None:
        index = self.members[number].index
        if index is None:
            self.failed_starts += 1
            if self.failed_starts >= STARTS:
                raise RuntimeError(f"{STARTS} Ray workers could not start one after the other; the last: {why}")
        else:
            board.deaths[index] = board.deaths.get(index, 0) + 1
            if board.deaths[index] > RETRIES:
                board.finished[index] = (None, Rejected("reader_crashed", f"its worker died {board.deaths[index]} times; the last time: {why}"))
            else:
                board.lost(index)
        self._replace(number)

    def _replace(self, number: int) -> None:
        self.ray.kill(self.members[number].actor)
        self.members[number] = self._start()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _environment() -> dict[str, str]:
    """What a worker's process finds in its environment: this code before any that is installed, one thread, and where caches and weights are."""
    installed = tuple({sys.prefix, sys.base_prefix, *site.getsitepackages()})
    code = dict.fromkeys([os.getcwd(), *(path for path in sys.path if path and not path.startswith(installed))])
    mine = {name: value for name, value in os.environ.items() if name in _PASSED or (name.startswith("PRIMUS_") and name != "PRIMUS_ENGINE")}
    return mine | dict.fromkeys(THREAD_VARIABLES, "1") | {"PYTHONPATH": os.pathsep.join(code)}


def _imported() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UserError("PRIMUS_ENGINE is ray, but Ray is not installed; pip install 'primus-imu[ray]', or unset PRIMUS_ENGINE") from None
    return ray


@contextlib.contextmanager
def _cluster(ray: Any, workers: int, needs: Needs) -> Iterator[None]:
    """Connect to the cluster at `RAY_ADDRESS`; without one, run one on this machine for as long as it is needed."""
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    here = {"num_cpus": max(1, round(workers * needs.cpus)), "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(address=address or "local", **quiet, **({} if address else here))
    except Exception as error:  # Ray raises plain Exception, ConnectionError, RuntimeError and ValueError here
        ray.shutdown()
        remedy = f"check RAY_ADDRESS={address}" if address else "rerun (a busy machine may be too slow), or name a running cluster in RAY_ADDRESS"
        raise UserError(f"Ray did not start: {_short(error)}; {remedy}, or unset PRIMUS_ENGINE") from None
    try:
        yield
    finally:
        ray.shutdown()
