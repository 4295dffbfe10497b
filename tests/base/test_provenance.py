"""Digests asked for from several threads at once."""

import ast
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from primus import provenance


def test_sources_are_parsed_one_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CPython 3.11 raises SystemError now and then where two threads parse at once; here the overlap itself is what is looked for."""
    source = tmp_path / "module.py"
    source.write_text("import primus.errors\n")
    parse, running, most = ast.parse, [], []

    def watched(text: str, *args: Any, **kwargs: Any) -> ast.AST:
        running.append(text)
        most.append(len(running))
        time.sleep(0.01)
        tree = parse(text, *args, **kwargs)
        running.pop()
        return tree

    monkeypatch.setattr(provenance.ast, "parse", watched)
    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(lambda _: provenance._imported(source, "primus", "primus", False), range(16)))
    assert max(most) == 1
    assert found == [{"primus", "primus.errors"}] * 16
