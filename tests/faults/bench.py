"""A workspace on the tiny profile in which single stages run in forked children of this process, which has done the heavy imports."""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
import yaml

from tests.faults.watch import Watch

ROOT = Path(__file__).resolve().parent.parent.parent
PROFILE = "tiny"
LIMIT_S = 600.0
SPACE = "2g"


@dataclass(frozen=True)
class Stage:
    """One run of the graph: its name there, the module and arguments of its command, its outs and the data it reads."""

    name: str
    module: str
    arguments: tuple[str, ...]
    outs: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass
class Run:
    """What became of a child.

    `code` is negative for a signal; `said` its output; processes `left` over; `torn` files; whether it `hung` beyond `limit_s`.
    """

    code: int
    said: str
    seconds: float
    left: list[int]
    torn: list[str]
    hung: bool
    limit_s: float


def graph() -> list[Stage]:
    """The stages of dvc.yaml in the order they are listed, methods expanded."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    found = []
    for name, entry in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        for key in params["methods"] if "foreach" in entry else [""]:
            body = entry.get("do", entry)
            words = _filled(body["cmd"], key).split()
            outs = [_filled(_path(out), key) for kind in ("outs", "metrics", "plots") for out in body.get(kind, [])]
            inputs = [_filled(dependency, key) for dependency in body.get("deps", []) if dependency.startswith("data/")]
            found.append(Stage(f"{name}@{key}" if key else name, words[2], tuple(words[3:]), tuple(outs), tuple(inputs)))
    return found


def _path(entry: Any) -> str:
    return str(next(iter(entry))) if isinstance(entry, dict) else str(entry)


def _filled(text: str, key: str) -> str:
    return text.replace("${data}", PROFILE).replace("${key}", key).replace("${item}", key)


@dataclass
class Bench:
    """The workspace, on a small file system of its own where this user may mount one (`mounted`).

    The mount is seen by this process and its children only, so it ends with them. After `prepare`: what every stage left (`reference`, sha256 by
    file), how long it took, and which stages keep finished work (`keeps`). `spoilt` are files the fault itself has damaged, which nobody looks at;
    processes have `grace_s` to leave after their stage.
    """

    folder: Path
    stages: list[Stage] = field(default_factory=graph)
    grace_s: float = 20.0
    mounted: bool = False
    reference: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    keeps: set[str] = field(default_factory=set)
    spoilt: set[Path] = field(default_factory=set)
    _said: dict[int, Path] = field(default_factory=dict)
    _started: int = 0

    def __enter__(self) -> "Bench":
        self.folder.mkdir(parents=True)
        self.mounted = _own_mounts() and _ran("mount", "-t", "tmpfs", "-o", f"size={SPACE}", "tmpfs", str(self.folder))
        params = (ROOT / "params.yaml").read_text()
        for name, pattern, value in (("data", r"^data: \w+", PROFILE), ("checkpoint_every_s", r"^  checkpoint_every_s: \w+", "0")):
            params, found = re.subn(pattern, lambda match, to=value: f"{match[0].partition(':')[0]}: {to}", params, flags=re.MULTILINE)
            if found != 1:
                raise RuntimeError(f"params.yaml has {found} lines of {name}; expected one")
        (self.folder / "params.yaml").write_text(params)
        shutil.copy(ROOT / "dvc.yaml", self.folder)
        (self.folder / "metrics").mkdir()
        shutil.copytree(ROOT / "data" / "roots" / PROFILE, self.folder / "data" / "roots" / PROFILE)
        for name in ("primus.simulate.corpus", "primus.embeddings.jobs", "primus.embeddings.demo_clip", *(stage.module for stage in self.stages)):
            import_module(name)
        _first_command()
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            _ran("umount", str(self.folder))

    def prepare(self, names: list[str] | None = None) -> None:
        """Run the graph undisturbed (only as far as the last of `names`) and remember what every stage left."""
        last = max((place for place, stage in enumerate(self.stages) if names is None or stage.name in names), default=0)
        for stage in self.stages[: last + 1]:
            before = len(self.entries())
            run = self.run(stage)
            if run.code != 0:
                raise RuntimeError(f"{stage.name} undisturbed ended with {run.code}: {run.said[-3000:]}")
            self.seconds[stage.name] = run.seconds
            if len(self.entries()) > before:
                self.keeps.add(stage.name)
            self.reference[stage.name] = self.outputs(stage)

    def entries(self) -> list[Path]:
        """Finished work that is kept beside the outs."""
        return sorted((self.folder / ".cache").rglob("*.entry"))

    def logged(self, stage: Stage) -> list[str]:
        """Events in the stage's log, all runs together."""
        path = self.folder / "logs" / f"{stage.module.removeprefix('stages.')}.jsonl"
        return [json.loads(line)["event"] for line in path.read_text().splitlines()] if path.exists() else []

    def outputs(self, stage: Stage) -> dict[str, str]:
        """sha256 of every visible file of the stage's outs."""
        files = [file for out in stage.outs for file in sorted([self.folder / out, *(self.folder / out).rglob("*")]) if file.is_file()]
        return {str(file.relative_to(self.folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def clear(self, stage: Stage) -> None:
        """Remove the stage's outs, as DVC does before a run, and all kept work."""
        self.remove_outs(stage)
        shutil.rmtree(self.folder / ".cache", ignore_errors=True)

    def remove_outs(self, stage: Stage) -> None:
        for out in stage.outs:
            path = self.folder / out
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def differences(self, stage: Stage) -> list[str]:
        """Files of the stage that are not as the undisturbed run left them."""
        now, then = self.outputs(stage), self.reference[stage.name]
        return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))

    def remount(self, options: str) -> None:
        if not _ran("mount", "-o", f"remount,{options}", str(self.folder)):
            raise RuntimeError(f"cannot remount {self.folder} with {options}")

    def used_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def start(self, stage: Stage, arm: Callable[[], None] | None = None) -> int:
        """Fork a child, with its own session, that runs the stage after `arm` has been called in it."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._started += 1
        said = self.folder.with_name(f"{self.folder.name}-said") / f"{self._started}-{stage.name}.log"
        said.parent.mkdir(exist_ok=True)
        child = os.fork()
        if child:
            self._said[child] = said
            return child
        code = 70
        try:
            os.setsid()
            _end_with_parent()
            log = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout, sys.stderr = (open(log, "w", buffering=1, closefd=False) for _ in range(2))  # noqa: SIM115 (until the process ends)
            code = self._live(stage, arm)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _live(self, stage: Stage, arm: Callable[[], None] | None) -> int:
        import multiprocessing

        os.chdir(self.folder)
        os.environ["DVC_ROOT"], os.environ["PRIMUS_CACHE"] = str(self.folder), ".cache"
        signal.signal(signal.SIGINT, signal.default_int_handler)
        forked = multiprocessing.get_context("fork")  # workers of forked children have the imports, too
        multiprocessing.get_context = lambda method=None: forked  # type: ignore[assignment]
        if arm is not None:
            arm()
        sys.argv = [stage.module, *stage.arguments]
        try:
            typer.run(import_module(stage.module).main)
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    def wait(self, child: int, during: Callable[[int, float], None] | None = None) -> Run:
        """Look at the visible files until the child is gone; `during` is called with its number and its age in between."""
        watch, began, code = Watch([self.folder / "data", self.folder / "metrics"], self.spoilt), time.monotonic(), None
        hung = False
        while code is None:
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() - began > LIMIT_S:
                hung = True
                os.killpg(child, 9)
            else:
                if during is not None:
                    during(child, time.monotonic() - began)
                watch.look()
                time.sleep(0.01)
        seconds = time.monotonic() - began
        left = _gone_within(child, self.grace_s)
        watch.look()
        said = self._said.pop(child)
        text = said.read_text(errors="replace")
        said.unlink()
        return Run(code, text, seconds, left, watch.torn, hung, LIMIT_S)

    def run(self, stage: Stage, arm: Callable[[], None] | None = None, during: Callable[[int, float], None] | None = None) -> Run:
        return self.wait(self.start(stage, arm), during)


def _first_command() -> None:
    """Typer loads more when the first command starts; a stage's children then have that, too."""
    app = typer.Typer()

    @app.command()
    def nothing(name: str = "") -> None:
        pass

    app([], standalone_mode=False)


def _end_with_parent() -> None:
    """A harness that is killed leaves no stage behind."""
    death_signal = 1  # PR_SET_PDEATHSIG
    with contextlib.suppress(AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(death_signal, int(signal.SIGKILL))


def _own_mounts() -> bool:
    """Whether this process could be given a table of mounts of its own."""
    new_mounts = 0x00020000  # CLONE_NEWNS
    try:
        return bool(ctypes.CDLL(None).unshare(new_mounts) == 0) and _ran("mount", "--make-rprivate", "/")
    except AttributeError:  # not Linux
        return False


def _ran(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def members(session: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def _gone_within(session: int, seconds: float) -> list[int]:
    """Processes of the session that are still there after so long; they are ended."""
    deadline = time.monotonic() + seconds
    while (left := members(session)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in left:
        os.kill(process, 9)
    return left
