"""Fingerprint of what lies outside the repository: the roots of a profile's data sets and the weights that params name by a variable.

DVC sees neither environment variables nor what they point at. This stage always runs (a listing, no reading), and `manifest` depends on what it
writes: another root, a new file or an edited one is met by a run, and equal roots rerun nothing.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from primus.artifacts import write_json
from primus.errors import UserError
from primus.io.files import FileSet, resolve_root
from primus.params import load_datasets, profile_name
from primus.stage import stage


def fingerprint(root: Path) -> dict[str, Any]:
    """Number of files below `root`, and sha256 over their relative names, sizes and modification times."""
    files = FileSet.scan(root)
    digest = hashlib.sha256()
    for name, size in sorted(files.sizes.items()):
        digest.update(f"{name}\0{size}\0{files.path(name).stat().st_mtime_ns}\n".encode())
    return {"files": len(files.sizes), "listing": digest.hexdigest()}


def weights_identity() -> str:
    """Name, size and modification time of what `$CLIP_WEIGHTS` holds; empty where it is not set or not there."""
    path = Path(os.environ.get("DVC_ROOT", ".")) / os.environ.get("CLIP_WEIGHTS", "")
    if not os.environ.get("CLIP_WEIGHTS") or not path.exists():
        return ""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    text = "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)
    return hashlib.sha256(text.encode()).hexdigest()


@stage("roots")
def main(profile: Annotated[str, typer.Argument(help="the profile whose roots are looked at: the one that params.yaml chooses")]) -> None:
    """Write data/roots/PROFILE/roots.json."""
    if profile != profile_name():
        raise UserError(f"params.yaml chooses the profile {profile_name()!r}, not {profile!r}; run `dvc exp run -S data={profile}`")
    dvc_root = Path(os.environ.get("DVC_ROOT", "."))
    found = {name: fingerprint(resolve_root(str(config["root"]), dvc_root)) for name, config in load_datasets().items()}
    write_json(f"data/roots/{profile}/roots.json", {"datasets": found, "weights": weights_identity()})


if __name__ == "__main__":
    typer.run(main)
