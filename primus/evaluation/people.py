"""Leave-one-user-out: where few people would be tested, each of them is tested in turn, with shots from all the others.

A test set of a handful of people says little about people. Where a data set serves the probe alone, nobody's encoder depends on who is tested in it,
so everybody can be, under the same encoders.
"""

from typing import Literal

import pandas as pd

from primus.evaluation.leakage import groups, unseen_fold
from primus.evaluation.tasks import Task

FewPeople = Literal["as_split", "leave_user_out"]
"""What is done with data sets that would test fewer than `statistics.FEW_PARTICIPANTS` people."""


def leave_user_out(segments: pd.DataFrame, splits: pd.DataFrame, dataset: str) -> list[Task] | str:
    """One task per person of a data set, sorted by person, or the reason for which there are none.

    All labelled segments of the person are tested, all of the others' may be shots. Encoders are those of the first fold in which they have seen
    none of the data set's people; the folds' other encoders are not used.

    Args:
        segments: the segment table; rows with purpose "probe" count.
        splits: fold, dataset, take_uid, participant, split.
        dataset: its name.
    """
    own = segments[segments["dataset"] == dataset]
    trained = splits.loc[splits["dataset"] == dataset, "split"].isin(["train", "val"])
    if set(own["purpose"]) != {"probe"} or trained.any():
        return "it also gives pretraining segments, and its encoders depend on who is tested"
    if own["participant"].isna().any():
        takes = own.loc[own["participant"].isna(), "take_uid"].nunique()
        return f"{takes} of its takes name no participant, so nobody can be left out for certain"
    fold = unseen_fold(segments, splits, dataset)
    if fold is None:
        return "in every fold its people, or some of them, were pretrained on in another data set"
    own = own.sort_values("segment_id")
    own = own.assign(group=groups(own))
    classes, people = tuple(sorted(own["label"].astype(str).unique())), tuple(sorted(own["group"].unique()))
    tasks = []
    for person in people:
        pool = own.loc[own["group"] != person, ["segment_id", "take_uid", "start_s", "end_s", "label"]]
        test = own.loc[own["group"] == person, ["segment_id", "label", "group"]]
        tasks.append(Task(dataset, fold, classes, people, pool.reset_index(drop=True), test.reset_index(drop=True), person))
    return tasks
