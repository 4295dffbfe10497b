"""A written corpus, as the fixture `tiny` hands it to the tests of the simulator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Corpus:
    """Where a corpus lies and the defects it was given."""

    root: Path
    injected: list[dict[str, Any]]
