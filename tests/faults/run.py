"""Faults by the hundred, on every stage, and what became of them.

    python -m tests.faults.run --faults 180 --json logs/faults.json      every kind on every stage, in turn
    python -m tests.faults.run --stage segment --kind "kill worker"      some of them
    python -m tests.faults.run --dvc 20 --json logs/faults_dvc.json      kills of `dvc repro`, each followed by `primus mend`

Each fault is drawn from its number, so a finding can be looked at again. A fault that met nothing (the stage was over) is not counted. Exit status 1
when one was not survived: other bytes than those of the undisturbed run, a file seen half written, a process left over, or a traceback.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from tests.faults.bench import Bench, Stage
from tests.faults.kinds import KINDS, inject, possible
from tests.verify.workshop import Workshop

IN_A_ROW = 8
"""Kills of one `dvc repro` before it may come to its end."""

SOONER = 0.7
TRIES = 3
"""Draws for one fault, where the stage is over before it strikes."""


@dataclass
class Tally:
    """Faults by kind and by stage, those not survived, and kinds `left_out` because they cannot befall anything here."""

    left_out: list[str] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, kind: str, stage: str, wrong: str) -> None:
        self.injected[kind] += 1
        self.survived[kind] += not wrong
        self.stages[stage] += 1
        if wrong:
            self.findings.append(f"{kind} on {stage}: {wrong}")

    def as_json(self, seconds: float) -> dict[str, Any]:
        kinds = {kind: {"injected": count, "survived": self.survived[kind]} for kind, count in sorted(self.injected.items())}
        total = {"injected": self.injected.total(), "survived": self.survived.total(), "met_nothing": self.missed}
        return {
            "kinds": kinds,
            "stages": dict(sorted(self.stages.items())),
            "total": total,
            "left_out": self.left_out,
            "findings": self.findings,
            "elapsed_s": round(seconds, 1),
        }


def at_stages(faults: int, kinds: list[str], stages: list[str], folder: Path, seed: int = 0) -> Tally:
    """So many faults, taking turns over the kinds and, within each, over the stages."""
    tally = Tally()
    with Bench(folder) as bench:
        bench.prepare(stages or None)
        chosen = [stage for stage in bench.stages if not stages or stage.name in stages]
        turns = _turns(kinds, chosen, bench)
        tally.left_out = [kind for kind in kinds if not any(possible(kind, stage, bench) for stage in chosen)]
        for number, (kind, stage) in enumerate(itertools.islice(turns, 2 * faults)):
            if tally.injected.total() == faults:
                break
            began = time.monotonic()
            for attempt in range(TRIES):
                draw = np.random.default_rng([zlib.crc32(f"{kind} {stage.name}".encode()), seed, number, attempt])
                verdict = inject(bench, kind, stage, draw)
                if verdict.hit or verdict.wrong:
                    tally.add(kind, stage.name, verdict.wrong)
                    break
                bench.seconds[stage.name] *= SOONER  # the undisturbed run was slower, perhaps: the machine does other work
            else:
                tally.missed += 1
            said = verdict.wrong or ("survived" if verdict.hit else "met nothing")
            print(f"{number + 1:4} {kind:15} {stage.name:16} {time.monotonic() - began:6.1f} s  {said}", flush=True)
    return tally


def _turns(kinds: list[str], stages: list[Stage], bench: Bench) -> Iterator[tuple[str, Stage]]:
    """Every kind once before any comes again, each time on its next stage; without end, unless nothing is possible."""
    able = {kind: [stage for stage in stages if possible(kind, stage, bench)] for kind in kinds}
    able = {kind: befallen for kind, befallen in able.items() if befallen}
    for turn in itertools.count() if able else ():
        for place, (kind, befallen) in enumerate(able.items()):  # not all kinds on the same stage
            yield kind, befallen[(turn + place) % len(befallen)]


def through_dvc(kills: int, folder: Path, seed: int = 0) -> Tally:
    """Kill `dvc repro` with its group so many times, mend, go on; whenever the run comes to its end its metrics are compared."""
    tally, draw = Tally(), random.Random(seed)
    whole = Workshop.make(folder / "undisturbed", "tiny")
    began = time.monotonic()
    whole.dvc("repro")
    took, expected = time.monotonic() - began, whole.metrics()
    copy = Workshop.make(folder / "killed", "tiny")
    pending = 0
    while tally.injected.total() < kills or pending:
        killed = pending < IN_A_ROW and tally.injected.total() + pending < kills and copy.repro_killed_after(draw.uniform(0.05, 0.4) * took)
        if left := _at_work_in(copy.folder):
            tally.findings.append(f"processes left: {left}")
        copy.run("python", "-m", "primus", "mend")
        pending += killed
        if killed:
            print(f"{tally.injected.total() + pending:4} dvc repro killed", flush=True)
            continue
        copy.dvc("repro")
        wrong = "" if copy.metrics() == expected else "the metrics differ"
        wrong = wrong or next((f"left behind: {path}" for path in (copy.folder / "data").rglob(".*.tmp")), "")
        for _ in range(pending):
            tally.add("dvc repro killed", "the graph", wrong)
        pending = 0
        shutil.rmtree(copy.folder)
        copy = Workshop.make(folder / "killed", "tiny")
    return tally


def _at_work_in(folder: Path, within_s: float = 20.0) -> list[int]:
    """Processes that work below a folder and have not left it in time."""
    deadline = time.monotonic() + within_s
    while True:
        left = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if link.resolve(strict=True).is_relative_to(folder):
                    left.append(int(link.parent.name))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=180)
    parser.add_argument("--dvc", type=int, help="kill `dvc repro` so many times instead")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--stage", action="append", help="only this stage (pretrain@primus); may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the counts there")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="primus-faults-") as temporary:
        folder = Path(temporary).resolve()
        if asked.dvc is not None:
            tally = through_dvc(asked.dvc, folder, asked.seed)
        else:
            tally = at_stages(asked.faults, asked.kind or list(KINDS), asked.stage or [], folder / "bench", asked.seed)
    report = tally.as_json(time.monotonic() - began)
    print(json.dumps(report, indent=1))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(report, indent=1) + "\n")
    if tally.findings:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
