"""One encoder on one task: fit a head on every episode at every number of shots, score the whole test set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primus.evaluation.calibration import shots_temperature, tally
from primus.evaluation.episodes import Episode
from primus.evaluation.finetune import FinetuneSettings, finetuned_scores
from primus.evaluation.metrics import confusion_counts
from primus.evaluation.probes.probe import Probe, ShotBatch
from primus.evaluation.probes.standardise import Statistics, moments, unit_rows
from primus.evaluation.tasks import Task
from primus.models.encoder import ImuEncoder


@dataclass(frozen=True)
class Scored:
    """What the episodes of one task scored at one number of shots.

    Attributes:
        shots: shots per class asked for.
        episodes: (E,) number of each episode.
        n_train: (E,) segments the head was fitted on.
        short: per episode, the classes that had fewer shots than asked for, also those of which the pool has none.
        confusion: (E, U, C, C) int64 counts per episode and test participant, truth then prediction.
        calibration: (E, U, BINS, 4) float64 sums per participant and bin of confidence (see `primus.evaluation.calibration`).
        scaled: the same under the temperature that the shots asked for; None where none was fitted.
        temperature: (E,) float64; None where none was fitted.
    """

    shots: int
    episodes: np.ndarray
    n_train: np.ndarray
    short: tuple[tuple[str, ...], ...]
    confusion: np.ndarray
    calibration: np.ndarray
    scaled: np.ndarray | None = None
    temperature: np.ndarray | None = None


def score_task(
    task: Task,
    pool_features: np.ndarray,
    test_features: np.ndarray,
    *,
    episodes: Sequence[Episode],
    shots: Sequence[int],
    probe: Probe,
    standardise: Statistics,
    calibrate: bool = False,
) -> list[Scored]:
    """Fit and score every episode at every size.

    Args:
        task: pool and test set.
        pool_features, test_features: (P, D) and (T, D) rows of `task.pool` and `task.test`.
        episodes: draws from the pool (`draw_episodes`).
        shots: shots per class.
        probe: the classifier; it sees float64 features, prepared as it wants them.
        standardise: which rows the mean and deviation come from; never the test set.
        calibrate: also fit a temperature on the shots.
    """
    pool, test = (torch.from_numpy(np.array(rows, dtype=np.float64)) for rows in (pool_features, test_features))
    if probe.preparation != "raw":
        pool, test = unit_rows(pool), unit_rows(test)
    if probe.preparation != "standardised":
        standardise = "none"
    if standardise == "pool":
        mean, deviation = moments(pool, torch.ones(len(pool), dtype=torch.float64))
        pool, test = (pool - mean) / deviation, (test - mean) / deviation
    known, labels = known_classes(task)
    results = []
    for size in shots:
        drawn = [torch.from_numpy(episode.rows(size)) for episode in episodes]
        index = torch.nn.utils.rnn.pad_sequence(drawn, batch_first=True)
        weights = torch.nn.utils.rnn.pad_sequence([torch.ones(len(rows), dtype=torch.float64) for rows in drawn], batch_first=True)
        features, tests = pool[index], test[None]
        if standardise == "shots":
            mean, deviation = moments(features, weights)
            features, tests = (features - mean) / deviation, (tests - mean) / deviation
        batch = ShotBatch(features * weights[..., None], labels[index], weights, len(known))
        temperature = shots_temperature(probe, batch) if calibrate else None
        results.append(scored(task, size, episodes, known, probe(batch, tests), temperature))
    return results


def finetune_task(
    task: Task,
    pool_imu: np.ndarray,
    test_imu: np.ndarray,
    *,
    episodes: Sequence[Episode],
    shots: Sequence[int],
    encoder: ImuEncoder,
    settings: FinetuneSettings,
    seed: int,
) -> list[Scored]:
    """Train encoder and head on the shots of every episode at every size, and score the test set; windows (P, 6, T) and (T', 6, T) float32.

    Equal seeds give every encoder the same order of shots. Raises ArithmeticError where training diverges.
    """
    known, labels = known_classes(task)
    results = []
    for size in shots:
        scores = []
        for episode in episodes:
            rows = episode.rows(size)
            names = (task.dataset, task.fold, task.part, episode.number, size)
            scores.append(finetuned_scores(encoder, pool_imu[rows], labels[rows].numpy(), len(known), test_imu, settings, names, seed))
        results.append(scored(task, size, episodes, known, torch.stack(scores), None))
    return results


def known_classes(task: Task) -> tuple[np.ndarray, Tensor]:
    """The classes (K,) int64 that the pool has, and each pool row's place (P,) int64 among them.

    A class that only the test set has cannot be predicted; `short_classes` names it.
    """
    known, compact = np.unique(task.pool_classes(), return_inverse=True)
    return known, torch.from_numpy(compact.astype(np.int64))


def short_classes(task: Task, episode: Episode, shots: int) -> tuple[str, ...]:
    """Classes with fewer than `shots` shots, sorted; one that the pool lacks altogether has none, so no number of shots is complete without it."""
    absent = set(task.classes) - set(task.pool["label"].astype(str))
    return tuple(sorted(absent | set(episode.short_classes(shots))))


def scored(task: Task, size: int, episodes: Sequence[Episode], known: np.ndarray, scores: Tensor, temperature: Tensor | None) -> Scored:
    """Count what class scores (E, T, K) say of the test set."""
    truth, testees, people = task.truth(), task.testees(), len(task.participants)
    place = np.searchsorted(known, truth)
    column = np.where(known[np.minimum(place, len(known) - 1)] == truth, place, -1)
    return Scored(
        size,
        np.array([episode.number for episode in episodes]),
        np.array([len(episode.rows(size)) for episode in episodes]),
        tuple(short_classes(task, episode, size) for episode in episodes),
        confusion_counts(truth, known[scores.argmax(dim=2).numpy()], testees, len(task.classes), people),
        tally(scores, column, testees, people),
        None if temperature is None else tally(scores / temperature[:, None, None], column, testees, people),
        None if temperature is None else temperature.numpy(),
    )
