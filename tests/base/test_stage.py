"""What every stage leaves in its log, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from primus.errors import UserError
from primus.stage import StageLog, stage


def logged(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "logs" / f"{name}.jsonl").read_text().splitlines()]


def test_the_end_of_a_stage_says_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @stage("works")
    def works() -> int:
        subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
        StageLog("works").event("counted", takes=3, rejects={"gap": 1})
        return 5

    assert works() == 5
    start, counted, done = logged(tmp_path, "works")
    assert (start["event"], counted["event"], done["event"]) == ("start", "counted", "done")
    assert counted["rejects"] == {"gap": 1}
    assert done["elapsed_s"] > 0
    assert done["children_cpu_s"] > 0
    assert done["peak_rss_mib"] > 1
    assert done["children_peak_rss_mib"] > 1
    assert {"cpu_s", "read_mib", "written_mib", "unix_s"} <= done.keys()


def test_a_persons_mistake_is_one_line_and_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)

    @stage("fails")
    def fails() -> None:
        raise UserError("x is 3; expected 4")

    with pytest.raises(SystemExit) as ended:
        fails()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: fails: x is 3; expected 4\n"
    assert logged(tmp_path, "fails")[-1]["message"] == "x is 3; expected 4"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    log = StageLog("works", tmp_path / "logs")
    log.event("counted", takes=3)
    assert log.rate(0) == 0.0
    assert log.rate(10) > 0
