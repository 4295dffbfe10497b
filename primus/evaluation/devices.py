"""Accuracy by recording device, for data sets that were tested with several (Ego4D: action cameras and other headsets).

Fits are told a person on a device as one unit, `<participant>␟<device>`, so that the same fits serve both counts; `together` adds the units of a
person up again, for everything else that is reported.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from primus.evaluation.fewshot import Scored
from primus.evaluation.metrics import accuracy
from primus.evaluation.settings import FewShotParams
from primus.evaluation.statistics import Resampling, estimates
from primus.evaluation.sweep import Fit
from primus.evaluation.tables import Probed
from primus.evaluation.tasks import Task

SEPARATOR = "\x1f"
UNKNOWN = "unknown"
COUNTED = ["dataset", "method", "representation", "head", "seed", "episode", "shots", "participant", "device", "right", "count"]
COLUMNS = ["dataset", "method", "device", "shots", "accuracy", "accuracy_lo", "accuracy_hi", "participants", "segments", "seeds"]


def apart(tasks: Sequence[Task], segments: pd.DataFrame) -> list[Task]:
    """The tasks with the tested people of each data set apart by device; those of a data set tested with one known device are left as they are.

    `segments` is the segment table; a segment without a device has the device "unknown".
    """
    device_of = pd.Series(segments["device"].to_numpy(), index=segments["segment_id"]) if "device" in segments else pd.Series(dtype=object)
    units: dict[str, set[str]] = {}
    found = []
    for task in tasks:
        device = device_of.reindex(task.test["segment_id"])
        group = task.test["group"].astype(str).to_numpy() + SEPARATOR + device.fillna(UNKNOWN).astype(str).to_numpy(dtype=object)
        found.append(dataclasses.replace(task, test=task.test.assign(group=group)))
        units.setdefault(task.dataset, set()).update(group)
    several = {name: tuple(sorted(mine)) for name, mine in units.items() if len({_device(unit) for unit in mine} - {UNKNOWN}) > 1}
    return [
        dataclasses.replace(one, participants=several[task.dataset]) if task.dataset in several else task
        for task, one in zip(tasks, found, strict=True)
    ]


def _person(unit: str) -> str:
    return unit.partition(SEPARATOR)[0]


def _device(unit: str) -> str:
    return unit.partition(SEPARATOR)[2]


def is_apart(task: Task) -> bool:
    """Whether the task's people are apart by device."""
    return any(SEPARATOR in unit for unit in task.participants)


def together(task: Task, scored: Scored) -> tuple[Task, Scored]:
    """A task and what was scored on it with each person's devices added up; both as they are where people are not apart."""
    if not is_apart(task):
        return task, scored
    people = [_person(unit) for unit in task.participants]
    names = tuple(sorted(set(people)))
    place = np.searchsorted(names, people)

    def added(values: np.ndarray) -> np.ndarray:
        """(E, units, ...) to (E, people, ...)."""
        total = np.zeros((len(values), len(names), *values.shape[2:]), dtype=values.dtype)
        for unit, person in enumerate(place):
            total[:, person] += values[:, unit]
        return total

    scaled = None if scored.scaled is None else added(scored.scaled)
    whole = dataclasses.replace(scored, confusion=added(scored.confusion), calibration=added(scored.calibration), scaled=scaled)
    return dataclasses.replace(task, participants=names, test=task.test.assign(group=task.test["group"].map(_person))), whole


def device_counts(fits: Sequence[Fit], scored: Sequence[Scored]) -> pd.DataFrame:
    """One row (COUNTED) per fit, episode and person on a device: how many segments there were, and how many were right.

    Fits of tasks whose people are not apart have no rows.
    """
    parts = []
    for fit, result in zip(fits, scored, strict=True):
        if not is_apart(fit.task):
            continue
        count = result.confusion.sum(axis=(2, 3))
        right = result.confusion.diagonal(axis1=2, axis2=3).sum(axis=2)
        episode, unit = np.nonzero(count)
        names = [fit.task.participants[number] for number in unit]
        values = {
            "dataset": fit.task.dataset,
            "method": fit.source.method,
            "representation": fit.representation,
            "head": fit.head,
            "seed": fit.source.seed,
            "episode": result.episodes[episode],
            "shots": result.shots,
            "participant": [_person(name) for name in names],
            "device": [_device(name) for name in names],
            "right": right[episode, unit],
            "count": count[episode, unit],
        }
        parts.append(pd.DataFrame(values))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COUNTED)


def device_table(counts: pd.DataFrame, probed: Probed, params: FewShotParams) -> pd.DataFrame:
    """Accuracy on the test windows of each device, by data set, method (the curve it is judged by) and number of shots, with intervals.

    `participants` and `segments` are those tested on the device, folds together, `seeds` the pretraining seeds. Intervals resample seeds, episodes
    and the participants who used the device; methods share their draws.

    Args:
        counts: see `device_counts`.
        probed: representation and head of each method.
        params: replicates and seed of the intervals.
    """
    judged = pd.Series(list(zip(counts["representation"], counts["head"], strict=True)), index=counts.index, dtype=object)
    counts = counts[judged == counts["method"].map(dict(probed))] if len(counts) else counts
    rows = []
    for (dataset, method, device, shots), mine in counts.groupby(["dataset", "method", "device", "shots"], sort=True):
        tensor = hits(mine)
        seeds, _, people = tensor.shape[:3]
        resampling = Resampling.draw(params.bootstrap, *tensor.shape[:3], params.seed, str(dataset), "device", str(device))
        found = estimates(tensor, {"accuracy": accuracy}, resampling)["accuracy"]
        rows.append((dataset, method, device, shots, found.mean, found.lo, found.hi, people, int(tensor[0, 0].sum()), seeds))
    return pd.DataFrame(rows, columns=COLUMNS)


def hits(counts: pd.DataFrame) -> np.ndarray:
    """Confusion of right and wrong (S, E, U, 2, 2) int64 by seed, episode and participant, folds and parts added up; its second row is empty."""
    axes = ["seed", "episode", "participant"]
    sums = counts.groupby(axes)[["right", "count"]].sum()
    grid = pd.MultiIndex.from_product([sums.index.unique(name).sort_values() for name in axes], names=axes)
    right, count = np.moveaxis(sums.reindex(grid, fill_value=0).to_numpy(dtype=np.int64).reshape(*map(len, grid.levels), 2), -1, 0)
    tensor = np.zeros((*right.shape, 2, 2), dtype=np.int64)
    tensor[..., 0, 0], tensor[..., 0, 1] = right, count - right
    return tensor
