"""The engine on a real Ray cluster of two nodes: the local engine's answers, also when workers are killed."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from primus.engine import map_takes
from primus.engine_call import Needs, Outcome
from primus.errors import UserError
from tests.segments.engine_functions import act
from tests.verify.workshop import ROOT, Workshop

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = [pytest.mark.verify, pytest.mark.timeout(1800)]


def _node(**settings: Any) -> dict[str, Any]:
    """One CPU, ports of its own, and no more processes than it needs: a busy machine starts them slowly."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    sockets = [socket.socket() for _ in names]
    for bound in sockets:
        bound.bind(("127.0.0.1", 0))
    ports = {name: bound.getsockname()[1] for name, bound in zip(names, sockets, strict=True)}
    for bound in sockets:
        bound.close()
    return {"num_cpus": 1, "object_store_memory": 100_000_000, "include_log_monitor": False, "no_monitor": True, **ports, **settings}


def _started() -> Any:
    from ray.cluster_utils import Cluster

    for attempt in range(3):
        cluster = Cluster()
        try:
            cluster.add_node(**_node(include_dashboard=False))
            cluster.add_node(**_node())
            return cluster
        except Exception:
            cluster.shutdown()
            if attempt == 2:
                raise
    return None


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a running cluster of two nodes with one CPU each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    running = _started()
    try:
        yield running.address
    finally:
        ray.shutdown()
        running.shutdown()


@pytest.fixture
def on_ray(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUS_ENGINE", "ray")
    monkeypatch.setenv("RAY_ADDRESS", cluster)


def told(outcomes: list[Outcome[str, object]]) -> list[tuple[object, str | None]]:
    return [(outcome.value, outcome.refused.reason if outcome.refused else None) for outcome in outcomes]


@pytest.mark.usefixtures("on_ray")
def test_results_come_in_order_and_a_dead_worker_costs_a_retry_then_its_take(tmp_path: Path) -> None:
    once = f"once:{tmp_path / 'died'}"
    items = ["slow:a", "ok:b", "reject", once, "bug", "hang", "kill", "threads", "where", "ok:c"]
    outcomes = list(map_takes(act, items, 2, timeout_s=lambda item: 3.0 if item == "hang" else 120.0, needs=Needs()))
    assert [outcome.item for outcome in outcomes] == items
    cache = os.environ["PRIMUS_CACHE"]
    assert told(outcomes) == [
        ("a", None), ("b", None), (None, "gap"), (str(tmp_path / "died"), None), (None, "reader_crashed"), (None, "reader_crashed"),
        (None, "reader_crashed"), (1, None), (f"{ROOT / 'primus' / '__init__.py'} {Path.cwd()} {cache}", None), ("c", None),
    ]  # fmt: skip
    bug, hang, kill = (outcome.refused.detail for outcome in outcomes[4:7] if outcome.refused)
    assert bug.startswith("ValueError: a bug over two lines (engine_functions.py:")
    assert "time limit of 3 s" in hang
    assert "died 3 times" in kill


@pytest.mark.usefixtures("on_ray")
def test_a_persons_mistake_ends_the_run_and_its_workers() -> None:
    with pytest.raises(UserError, match="the person's mistake"):
        list(map_takes(act, ["ok:a", "mistake", "slow:b"], 2, needs=Needs()))
    deadline = time.monotonic() + 30
    while _callers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _callers()


@pytest.mark.usefixtures("on_ray")
def test_work_that_stays_here_never_meets_the_cluster() -> None:
    assert told(list(map_takes(act, ["where"], 1))) == [(f"{ROOT / 'primus' / '__init__.py'} {Path.cwd()} {os.environ['PRIMUS_CACHE']}", None)]


def _callers(busy: bool = False) -> list[int]:
    """Processes of Ray that are our workers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if title.startswith("ray::Caller.call" if busy else "ray::Caller"):
            found.append(int(folder.name))
    return found


def _bytes(workshop: Workshop) -> dict[str, str]:
    root = workshop.folder / "data" / workshop.profile
    files = [*sorted((root / "segments").iterdir()), root / "embeddings" / "video.h5"]
    files += [workshop.folder / "metrics" / name for name in ("segment.json", "embed_video.json")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_stages_write_the_same_bytes_also_when_a_worker_is_killed(cluster: str, finished: Workshop, tmp_path: Path) -> None:
    """The stages on two workers, one of them killed while it segments a take."""
    copy = Workshop(tmp_path / "copy", finished.profile)
    shutil.copytree(finished.folder, copy.folder, symlinks=True, ignore=shutil.ignore_patterns(".cache", "logs"))
    for name in ("segments", "embeddings/video.h5"):
        path = copy.folder / "data" / copy.profile / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    environment = copy.environment(PRIMUS_ENGINE="ray", RAY_ADDRESS=cluster, PRIMUS_CACHE=str(tmp_path / "cache"))
    command = [sys.executable, "-m", "stages.segment"]
    stage = subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    killed = 0
    while stage.poll() is None and not killed:
        for pid in _callers(busy=True):
            os.kill(pid, signal.SIGKILL)
            killed += 1
            break
        time.sleep(0.005)
    said, _ = stage.communicate()
    assert stage.returncode == 0, said
    assert killed == 1
    done = subprocess.run([sys.executable, "-m", "stages.embed_video"], cwd=copy.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert _bytes(copy) == _bytes(finished)
    assert '"engine": "ray"' in (copy.folder / "logs" / "segment.jsonl").read_text()


def test_switching_the_engine_reruns_nothing(finished: Workshop) -> None:
    """Of the graph itself: the roots of other profiles' recordings, in files of their own, are looked at anew by every run."""
    said = finished.dvc("status", "dvc.yaml", PRIMUS_ENGINE="ray").stdout
    assert said == finished.dvc("status", "dvc.yaml").stdout
    assert "up to date" in said
