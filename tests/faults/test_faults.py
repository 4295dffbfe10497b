"""Faults in CI: some of every kind on the stages of the tiny profile; and a harness that sees what it is there to see.

`make faults` injects 180, and twenty more through DVC.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults import bench as bench_module
from tests.faults.bench import ROOT, Bench, Stage, members
from tests.faults.kinds import MOUNT, complaints, inject
from tests.faults.watch import Watch

FAULTS = 20
SOUND = {
    "table.parquet": lambda path: _frame().to_parquet(path),
    "counts.json": lambda path: path.write_text('{"takes": 3}\n'),
    "rows.csv": lambda path: path.write_text("a,b\n1,2\n3,4\n"),
    "arrays.h5": lambda path: _keyed(path),
    "model.safetensors": lambda path: _weights(path),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """In a process of its own: it forks, and mounts where it may."""
    path = tmp_path_factory.mktemp("faults") / "faults.json"
    command = [sys.executable, "-m", "tests.faults.run", "--faults", str(FAULTS), "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert path.exists(), done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.timeout(900)
def test_every_fault_is_survived(report: dict[str, Any]) -> None:
    assert report["findings"] == []
    assert report["total"]["injected"] == report["total"]["survived"] >= FAULTS
    assert len(report["kinds"]) >= 12
    assert len(report["stages"]) >= 8
    assert set(report["left_out"]) <= set(MOUNT)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", MOUNT)
def test_a_full_or_read_only_file_system_is_survived(report: dict[str, Any], kind: str) -> None:
    if kind in report["left_out"]:
        pytest.skip("this user may not mount a file system of its own")
    assert report["kinds"][kind]["survived"] == report["kinds"][kind]["injected"] > 0


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_module, "_own_mounts", lambda: False)
        patch.setattr(bench_module, "LIMIT_S", 10.0)
        with Bench(tmp_path_factory.mktemp("careless") / "bench", [], grace_s=0.5) as found:
            yield found


def stage(deed: str) -> Stage:
    return Stage("careless", "tests.faults.careless", (deed,), ("data/careless.json",), ())


@pytest.mark.parametrize(
    ("deed", "complaint"),
    [
        ("nothing", ""),
        ("a refusal", ""),
        ("a death", ""),
        ("half a file", "half written: "),
        ("an orphan", "processes left: "),
        ("a traceback", "a traceback: "),
        ("no message", "no message: "),
        ("no end", "no end within 10 s"),
    ],
)
def test_what_no_stage_may_do_is_seen(careless: Bench, deed: str, complaint: str) -> None:
    run = careless.run(stage(deed))
    found = complaints(run)
    assert found.startswith(complaint) if complaint else found == ""
    assert (run.code == 0) == (deed in ("nothing", "half a file", "an orphan"))
    for process in run.left:
        assert process not in members(process), "it was ended"


@pytest.mark.parametrize(("deed", "complaint"), [("nothing", ""), ("other bytes", "1 files differ, first data/careless.json")])
def test_other_bytes_are_seen(careless: Bench, deed: str, complaint: str) -> None:
    careless.stages = [stage(deed)]
    careless.prepare()
    verdict = inject(careless, "clock", careless.stages[0], np.random.default_rng(0))
    assert (verdict.hit, verdict.wrong) == (True, complaint)


def _frame() -> Any:
    import pandas as pd

    return pd.DataFrame({"take_uid": [f"take {number}" for number in range(500)], "start_s": np.arange(500.0)})


def _keyed(path: Path) -> None:
    from primus.keyed_arrays import write_keyed

    write_keyed(path, [f"{number:04}" for number in range(500)], {"imu": np.ones((500, 6), np.float32)})


def _weights(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.ones((50, 50), np.float32)}, path)


@pytest.mark.parametrize("name", SOUND)
def test_half_a_file_of_any_kind_is_seen(name: str, tmp_path: Path) -> None:
    watch, path = Watch([tmp_path]), tmp_path / "out" / name
    path.parent.mkdir()
    SOUND[name](path)
    watch.look()
    assert watch.torn == []
    whole = path.read_bytes()
    (path.parent / f".{name}.tmp").write_bytes(whole[: len(whole) // 2])
    watch.look()
    assert watch.torn == [], "work in progress is nobody's to read"
    path.write_bytes(whole[: len(whole) // 2])
    watch.look()
    assert len(watch.torn) == 1
    assert watch.torn[0].startswith(str(path))
