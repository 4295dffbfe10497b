"""The engine: order, refusals, crashes, time limits, and no orphans."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from primus.engine import map_takes
from primus.engine_call import Needs, Outcome
from primus.errors import Rejected, UserError
from tests.segments.engine_functions import act

ROOT = str(Path(__file__).resolve().parent.parent)


@pytest.fixture(autouse=True)
def _importable_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")]))


def told(outcomes: list[Outcome[str, object]]) -> list[tuple[object, str | None]]:
    return [(outcome.value, outcome.refused.reason if outcome.refused else None) for outcome in outcomes]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_come_in_order_and_refusals_cost_their_item(workers: int) -> None:
    items = ["slow:a", "ok:b", "reject", "ok:c", "bug", "slow:d", "ok:e"]
    outcomes = list(map_takes(act, items, workers))
    assert [outcome.item for outcome in outcomes] == items
    assert told(outcomes) == [("a", None), ("b", None), (None, "gap"), ("c", None), (None, "reader_crashed"), ("d", None), ("e", None)]
    bug = outcomes[4].refused
    assert bug is not None
    assert bug.detail.startswith("ValueError: a bug over two lines (engine_functions.py:")


def test_a_dead_worker_costs_its_item_and_is_replaced() -> None:
    outcomes = list(map_takes(act, ["ok:a", "segfault", "exit", "ok:b", "segfault", "ok:c"], 2))
    assert told(outcomes) == [
        ("a", None), (None, "reader_crashed"), (None, "reader_crashed"), ("b", None), (None, "reader_crashed"), ("c", None),
    ]  # fmt: skip
    details = [outcome.refused.detail for outcome in outcomes if outcome.refused]
    assert "SIGSEGV" in details[0]
    assert "exit code 3" in details[1]


@pytest.mark.parametrize("items", [["segfault"], ["segfault", "ok:a"]])
def test_a_single_worker_protects_the_run_too(items: list[str]) -> None:
    outcomes = list(map_takes(act, items, 1))
    assert told(outcomes) == [(None, "reader_crashed"), ("a", None)][: len(items)]


def test_a_worker_without_memory_costs_its_item() -> None:
    outcomes = list(map_takes(act, ["kill", "ok:a", "memory", "ok:b"], 2))
    assert told(outcomes) == [(None, "reader_crashed"), ("a", None), (None, "reader_crashed"), ("b", None)]
    killed, refused = (outcome.refused.detail for outcome in outcomes if outcome.refused)
    assert "SIGKILL (out of memory?), also by itself" in killed
    assert "MemoryError" in refused
    assert refused.endswith("also by itself")


class FailsTogether:
    """Its process is killed, or finds no memory, as long as another call is under way, as where two takes do not fit together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: str) -> str:
        mine = self.folder / item
        word, _, name = item.partition("-")
        if word == "ok":
            mine.write_text("")
            time.sleep(0.5)
            mine.unlink()
        elif any(self.folder.glob("ok-*")) or not mine.exists():
            mine.write_text("")
            if word == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise MemoryError("no room")
        return name


@pytest.mark.parametrize("workers", [1, 2])
def test_what_lacked_memory_is_done_again_alone_and_said(workers: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcomes = list(map_takes(FailsTogether(tmp_path), ["ok-a", "killed-b", "ok-c", "memory-d", "ok-e"], workers))
    assert told(outcomes) == [(name, None) for name in "abcde"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "item 2 of the work: its process was ended by SIGKILL (out of memory?); it is done once more by itself" in said
    assert any("item 4" in line and "MemoryError: no room" in line for line in said)


class ReaderWithoutMemory:
    """Takes the lack of memory for a damaged file, as readers do: always ("file-..."), or the first time only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: str) -> str:
        mark = self.folder / item
        if item.startswith("file-") or not mark.exists():
            mark.write_text("")
            try:
                raise OSError(errno.ENOMEM, "Cannot allocate memory")
            except OSError as error:
                raise Rejected("unreadable_imu", f"{item} cannot be read") from error
        return item


def test_a_reader_that_lacked_memory_reads_again_and_keeps_its_reason(tmp_path: Path) -> None:
    outcomes = list(map_takes(ReaderWithoutMemory(tmp_path), ["a", "file-b", "c"], 2))
    assert told(outcomes) == [("a", None), (None, "unreadable_imu"), ("c", None)]
    assert outcomes[1].refused is not None
    assert outcomes[1].refused.detail == "file-b cannot be read, also by itself"


def test_the_time_limit_may_depend_on_the_item() -> None:
    outcomes = list(map_takes(act, ["hang", "slow:a"], 2, timeout_s=lambda item: 2.0 if item == "hang" else 60.0))
    assert told(outcomes) == [(None, "reader_crashed"), ("a", None)]


def test_a_hanging_call_is_ended_at_its_time_limit() -> None:
    started = time.monotonic()
    outcomes = list(map_takes(act, ["hang", "ok:a", "ok:b"], 2, timeout_s=3.0))
    assert told(outcomes) == [(None, "reader_crashed"), ("a", None), ("b", None)]
    assert outcomes[0].refused is not None
    assert "time limit of 3 s" in outcomes[0].refused.detail
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("workers", [0, 2])
def test_a_persons_mistake_ends_the_run(workers: int) -> None:
    with pytest.raises(UserError, match="the person's mistake"):
        list(map_takes(act, ["ok:a", "mistake", "ok:b"], workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_numeric_libraries_run_on_one_thread(workers: int) -> None:
    assert told(list(map_takes(act, ["threads", "threads"], workers))) == [(1, None), (1, None)]


def test_no_items_start_no_worker() -> None:
    assert list(map_takes(act, [], 8)) == []


class EndsItsWorker:
    """Unpickling it ends the process, as a broken import would."""

    def __call__(self, item: str) -> str:
        return item

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)


def test_a_worker_that_cannot_start_is_an_error_not_a_loop() -> None:
    with pytest.raises(RuntimeError, match="could not start: its process ended with exit code 7"):
        list(map_takes(EndsItsWorker(), ["a", "b"], 2))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_worker_outlives_its_parent(tmp_path: Path, end: signal.Signals) -> None:
    code = (
        "import signal, sys\n"
        "from primus.engine import map_takes\n"
        "from tests.segments.engine_functions import act\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a test run in the background inherits that it is ignored
        "    list(map_takes(act, ['pid:' + name for name in sys.argv[1:]], 2))\n"
    )
    notes = [tmp_path / "a", tmp_path / "b"]
    parent = subprocess.Popen([sys.executable, "-c", code, *map(str, notes)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not all(note.exists() and note.read_text() for note in notes) and time.monotonic() < deadline:
            time.sleep(0.05)
        pids = [int(note.read_text()) for note in notes]
        parent.send_signal(end)
        parent.wait(timeout=20)
    finally:
        parent.kill()
    deadline = time.monotonic() + 20
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, pids))


def test_the_engine_is_chosen_by_the_environment_for_work_that_may_leave_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUS_ENGINE", "spark")
    with pytest.raises(UserError, match="PRIMUS_ENGINE is 'spark'; expected local or ray"):
        list(map_takes(act, ["ok:a"], 1, needs=Needs()))
    assert told(list(map_takes(act, ["ok:a"], 0, needs=Needs()))) == [("a", None)]
    assert told(list(map_takes(act, ["ok:a"], 1))) == [("a", None)]


def test_ray_that_is_not_installed_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUS_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"Ray is not installed; pip install 'primus-imu\[ray\]'"):
        list(map_takes(act, ["ok:a"], 1, needs=Needs()))
