"""The demo of the README, after installation: `dvc repro` in a fresh clone with an empty work cache, and a second one that has nothing to do.

    python benchmarks/demo.py --json

rss_mib is the largest sum of resident memory over all processes of the run, DVC's included (pages they share count once for each); raw_mib what the
simulated recordings take, and cache_mib what DVC's cache and the work cache hold afterwards. metrics_differ counts the committed files below metrics/
that the run wrote otherwise: 0 where this machine gives the same bytes as the one they were made on.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from processes import measured, size_mib

ROOT = Path(__file__).resolve().parent.parent


def main(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False) -> None:
    """Measure both runs and print what they took."""
    with tempfile.TemporaryDirectory(prefix="primus-demo-") as temporary:
        clone = Path(temporary) / "primus"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = {name: value for name, value in os.environ.items() if name not in ("PRIMUS_CACHE", "DVC_ROOT", "PRIMUS_ENGINE")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        result: dict[str, Any] = {"first": measured(["dvc", "repro"], clone, environment), "second": measured(["dvc", "repro"], clone, environment)}
        changed = subprocess.run(["git", "status", "--porcelain", "metrics"], cwd=clone, capture_output=True, text=True, check=True).stdout
        result["metrics_differ"] = len(changed.splitlines())
        result["raw_mib"] = size_mib(clone / "data" / "demo" / "raw")
        result["cache_mib"] = size_mib(clone / ".cache") + size_mib(clone / ".dvc" / "cache")
    for name in ("first", "second"):
        print(f"dvc repro, {name:6} {result[name]['s']:7.1f} s, {result[name]['cpu_s']:7.1f} s of processors, {result[name]['rss_mib']:6.0f} MiB")
    print(f"simulated recordings {result['raw_mib']} MiB, caches {result['cache_mib']} MiB; {result['metrics_differ']} metrics files differ")
    if as_json:
        print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
