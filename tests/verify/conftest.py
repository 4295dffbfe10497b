"""The long proofs: `make verify` on the demo corpus, `make verify-tiny` those that mean something on the tiny one, CI the `quick` ones of these."""

import os
import time
from pathlib import Path

import pytest

from tests.verify.workshop import Workshop


@pytest.fixture(scope="session")
def profile() -> str:
    return os.environ.get("PRIMUS_VERIFY", "tiny")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, profile: str) -> Workshop:
    """A copy in which `dvc repro` has run undisturbed."""
    workshop = Workshop.make(tmp_path_factory.mktemp("undisturbed"), profile)
    started = time.monotonic()
    workshop.dvc("repro")
    workshop.seconds = time.monotonic() - started  # type: ignore[attr-defined]
    workshop.run("git", "add", "-A")  # experiments start from a commit that knows the finished stages (dvc.lock)
    workshop.run("git", "commit", "-q", "-m", "reference")
    return workshop


@pytest.fixture
def copy(tmp_path: Path, profile: str) -> Workshop:
    return Workshop.make(tmp_path, profile)
