"""One encoder on one task: fit a probe on every episode at every number of shots, score the whole test set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from primus.evaluation.episodes import Episode
from primus.evaluation.metrics import confusion_counts
from primus.evaluation.probes.probe import Probe, ShotBatch
from primus.evaluation.probes.standardise import Statistics, moments, unit_rows
from primus.evaluation.tasks import Task


@dataclass(frozen=True)
class Scored:
    """What the episodes of one task scored at one number of shots.

    Attributes:
        shots: shots per class asked for.
        n_train: (E,) segments the probe was fitted on.
        short: per episode, the classes that had fewer shots than asked for.
        confusion: (E, U, C, C) int64 counts per episode and test participant, truth then prediction.
    """

    shots: int
    n_train: np.ndarray
    short: tuple[tuple[str, ...], ...]
    confusion: np.ndarray


def score_task(
    task: Task,
    pool_features: np.ndarray,
    test_features: np.ndarray,
    *,
    episodes: Sequence[Episode],
    shots: Sequence[int],
    probe: Probe,
    standardise: Statistics,
) -> list[Scored]:
    """Fit and score every episode at every size.

    Args:
        task: pool and test set.
        pool_features, test_features: (P, D) and (T, D) rows of `task.pool` and `task.test`.
        episodes: draws from the pool (`draw_episodes`).
        shots: shots per class.
        probe: the classifier; it sees unit-length, standardised features in float64.
        standardise: which rows the mean and deviation come from; never the test set.
    """
    pool, test = (unit_rows(torch.from_numpy(np.array(rows, dtype=np.float64))) for rows in (pool_features, test_features))
    if standardise == "pool":
        mean, deviation = moments(pool, torch.ones(len(pool), dtype=torch.float64))
        pool, test = (pool - mean) / deviation, (test - mean) / deviation
    known, compact = np.unique(task.pool_classes(), return_inverse=True)  # a class that only the test set has cannot be predicted
    labels = torch.from_numpy(compact.astype(np.int64))
    truth, testees = task.truth(), task.testees()
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
        predicted = known[probe(batch, tests).numpy()]
        results.append(
            Scored(
                size,
                np.array([len(rows) for rows in drawn]),
                tuple(tuple(episode.short_classes(size)) for episode in episodes),
                confusion_counts(truth, predicted, testees, len(task.classes), len(task.participants)),
            )
        )
    return results
