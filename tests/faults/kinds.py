"""The faults: each spoils one run of a stage, then the stage runs again, and everything must be as if nothing had happened."""

import builtins
import errno
import io
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.bench import Bench, Run, Stage, members

Draw = np.random.Generator


@dataclass(frozen=True)
class Verdict:
    """Whether the fault met a running stage, and what was wrong afterwards ("" where it was survived)."""

    hit: bool
    wrong: str


def complaints(run: Run, quiet: bool = True) -> str:
    """What no run may do, however it ends; `quiet` where it had the time to say in one line what was wrong."""
    if run.hung:
        return f"no end within {run.limit_s:g} s: {run.said[-400:]}"
    if run.left:
        return f"processes left: {run.left}"
    if run.torn:
        return f"half written: {run.torn[0]}"
    if quiet and "Traceback" in run.said:
        return f"a traceback: {run.said[-400:]}"
    if quiet and run.code == 1 and not any(line.startswith("error: ") for line in run.said.splitlines()):
        return f"no message: {run.said[-400:]}"
    return ""


def _again(bench: Bench, stage: Stage, hit: bool, wrong: str) -> Verdict:
    """Run the stage undisturbed on what the fault left; its bytes must be those of the reference."""
    if not wrong:
        bench.remove_outs(stage)
        run = bench.run(stage)
        wrong = complaints(run)
        if run.code != 0:
            wrong = wrong or f"the run after it ended with {run.code}: {run.said[-400:]}"
        elif differing := bench.differences(stage):
            wrong = wrong or f"{len(differing)} files differ, first {differing[0]}"
    return Verdict(hit, wrong)


def _survives(bench: Bench, stage: Stage, run: Run, hit: bool) -> Verdict:
    """The disturbed run itself must end well with the reference's bytes."""
    wrong = complaints(run)
    if run.code != 0:
        wrong = wrong or f"ended with {run.code}: {run.said[-400:]}"
    elif differing := bench.differences(stage):
        wrong = wrong or f"{len(differing)} files differ, first {differing[0]}"
    return Verdict(hit, wrong)


def _once(after: float, act: Callable[[int], bool]) -> Callable[[int, float], None]:
    """Call `act` once the child is so old, again and again until it says that it has done it."""
    done = []

    def during(child: int, age: float) -> None:
        if age >= after and not done and act(child):
            done.append(True)

    return during


def _moment(bench: Bench, stage: Stage, draw: Draw) -> float:
    return float(draw.uniform(0.02, 0.9)) * bench.seconds[stage.name]


