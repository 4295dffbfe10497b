"""Damage inputs of every kind by the thousand and read them: segments, arrays or a named refusal, and never anything else.

    python -m tests.fuzz.run --cases 30000                    all readers (two thirds of the cases) and loaders, two worker processes
    python -m tests.fuzz.run --reader vrs --cases 2000        one of them
    python -m tests.fuzz.run --reader vrs --case 1234         one case again, in this process, with its traceback; --keep DIR keeps the damaged input

The same number gives the same input in every run. Exit status 1 when there is a finding: another exception than Rejected or UserError, an outcome
that a check could have known to be wrong (`silent`), a file or process outside, more than 5 s of processor time or 1 GiB, or the death of a worker.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from primus.engine import map_takes
from tests.fuzz.case import KILLED_AFTER_S, TARGETS, Result, Runner

READER_SHARE = 0.7
SHOWN = 20


@dataclass
class Tally:
    """Outcomes of one target's cases."""

    cases: int = 0
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    hangs: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    growth_mib: float = 0.0
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        self.cases += 1
        self.growth_mib, self.seconds = max(self.growth_mib, result.growth_mib), max(self.seconds, result.seconds)
        if result.outcome == "read":
            self.read += 1
        elif result.outcome == "refused":
            self.refused[result.kind] += 1
        elif result.kind == "crash":
            self.crashes += 1
        elif result.kind == "hang":
            self.hangs += 1
        else:
            self.findings[result.kind] += 1

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, and counts by kind."""
        return {
            "cases": self.cases,
            "read": self.read,
            "refused": dict(self.refused.most_common()),
            "crashes": self.crashes,
            "hangs": self.hangs,
            "other_findings": dict(self.findings),
            "growth_mib": round(self.growth_mib),
            "longest_s": round(self.seconds, 2),
        }


@dataclass
class Report:
    """Tallies by target, and each finding as (target, case, kind, detail)."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    findings: list[tuple[str, int, str, str]] = field(default_factory=list)
    elapsed_s: float = 0.0

    def add(self, name: str, number: int, result: Result) -> None:
        self.tallies.setdefault(name, Tally()).add(result)
        if result.outcome == "finding":
            self.findings.append((name, number, result.kind, result.detail))

    def table(self) -> str:
        lines = [f"{'reader':14}{'cases':>7}{'read':>7}{'refused':>9}{'crashes':>9}{'hangs':>7}{'other':>7}{'max s':>7}{'+MiB':>6}  refused as"]
        for name, tally in [*self.tallies.items(), ("all", self._sum())]:
            kinds = ", ".join(f"{kind} {count}" for kind, count in tally.refused.most_common())
            lines.append(
                f"{name:14}{tally.cases:>7}{tally.read:>7}{tally.refused.total():>9}{tally.crashes:>9}{tally.hangs:>7}"
                f"{tally.findings.total():>7}{tally.seconds:>7.2f}{tally.growth_mib:>6.0f}  {kinds}"
            )
        for name, number, kind, detail in self.findings[:SHOWN]:
            lines.append(f"FINDING --reader {name} --case {number}: {kind}: {detail}")
        if len(self.findings) > SHOWN:
            lines.append(f"... and {len(self.findings) - SHOWN} more")
        return "\n".join(lines)

    def _sum(self) -> Tally:
        total = Tally()
        for tally in self.tallies.values():
            total.cases, total.read = total.cases + tally.cases, total.read + tally.read
            total.refused, total.findings = total.refused + tally.refused, total.findings + tally.findings
            total.crashes, total.hangs = total.crashes + tally.crashes, total.hangs + tally.hangs
            total.growth_mib, total.seconds = max(total.growth_mib, tally.growth_mib), max(total.seconds, tally.seconds)
        return total

    def as_json(self) -> dict[str, Any]:
        return {
            "elapsed_s": round(self.elapsed_s, 1),
            "targets": {name: tally.as_json() for name, tally in self.tallies.items()},
            "total": self._sum().as_json(),
            "findings": [{"reader": name, "case": number, "kind": kind, "detail": detail} for name, number, kind, detail in self.findings],
        }


def prepare(names: list[str], folder: Path) -> list[str]:
    """Write the sound inputs of the targets below `folder`; returns the targets that have any here."""
    for name in names:
        TARGETS[name].prepare(folder / name)
    return [name for name in names if any((folder / name).glob("*"))]


