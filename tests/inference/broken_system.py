"""A system at fault: a file that is well, and cannot be opened."""

from pathlib import Path
from typing import Any

import pytest


def fail_to_open(monkeypatch: pytest.MonkeyPatch, name: str, fault: Exception) -> None:
    """Have every attempt to open a file of this name raise the fault."""
    opened = Path.open

    def fails(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == name:
            raise fault
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", fails)
