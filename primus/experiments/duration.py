"""How long experiments will take, from the logs of earlier runs: an answer before the work, not a promise."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from primus.artifacts import read_table
from primus.experiments.composing import composed
from primus.experiments.listing import Experiment
from primus.params import layered

DATA = Path("data")
UNTRAINED = ("none", "released", "statistics")
FINETUNED = 0.6  # work of a segment in fine-tuning, without a second view and neighbours, beside one in pretraining
AROUND_S = 30.0  # of an experiment beside its training: its copy of the workspace, features, heads


def trainings(experiment: Experiment, params: Mapping[str, Any]) -> int:
    """Encoders that one fold of the experiment trains."""
    sections = _sections(composed(experiment, params))
    return experiment.seeds * sum(section.get("objective") not in UNTRAINED for section in sections)


def work(experiment: Experiment, params: Mapping[str, Any], data: Path = DATA) -> float | None:
    """Segments that pretraining goes through, and those of fine-tuning at their share of its work.

    None where the budget is in epochs of a corpus that is not segmented yet.

    Args:
        data: the folder with the profiles' data.
    """
    own = composed(experiment, params)
    profile = own["profiles"][experiment.profile]
    steps, epochs, batch = (layered(own, f"pretrain.{key}") for key in ("steps", "epochs", "batch_size"))
    counts = training_segments(data / experiment.profile) if epochs else []
    if not batch or not (steps or counts):
        return None
    folds = layered(own, "segment.splits.folds") or 1
    limits = [*([steps * batch] if steps else []), *([epochs * sum(counts) / len(counts)] if counts else [])]  # whichever comes first
    total = float(min(limits) * trainings(experiment, params))
    tuning = layered(own, "fewshot.finetune") or {}
    if tuning.get("steps"):
        labelled = sum("probe" in (entry.get("purpose") or []) for entry in profile.get("datasets", {}).values())
        fits = labelled * (layered(own, "fewshot.episodes") or 1) * _finetuned(own, experiment.seeds)
        total += FINETUNED * fits * tuning["steps"] * tuning["batch_size"] * (1 + tuning["trial_share"] * len(tuning["lr"]))
    return total * folds


def training_segments(profile: Path) -> list[int]:
    """How many segments each fold trains on, by the tables in data/<profile>/segments; none where they are not there."""
    if not all((profile / "segments" / f"{name}.parquet").is_file() for name in ("segments", "splits")):
        return []
    segments = read_table(profile / "segments" / "segments.parquet", ["dataset", "take_uid", "purpose"])
    splits = read_table(profile / "segments" / "splits.parquet", ["fold", "dataset", "take_uid", "split"])
    found = segments[segments["purpose"] == "pretrain"].merge(splits[splits["split"] == "train"], on=["dataset", "take_uid"])
    return [int(count) for count in found.groupby("fold").size()]


def _finetuned(own: Mapping[str, Any], seeds: int) -> int:
    """Fine-tunings of one episode of one data set: encoders times numbers of shots, of methods judged by them and of all others they stand beside."""
    shots = len(layered(own, "fewshot.shots") or [])
    beside = 0
    if "finetune" in (layered(own, "fewshot.also") or []):
        limited = layered(own, "fewshot.also_finetuned.shots")
        beside = min(seeds, layered(own, "fewshot.also_finetuned.encoders")) * (len(limited) if limited else shots)
    chosen = layered(own, "fewshot.also_finetuned.methods")
    total = 0
    for name, section in zip(own["methods"], _sections(own), strict=True):
        if (section.get("probe") or layered(own, "fewshot.probe")) == "finetune":
            total += seeds * shots
        elif not section.get("probe") and section.get("objective") not in ("statistics", "released") and (chosen is None or name in chosen):
            total += beside
    return total


def estimate(experiments: Iterable[Experiment], params: Mapping[str, Any], logs: Path, data: Path = DATA) -> float | None:
    """Seconds for all of them; None where no log tells the pace, or a budget is unknown."""
    total = 0.0
    for experiment in experiments:
        segments, pace = work(experiment, params, data), _pace(experiment.profile, logs)
        if segments is None or pace is None:
            return None
        total += AROUND_S + segments / pace
    return total


def spoken(seconds: float) -> str:
    """40 -> "1 min", 5000 -> "1 h 23 min"."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _pace(profile: str, logs: Path) -> float | None:
    """Segments per second: of earlier experiments on the profile, else of the last pretraining."""
    earlier = [row for row in _rows(logs / "experiments.jsonl") if row.get("event") == "ran" and row.get("profile") == profile]
    paces = [
        row["segments"] / (row["seconds"] - AROUND_S) for row in earlier if row.get("computed") and row.get("segments") and row["seconds"] > AROUND_S
    ]
    if paces:
        return median(paces)
    rates = [row["segments_per_s"] for row in _rows(logs / "pretrain.jsonl") if row.get("event") == "step" and row.get("segments_per_s")]
    return float(rates[-1]) if rates else None


def _sections(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The section of every method."""
    found = []
    for entry in params["methods"].values():
        value: Any = params
        for part in entry["section"].split("."):
            value = value[part]
        found.append(value)
    return found


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
