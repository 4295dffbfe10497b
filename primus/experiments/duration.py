"""How long experiments will take, from the logs of earlier runs: an answer before the work, not a promise."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from primus.experiments.listing import Experiment

UNTRAINED = ("none", "released", "statistics")
AROUND_S = 30.0  # of an experiment beside its pretraining: its copy of the workspace, features, heads


def trainings(experiment: Experiment, params: Mapping[str, Any]) -> int:
    """Encoders that one fold of the experiment trains."""
    objectives = [_section(name, params).get("objective", "contrastive") for name in experiment.methods]
    return experiment.seeds * sum(objective not in UNTRAINED for objective in objectives)


def estimate(experiments: Iterable[Experiment], params: Mapping[str, Any], logs: Path) -> float | None:
    """Seconds for all of them; None where no log tells how long a training takes."""
    total = 0.0
    for experiment in experiments:
        each = _seconds_each(experiment, params, logs)
        if each is None:
            return None
        total += AROUND_S + each * trainings(experiment, params)
    return total


def spoken(seconds: float) -> str:
    """40 -> "1 min", 5000 -> "1 h 23 min"."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _seconds_each(experiment: Experiment, params: Mapping[str, Any], logs: Path) -> float | None:
    """Of one training: as earlier experiments on the profile took, else from the rate of the last pretraining and the profile's budget."""
    earlier = [row for row in _rows(logs / "experiments.jsonl") if row.get("event") == "ran" and row.get("profile") == experiment.profile]
    each = [max(0.0, row["seconds"] - AROUND_S) / row["trainings"] for row in earlier if row.get("trainings") and row.get("computed")]
    if each:
        return median(each)
    rates = [row["segments_per_s"] for row in _rows(logs / "pretrain.jsonl") if row.get("event") == "step" and row.get("segments_per_s")]
    profile = params["profiles"][experiment.profile]
    budget = {**(profile.get("pretrain") or {}), **{key: value for key, value in params["pretrain"].items() if value is not None}}
    if not rates or not budget.get("steps"):
        return None
    folds = (profile.get("segment") or {}).get("splits", {}).get("folds") or 1
    return float(budget["steps"] * budget["batch_size"] / rates[-1] * folds)


def _section(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    value: Any = params
    for part in params["methods"].get(method, {"section": f"baselines.{method}"})["section"].split("."):
        value = value[part]
    return value if isinstance(value, Mapping) else {}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue  # cut short by a kill
