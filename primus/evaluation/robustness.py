"""How much of a probe's accuracy is kept when the tested windows are worse than the shots it was fitted on.

The probe never sees a degraded window. Every condition is compared with the same segments as they were recorded, under the same shots, encoder
and resampled participants, so `retention`, the ratio of the two accuracies, has a paired interval.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pandas as pd

from primus.evaluation.degrade import Degradation, seen_for
from primus.evaluation.episodes import Episode
from primus.evaluation.features import encode_batches
from primus.evaluation.fewshot import score_task
from primus.evaluation.probes.probe import Probe
from primus.evaluation.probes.standardise import Statistics
from primus.evaluation.statistics import Estimate
from primus.evaluation.tasks import Task
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder
from primus.seeds import generator

MATCHED = "matched"
"""The condition in which nothing is degraded."""

SAME_ROWS = f"{MATCHED} on the rows of "
"""Before a condition's name: its segments as they were recorded, where it does not cover the whole test set."""

SEPARATOR = "\x1f"


def choose_tests(task: Task, most: int | None, seed: int) -> Task:
    """The task with at most `most` test segments, as equal in number over the classes as they allow; a seeded draw, None keeps all."""
    if most is None or len(task.test) <= most:
        return task
    rng = generator(seed, "robustness", task.dataset, task.fold)  # without the part: see `choose_in_parts`
    of_class = {label: rng.permutation(np.flatnonzero(task.test["label"] == label)) for label in sorted(task.test["label"].unique())}
    turns = sorted((place, label, int(row)) for label, rows in of_class.items() for place, row in enumerate(rows))
    rows = np.sort([row for _, _, row in turns[:most]])
    return replace(task, test=task.test.iloc[rows].reset_index(drop=True))


def choose_in_parts(tasks: Sequence[Task], most: int | None, seed: int) -> list[Task]:
    """`choose_tests` for every data set and fold, its parts together, so that `most` bounds their sum; parts left without a test are dropped."""
    found = []
    for (_, _), grouped in groupby(tasks, key=lambda task: (task.dataset, task.fold)):
        parts = list(grouped)
        everything = pd.concat([part.test for part in parts]).sort_values("segment_id", ignore_index=True)
        chosen = choose_tests(replace(parts[0], test=everything), most, seed).test["segment_id"]
        for part in parts:
            kept = part.test["segment_id"].isin(chosen)
            if kept.any():
                found.append(replace(part, test=part.test[kept].reset_index(drop=True)))
    return found


@dataclass(frozen=True)
class Shifted:
    """The windows (n, 6, T) float32 of some rows (n,) of a task's test set under the condition `label`."""

    label: str
    rows: np.ndarray
    windows: np.ndarray


def degraded_tests(
    task: Task, imu: KeyedArrays, following: Mapping[str, str], conditions: Sequence[Degradation], seed: int
) -> tuple[list[Shifted], dict[str, str]]:
    """The task's test windows under every condition that these segments allow, and label -> why they do not allow it for the others.

    `imu` has the array "imu" and the attributes rate_hz and window_s; `following` is what `next_rows` says.
    """
    rate_hz, window_s = float(imu.attrs["rate_hz"]), float(imu.attrs["window_s"])
    windows, ids = imu.memmap("imu"), task.test["segment_id"].tolist()
    clean, everything = windows[imu.positions(ids)], np.arange(len(ids))
    found, refused = [], {}
    for condition in conditions:
        severity, label = condition.severity or 0.0, condition.label
        if condition.name == "rate" and severity >= rate_hz:
            refused[label] = f"the segments have {rate_hz:g} Hz"
        elif condition.name != "window":
            rng = generator(seed, "degrade", *task.names, label)
            found.append(Shifted(label, everything, condition.apply(clean, rate_hz, rng)))
        elif severity <= window_s:
            found.append(Shifted(label, everything, seen_for(clean, round(severity * rate_hz), clean.shape[2])))
        elif chained := chains(ids, following, int(np.ceil(severity / window_s - 1e-9))):
            joined = np.stack([np.concatenate(windows[imu.positions(chain)], axis=1) for chain in chained.values()])
            found.append(Shifted(label, np.array(list(chained)), joined[:, :, : round(severity * rate_hz)]))
        else:
            refused[label] = f"no test segment of {window_s:g} s is followed by others of its take and class without a gap"
    return found, refused


def encode_tests(encoder: ImuEncoder, tests: Sequence[Shifted], representation: str, threads: int) -> list[np.ndarray]:
    """Features (n, D) float32 of every condition; windows of one length are encoded together, in full batches."""
    features: dict[int, np.ndarray] = {}
    for samples in sorted({test.windows.shape[2] for test in tests}):
        alike = [number for number, test in enumerate(tests) if test.windows.shape[2] == samples]
        stacked = np.concatenate([tests[number].windows for number in alike])
        encoded = np.concatenate([batch[representation] for batch in encode_batches(encoder, _rows_of(stacked), len(stacked), threads)])
        ends = np.cumsum([len(tests[number].rows) for number in alike])
        features |= dict(zip(alike, np.split(encoded, ends[:-1]), strict=True))
    return [features[number] for number in range(len(tests))]


