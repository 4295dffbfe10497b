"""What leaks are worth: the same features and the same tested segments, scored honestly and with shots from the tested people.

Some segments of the test set are scored in all three ways:

- `honest`: shots come from other people, as everywhere in this project.
- `people`: shots come from other takes of the tested people (what a split by take allows).
- `windows`: shots come from other windows of the tested takes (what a split by window, as in random cross-validation, allows).

The tested segments, the number of shots and the head are the same, so the difference is the leak.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from primus.evaluation.episodes import draw_episodes
from primus.evaluation.feature_files import FeatureFile
from primus.evaluation.fewshot import score_task
from primus.evaluation.metrics import METRICS
from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.probes.probe import Probe
from primus.evaluation.probes.standardise import Statistics
from primus.evaluation.statistics import Estimate, Resampling, difference, estimates
from primus.evaluation.tasks import Task, build_tasks
from primus.seeds import generator

COLUMNS = [
    "dataset",
    "fold",
    "way",
    "shots",
    "accuracy",
    "accuracy_lo",
    "accuracy_hi",
    "inflation",
    "inflation_lo",
    "inflation_hi",
    "shared_people",
    "shared_takes",
]


def leaky_pools(task: Task, segments: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The segments tested in every way, which give no shots in any, and the pool of each way.

    Args:
        task: an honest task.
        segments: the segment table (segment_id, take_uid, start_s, end_s).
        seed: of the draws of what may give shots: every second take of a person's class, and every second window of the other takes.
    """
    facts = segments.set_index("segment_id")[["take_uid", "start_s", "end_s"]]
    test = task.test.join(facts, on="segment_id")
    rng = generator(seed, "leaky", task.dataset, task.fold)
    takes = test[["group", "label", "take_uid"]].sort_values(["take_uid", "label"]).drop_duplicates("take_uid")
    order = takes.iloc[rng.permutation(len(takes))]
    given = set(order.loc[order.groupby(["group", "label"]).cumcount() % 2 == 1, "take_uid"])
    by_take = test["take_uid"].isin(given)
    shuffled = test.iloc[rng.permutation(len(test))]
    by_window = test["segment_id"].isin(shuffled.loc[shuffled.groupby(["take_uid", "label"]).cumcount() % 2 == 1, "segment_id"])
    columns = task.pool.columns.tolist()
    tested = test[~by_take & ~by_window]
    pools = {"honest": task.pool, "people": test.loc[by_take, columns], "windows": test.loc[by_window & ~by_take, columns]}
    return tested[task.test.columns.tolist()].reset_index(drop=True), pools


def leak_table(
    task: Task,
    segments: pd.DataFrame,
    features: Mapping[str, np.ndarray],
    *,
    shots: int,
    episodes: int,
    probe: Probe,
    standardise: Statistics,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    """Accuracy of each way with its inflation over the honest one (both with intervals), one row per way; a way without shots is left out.

    `features` maps segment ids to rows (D,). Data sets whose people have one take of each class have no way "people".
    """
    tested, pools = leaky_pools(task, segments, seed)
    group_of = task.test.set_index("segment_id")["group"]
    take_of = segments.set_index("segment_id")["take_uid"]
    found: dict[str, tuple[Estimate, int, int]] = {}
    for way, pool in pools.items():
        if set(pool["label"]) != set(tested["label"]):
            continue
        leaky = replace(task, pool=pool.reset_index(drop=True), test=tested)
        drawn = draw_episodes(leaky.pool, unit="segment", episodes=episodes, most=shots, seed=seed, names=(task.dataset, task.fold, "leaky"))
        matrices = [np.stack([features[name] for name in table["segment_id"]]) for table in (leaky.pool, leaky.test)]
        (scored,) = score_task(leaky, *matrices, episodes=drawn, shots=(shots,), probe=probe, standardise=standardise)
        resampling = Resampling.draw(replicates, 1, episodes, len(task.participants), seed, task.dataset)
        accuracy = estimates(scored.confusion[None], METRICS, resampling)["accuracy"]
        shared = len(set(pool["segment_id"].map(group_of).dropna()) & set(tested["group"]))
        found[way] = (accuracy, shared, len(set(pool["take_uid"]) & set(tested["segment_id"].map(take_of))))
    rows = []
    for way, (accuracy, people, takes) in found.items():
        gain = difference(accuracy, found["honest"][0])
        rows.append((task.dataset, task.fold, way, shots, accuracy.mean, accuracy.lo, accuracy.hi, gain.mean, gain.lo, gain.hi, people, takes))
    return pd.DataFrame(rows, columns=COLUMNS)


def leak_tables(
    files: Sequence[FeatureFile], segments: pd.DataFrame, splits: pd.DataFrame, *, shots: int, episodes: int, seed: int = 0, replicates: int = 1000
) -> pd.DataFrame:
    """`leak_table` of every data set in every fold, with a logistic regression, by the features of each fold's first encoder.

    Args:
        files: features of one method.
        segments, splits: the tables of those names.
    """
    of_fold = {one.fold: one for one in reversed(files)}
    tables = []
    for task in build_tasks(segments, splits):
        if task.fold in of_fold:
            one = of_fold[task.fold]
            rows = dict(zip(one.file.keys, one.file.rows(one.representation), strict=True))
            drawn = {"shots": shots, "episodes": episodes, "replicates": replicates, "seed": seed}
            tables.append(leak_table(task, segments, rows, probe=LogisticProbe(), standardise="pool", **drawn))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
