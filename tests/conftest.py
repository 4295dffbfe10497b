"""Fixtures every test may use: real recordings where they lie beside the checkout, and one thread per process."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

import stages  # before NumPy: a process of tests computes with the kernels of its workers and of the stages

assert stages

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("PRIMUS_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout the tests run from."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real recordings and golden values; tests that need it are skipped where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real recordings and golden values are not beside this checkout ({SHARED.name}/data); set PRIMUS_SHARED to their folder")
    return SHARED


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the project's own work cache."""
    monkeypatch.setenv("PRIMUS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _readers_that_speak() -> Iterator[None]:
    """A command that sums up what readers guessed silences them for its process; tests share one."""
    loggers = [logging.getLogger(f"primus.io.{name}") for name in ("table_file", "table")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
