"""A small untrained encoder, in memory and in a folder, and labelled recordings."""

from pathlib import Path

import pytest

from tests.adapt.activities import labelled_tables
from tests.inference.conftest import encoder, model

__all__ = ["encoder", "model"]


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, two activities each."""
    return labelled_tables(tmp_path_factory.mktemp("labelled"))
