"""Tables of a few-shot sweep: one row per fit, prediction counts and calibration sums per participant, and scores with intervals."""

from collections.abc import Mapping, Sequence
from itertools import permutations, product

import numpy as np
import pandas as pd

from primus.evaluation.calibration import BINS, CALIBRATION, SUMS
from primus.evaluation.fewshot import Scored
from primus.evaluation.metrics import METRICS
from primus.evaluation.statistics import Estimate, Resampling, area_under_curve, difference, estimates
from primus.evaluation.tasks import Task

FIT = ["dataset", "method", "representation", "head", "fold", "seed", "episode", "shots"]
"""Columns that identify one fit."""

CURVE = ["dataset", "method", "representation", "head"]
"""Columns that identify one label-efficiency curve."""

CurveKey = tuple[str, str, str, str]
"""Values of the columns CURVE."""


def curve_key(values: Sequence[object]) -> CurveKey:
    """The values of the columns CURVE as text."""
    dataset, method, representation, head = map(str, values)
    return dataset, method, representation, head


def fit_rows(task: Task, method: str, representation: str, head: str, seed: int, scored: Scored) -> pd.DataFrame:
    """One row per episode: the fit, its scores on the whole test set, its sizes, and whether every class had its shots.

    `nll_scaled`, `ece_scaled` and `temperature` are null where no temperature was fitted; `part` is the site or the person where data sets are
    tested in parts, and then belongs to what identifies a fit.
    """
    everyone = scored.confusion.sum(axis=1)
    identity = [task.dataset, method, representation, head, task.fold, seed]
    frame = pd.DataFrame([[*identity, int(episode), scored.shots] for episode in scored.episodes], columns=FIT)
    for name, metric in METRICS.items():
        frame[name] = metric(everyone)
    for name, metric in CALIBRATION.items():
        frame[name] = metric(scored.calibration.sum(axis=1))
        frame[f"{name}_scaled"] = np.nan if scored.scaled is None else metric(scored.scaled.sum(axis=1))
    return frame.assign(
        temperature=np.nan if scored.temperature is None else scored.temperature,
        part=task.part,
        n_train=scored.n_train,
        n_test=len(task.test),
        n_participants=int((scored.confusion[0].sum(axis=(1, 2)) > 0).sum()),
        complete=[not short for short in scored.short],
        short_classes=["; ".join(short) for short in scored.short],
    )


def _identified(task: Task, method: str, representation: str, head: str, seed: int, scored: Scored, episode: np.ndarray) -> dict[str, object]:
    """The columns FIT for rows of a table whose episodes are places in `scored`."""
    values = (task.dataset, method, representation, head, task.fold, seed, scored.episodes[episode], scored.shots)
    return dict(zip(FIT, values, strict=True))


def prediction_counts(task: Task, method: str, representation: str, head: str, seed: int, scored: Scored) -> pd.DataFrame:
    """How often each participant's segments of class `label` were taken for `predicted`, per fit; zero counts are left out."""
    episode, person, label, predicted = np.nonzero(scored.confusion)
    classes, participants = np.array(task.classes, dtype=object), np.array(task.participants, dtype=object)
    return pd.DataFrame(
        _identified(task, method, representation, head, seed, scored, episode)
        | {
            "participant": participants[person],
            "label": classes[label],
            "predicted": classes[predicted],
            "count": scored.confusion[episode, person, label, predicted],
        }
    )


def calibration_sums(task: Task, method: str, representation: str, head: str, seed: int, scored: Scored) -> pd.DataFrame:
    """Sums over each participant's segments by bin of confidence, per fit, before (`scaled` false) and after temperature scaling."""
    participants = np.array(task.participants, dtype=object)
    frames = []
    for scaled, sums in ((False, scored.calibration), (True, scored.scaled)):
        if sums is None:
            continue
        episode, person, confidence_bin = np.nonzero(sums[..., 0])
        identity = _identified(task, method, representation, head, seed, scored, episode)
        values = {name: sums[episode, person, confidence_bin, number] for number, name in enumerate(SUMS)}
        frames.append(pd.DataFrame(identity | {"participant": participants[person], "scaled": scaled, "bin": confidence_bin} | values))
    return pd.concat(frames, ignore_index=True)


