"""The tiny corpus, written once for all tests of the simulator."""

import pytest

from primus.simulate.corpus import TINY, write_corpus
from tests.simulate.tiny_corpus import Corpus


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The tiny corpus; tests read it and must not change it."""
    root = tmp_path_factory.mktemp("tiny") / "raw"
    return Corpus(root, write_corpus(root, TINY))
