"""Shared storage: recordings that cannot be written, a cache elsewhere, derived data through a DVC remote."""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from tests.verify.workshop import Workshop

pytestmark = [pytest.mark.verify, pytest.mark.timeout(1800)]

DERIVED = ("segments", "embeddings", "models", "features", "fewshot", "zeroshot", "retrieval", "robustness", "report")


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_recordings_that_nobody_can_write_and_a_cache_elsewhere(finished: Workshop, tmp_path: Path) -> None:
    """The stage needs no more than reading below the roots, and leaves nothing in the checkout's own cache."""
    raw, copy = tmp_path / "raw", Workshop(tmp_path / "copy", finished.profile)
    shutil.copytree(finished.folder / "data" / finished.profile / "raw", raw)
    shutil.copytree(finished.folder, copy.folder, ignore=shutil.ignore_patterns(".cache", "logs", "raw", ".git", ".dvc", "segments"))
    (copy.folder / "data" / finished.profile / "raw").symlink_to(raw)
    everything = [raw, *raw.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    before = {path: path.stat().st_mtime_ns for path in everything}
    try:
        copy.run(sys.executable, "-m", "stages.segment", PRIMUS_CACHE=str(tmp_path / "elsewhere"))
        assert {path: path.stat().st_mtime_ns for path in [raw, *raw.rglob("*")]} == before
    finally:
        for path in everything:
            path.chmod(path.stat().st_mode | 0o200)
    name = Path("data") / finished.profile / "segments"
    assert digests(copy.folder / name) == digests(finished.folder / name)
    assert list((tmp_path / "elsewhere").rglob("*.entry"))
    assert not (copy.folder / ".cache").exists()


def test_derived_data_go_through_a_remote(finished: Workshop, tmp_path: Path) -> None:
    """Pushed from one clone and pulled into another, where nothing is left to run."""
    remote = tmp_path / "remote"
    _remote(finished, remote)
    finished.dvc("push", "-r", "store")
    pushed = sum(path.stat().st_size for path in remote.rglob("*") if path.is_file())
    clone = Workshop(tmp_path / "clone", finished.profile)
    finished.run("git", "clone", "-q", ".", str(clone.folder))
    _remote(clone, remote)
    clone.dvc("pull", "-r", "store", *_main_stages(clone))
    mine, theirs = (workshop.folder / "data" / finished.profile for workshop in (finished, clone))
    assert {name: digests(mine / name) for name in DERIVED} == {name: digests(theirs / name) for name in DERIVED}
    assert "Running stage" not in clone.dvc("repro").stdout
    derived = sum(path.stat().st_size for name in DERIVED for path in (mine / name).rglob("*") if path.is_file())
    whole = sum(path.stat().st_size for path in mine.rglob("*") if path.is_file())
    print(f"pushed {pushed / 1e6:.1f} MB; {derived / 1e6:.1f} MB are derived, {whole / 1e6:.1f} MB with the simulated recordings")
    assert pushed < 1.1 * whole + 1e6


def _remote(workshop: Workshop, folder: Path) -> None:
    """Make `folder` the remote `store` of this clone alone."""
    workshop.dvc("remote", "add", "--local", "-f", "store", str(folder))


def _main_stages(workshop: Workshop) -> list[str]:
    """Stages of dvc.yaml: those below data/roots have nothing to pull."""
    return [line.split()[0] for line in workshop.dvc("stage", "list").stdout.splitlines()]
