"""Few-shot tasks: for every data set and fold, which labelled segments may be shots and which are the test set."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from primus.errors import UserError
from primus.evaluation.leakage import assert_disjoint, groups
from primus.evaluation.protocols import HEAD_VALIDATION


@dataclass(frozen=True)
class Task:
    """One data set in one fold.

    Attributes:
        dataset, fold: which.
        part: what is tested of the data set where it is tested in parts (a site, or a person), else "".
        validation: labelled segments to choose a head's epoch on (segment_id, label), sorted by segment_id; empty but under protocol `code`.
        classes: every class of the data set, sorted; the same in all its folds.
        participants: every tested participant of the data set, sorted (a take, where the participant is unknown); the same in all folds.
        pool: segments that may be shots (segment_id, take_uid, start_s, end_s, label), sorted by segment_id.
        test: the whole test set (segment_id, label, group), sorted by segment_id.
    """

    dataset: str
    fold: int
    classes: tuple[str, ...]
    participants: tuple[str, ...]
    pool: pd.DataFrame
    test: pd.DataFrame
    part: str = ""
    validation: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"segment_id": [], "label": []}, dtype=str))

    @property
    def names(self) -> tuple[str | int, ...]:
        """What draws are named by, so that parts have their own: data set, fold, and the part where there is one."""
        return (self.dataset, self.fold, self.part) if self.part else (self.dataset, self.fold)

    def truth(self) -> np.ndarray:
        """(T,) int64 class numbers of the test set."""
        return np.searchsorted(self.classes, self.test["label"].to_numpy(dtype=str))

    def testees(self) -> np.ndarray:
        """(T,) int64 participant numbers of the test set."""
        return np.searchsorted(self.participants, self.test["group"].to_numpy(dtype=str))

    def pool_classes(self) -> np.ndarray:
        """(P,) int64 class numbers of the pool."""
        return np.searchsorted(self.classes, self.pool["label"].to_numpy(dtype=str))


def build_tasks(segments: pd.DataFrame, splits: pd.DataFrame) -> list[Task]:
    """All tasks, sorted by data set and fold.

    Args:
        segments: the segment table; rows with purpose "probe" count.
        splits: fold, dataset, take_uid, participant, split.

    Raises:
        UserError: a participant is tested and also seen (see `leakage`), a labelled segment has no label or no split, nothing can be tested.
    """
    assert_disjoint(splits)
    probe = segments[segments["purpose"] == "probe"].sort_values("segment_id")
    unlabelled = probe[probe["label"].isna()]
    if len(unlabelled):
        raise UserError(f"{len(unlabelled)} probe segment(s) carry no label, {unlabelled['segment_id'].iloc[0]} first; rerun the segment stage")
    probe = probe.assign(group=groups(probe))
    tasks = []
    for dataset, of_dataset in probe.groupby("dataset", sort=True):
        mine = splits[(splits["dataset"] == dataset) & splits["split"].isin(["shots", HEAD_VALIDATION, "test"])]
        joined = of_dataset.merge(mine[["fold", "take_uid", "split"]], on="take_uid", how="left")
        lost = joined[joined["split"].isna()]
        if len(lost):
            raise UserError(f"take {lost['take_uid'].iloc[0]} of {dataset} is in no split of splits.parquet; rerun the segment stage")
        classes = tuple(sorted(of_dataset["label"].astype(str).unique()))
        participants = tuple(sorted(joined.loc[joined["split"] == "test", "group"].unique()))
        for fold in sorted(joined["fold"].unique().tolist()):
            rows = joined[joined["fold"] == fold]
            pool, test = rows[rows["split"] == "shots"], rows[rows["split"] == "test"]
            if pool.empty or test.empty:
                missing = "shots" if pool.empty else "test"
                raise UserError(
                    f"{dataset}, fold {fold}: no segment in the {missing!r} split; the set needs at least two participants (or takes) with usable "
                    "recordings: see rejects.parquet for what was refused"
                )
            tasks.append(
                Task(
                    str(dataset),
                    int(fold),
                    classes,
                    participants,
                    pool[["segment_id", "take_uid", "start_s", "end_s", "label"]].reset_index(drop=True),
                    test[["segment_id", "label", "group"]].reset_index(drop=True),
                    validation=rows.loc[rows["split"] == HEAD_VALIDATION, ["segment_id", "label"]].reset_index(drop=True),
                )
            )
    if not tasks:
        raise UserError("no segment has the purpose 'probe'; give at least one data set of the profile that purpose")
    return tasks