def _axes(table: pd.DataFrame, participants: Sequence[str]) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Seeds and episodes of a table, and each row's place among seeds, episodes and participants."""
    seeds, episodes = np.sort(table["seed"].unique()), np.sort(table["episode"].unique())
    people = np.searchsorted(participants, table["participant"].to_numpy(dtype=str))
    return seeds, episodes, (np.searchsorted(seeds, table["seed"]), np.searchsorted(episodes, table["episode"]), people)


def confusion_tensor(counts: pd.DataFrame, classes: Sequence[str], participants: Sequence[str]) -> np.ndarray:
    """(S, E, U, C, C) int64 from the prediction counts of one curve at one number of shots; folds are added up."""
    seeds, episodes, axes = _axes(counts, participants)
    label, predicted = (np.searchsorted(classes, counts[name].to_numpy(dtype=str)) for name in ("label", "predicted"))
    tensor = np.zeros((len(seeds), len(episodes), len(participants), len(classes), len(classes)), dtype=np.int64)
    np.add.at(tensor, (*axes, label, predicted), counts["count"].to_numpy())
    return tensor


def calibration_tensor(sums: pd.DataFrame, participants: Sequence[str]) -> np.ndarray:
    """(S, E, U, BINS, 4) float64 from the calibration sums of one curve at one number of shots; folds are added up."""
    seeds, episodes, axes = _axes(sums, participants)
    tensor = np.zeros((len(seeds), len(episodes), len(participants), BINS, len(SUMS)))
    np.add.at(tensor, (*axes, sums["bin"].to_numpy()), sums[list(SUMS)].to_numpy())
    return tensor


Complete = dict[tuple[str, str, str, str, int], bool]
"""(dataset, method, representation, head, shots) -> whether every class had its shots in every episode."""


def completeness(rows: pd.DataFrame) -> Complete:
    """Which sizes of which curves are complete, from one row per fit."""
    complete: Complete = {}
    for *curve, shots, whole in rows[[*CURVE, "shots", "complete"]].itertuples(index=False):
        key = (*curve_key(curve), int(shots))
        complete[key] = complete.get(key, True) and bool(whole)
    return complete


Curves = dict[CurveKey, dict[int, dict[str, Estimate]]]
"""(dataset, method, representation, head) -> shots -> metric -> estimate."""


def estimate_curves(counts: pd.DataFrame, *, replicates: int, seed: int, calibration: pd.DataFrame | None = None) -> Curves:
    """Every curve's scores with bootstrap intervals; curves of one data set share their draws, so that they can be compared in pairs.

    `counts` holds prediction counts, `calibration` the sums that "nll" and "ece" (and both "_scaled", where a temperature was fitted) follow from.
    """
    curves: Curves = {}
    for dataset, of_dataset in counts.groupby("dataset", sort=True):
        classes = sorted(set(of_dataset["label"]) | set(of_dataset["predicted"]))
        participants = sorted(of_dataset["participant"].unique())
        for names, of_curve in of_dataset.groupby(CURVE[1:], sort=True):
            points = curves.setdefault(curve_key((dataset, *names)), {})
            for shots in sorted(of_curve["shots"].unique().tolist()):
                tensor = confusion_tensor(of_curve[of_curve["shots"] == shots], classes, participants)
                points[shots] = estimates(tensor, METRICS, Resampling.draw(replicates, *tensor.shape[:3], seed, str(dataset)))
        if calibration is not None:
            mine = calibration[calibration["dataset"] == dataset]
            for (method, representation, head, shots, scaled), sums in mine.groupby([*CURVE[1:], "shots", "scaled"], sort=True):
                tensor = calibration_tensor(sums, participants)
                found = estimates(tensor, CALIBRATION, Resampling.draw(replicates, *tensor.shape[:3], seed, str(dataset)))
                renamed = {f"{name}_scaled" if scaled else name: value for name, value in found.items()}
                curves[curve_key((dataset, method, representation, head))][int(str(shots))] |= renamed
    return curves