def kill_process(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """kill -9 to the stage alone: its workers must leave by themselves."""
    run = bench.run(stage, during=_once(_moment(bench, stage, draw), lambda child: _send(child, signal.SIGKILL)))
    return _again(bench, stage, run.code == -signal.SIGKILL, complaints(run, quiet=False))


def kill_group(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """kill -9 to the stage and its workers at once."""
    run = bench.run(stage, during=_once(_moment(bench, stage, draw), lambda child: os.killpg(child, signal.SIGKILL) is None))
    return _again(bench, stage, run.code == -signal.SIGKILL, complaints(run, quiet=False))


def kill_worker(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """kill -9 to one worker: the run itself must end well."""
    hits: list[int] = []

    def act(child: int) -> bool:
        workers = [process for process in members(child) if process != child]
        if workers and _send(worker := workers[int(draw.integers(len(workers)))], signal.SIGKILL):
            hits.append(worker)
        return bool(hits)

    return _survives(bench, stage, bench.run(stage, during=_once(_moment(bench, stage, draw), act)), bool(hits))


def interrupt(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """Ctrl-C goes to the whole group: one line, exit status 130, nobody left."""
    before = len(bench.logged(stage))
    run = bench.run(stage, during=_once(_moment(bench, stage, draw), lambda child: os.killpg(child, signal.SIGINT) is None))
    wrong, events = complaints(run), bench.logged(stage)[before:]
    met = run.code == 130 and "start" in events and "done" not in events  # not while the command line was read, nor after the work
    if met and "interrupted; run the same command again" not in run.said:
        wrong = wrong or f"no word of it: {run.said[-300:]}"
    elif run.code not in (0, 130):
        wrong = wrong or f"ended with {run.code}: {run.said[-400:]}"
    return _again(bench, stage, met, wrong)


def _send(process: int, number: signal.Signals) -> bool:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    return True


def no_space(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The file system, work cache included, is full after a few kilobytes more."""
    bench.remount(f"size={bench.used_bytes() + int(draw.integers(1, 25)) * 4096}")
    try:
        run = bench.run(stage)
    finally:
        bench.remount("size=2g")
    return _again(bench, stage, run.code == 1, complaints(run))


def read_only(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """Nothing may be written, work cache and log included."""
    bench.remount("ro")
    try:
        run = bench.run(stage)
    finally:
        bench.remount("rw")
    return _again(bench, stage, run.code == 1, complaints(run))


def file_size(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """No file may grow beyond a few kilobytes: the error of a quota, from the middle of a write."""
    limit = int(draw.integers(64, 16_000))

    def arm() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = bench.run(stage, arm)
    return _again(bench, stage, run.code == 1, complaints(run))


def input_output(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The disk fails when one of the first writes is flushed."""
    left = [int(draw.integers(1, 4))]

    def arm() -> None:
        flush = os.fsync

        def failing(descriptor: int) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            flush(descriptor)

        os.fsync = failing

    run = bench.run(stage, arm)
    return _again(bench, stage, run.code == 1, complaints(run))


def read_error(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The disk fails while one of the first files is opened that the stage reads by itself, not through a native library."""
    left, data = int(draw.integers(1, 8)), str(bench.folder / "data")

    def arm() -> None:
        plain, seen = io.open, [0]

        def failing(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            if "r" in mode and isinstance(file, str | Path) and os.path.abspath(file).startswith(data):
                seen[0] += 1
                if seen[0] == left:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), str(file))
            return plain(file, mode, *rest, **more)

        io.open = builtins.open = failing  # type: ignore[assignment]

    return _refused(bench, stage, bench.run(stage, arm), os.strerror(errno.EIO))


def _refused(bench: Bench, stage: Stage, run: Run, word: str) -> Verdict:
    """The disturbed run fails, or refuses takes and says why; either way nothing of it is kept."""
    wrong, differing = complaints(run, quiet=run.code >= 0), bench.differences(stage)
    if run.code == 0 and differing and word not in run.said:
        wrong = wrong or f"{differing[0]} differs, and nobody said why: {run.said[-400:]}"
    return _again(bench, stage, run.code != 0 or bool(differing), wrong)


def vanished_input(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """An input is taken away before or while the stage runs."""
    sources = _inputs(bench, stage)
    source = sources[int(draw.integers(len(sources)))]
    away = bench.folder / "taken-away"
    moment = float(draw.choice([0.0, 0.0, _moment(bench, stage, draw)]))
    if moment == 0.0:
        source.rename(away)
        run = bench.run(stage)
    else:
        run = bench.run(stage, during=_once(moment, lambda _: source.rename(away) is not None))
    if away.exists():
        away.rename(source)
    return _again(bench, stage, run.code == 1, complaints(run))


def corrupt_entry(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """A bit of kept work flips: it is noticed and done again."""
    first = bench.run(stage)
    entries = bench.entries()
    for _ in range(3):
        _flip(entries[int(draw.integers(len(entries)))], draw)
    return _again(bench, stage, True, complaints(first))


def _inputs(bench: Bench, stage: Stage) -> list[Path]:
    """What the stage reads, as far as the stages before it wrote it."""
    return [path for name in stage.inputs if (path := bench.folder / name).exists()]


def _tables(bench: Bench, stage: Stage) -> list[Path]:
    """Parquet files the stage reads, recordings apart."""
    found = [file for path in _inputs(bench, stage) for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [file for file in found if file.suffix == ".parquet" and "raw" not in file.parts]


def corrupt_input(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """A bit of a table that the stage reads flips: refused, or without influence."""
    tables = _tables(bench, stage)
    table = tables[int(draw.integers(len(tables)))]
    sound = table.read_bytes()
    _flip(table, draw)
    bench.spoilt.add(table)
    run = bench.run(stage)
    wrong = complaints(run)
    if run.code == 0 and (differing := bench.differences(stage)):
        wrong = wrong or f"{table.name} was spoilt, nobody noticed, and {differing[0]} differs"
    table.write_bytes(sound)
    bench.spoilt.clear()
    return _again(bench, stage, run.code != 0, wrong)


def _flip(path: Path, draw: Draw) -> None:
    data = bytearray(path.read_bytes())
    data[int(draw.integers(len(data)))] ^= 1 << int(draw.integers(8))
    path.write_bytes(data)


def two_runs(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The same stage twice at once in one workspace: at least one ends well, the other too or with one line."""
    first = bench.start(stage)
    time.sleep(float(draw.uniform(0, 0.3)))
    second = bench.start(stage)
    runs = [bench.wait(first), bench.wait(second)]
    wrong = next(filter(None, map(complaints, runs)), "")
    if all(run.code != 0 for run in runs):
        wrong = wrong or f"both failed: {runs[0].said[-400:]}"
    elif differing := bench.differences(stage):
        wrong = wrong or f"{len(differing)} files differ, first {differing[0]}"
    return _again(bench, stage, True, wrong)


def clock(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The clock is set by days, back and forth, and the monotonic one leaps by seconds."""
    leaps = draw.uniform(-86400 * 400, 86400 * 400, 64)

    def arm() -> None:
        wall, steady, calls = time.time, time.monotonic, [0]

        def leaping() -> float:
            calls[0] += 1
            return wall() + float(leaps[calls[0] % len(leaps)])

        time.time = leaping
        time.monotonic = lambda: steady() + 5.0 * (int(steady() * 10) % 2 + calls[0])

    return _survives(bench, stage, bench.run(stage, arm), True)


def worker_memory(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The first call in some worker finds no memory: said, done again by itself, nothing lost."""
    mark = bench.folder.with_name("no-memory")
    mark.unlink(missing_ok=True)

    def arm() -> None:
        from primus import engine_local

        call = engine_local.call_once

        def starved(function: Callable[..., object], item: object) -> object:
            def failing(one: object) -> object:
                if not mark.exists():
                    mark.write_text("")
                    raise MemoryError("no room for it")
                return function(one)

            return call(failing, item)

        engine_local.call_once = starved  # type: ignore[assignment]

    run = bench.run(stage, arm)
    hit = mark.exists()
    verdict = _survives(bench, stage, run, hit)
    if hit and not verdict.wrong and "done once more by itself" not in run.said:
        return Verdict(hit, f"nothing was said: {run.said[-400:]}")
    return verdict


def little_memory(bench: Bench, stage: Stage, draw: Draw) -> Verdict:
    """The stage's own process is given little more address space than it starts with."""
    more = int(2 ** draw.uniform(20, 25))  # with less, CPython may wait for ever for a new thread: python/cpython#140746

    def arm() -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))

    return _refused(bench, stage, bench.run(stage, arm), "memory")


Kind = Callable[[Bench, Stage, Draw], Verdict]
KINDS: dict[str, Kind] = {
    "kill process": kill_process,
    "kill group": kill_group,
    "kill worker": kill_worker,
    "interrupt": interrupt,
    "no space": no_space,
    "read only": read_only,
    "file size": file_size,
    "input/output": input_output,
    "read error": read_error,
    "vanished input": vanished_input,
    "corrupt entry": corrupt_entry,
    "corrupt input": corrupt_input,
    "two runs": two_runs,
    "clock": clock,
    "worker memory": worker_memory,
    "little memory": little_memory,
}
MOUNT = ("no space", "read only")
WORKERS = ("kill worker", "worker memory")
FRUGAL = ("profile", "simulate", "manifest")  # they need no more than Python holds anyway
WITH_WORKERS = ("simulate", "segment", "embed_video")


def possible(kind: str, stage: Stage, bench: Bench) -> bool:
    """Whether a fault of this kind can befall the stage here."""
    if kind in MOUNT:
        return bench.mounted
    if kind in WORKERS:
        return stage.name in WITH_WORKERS
    if kind in ("vanished input", "read error"):
        return bool(_inputs(bench, stage))
    if kind == "little memory":
        return stage.name not in FRUGAL
    if kind == "corrupt input":
        return bool(_tables(bench, stage))
    if kind == "corrupt entry":
        return stage.name in bench.keeps
    return True


def inject(bench: Bench, kind: str, stage: Stage, draw: Draw) -> Verdict:
    """One fault, on a stage whose outs and kept work are removed first."""
    bench.clear(stage)
    try:
        return KINDS[kind](bench, stage, draw)
    finally:
        if bench.differences(stage):  # whatever went wrong must not be the next fault's beginning
            shutil.rmtree(bench.folder / ".cache", ignore_errors=True)
            bench.remove_outs(stage)
            bench.run(stage)
