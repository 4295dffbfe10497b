"""What a Ray worker answers and what becomes of it, on a cluster that lives in this process (`tests/verify/test_ray.py` has a real one)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from primus import engine_ray
from primus.engine import map_takes
from primus.engine_call import Needs
from primus.engine_ray import Caller
from primus.errors import Rejected, UserError

Answer = tuple[Any, str, tuple[Any, ...]]


class SmallCluster:
    """Of Ray what the engine uses. Calls are done when they are waited for, the oldest last, so that a call that waits sees what is under way."""

    exceptions = SimpleNamespace(RayActorError=type("RayActorError", (Exception,), {}), RayError=type("RayError", (Exception,), {}))

    def __init__(self) -> None:
        self.under_way: list[Any] = []
        self.killed = 0

    def is_initialized(self) -> bool:
        return True

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **options: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=lambda *arguments: self._actor(kind(*arguments)))

    def _actor(self, worker: Caller) -> Any:
        return SimpleNamespace(
            ready=SimpleNamespace(remote=lambda: (worker.ready,)), call=SimpleNamespace(remote=lambda item: self._begun(worker.call, item))
        )

    def _begun(self, *call: Any) -> Any:
        self.under_way.append(call)
        return call

    def wait(self, answers: list[Any], **options: Any) -> tuple[list[Any], list[Any]]:
        return answers[-1:], answers[:-1]

    def get(self, answer: Any) -> Any:
        told = answer[0](*answer[1:])
        if answer in self.under_way:
            self.under_way.remove(answer)
        return told

    def kill(self, actor: Any) -> None:
        self.killed += 1


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> SmallCluster:
    running = SmallCluster()
    monkeypatch.setenv("PRIMUS_ENGINE", "ray")
    monkeypatch.setattr(engine_ray, "_imported", lambda: running)
    return running


def test_a_worker_tells_lack_of_memory_from_a_refusal(tmp_path: Path) -> None:
    def act(item: str) -> str:
        if item == "memory":
            raise MemoryError("no room")
        if item == "refused":
            raise Rejected("gap", "as asked")
        if item == "mistake":
            raise UserError("yours")
        return item

    worker = Caller(act, str(Path.cwd()))
    assert worker.call("a") == ("done", "a", None)
    assert worker.call("refused") == ("done", None, ("gap", "as asked"))
    assert worker.call("mistake") == ("mistake", "yours", None)
    kind, value, refused = worker.call("memory")
    assert (kind, value) == ("memory", None)
    assert refused is not None
    assert refused[0] == "reader_crashed"


@pytest.mark.parametrize("workers", [1, 3])
def test_what_lacked_memory_is_done_again_while_no_other_is(cluster: SmallCluster, workers: int, caplog: pytest.LogCaptureFixture) -> None:
    tried: list[tuple[str, int]] = []

    def act(item: str) -> str:
        tried.append((item, len(cluster.under_way)))
        times = [name for name, _ in tried].count(item)
        if item == "never" or (item.startswith("once") and times == 1):
            raise MemoryError("no room")
        return item

    outcomes = list(map_takes(act, ["a", "once-b", "c", "never", "once-d", "e"], workers, needs=Needs()))
    assert [outcome.value for outcome in outcomes] == ["a", "once-b", "c", None, "once-d", "e"]
    refused = outcomes[3].refused
    assert refused is not None
    assert refused.reason == "reader_crashed"
    assert refused.detail.endswith("also by itself")
    for item in ("once-b", "never", "once-d"):
        assert [others for name, others in tried if name == item][1:] == [1], "the second time it is the only one under way"
    assert len([record for record in caplog.records if "done once more by itself" in record.getMessage()]) == 3
    assert cluster.killed == 4 + workers, "what lacked memory has a fresh process, and all end"
