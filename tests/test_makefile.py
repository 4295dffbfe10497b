"""What `make clean` leaves of a checkout: everything that git tracks."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
def test_clean_removes_what_runs_leave_and_nothing_that_is_tracked(tmp_path: Path) -> None:
    clone = tmp_path / "clone"

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=clone if clone.exists() else tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), "clone")
    shutil.copy(ROOT / "Makefile", clone / "Makefile")
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "-am", "this Makefile")
    for left in ("data/demo/segments/imu.h5", "logs/segment.jsonl", ".cache/work/x"):
        (clone / left).parent.mkdir(parents=True)
        (clone / left).touch()
    run("make", "clean")
    assert run("git", "status", "--short") == ""
    assert not [name for name in ("data/demo", "logs", ".cache") if (clone / name).exists()]
