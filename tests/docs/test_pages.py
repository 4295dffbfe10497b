"""What the documentation says of the code is in the code."""

import re
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
import yaml

from primus.reasons import EXPLANATIONS
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
    assert tuple(EXPLANATIONS) == REASONS
    for reason, told in EXPLANATIONS.items():
        assert told.meaning, reason
        assert told.remedy, reason
        assert not {"|", "\n"} & {*told.meaning, *told.remedy}, f"{reason}: a table's cell cannot hold it"
        assert "`" not in told.meaning, f"{reason}: the meaning is shown as plain text, too"


def test_parameters_that_remedies_name_exist() -> None:
    segment = yaml.safe_load((ROOT / "params.yaml").read_text())["segment"]
    named = [name for told in EXPLANATIONS.values() for name in re.findall(r"`segment\.([\w.]+)`", told.remedy)]
    assert len(named) >= 10
    for name in named:
        *sections, key = name.split(".")
        assert key in reduce(lambda found, section: found[section], sections, segment), name


def test_columns_of_written_tables_are_listed() -> None:
    text = (DOCS / "formats.md").read_text()
    for schema in (TAKES, SEGMENTS):
        for name in schema.names:
            assert name in text, name


@pytest.mark.parametrize("generator", ["docs_stages.py", "docs_errors.py"])
def test_pages_are_what_they_are_made_from(generator: str) -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / generator], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *DOCS.rglob("*.md")]))
def test_relative_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
