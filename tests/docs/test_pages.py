"""What the documentation says of the code is in the code."""

import re
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
import yaml

from primus.adapt.prediction import prediction_schema
from primus.evaluation.metrics import METRICS
from primus.evaluation.retrieval_run import RANK_COLUMNS
from primus.evaluation.robustness_results import COLUMNS
from primus.evaluation.tables import FIT
from primus.evaluation.zeroshot_run import COLUMNS as SCORE_COLUMNS
from primus.evaluation.zeroshot_run import PREDICTION_COLUMNS, WORDING_COLUMNS
from primus.inference.partial_file import REJECT_COLUMNS
from primus.reasons import EXPLANATIONS
from primus.schema import REASONS, REJECTS, SEGMENTS, SPLITS, TAKES

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
    tables = [schema.names for schema in (TAKES, SEGMENTS, REJECTS, SPLITS, prediction_schema(("walk",), {}))]
    tables += [FIT, COLUMNS, SCORE_COLUMNS, WORDING_COLUMNS, PREDICTION_COLUMNS, RANK_COLUMNS, REJECT_COLUMNS]
    for name in {name for names in tables for name in names if name not in METRICS} - {"probability_walk"}:
        assert re.search(rf"\b{name}\b", text), name


def test_the_beginnings_of_errors_are_in_the_code() -> None:
    table = (DOCS / "errors.md").read_text().partition("| begins with |")[2]
    sources = [line for folder in ("primus", "stages") for path in (ROOT / folder).rglob("*.py") for line in path.read_text().splitlines()]
    begun = [row.split("|")[1] for row in table.splitlines()[2:] if row.startswith("|") and "(from DVC)" not in row]
    assert len(begun) >= 5
    for cell in begun:
        for quoted in re.findall(r"`([^`]+)`", cell):
            pattern = ".*".join(re.escape(part) for part in quoted.removeprefix("params.yaml: ").split("..."))
            assert any(re.search(pattern, line) for line in sources), quoted


@pytest.mark.parametrize("generator", ["docs_stages.py", "docs_errors.py", "docs_formats.py"])
def test_pages_are_what_they_are_made_from(generator: str) -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / generator], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *DOCS.rglob("*.md")]))
def test_relative_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
