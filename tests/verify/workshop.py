"""A copy of the checkout in which a proof can run the pipeline, kill it and spoil it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Workshop:
    """A git repository of its own, on one profile, with its own work cache."""

    folder: Path
    profile: str

    @classmethod
    def make(cls, folder: Path, profile: str) -> "Workshop":
        """Copy the tracked files of this checkout (as they lie in the working tree) and commit them, with `data: <profile>`."""
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, names):
            source = ROOT / name
            if source.is_file():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        (folder / "dvc.lock").unlink(missing_ok=True)
        params = folder / "params.yaml"
        lines = [f"data: {profile}" if line.startswith("data:") else line for line in params.read_text().splitlines()]
        params.write_text("\n".join(lines) + "\n")
        git = ["git", "-c", "user.name=proof", "-c", "user.email=proof@localhost", "-c", "commit.gpgsign=false"]
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "a copy to prove things on"]):
            subprocess.run([*git, *command], cwd=folder, check=True)
        return cls(folder, profile)

    def environment(self, **extra: str) -> dict[str, str]:
        """The caller's environment with this interpreter first on PATH and nothing pointing at another cache or root."""
        env = {k: v for k, v in os.environ.items() if k not in ("PRIMUS_CACHE", "DVC_ROOT", "OMP_NUM_THREADS")}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        env |= {
            "GIT_AUTHOR_NAME": "proof",
            "GIT_AUTHOR_EMAIL": "proof@localhost",
            "GIT_COMMITTER_NAME": "proof",
            "GIT_COMMITTER_EMAIL": "proof@localhost",
        }
        return env | extra

    def run(self, *command: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy; a failure shows what it printed."""
        done = subprocess.run(command, cwd=self.folder, env=self.environment(**extra), capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def dvc(self, *arguments: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run DVC in the copy."""
        return self.run("dvc", *arguments, check=check, **extra)

    def repro_killed_after(self, seconds: float) -> bool:
        """Start `dvc repro`, kill its whole process group after `seconds`; True if it was still running."""
        process = subprocess.Popen(
            ["dvc", "repro"], cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(timeout=seconds)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.2)
            return True

    def metrics(self) -> dict[str, str]:
        """sha256 of every file below metrics/, by relative path."""
        folder = self.folder / "metrics"
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}

    def json(self, name: str) -> Any:
        """A JSON file of the copy."""
        return json.loads((self.folder / name).read_text())