def planned(names: list[str], cases: int) -> list[tuple[str, int]]:
    """The cases, targets taking turns by their weight; readers have `READER_SHARE` of them where both kinds are asked for."""
    kinds = {TARGETS[name].kind for name in names}
    share = {"reader": READER_SHARE, "loader": 1 - READER_SHARE} if len(kinds) == 2 else dict.fromkeys(kinds, 1.0)
    weights = {name: TARGETS[name].weight * share[TARGETS[name].kind] for name in names}
    for kind in kinds:
        of_kind = sum(TARGETS[name].weight for name in names if TARGETS[name].kind == kind)
        weights |= {name: weights[name] / of_kind for name in names if TARGETS[name].kind == kind}
    given = dict.fromkeys(names, 0)
    order = []
    for _ in range(cases):
        name = min(names, key=lambda one: ((given[one] + 0.5) / weights[one], one))
        order.append((name, given[name]))
        given[name] += 1
    return order


def results(runner: Runner, cases: list[tuple[str, int]], workers: int) -> Iterator[tuple[str, int, Result]]:
    """Every case's result; the death or silence of a worker is the result of the case it had."""
    for outcome in map_takes(runner, cases, workers, timeout_s=KILLED_AFTER_S):
        result = outcome.value
        if result is None:
            why = str(outcome.refused)
            result = Result("finding", "hang" if "time limit" in why or "SIGPROF" in why else "crash", why, 0.0, 0.0)
        yield *outcome.item, result


def fuzz(names: list[str], cases: int, workers: int, folder: Path, say: bool = False) -> Report:
    """Run that many cases over the targets, in `folder`."""
    sound, scratch = folder / "sound", folder / "scratch"
    scratch.mkdir(parents=True)
    names = prepare(names, sound)
    report, began, told = Report(), time.monotonic(), time.monotonic()
    for number, (name, case, result) in enumerate(results(Runner(sound, scratch), planned(names, cases), workers), start=1):
        report.add(name, case, result)
        if say and result.outcome == "finding":
            print(f"--reader {name} --case {case}: {result.kind}: {result.detail}", file=sys.stderr, flush=True)
        if say and time.monotonic() - told > 15:
            told = time.monotonic()
            print(f"{number} of {cases} cases, {len(report.findings)} findings, {number / (told - began):.0f} cases/s", file=sys.stderr, flush=True)
    report.elapsed_s = time.monotonic() - began
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=int(os.environ.get("PRIMUS_FUZZ_CASES", "30000")), help="default $PRIMUS_FUZZ_CASES, else 30000")
    parser.add_argument("--reader", action="append", choices=sorted(TARGETS), help="only this reader or loader; may be repeated")
    parser.add_argument("--kind", choices=["reader", "loader"], help="only readers, or only loaders")
    parser.add_argument("--case", type=int, help="this case of one reader alone, in this process")
    parser.add_argument("--keep", type=Path, help="with --case: copy the damaged input there")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the report there")
    asked = parser.parse_args()
    names = asked.reader or [name for name, target in TARGETS.items() if asked.kind in (None, target.kind)]
    with tempfile.TemporaryDirectory(prefix="primus-fuzz-") as temporary:
        folder, here = Path(temporary).resolve(), Path.cwd()
        if asked.case is not None:
            _again(names[0], asked.case, folder, asked.keep)
            return
        report = fuzz(names, asked.cases, asked.workers, folder, say=True)
        os.chdir(here)
    print(report.table())
    print(f"{report.elapsed_s:.0f} s, {asked.workers} workers")
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(report.as_json(), indent=1))
    if report.findings:
        raise SystemExit(1)


def _again(name: str, number: int, folder: Path, keep: Path | None) -> None:
    """One case in this process; a finding shows its own traceback."""
    prepare([name], folder / "sound")
    runner = Runner(folder / "sound", folder / "scratch")
    print(runner.damage(name, number, folder / "again"))
    if keep:
        shutil.copytree(folder / "again", keep, dirs_exist_ok=True)
    try:
        print(f"read: {TARGETS[name].read(folder / 'again')}")
    except Exception:
        import traceback

        traceback.print_exc()
    finally:
        os.chdir("/")


if __name__ == "__main__":
    main()
