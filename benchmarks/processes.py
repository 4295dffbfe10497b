"""Time and memory of a command with all its processes."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

LOG = "measured.log"


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def resident_mib(pid: int) -> float:
    """Resident memory of one process, 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def measured(command: list[str], folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Run a command to its end: seconds, the largest sum of resident memory over its processes (sampled ten times a second), processor seconds.

    What it says goes to `LOG` in `folder`; where it fails, the last lines of that are the error.
    """
    before, started, peak = os.times(), time.monotonic(), 0.0
    with open(folder / LOG, "a") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        while process.poll() is None:
            peak = max(peak, sum(map(resident_mib, tree(process.pid))))
            time.sleep(0.1)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} exited {process.returncode}:\n" + "\n".join((folder / LOG).read_text().splitlines()[-20:]))
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"s": round(time.monotonic() - started, 2), "cpu_s": round(cpu, 2), "rss_mib": round(peak)}


def size_mib(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 2**20)
