"""Run every benchmark and write docs/benchmarks.md: what was measured, on which machine, when, beside which baseline of the same run.

    python benchmarks/run.py                       all of them (about half an hour on two cores; nothing else should run meanwhile)
    python benchmarks/run.py segment stream        some; the page keeps what it says of the others
    python benchmarks/run.py --list

Results are kept in docs/benchmarks.json, from which the page is written.
"""

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

ROOT = Path(__file__).resolve().parent.parent
PAGE, RESULTS = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.json"


@dataclass(frozen=True)
class Benchmark:
    """One script of this folder, its arguments, and what its numbers say."""

    script: str
    arguments: tuple[str, ...]
    says: str


BENCHMARKS = {
    "demo": Benchmark("demo.py", (), "`dvc repro` in a fresh clone, and a second one with nothing to do: time, memory of all processes"),
    "segment": Benchmark(
        "segment.py", (), "segments cut per second by one and two processes, beside loading and resampling window by window; reading VRS apart"
    ),
    "embed-demo": Benchmark(
        "embed.py",
        ("--encoder", "demo"),
        "the pass over a video beside its slower part alone (`stage_over_slower_part`), beside both at once in two threads, and segment by segment",
    ),
    "embed-vit": Benchmark("embed.py", ("--encoder", "vit-b-32", "--seconds", "20", "--repeats", "3"), "the same with ViT-B/32"),
    "embed-memory": Benchmark(
        "embed_memory.py", (), "memory of the stage on a 30-minute video under ViT-B/32, and its growth over 5 000 short takes"
    ),
    "pretrain-step": Benchmark(
        "pretrain_step.py",
        ("--batch", "256", "--queue", "8192"),
        "a whole training step beside the encoder of stock PyTorch modules, and beside the recurrence's products alone",
    ),
    "pretrain-step-512": Benchmark("pretrain_step.py", ("--batch", "512", "--queue", "8192"), "the same at batch 512"),
    "loader": Benchmark("loader.py", (), "what making a batch costs, resident and from files, beside PyTorch's DataLoader"),
    "fewshot": Benchmark("fewshot.py", (), "3 data sets x 7 shot sizes x 5 episodes of 9 000 segments each, beside one fit after the other"),
    "encode": Benchmark("encode.py", ("--hours", "2"), "`primus encode` on files beside the encoder alone on windows in memory"),
    "stream": Benchmark("stream.py", (), "one hop of `primus.Stream` on one core"),
    "export": Benchmark("export.py", (), "exported models: size, latency on one core, largest difference"),
}

APART = {
    "scale": Benchmark(
        "scale.py",
        ("--takes", "312", "--takes", "1250", "--takes", "5000", "--folder", "SCRATCH"),
        "all stages on corpora up to the paper's size; needs a folder for a clone and its data; its figures stand in [scale](scale.md)",
    ),
    "accel-only": Benchmark(
        "accel_only.py",
        (),
        "what a missing gyroscope costs in macro-F1, no speed; needs a finished run of the profile (`make demo`); in [inference](inference.md)",
    ),
}
"""What is run by itself."""


def machine() -> str:
    """Processor, cores, PyTorch."""
    import torch

    names = (
        [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        if os.name == "posix"
        else []
    )
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, PyTorch {torch.__version__}"


def measured(benchmark: Benchmark) -> dict[str, Any]:
    """Run it; its JSON with the time it took and what else the machine was doing."""
    started, before = time.monotonic(), os.getloadavg()[0]
    command = [sys.executable, str(ROOT / "benchmarks" / benchmark.script), *benchmark.arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{benchmark.script} failed:\n{done.stderr[-2000:]}")
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "load_before": round(before, 1),
        "took_s": round(time.monotonic() - started),
        "result": json.loads(done.stdout.strip().splitlines()[-1]),
    }


def rows(result: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested numbers as (dotted name, value)."""
    if isinstance(result, dict):
        return [row for key, value in result.items() for row in rows(value, f"{name}.{key}" if name else str(key))]
    if isinstance(result, list):
        return [row for number, value in enumerate(result) for row in rows(value, f"{name}[{number}]")]
    return [
        (
            name,
            f"{result:,.4g}" if isinstance(result, float) and abs(result) < 1000 else f"{result:,.0f}" if isinstance(result, float) else str(result),
        )
    ]


def page(results: dict[str, Any]) -> str:
    """The page's text."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; every number stands beside a baseline of the same run. Times on a shared machine are noisy: the ratio is what",
        "counts. What each key means stands at the top of its script in `benchmarks/`.",
        "",
    ]
    for name, benchmark in BENCHMARKS.items():
        if name not in results:
            lines += [f"## {name}", "", f"{benchmark.says}.", "", "Not measured yet.", ""]
            continue
        found = results[name]
        lines += [
            f"## {name}",
            "",
            f"{benchmark.says[0].upper()}{benchmark.says[1:]}.",
            "",
            f"`{command(benchmark)}`: {found['took_s']} s, {found['date']}, {found['machine']}, load before {found['load_before'] or 'not noted'}.",
            "",
        ]
        lines += ["| key | value |", "|---|---:|", *(f"| `{key}` | {value} |" for key, value in rows(found["result"])), ""]
    lines += ["## Run by themselves", "", "`make bench` leaves out what needs more than the checkout:", ""]
    lines += [f"- `{command(benchmark)} --json`: {benchmark.says}." for benchmark in APART.values()]
    return "\n".join([*lines, ""])


def command(benchmark: Benchmark) -> str:
    """What runs it."""
    return " ".join(["python", f"benchmarks/{benchmark.script}", *benchmark.arguments])


def main(
    names: Annotated[list[str] | None, typer.Argument(help="benchmarks to run; all by default")] = None,
    show: Annotated[bool, typer.Option("--list", help="only say which there are")] = False,
    write: Annotated[bool, typer.Option("--write", help="only write the page from the kept results")] = False,
) -> None:
    """Run benchmarks and write the page."""
    if show:
        for name, benchmark in BENCHMARKS.items():
            typer.echo(f"{name:18} {benchmark.says}")
        for benchmark in APART.values():
            typer.echo(f"{'(by itself)':18} {command(benchmark)}: {benchmark.says}")
        return
    unknown = [name for name in names or [] if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in [] if write else names or BENCHMARKS:
        typer.echo(f"{name} ...")
        results[name] = measured(BENCHMARKS[name])
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")  # after each: an interrupted run keeps what it has
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