def _rows_of(stacked: np.ndarray) -> Callable[[int, int], np.ndarray]:
    return lambda start, stop: stacked[start:stop]


@dataclass(frozen=True)
class Block:
    """Features (n, D) of some rows (n,) of a task's test set under one condition."""

    condition: str
    rows: np.ndarray
    features: np.ndarray


def partial_conditions(tasks: Sequence[Task], tests: Sequence[Sequence[Shifted]]) -> set[str]:
    """Labels of conditions that some segment of some of a data set's tasks does not allow; `tests` are those of each task."""
    labels = {test.label for found in tests for test in found}
    covered = {label: sum(len(test.rows) for found in tests for test in found if test.label == label) for label in labels}
    return {label for label, rows in covered.items() if rows < sum(len(task.test) for task in tasks)}


def blocks_of(clean: np.ndarray, tests: Sequence[Shifted], features: Sequence[np.ndarray], partial: Collection[str]) -> list[Block]:
    """What the probe is tested on: the clean features (T, D), every condition, and beside the `partial_conditions` the clean ones of their rows.

    A condition is partial for all tasks of a data set or for none, so that what is added up over tasks covers the same segments on both sides.
    """
    blocks = [Block(MATCHED, np.arange(len(clean)), clean)]
    for test, found in zip(tests, features, strict=True):
        blocks.append(Block(test.label, test.rows, found))
        if test.label in partial:
            blocks.append(Block(SAME_ROWS + test.label, test.rows, clean[test.rows]))
    return blocks


def score_blocks(
    task: Task,
    pool_features: np.ndarray,
    blocks: Sequence[Block],
    *,
    episodes: Sequence[Episode],
    shots: int,
    probe: Probe,
    standardise: Statistics,
) -> tuple[list[np.ndarray], bool]:
    """Fit the probe on clean shots once, and predict every block.

    Returns:
        Per block, counts (E, U, C, C) of truth and prediction per episode and participant; and whether every class had its shots.
    """
    width = len(str(len(blocks)))
    names = [f"{number:0{width}d}{SEPARATOR}" for number in range(len(blocks))]
    test = pd.concat(
        [task.test.iloc[block.rows].assign(group=name + task.test["group"].iloc[block.rows]) for name, block in zip(names, blocks, strict=True)],
        ignore_index=True,
    )
    everyone = tuple(sorted(name + person for name in names for person in task.participants))
    stacked = replace(task, test=test, participants=everyone)
    features = np.concatenate([block.features for block in blocks])
    (scored,) = score_task(stacked, pool_features, features, episodes=episodes, shots=(shots,), probe=probe, standardise=standardise)
    apart = scored.confusion.reshape(len(episodes), len(blocks), len(task.participants), *scored.confusion.shape[2:])
    return [apart[:, number] for number in range(len(blocks))], not any(scored.short)


def next_rows(segments: pd.DataFrame, tolerance_s: float) -> dict[str, str]:
    """segment_id -> the segment of the same take and label that begins where it ends (within `tolerance_s`); others are absent.

    `segments` has columns segment_id, dataset, take_uid, start_s, end_s, label.
    """
    following: dict[str, str] = {}
    for _, rows in segments.groupby(["dataset", "take_uid", "label"], sort=True):
        starts = rows.sort_values("start_s")
        begin, names = starts["start_s"].to_numpy(dtype=float), starts["segment_id"].to_numpy(dtype=str)
        for name, end in zip(rows["segment_id"], rows["end_s"], strict=True):
            place = int(np.searchsorted(begin, end - tolerance_s))
            if place < len(begin) and begin[place] <= end + tolerance_s:
                following[str(name)] = str(names[place])
    return following


def chains(ids: Sequence[str], following: Mapping[str, str], length: int) -> dict[int, list[str]]:
    """Row number in `ids` -> `length` segment ids, each beginning where the one before ends; rows without enough of them are absent."""
    found = {}
    for row, first in enumerate(ids):
        chain = [first]
        while len(chain) < length and chain[-1] in following:
            chain.append(following[chain[-1]])
        if len(chain) == length:
            found[row] = chain
    return found


def retention(shifted: Estimate, matched: Estimate) -> Estimate:
    """shifted / matched, paired; 1 where there was nothing to lose. Both come from the same resampling."""

    def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.divide(a, b, out=np.ones_like(b), where=b > 0)

    mean = ratio(np.array([shifted.mean]), np.array([matched.mean]))
    return Estimate.of(float(mean[0]), ratio(shifted.draws, matched.draws))
