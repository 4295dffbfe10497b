"""What every stage's `main` shares: one-line errors, a structured log, progress that also reads well in a file."""

import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tqdm import tqdm

from primus.errors import UserError
from primus.system_faults import lacked_memory

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
NO_MEMORY = "free some, lower compute.workers in params.yaml or the batch of this stage, then rerun: finished work is kept"


class StageLog:
    """Append JSON lines to `logs/<stage>.jsonl`: times, rates, paths and resources live here, never in metrics."""

    def __init__(self, stage: str, folder: str | Path = "logs") -> None:
        self.stage = stage
        self._started = time.monotonic()
        self.path: Path | None = Path(folder) / f"{stage}.jsonl"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            self.path = None  # a log that cannot be written must not stop the work it describes

    def rate(self, count: int) -> float:
        """`count` per second since the stage began."""
        return round(count / max(1e-3, time.monotonic() - self._started), 1)

    def event(self, event: str, **fields: Any) -> None:
        """Write one line: the event's name, seconds since the stage began, and `fields`."""
        if self.path is None:
            return
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row = {"event": event, "elapsed_s": round(time.monotonic() - self._started, 3), "peak_rss_mib": peak, "unix_s": round(time.time(), 3)}
        try:
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.write(json.dumps(row | fields, default=str, sort_keys=True) + "\n")
        except OSError:
            self.path = None


def _resources() -> dict[str, float]:
    """What this process and those it has waited for took: processor seconds, the largest of the children's memory, data from and to disks."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cpu_s": round(own.ru_utime + own.ru_stime, 2),
        "children_cpu_s": round(children.ru_utime + children.ru_stime, 2),
        "children_peak_rss_mib": children.ru_maxrss // 1024,
        "read_mib": (own.ru_inblock + children.ru_inblock) // 2048,
        "written_mib": (own.ru_oublock + children.ru_oublock) // 2048,
    }


def stage(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a command: a UserError, broken disk or lack of memory becomes one line and status 1, an interrupt 130; start and end are logged."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            log = StageLog(name)
            log.event("start", argv=sys.argv[1:], pid=os.getpid())
            try:
                result = function(*args, **kwargs)
            except UserError as error:
                log.event("error", message=str(error))
                print(f"error: {name}: {error}", file=sys.stderr)
                raise SystemExit(1) from None
            except OSError as error:
                log.event("error", message=str(error))
                place = f" {error.filename}" if error.filename else ""
                print(f"error: {name}: {error.strerror or error}{place}; mend it and rerun, finished work is kept", file=sys.stderr)
                raise SystemExit(1) from None
            except Exception as error:
                if not lacked_memory(error):
                    raise
                log.event("error", message=f"out of memory: {error}")
                print(f"error: {name}: out of memory ({' '.join(str(error).split())[:120] or 'no more was given'}); {NO_MEMORY}", file=sys.stderr)
                raise SystemExit(1) from None
            except KeyboardInterrupt:
                log.event("interrupted")
                print(f"{name}: interrupted; run the same command again to continue from the finished work", file=sys.stderr)
                raise SystemExit(130) from None
            log.event("done", **_resources())
            return result

        return run

    return decorate


def progress(items: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate with a progress bar on a terminal, or with a line every five seconds where output goes to a file."""
    terminal = sys.stderr.isatty()
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    if terminal:
        yield from tqdm(items, desc=description, total=total, unit=unit, dynamic_ncols=True)
        return
    started = said = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        if now - said >= 5:
            rate = count / (now - started)
            left = f", {max(0, total - count) / rate:.0f} s left" if total else ""
            print(f"{description}: {count}{f'/{total}' if total else ''} {unit}, {rate:.1f} {unit}/s{left}", file=sys.stderr, flush=True)
            said = now
    print(f"{description}: {count} {unit} in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
