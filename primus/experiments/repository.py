"""Experiments in this git repository: which are finished, and what one wrote. Reads git's refs and DVC's cache; runs one through DVC."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from primus.artifacts import atomic_folder
from primus.errors import UserError
from primus.experiments.composing import composed, decisive, overrides
from primus.experiments.listing import Experiment

STAGES = ("profile", "simulate", "manifest", "segment", "embed_video", "embed_text", "pretrain", "features", "fewshot")
"""The way to few-shot scores: what ablations run."""


@dataclass(frozen=True)
class Finished:
    """A finished experiment: its commit, and the commit it was started on."""

    commit: str
    baseline: str


@dataclass(frozen=True)
class Repository:
    """A checkout with DVC in it.

    Attributes:
        root: its folder.
        params: its params.yaml, read.
    """

    root: Path
    params: Mapping[str, Any]

    def finished(self, experiment: Experiment, target: str | None = STAGES[-1]) -> Finished | None:
        """The newest run of `experiment` with the code and the parameters as they are now, or None.

        With no `target` that is all stages, and the tracked files they read; else those up to few-shot scores.
        """
        for commit, baseline in self._runs(experiment.name):
            if self._same_params(experiment, commit, target is None) and not self._differs(commit, stages=STAGES if target else None):
                return Finished(commit, baseline)
        return None

    def command(self, experiment: Experiment, target: str | None) -> list[str]:
        """The command line that runs it, without touching the workspace."""
        changes = [argument for change in overrides(experiment, self.params) for argument in ("-S", change)]
        return ["dvc", "exp", "run", "--temp", "-n", experiment.name, *changes, *([target] if target else [])]

    def run(self, experiment: Experiment, target: str | None, log: Path) -> int:
        """Run it, its output going to `log`; the exit status. An outdated run of that name on the same commit is replaced."""
        head = self._git("rev-parse", "HEAD").strip()
        if any(baseline == head for _, baseline in self._runs(experiment.name)):
            self._dvc("exp", "remove", experiment.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        with open(log, "w", encoding="utf-8") as output:
            words = [sys.executable, "-m", *self.command(experiment, target)]
            return subprocess.run(words, cwd=self.root, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False).returncode

    def table(self, commit: str, path: str) -> pd.DataFrame:
        """A Parquet file that a stage of the experiment wrote, from DVC's cache.

        Raises:
            UserError: the cache does not have it.
        """
        import dvc.api  # type: ignore[import-untyped]
        from dvc.exceptions import DvcException  # type: ignore[import-untyped]

        try:
            content = dvc.api.read(path, repo=str(self.root), rev=commit, mode="rb")
        except (DvcException, OSError, KeyError) as error:
            said = " ".join(str(error).split())[:200]
            raise UserError(f"{path} of experiment {commit[:8]} is not in DVC's cache ({said}); run it again with --again") from None
        return pd.read_parquet(io.BytesIO(content))

    def folder(self, commit: str, path: str, out: Path) -> None:
        """Copy a folder that a stage of the experiment wrote to `out`, from DVC's cache; what is there is replaced."""
        from dvc.api import DVCFileSystem

        files = DVCFileSystem(url=str(self.root), rev=commit)
        with atomic_folder(out) as temporary:
            for file in files.find(path):  # a folder as a whole would be put beside what the existing one holds, under its own name
                place = temporary / Path(file).relative_to(path)
                place.parent.mkdir(parents=True, exist_ok=True)
                files.get_file(file, str(place))

    def text(self, commit: str, path: str) -> str:
        """A file that git keeps, as the experiment left it (empty where it has none)."""
        done = subprocess.run(["git", "show", f"{commit}:{path}"], cwd=self.root, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def origin(self, finished: Finished) -> str:
        """The last commit that changed the code or parameters it was started on, with `+` where sources were edited beyond that."""
        changed = self._git("log", "-1", "--format=%H", finished.baseline, "--", *self._sources(STAGES), "params.yaml").strip()
        return changed[:10] + ("+" if self._differs(finished.baseline, finished.commit) else "")

    def _runs(self, name: str) -> list[tuple[str, str]]:
        """(commit, commit it was started on) of all runs of that name, newest first."""
        listed = self._git("for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps")
        runs = []
        for line in listed.splitlines():
            commit, _, reference = line.partition(" ")
            parts = reference.split("/")  # refs/exps/<2 digits>/<38 digits>/<name>
            if len(parts) == 5 and parts[4] == name:
                runs.append((commit, parts[2] + parts[3]))
        return runs

    def _same_params(self, experiment: Experiment, commit: str, whole: bool) -> bool:
        try:
            theirs = decisive(yaml.safe_load(self.text(commit, "params.yaml")), whole)
        except (yaml.YAMLError, KeyError, TypeError, AttributeError):
            return False  # of another time, when params.yaml looked otherwise
        return theirs == decisive(composed(experiment, self.params), whole)

    def _differs(self, *commits: str, stages: Sequence[str] | None = STAGES) -> bool:
        """Whether the sources of the stages differ between two commits, or between one and the working tree."""
        words = ["git", "diff", "--quiet", *commits, "--", *self._sources(stages)]
        return subprocess.run(words, cwd=self.root, check=False).returncode != 0

    def _sources(self, names: Sequence[str] | None) -> Sequence[str]:
        """Source files of the stages; of all stages, with None, and then what else of the repository they read and none of them writes, too."""
        stages = yaml.safe_load((self.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        bodies = [body.get("do", body) for name, body in stages.items() if names is None or name in names]
        paths = {path for body in bodies for path in body.get("deps", [])}
        written = [path.partition("${")[0] for body in bodies for path in _outputs(body)]  # of a templated name what comes before

        def read_only(path: str) -> bool:
            return path.split("/")[0] in ("metrics", "primus") and not any(f"{out}/".startswith(f"{path}/") for out in written)

        return sorted(path for path in paths if path.endswith(".py") or (names is None and read_only(path)))

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UserError(f"git {arguments[0]}: {done.stderr.strip()[:200]}; experiments need a git repository with a commit")
        return done.stdout

    def _dvc(self, *arguments: str) -> None:
        done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UserError(f"dvc {' '.join(arguments)}: {done.stderr.strip()[-300:]}")


def _outputs(body: Mapping[str, Any]) -> list[str]:
    """Paths that a stage of dvc.yaml writes; each stands there as a path or as a mapping of one to its flags."""
    listed = [entry for key in ("outs", "metrics", "plots") for entry in body.get(key, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in listed]
