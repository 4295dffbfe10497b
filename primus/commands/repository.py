"""Commands about this installation and its repository."""

import json
from pathlib import Path
from typing import Annotated

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


def leakage(
    method: Annotated[str, typer.Option(help="Whose features.")] = "primus",
    shots: Annotated[int, typer.Option(help="Labelled segments per class.", min=1)] = 20,
    episodes: Annotated[int, typer.Option(help="Draws of the shots.", min=1)] = 5,
    out: Annotated[Path | None, typer.Option(help="Also write the table to this CSV file.")] = None,
) -> None:
    """Show what a leak would be worth: the same tested segments with shots from other people, from the tested people, and from the tested takes.

    Run it in the repository, after `dvc repro features`. The pipeline itself refuses such splits.
    """
    from primus.artifacts import read_table, write_csv
    from primus.errors import UserError
    from primus.evaluation.feature_files import read_feature_files
    from primus.evaluation.leaky import leak_tables
    from primus.params import profile_name

    root = Path("data") / profile_name()
    files = read_feature_files(root, method)
    if isinstance(files, str):
        raise UserError(f"{root}/features/{method} holds no features ({files}); choose another --method")
    segments, splits = (read_table(root / "segments" / f"{name}.parquet") for name in ("segments", "splits"))
    table = leak_tables(files, segments, splits, shots=shots, episodes=episodes)
    if table.empty:
        raise UserError(f"no data set of {root} has people to test on with --shots {shots}; choose fewer, or another profile")
    if out is not None:
        write_csv(out, table)
    print(table.to_string(index=False, float_format="{:.3f}".format))
