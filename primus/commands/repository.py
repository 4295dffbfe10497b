"""Commands about this installation and its repository."""

import json
from pathlib import Path

import typer

from primus.commands.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Check interpreter, packages, extras, data roots, disk and cache, and say what to do. Exits 1 if the demo could not run."""
    from primus.doctor import as_rows, examine

    checks = examine()
    if as_json:
        print(json.dumps(as_rows(checks), indent=1))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            print(f"{check.status:8}{check.name:{width}}  {check.found}{f'  -> {check.remedy}' if check.remedy else ''}")
    if any(check.status == "missing" for check in checks):
        raise typer.Exit(1)


def mend() -> None:
    """After a kill: remove state files that DVC left half written and cannot read. Run it in the repository, with no DVC command running."""
    from primus.mend import mend as mend_repository

    removed = mend_repository(Path.cwd())
    print("\n".join(f"removed the half-written {name}" for name in removed) or "nothing to mend")
