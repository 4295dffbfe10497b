"""docs/findings.md shows the numbers of metrics/ablations.csv, and every group that was run."""

import re
from pathlib import Path

import pandas as pd
import pytest

from primus.experiments.listing import read_groups
from primus.experiments.words import markdown
from primus.params import load_value

ROOT = Path(__file__).resolve().parent.parent.parent
TABLE = pd.read_csv(ROOT / "metrics" / "ablations.csv", dtype={"variant": str, "commit": str})
TEXT = (ROOT / "docs" / "findings.md").read_text()
RUN = sorted(set(zip(TABLE["profile"], TABLE["group"], strict=True)))


@pytest.mark.parametrize(("profile", "group"), RUN)
def test_tables_are_those_of_the_metrics(profile: str, group: str) -> None:
    shots = int(load_value(f"profiles.{profile}.report.headline_shots", ROOT / "params.yaml"))
    for line in markdown(TABLE, shots, profile)[group].splitlines():
        assert line in TEXT.splitlines(), f"docs/findings.md lacks a line of {group} on {profile}; `primus ablations --show` prints it"


def test_no_row_is_from_elsewhere() -> None:
    known = {line for profile in TABLE["profile"].unique() for line in _lines(str(profile))}
    rows = [line for line in TEXT.splitlines() if re.match(r"\| [\w.-]+ \|.*\[", line)]
    assert rows
    assert [line for line in rows if line not in known] == []


@pytest.mark.parametrize("profile", ["demo", "samples"])
def test_what_is_listed_and_not_run_is_said(profile: str) -> None:
    """Groups, and variants of groups that were run in part."""
    said = TEXT.split("## Not run")[1] if "## Not run" in TEXT else ""
    for group in read_groups(profile, ROOT / "experiments.yaml", ROOT / "params.yaml"):
        run = set(TABLE.loc[(TABLE["profile"] == profile) & (TABLE["group"] == group.name), "variant"])
        absent = [variant.name for variant in group.variants if variant.name not in run] if run else [group.name]
        for name in absent:
            assert f"`{name}`" in said, f"docs/findings.md does not say that {name} of {group.name} was not run on {profile}"


def _lines(profile: str) -> list[str]:
    shots = int(load_value(f"profiles.{profile}.report.headline_shots", ROOT / "params.yaml"))
    return [line for text in markdown(TABLE, shots, profile).values() for line in text.splitlines()]
