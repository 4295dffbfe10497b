"""Experiments one after the other: said beforehand, finished ones skipped, each one's output in a log of its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from primus.experiments.duration import estimate, spoken, trainings, work
from primus.experiments.listing import Experiment
from primus.experiments.repository import Repository
from primus.stage import StageLog

SAID_ON_FAILURE = 12  # last lines of a failed run's log


@dataclass(frozen=True)
class Plan:
    """What has to run, and what is there already."""

    pending: tuple[Experiment, ...]
    finished: tuple[Experiment, ...]

    @classmethod
    def of(cls, experiments: Sequence[Experiment], repository: Repository, target: str | None, again: bool = False) -> "Plan":
        """Finished are those that ran up to `target` (None: to the end) with code and parameters as they are; `again` counts none as finished."""
        done = {experiment.name for experiment in experiments if not again and repository.finished(experiment, target)}
        return cls(tuple(e for e in experiments if e.name not in done), tuple(e for e in experiments if e.name in done))

    def said(self, repository: Repository, logs: Path) -> str:
        """How many runs, how many encoders, how long."""
        total = len(self.pending) + len(self.finished)
        head = f"{total} experiment(s), {len(self.finished)} finished with the code and parameters as they are"
        if not self.pending:
            return f"{head}: nothing to run"
        encoders = sum(trainings(experiment, repository.params) for experiment in self.pending)
        seconds = estimate(self.pending, repository.params, logs)
        uncounted = sorted({experiment.profile for experiment in self.pending if work(experiment, repository.params) is None})
        long = "no earlier run tells how long; the first one will"
        if uncounted:
            long = f"how long cannot be told: the budget is in epochs, and {', '.join(uncounted)} is not segmented yet (its first run does that)"
        elif seconds is not None:
            long = f"about {spoken(seconds)}, from the logs of earlier runs"
        return f"{head}, {len(self.pending)} to run with {encoders} pretraining runs per fold: {long}"


def run(plan: Plan, repository: Repository, target: str | None, logs: Path) -> list[str]:
    """Run what is pending, going on past failures; the names of those that failed.

    An interrupted run leaves its training state in the work cache, so the same command goes on where it was.
    """
    failed: list[str] = []
    log = StageLog("experiments", logs)
    for number, experiment in enumerate(plan.pending):
        seconds = estimate(plan.pending[number:], repository.params, logs)
        left = f", about {spoken(seconds)} left" if seconds is not None else ""
        file = logs / "experiments" / f"{experiment.name}.log"
        print(f"[{number + 1}/{len(plan.pending)}] {experiment.name}{left}; output in {file}", flush=True)
        started = time.monotonic()
        status = repository.run(experiment, target, file)
        took = time.monotonic() - started
        output = file.read_text(encoding="utf-8", errors="replace")
        facts = {"profile": experiment.profile, "segments": work(experiment, repository.params), "computed": "segments/s" in output}
        log.event("ran" if status == 0 else "failed", name=experiment.name, seconds=round(took, 1), status=status, **facts)
        if status:
            failed.append(experiment.name)
            print("\n".join(["  failed:", *(f"  {line}" for line in output.splitlines()[-SAID_ON_FAILURE:])]), flush=True)
    return failed
