"""Tables of a few-shot sweep: one row per fit, prediction counts per participant, and scores with intervals."""

from collections.abc import Mapping, Sequence
from itertools import permutations, product

import numpy as np
import pandas as pd

from primus.evaluation.fewshot import Scored
from primus.evaluation.metrics import METRICS
from primus.evaluation.statistics import Estimate, Resampling, area_under_curve, difference, estimates
from primus.evaluation.tasks import Task

FIT = ["dataset", "method", "representation", "fold", "seed", "episode", "shots"]
"""Columns that identify one fit."""

CURVE = ["dataset", "method", "representation"]
"""Columns that identify one label-efficiency curve."""


def fit_rows(task: Task, method: str, representation: str, seed: int, scored: Scored) -> pd.DataFrame:
    """One row per episode: the fit, its scores on the whole test set, its sizes, and whether every class had its shots."""
    episodes = len(scored.confusion)
    everyone = scored.confusion.sum(axis=1)
    identity = [task.dataset, method, representation, task.fold, seed]
    frame = pd.DataFrame([[*identity, episode, scored.shots] for episode in range(episodes)], columns=FIT)
    for name, metric in METRICS.items():
        frame[name] = metric(everyone)
    return frame.assign(
        n_train=scored.n_train,
        n_test=len(task.test),
        n_participants=int((scored.confusion[0].sum(axis=(1, 2)) > 0).sum()),
        complete=[not short for short in scored.short],
        short_classes=["; ".join(short) for short in scored.short],
    )


def prediction_counts(task: Task, method: str, representation: str, seed: int, scored: Scored) -> pd.DataFrame:
    """How often each participant's segments of class `label` were taken for `predicted`, per fit; zero counts are left out."""
    episode, person, label, predicted = np.nonzero(scored.confusion)
    classes, participants = np.array(task.classes, dtype=object), np.array(task.participants, dtype=object)
    return pd.DataFrame(
        {
            "dataset": task.dataset,
            "method": method,
            "representation": representation,
            "fold": task.fold,
            "seed": seed,
            "episode": episode,
            "shots": scored.shots,
            "participant": participants[person],
            "label": classes[label],
            "predicted": classes[predicted],
            "count": scored.confusion[episode, person, label, predicted],
        }
    )


def confusion_tensor(counts: pd.DataFrame, classes: Sequence[str], participants: Sequence[str]) -> np.ndarray:
    """(S, E, U, C, C) int64 from the prediction counts of one curve at one number of shots; folds are added up."""
    seeds, episodes = np.sort(counts["seed"].unique()), np.sort(counts["episode"].unique())
    axes = (
        np.searchsorted(seeds, counts["seed"]),
        np.searchsorted(episodes, counts["episode"]),
        np.searchsorted(participants, counts["participant"].to_numpy(dtype=str)),
        np.searchsorted(classes, counts["label"].to_numpy(dtype=str)),
        np.searchsorted(classes, counts["predicted"].to_numpy(dtype=str)),
    )
    tensor = np.zeros((len(seeds), len(episodes), len(participants), len(classes), len(classes)), dtype=np.int64)
    np.add.at(tensor, axes, counts["count"].to_numpy())
    return tensor


Complete = dict[tuple[str, str, str, int], bool]
"""(dataset, method, representation, shots) -> whether every class had its shots in every episode."""


def completeness(rows: pd.DataFrame) -> Complete:
    """Which sizes of which curves are complete, from one row per fit."""
    complete: Complete = {}
    for dataset, method, representation, shots, whole in rows[[*CURVE, "shots", "complete"]].itertuples(index=False):
        key = (str(dataset), str(method), str(representation), int(shots))
        complete[key] = complete.get(key, True) and bool(whole)
    return complete


Curves = dict[tuple[str, str, str], dict[int, dict[str, Estimate]]]
"""(dataset, method, representation) -> shots -> metric -> estimate."""


def estimate_curves(counts: pd.DataFrame, *, replicates: int, seed: int) -> Curves:
    """Every curve's scores with bootstrap intervals; curves of one data set share their draws, so that they can be compared in pairs."""
    curves: Curves = {}
    for dataset, of_dataset in counts.groupby("dataset", sort=True):
        classes = sorted(set(of_dataset["label"]) | set(of_dataset["predicted"]))
        participants = sorted(of_dataset["participant"].unique())
        for (method, representation), of_curve in of_dataset.groupby(["method", "representation"], sort=True):
            points = curves.setdefault((str(dataset), str(method), str(representation)), {})
            for shots in sorted(of_curve["shots"].unique().tolist()):
                tensor = confusion_tensor(of_curve[of_curve["shots"] == shots], classes, participants)
                seeds, episodes, people = tensor.shape[:3]
                resampling = Resampling.draw(replicates, seeds, episodes, people, seed, str(dataset))
                points[shots] = estimates(tensor, METRICS, resampling)
    return curves


def score_table(curves: Curves, complete: Complete, probed: Mapping[str, str]) -> pd.DataFrame:
    """One row per curve and number of shots: each metric with `_lo` and `_hi`.

    `complete` says whether every class had its shots, `probed` whether the curve is of the representation its method is judged by.
    """
    rows = []
    for curve, points in curves.items():
        for shots, found in sorted(points.items()):
            row: dict[str, object] = dict(zip(CURVE, curve, strict=True)) | {
                "shots": shots,
                "complete": complete[*curve, shots],
                "probed": probed[curve[1]] == curve[2],
            }
            for name, value in found.items():
                row |= {name: value.mean, f"{name}_lo": value.lo, f"{name}_hi": value.hi}
            rows.append(row)
    return pd.DataFrame(rows)


def difference_table(curves: Curves, probed: Mapping[str, str]) -> pd.DataFrame:
    """One row per data set, ordered pair of methods, number of shots and metric: method minus other, with the paired interval."""
    rows = []
    for dataset in sorted({dataset for dataset, _, _ in curves}):
        for method, other in permutations(probed, 2):
            mine, theirs = curves[dataset, method, probed[method]], curves[dataset, other, probed[other]]
            for shots, name in product(sorted(mine.keys() & theirs.keys()), METRICS):
                gain = difference(mine[shots][name], theirs[shots][name])
                rows.append((dataset, method, other, shots, name, gain.mean, gain.lo, gain.hi))
    return pd.DataFrame(rows, columns=["dataset", "method", "other", "shots", "metric", "difference", "lo", "hi"])


def area(points: Mapping[int, Mapping[str, Estimate]], complete: Sequence[int], metric: str = "accuracy") -> Estimate | None:
    """Area under one curve over its complete numbers of shots; None where there are fewer than two."""
    shots = sorted(complete)
    return area_under_curve(shots, [points[size][metric] for size in shots]) if len(shots) >= 2 else None