Probed = Mapping[str, tuple[str, str]]
"""Method -> the representation and the head it is judged by."""


def score_table(curves: Curves, complete: Complete, probed: Probed) -> pd.DataFrame:
    """One row per curve and number of shots: each metric with `_lo` and `_hi` (null where it was not measured).

    `complete` says whether every class had its shots, `probed` marks the curve its method is judged by.
    """
    rows = []
    for curve, points in curves.items():
        for shots, found in sorted(points.items()):
            row: dict[str, object] = dict(zip(CURVE, curve, strict=True)) | {
                "shots": shots,
                "complete": complete[*curve, shots],
                "probed": probed[curve[1]] == curve[2:],
            }
            for name, value in found.items():
                row |= {name: value.mean, f"{name}_lo": value.lo, f"{name}_hi": value.hi}
            rows.append(row)
    return pd.DataFrame(rows)


def difference_table(curves: Curves, probed: Probed) -> pd.DataFrame:
    """One row per data set, ordered pair of methods, number of shots and metric: method minus other, with the paired interval."""
    rows = []
    for dataset, method, other in pairs_of(curves, probed):
        mine, theirs = curves[dataset, method, *probed[method]], curves[dataset, other, *probed[other]]
        for shots, name in product(sorted(mine.keys() & theirs.keys()), METRICS):
            gain = difference(mine[shots][name], theirs[shots][name])
            rows.append((dataset, method, other, shots, name, gain.mean, gain.lo, gain.hi))
    return pd.DataFrame(rows, columns=["dataset", "method", "other", "shots", "metric", "difference", "lo", "hi"])


def pairs_of(curves: Curves, probed: Probed) -> list[tuple[str, str, str]]:
    """(data set, method, other) for every data set and ordered pair of methods."""
    datasets = sorted({dataset for dataset, *_ in curves})
    return [(dataset, method, other) for dataset in datasets for method, other in permutations(probed, 2)]


def area(points: Mapping[int, Mapping[str, Estimate]], complete: Sequence[int], metric: str = "accuracy") -> Estimate | None:
    """Area under one curve over its complete numbers of shots; None where there are fewer than two."""
    shots = sorted(complete)
    return area_under_curve(shots, [points[size][metric] for size in shots]) if len(shots) >= 2 else None


def area_tables(curves: Curves, complete: Complete, probed: Probed) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Areas under the label-efficiency curves by metric, and their paired differences between methods.

    An area runs over the complete numbers of shots (columns `shots_from`, `shots_to`); only areas over the same ones are compared.
    """
    areas: dict[tuple[CurveKey, str], tuple[list[int], Estimate]] = {}
    rows = []
    for curve, points in curves.items():
        shots = [size for size in sorted(points) if complete[*curve, size]]
        for name in METRICS:
            whole = area(points, shots, name)
            if whole is not None:
                areas[curve, name] = (shots, whole)
                mark = probed[curve[1]] == curve[2:]
                rows.append((*curve, mark, name, whole.mean, whole.lo, whole.hi, shots[0], shots[-1]))
    gains = []
    for (dataset, method, other), name in product(pairs_of(curves, probed), METRICS):
        mine, theirs = (areas.get(((dataset, who, *probed[who]), name)) for who in (method, other))
        if mine is not None and theirs is not None and mine[0] == theirs[0]:
            gain = difference(mine[1], theirs[1])
            gains.append((dataset, method, other, name, gain.mean, gain.lo, gain.hi))
    return (
        pd.DataFrame(rows, columns=[*CURVE, "probed", "metric", "area", "lo", "hi", "shots_from", "shots_to"]),
        pd.DataFrame(gains, columns=["dataset", "method", "other", "metric", "difference", "lo", "hi"]),
    )
