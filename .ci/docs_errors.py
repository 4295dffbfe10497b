"""Write the table of reasons in docs/errors.md from primus/reasons.py; the rest of the page is written by hand.

python .ci/docs_errors.py --write
python .ci/docs_errors.py            exit status 1 where the table is not what it would write
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from written_part import keep  # noqa: E402

from primus.reasons import EXPLANATIONS  # noqa: E402

PAGE = ROOT / "docs" / "errors.md"
HEAD = "| reason | in plain words | what to do |\n|---|---|---|\n"


def page(text: str) -> str:
    """The page with its table made anew: from the table's head to the empty line behind it."""
    before, head, behind = text.partition(HEAD)
    if not head:
        raise SystemExit(f"{PAGE.name} has no table that begins {HEAD.splitlines()[0]!r}; put those two lines back where it belongs")
    _, gap, after = behind.partition("\n\n")
    rows = "\n".join(f"| `{reason}` | {told.meaning} | {told.remedy} |" for reason, told in EXPLANATIONS.items())
    return before + head + rows + gap + after


if __name__ == "__main__":
    raise SystemExit(keep(PAGE, page, "the table of docs/errors.md is not what primus/reasons.py says", __doc__))
