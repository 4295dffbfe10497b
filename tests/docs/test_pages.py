"""What the documentation says of the code is in the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from primus.schema import REASONS, SEGMENTS, TAKES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def quotes() -> list[tuple[str, str]]:
    found = re.findall(r'```python title="([^"]+)"\n(.*?)```', (DOCS / "method.md").read_text(), re.DOTALL)
    return [(name, line) for name, block in found for line in block.splitlines() if line.strip()]


def test_the_method_quotes_lines_that_exist() -> None:
    assert len(quotes()) > 10
    for name, line in quotes():
        assert line in (ROOT / name).read_text().splitlines(), f"{name}: {line}"


def test_every_reason_of_the_closed_list_is_explained_and_no_other() -> None:
    table = (DOCS / "errors.md").read_text().split("## Errors that end a run")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(REASONS)


def test_columns_of_written_tables_are_listed() -> None:
    text = (DOCS / "formats.md").read_text()
    for schema in (TAKES, SEGMENTS):
        for name in schema.names:
            assert name in text, name


def test_the_stages_page_is_made_from_the_graph() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / "docs_stages.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *DOCS.rglob("*.md")]))
def test_relative_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
