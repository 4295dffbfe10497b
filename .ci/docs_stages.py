"""Write docs/stages.md: what each stage of dvc.yaml reads, writes, depends on and costs.

    python .ci/docs_stages.py --write                 from dvc.yaml and docs/stage_costs.json
    python .ci/docs_stages.py --write --logs logs     costs from the logs of one run of the demo on an idle machine, too
    python .ci/docs_stages.py                         exit status 1 where the page is not what it would write

Costs are of the last run of each stage that the logs know; see the page for the machine.
"""

import argparse
import ast
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE, COSTS = ROOT / "docs" / "stages.md", ROOT / "docs" / "stage_costs.json"
HEAD = """# Stages

`dvc.yaml` is the graph; this page is made from it (`make docs`). Every stage runs as `python -m stages.<name>`, also by hand. Paths carry the profile
(`data` in [params.yaml](parameters.md)). A stage that was killed continues from its per-take work when it is started again; what it writes appears
whole or not at all.

Beside the files below, a stage depends on every source file it imports (`make deps` writes that list into dvc.yaml, a test compares it), so a change
of code reruns what it reaches and nothing else. Times, rates and paths go to `logs/<stage>.jsonl`, never into `metrics/`.

"""


SPELT = {"${data}": "<profile>", "${key}": "<method>", "${preset}": "<preset>", "${item.section}": "<section of the method>"}


def entries() -> dict[str, dict[str, Any]]:
    """Stages by name, of a `foreach` its body; before `manifest` the one that profiles of recordings have in a dvc.yaml of their own."""
    stages = {name: body.get("do", body) for name, body in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()}
    (roots,) = yaml.safe_load((ROOT / "data" / "roots" / "own" / "dvc.yaml").read_text().replace("own", "<profile>"))["stages"].values()
    at = list(stages).index("manifest")
    return dict([*list(stages.items())[:at], ("roots", roots), *list(stages.items())[at:]])


def paths(items: list[Any]) -> list[str]:
    """Paths of dependencies or outputs, without source files."""
    names = [next(iter(item)) if isinstance(item, dict) else str(item) for item in items]
    return [spelt(name) for name in names if not name.endswith(".py")]


def spelt(text: str) -> str:
    """Words in place of DVC's variables."""
    for variable, word in SPELT.items():
        text = text.replace(variable, word)
    return text


def purpose(command: str) -> str:
    """The docstring of the stage's `main`."""
    module = command.split()[2]
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    return " ".join((ast.get_docstring(main) or "").split()).replace("<", "&lt;")


def costs_of(logs: Path) -> dict[str, Any]:
    """Seconds and peak memory of the longest run of each stage in the logs."""
    stages: dict[str, dict[str, float]] = {}
    for path in sorted(logs.glob("*.jsonl")):
        done = [row for row in map(json.loads, path.read_text().splitlines()) if row["event"] == "done"]
        if done:
            longest = max(done, key=lambda row: row["elapsed_s"])
            stages[path.stem] = {"seconds": round(longest["elapsed_s"], 1), "peak_mib": longest["peak_rss_mib"]}
    machine = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine()
    )
    rows = [json.loads(line) for path in logs.glob("*.jsonl") for line in path.read_text().splitlines()]
    began, ended = (pick(row["unix_s"] for row in rows) for pick in (min, max))
    when = datetime.fromtimestamp(ended, tz=UTC).date().isoformat()
    return {"machine": machine, "cores": os.cpu_count(), "date": when, "seconds": round(ended - began), "stages": stages}


def page(costs: dict[str, Any]) -> str:
    """The page's text."""
    lines = [HEAD, "| stage | demo: seconds | peak memory of its main process, MiB |", "|---|---:|---:|"]
    stages = entries()
    for name in stages:
        cost = costs["stages"].get(name)
        lines.append(f"| [{name}](#{name}) | {cost['seconds']} | {cost['peak_mib']} |" if cost else f"| [{name}](#{name}) | | |")
    lines.append(
        f"\nLongest run of each in `make demo`, from its logs ({costs['machine']}, {costs['cores']} cores, idle, {costs['date']}); `pretrain` and"
        " `features` run once for every method.\n"
        f"From the first stage's start to the last one's end {costs['seconds'] // 60} min {costs['seconds'] % 60} s went by, DVC's own time between"
        " stages included. `roots` belongs to profiles whose recordings\nlie outside the repository, and takes as long as a listing of them.\n"
    )
    for name, body in stages.items():
        lines += [f"## {name}", "", f"{purpose(body['cmd'])}", "", f"`{spelt(body['cmd'])}`", ""]
        outs = paths([*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])])
        for title, found in (("reads", paths(body.get("deps", []))), ("writes", outs), ("parameters", paths(body.get("params", [])))):
            if found:
                lines += [f"- {title}: " + ", ".join(f"`{item}`" for item in found)]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--logs", type=Path)
    arguments = parser.parse_args()
    if arguments.logs:
        COSTS.write_text(json.dumps(costs_of(arguments.logs), indent=1) + "\n")
    text = page(json.loads(COSTS.read_text()))
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/stages.md is not what dvc.yaml says; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
