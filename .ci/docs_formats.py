"""Write the settings of data sets into docs/formats.md, from the docstrings of their readers; the rest of the page is written by hand.

python .ci/docs_formats.py --write
python .ci/docs_formats.py            exit status 1 where the tables are not what it would write
"""

import inspect
import re
import sys
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from written_part import keep  # noqa: E402

from primus.io.datasets import COMMON, READERS  # noqa: E402
from primus.io.specs import SPECS, CsvSpec  # noqa: E402
from primus.io.table import read_imu_table  # noqa: E402

PAGE = ROOT / "docs" / "formats.md"
BEGIN, END = "<!-- written by .ci/docs_formats.py: begin -->\n", "<!-- end -->\n"
EVERY = {
    "reader": f"how its files are read: {', '.join(f'`{name}`' for name in READERS)}",
    "root": "folder of its files; `$VARIABLE/rest` is taken from the environment, anything else is relative to the repository",
    "purpose": "`[pretrain]`, `[probe]` or both; with both, official splits tell which take is for what, else labels do",
    "policy": "how intervals are chosen: `narration`, `tile` or `labelled`, or one for each purpose; default narrations or labels, without any tiles",
    "prefix": "stands before the names of its takes, for data sets whose recordings have equal names",
    "population": "the people: data sets that share it share their participants, and splits keep them together; default by reader",
}
OWN_WORDS = ("name", "reference")  # fields of a specification that only this package's own need
SAME = "columns, units"


def section(docstring: str, title: str) -> dict[str, str]:
    """Name -> meaning, from one indented section of a docstring; names that share a line stay together, as "time, time_unit"."""
    lines = inspect.cleandoc(docstring).splitlines()
    body = lines[lines.index(f"{title}:") + 1 :]
    told: list[list[str]] = []
    for line in body:
        if line and not line.startswith("    "):
            break
        if re.match(r"    \w[\w, ]*: ", line):
            told.append(line.strip().split(": ", 1))
        elif line.strip():
            told[-1][1] += " " + line.strip()
    return {names: meaning.rstrip(".") for names, meaning in told}


def names_of(told: dict[str, str]) -> set[str]:
    """The names, each by itself."""
    return {name for names in told for name in names.split(", ")}


def table(rows: dict[str, str]) -> list[str]:
    """A Markdown table of settings."""
    cells = [(names.replace(", ", "`, `"), meaning.replace("|", "\\|").replace("None", "null")) for names, meaning in rows.items()]
    return ["| setting | meaning |", "|---|---|", *(f"| `{names}` | {meaning} |" for names, meaning in cells), ""]


def settings() -> str:
    """The tables: what every data set has, then each reader's own, then the fields of a specification."""
    if set(EVERY) != set(COMMON):
        raise SystemExit(f"every data set has the settings {', '.join(COMMON)}; .ci/docs_formats.py explains {', '.join(EVERY)}")
    lines = ["Every data set:", "", *table(EVERY)]
    for reader, (module, name, own) in READERS.items():
        told = section(getattr(import_module(module), name).__doc__ or "", "Config")
        if names_of(told) - {"population"} != set(own):
            raise SystemExit(f"the reader {reader} takes {', '.join(own)}; the docstring of {name} explains {', '.join(told)}")
        if SAME in told:  # a function says what both are; here they get a line each
            arguments, beside = section(read_imu_table.__doc__ or "", "Args"), told.pop(SAME).partition(", ")[2]
            told = {"columns": f"{arguments['columns']}; {beside}", "units": arguments["units"]} | told
        lines += [f"`reader: {reader}`:", "", *table(told)]
    told = section(CsvSpec.__doc__ or "", "Attributes")
    defaults = {one.name: one.default for one in fields(CsvSpec)}
    if names_of(told) != set(defaults):
        raise SystemExit(f"CsvSpec has the fields {', '.join(defaults)}; its docstring explains {', '.join(names_of(told))}")
    for names in told:
        stated = [f"`{name}` is `{defaults[name]}`" for name in names.split(", ") if defaults[name] not in (MISSING, None)]
        told[names] += f"; by default {' and '.join(stated)}" if stated else ""
    shown = {names: meaning for names, meaning in told.items() if names not in OWN_WORDS}
    lines += [f"`spec` of `labelled_csv` is one of {', '.join(f'`{name}`' for name in SPECS)}, or a mapping:", "", *table(shown)]
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with what stands between its marks made anew."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} lacks the lines {BEGIN.strip()!r} and {END.strip()!r}; put them back where the settings belong")
    return before + begin + "\n" + settings() + end + after


if __name__ == "__main__":
    raise SystemExit(keep(PAGE, page, "the settings in docs/formats.md are not what the readers' docstrings say", __doc__))
