"""One case: damage a sound input, read it under guard, and say what came of it."""

import contextlib
import io
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from primus.errors import Rejected, UserError
from tests.fuzz.damage import damage_folder
from tests.fuzz.loaders import LOADERS
from tests.fuzz.products import PRODUCTS
from tests.fuzz.readers import READERS
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*READERS, *LOADERS, *PRODUCTS)}
LIMIT_S = 5.0
"""Processor seconds that one case may take; more is a hang."""
KILLED_AFTER_CPU_S = 10.0
"""Processor seconds after which a case is ended with its worker, by SIGPROF: no loop outlives it, and a busy machine raises no false alarm."""
KILLED_AFTER_S = 300.0
"""Seconds after which a worker that says nothing is ended: what waits instead of working."""
ADDRESS_SPACE = 4 << 30
"""Bytes of address space that a case may add to those of its process."""
GROWTH_MIB = 1024
"""Resident memory that a case may add; the largest sound input has 4 MB, the largest member an archive may unpack to 64."""

Outcome = Literal["read", "refused", "finding"]
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "pty.",
    "socket.connect",
    "socket.getaddrinfo",
    "pickle.find_class",
    "ftplib.",
    "urllib.",
)
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link", "os.rmdir", "os.truncate", "os.chmod", "shutil.")


@dataclass(frozen=True)
class Result:
    """What became of one case: `kind` is the reason of a refusal, "segments", or the sort of a finding; `detail` what to look at.

    `seconds` are of processor time.
    """

    outcome: Outcome
    kind: str
    detail: str
    seconds: float
    growth_mib: float


class _Guard:
    """Notes, while active, whatever is opened for writing outside one folder, started, connected to or unpickled."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event == "open":
            path, _, flags = arguments
            if flags & _WRITES and not isinstance(path, int):
                self._require_inside(event, path)
        elif event.startswith(_EVENTS):
            self.seen.append(f"{event} {str(arguments)[:200]}")
        elif event.startswith(_CHANGES) and arguments and isinstance(arguments[0], str | bytes | os.PathLike):
            self._require_inside(event, arguments[0])

    def _require_inside(self, event: str, path: Any) -> None:
        absolute = os.path.abspath(os.fsdecode(path))
        if not absolute.startswith((f"{self.folder}/", "/dev/null")) and absolute != self.folder:
            self.seen.append(f"{event} {absolute}")

    @contextlib.contextmanager
    def watching(self, folder: Path) -> Iterator[list[str]]:
        self.seen, self.folder = [], str(folder)
        try:
            yield self.seen
        finally:
            self.folder = None


@dataclass
class Runner:
    """Runs cases of a target; long-lived in a worker process, which a crash or a hang costs.

    Attributes:
        sound: folder of the sound inputs, `<target>/<variant>/...`.
        scratch: folder for the damaged ones.
    """

    sound: Path
    scratch: Path
    _guard: _Guard | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_guard": None}

    def __call__(self, item: tuple[str, int]) -> Result:
        """The case `item`, a target's name and a number."""
        name, number = item
        if self._guard is None:
            self._guard = _Guard()
            sys.dont_write_bytecode = True
            sys.stderr.flush()
            _limit_address_space()
        folder = (self.scratch / f"{os.getpid()}").resolve()
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "temporary").mkdir(parents=True)
        self._to_own_folder(folder)
        how = self.damage(name, number, folder / "in")
        before, began = _resident_mib(), time.process_time()
        with self._guard.watching(folder) as trespasses, _ended_after(KILLED_AFTER_CPU_S):
            outcome, kind, detail = _read(TARGETS[name], folder / "in")
        seconds = time.process_time() - began
        growth = max(0.0, _peak_mib() - before)
        left = sorted(path.name for path in folder.iterdir() if path.name not in ("in", "temporary"))
        left += sorted(path.name for path in (folder / "temporary").iterdir())
        left += [path for path in ("/tmp/primus_fuzz_escaped.csv", str(self.scratch / "escaped.csv")) if os.path.exists(path)]
        if trespasses:
            outcome, kind, detail = "finding", "trespass", trespasses[0]
        elif left:
            outcome, kind, detail = "finding", "left behind", ", ".join(left)
        elif seconds > LIMIT_S:
            outcome, kind, detail = "finding", "hang", f"{seconds:.1f} s; {outcome} {kind}: {detail}"
        elif growth > GROWTH_MIB:
            outcome, kind, detail = "finding", "memory", f"{growth:.0f} MiB; {outcome} {kind}: {detail}"
        return Result(outcome, kind, f"{detail} [{how}]"[:600], seconds, growth)

    def damage(self, name: str, number: int, out: Path) -> str:
        """Write the damaged input of a case; says what was done to it."""
        draw = np.random.default_rng([zlib.crc32(name.encode()), number])
        variants = sorted((self.sound / name).iterdir())
        variant = variants[int(draw.integers(len(variants)))]
        out.mkdir(parents=True)
        return f"{variant.name}/{damage_folder(variant, out, draw)}"

    @staticmethod
    def _to_own_folder(folder: Path) -> None:
        os.environ["TMPDIR"] = str(folder / "temporary")
        import tempfile

        tempfile.tempdir = None
        os.chdir(folder)


def _read(target: Target, folder: Path) -> tuple[Outcome, str, str]:
    """Read under the rule of the project: a result, `Rejected` or `UserError`; everything else is a finding."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            target.read(folder)
    except Rejected as rejected:
        return "refused", rejected.reason, _one_line(rejected)
    except UserError as error:
        return _plain(error)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/primus/" in frame.filename or "/tests/" in frame.filename] or frames
        place = f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}"
        kind = "silent" if isinstance(error, AssertionError) and "/tests/" in ours[-1].filename else type(error).__name__
        return "finding", kind, f"{_one_line(error)} ({place})"
    return "read", "read", ""


def _plain(error: UserError) -> tuple[Outcome, str, str]:
    text = str(error)
    if "\n" in text or len(text) > 20_000:
        return "finding", "message", f"a message of {len(text)} characters and {text.count(chr(10)) + 1} lines: {text[:200]!r}"
    return "refused", "user_error", _one_line(error)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """This process is ended once it has used so much processor time, whatever it is doing then."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def _limit_address_space() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, hard))


def _resident_mib() -> float:
    """Resident memory now; the peak is counted anew from here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak_mib() -> float:
    return _status("VmHWM")


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
