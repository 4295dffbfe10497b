"""Time, memory, files and `dvc status` of the pipeline on corpora of growing size, up to the paper's (5 000 takes, 250 000 segments).

    python benchmarks/scale.py --takes 312 --takes 1250 --takes 5000 --folder /data/scratch --json

For each size a clone of the repository is given the profile `scale` (benchmarks/scale_corpus.py says what is real in it and what is not) and the
stages run one after the other, as DVC runs them. Real are: listing the files, reading the metadata and narrations, every entry of the work cache, all
tables, stores and checksums, splits, `--steps` optimiser steps and a validation of each trained method, features, the few-shot sweep, zero-shot,
retrieval, robustness and the report. Not real: decoding of recordings and videos, and the frozen encoders, whose results come from the cache.

rss_mib is the largest sum of resident memory over the stage's processes, sampled ten times a second (shared pages count once per process).
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from processes import measured, size_mib

ROOT = Path(__file__).resolve().parent.parent
METHODS = ("primus", "random")
STAGES = (
    "profile", "simulate", "manifest", "segment", "embed_video", "embed_text", *(f"pretrain {name}" for name in METHODS),
    *(f"features {name}" for name in METHODS), "fewshot", "zeroshot", "retrieval", "robustness", "report",
)  # fmt: skip
PROFILE: dict[str, Any] = {
    "corpus": "recordings",
    "datasets": {"egoexo4d": {"reader": "egoexo4d", "root": "$EGOEXO4D_ROOT", "purpose": ["pretrain", "probe"], "official_splits": ["train", "val"]}},
    "embed": {"encoder": {"model": "primus-demo", "weights": "fixed-random"}, "video": {"fps": 0.2}},
}
FROM_PAPER = ("simulate", "segment", "fewshot", "zeroshot", "retrieval", "robustness", "report")


def make_clone(folder: Path, steps: int) -> None:
    """A clone of the repository whose parameters choose the profile `scale`: the paper's, with synthetic recordings and few steps."""
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    paper = params["profiles"]["egoexo4d"]
    params["profiles"]["scale"] = PROFILE | {name: paper[name] for name in FROM_PAPER} | {"pretrain": {"batch_size": 256, "steps": steps}}
    params["data"] = "scale"
    params["methods"] = {name: params["methods"][name] for name in METHODS}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "dvc.lock").unlink()
    roots = folder / "data/roots/scale"
    roots.mkdir(parents=True)
    (roots / "roots.json").write_text("{}\n")


def fullest_folder(*roots: Path) -> tuple[str, int]:
    """The folder with most entries below `roots`, and how many it has."""
    counts: Counter[str] = Counter()
    for root in roots:
        for folder, below, files in os.walk(root):
            counts[str(Path(folder).relative_to(root.parent))] = len(below) + len(files)
    return counts.most_common(1)[0]


def run(takes: int, folder: Path, steps: int, stages: Sequence[str]) -> dict[str, Any]:
    """Everything at one size."""
    clone, raw = folder / "clone", folder / "raw"
    make_clone(clone, steps)
    environment = {name: value for name, value in os.environ.items() if name not in ("PRIMUS_CACHE", "DVC_ROOT", "PRIMUS_ENGINE")}
    environment |= {"EGOEXO4D_ROOT": str(raw), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"}
    python = [sys.executable, "-m"]
    result: dict[str, Any] = {
        "takes": takes,
        "filled": measured([*python, "benchmarks.scale_corpus", str(raw), "--takes", str(takes)], clone, environment),
    }
    result["stages"] = {}
    for name in stages:
        result["stages"][name] = measured([*python, *f"stages.{name}".split()], clone, environment)
        print(f"{takes} takes: {name} {result['stages'][name]}", file=sys.stderr, flush=True)
    result["segments"] = json.loads((clone / "metrics/segment.json").read_text())["segments"]
    names = [name.replace(" ", "@") for name in stages]
    result["dvc_commit"] = measured(["dvc", "commit", "-f", *names], clone, environment)
    result["dvc_status"] = measured(["dvc", "status", *names], clone, environment)
    said = subprocess.run(["dvc", "status", *names], cwd=clone, env=environment, capture_output=True, text=True, check=True).stdout
    result["dvc_says"] = " ".join(said.split())[:200]
    result["fullest_folder"] = fullest_folder(clone / "data", clone / ".cache", clone / ".dvc/cache", clone / "metrics", clone / "logs")
    result["data_mib"], result["work_cache_mib"] = size_mib(clone / "data"), size_mib(clone / ".cache")
    return result


def main(
    takes: Annotated[list[int], typer.Option(help="Sizes of the corpora.")] = [312, 1250],  # noqa: B006 - typer reads it
    folder: Annotated[Path, typer.Option(help="Where to work; 1.5 MB a take, removed afterwards.")] = Path("scale-scratch"),
    steps: Annotated[int, typer.Option(help="Optimiser steps of each trained method.")] = 20,
    only: Annotated[list[str], typer.Option(help='Stages to run, as in "pretrain primus"; all by default. Each needs those before it.')] = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure every size in turn and print a table."""
    results, stages = [], [name for name in STAGES if not only or name in only]
    for count in takes:
        place = folder.resolve() / f"takes{count}"
        place.mkdir(parents=True)
        try:
            results.append(run(count, place, steps, stages))
        finally:
            shutil.rmtree(place)
    print(f"{'stage':22}" + "".join(f"{result['takes']:>23} takes" for result in results))
    for name in (*stages, "dvc_commit", "dvc_status"):
        rows = [result["stages"].get(name) or result[name] for result in results]
        print(f"{name:22}" + "".join(f"{row['s']:>7.1f} s {row['cpu_s']:>7.1f} cpu {row['rss_mib']:>6.0f} MiB" for row in rows))
    if as_json:
        print(json.dumps(results))


if __name__ == "__main__":
    typer.run(main)
