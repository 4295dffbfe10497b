"""Who may not be tested: proof that no participant of the test set was seen in pretraining or among the shots."""

import pandas as pd

from primus.errors import UserError
from primus.segments.groups import group_of

SEEN = ("train", "val", "shots")
"""Splits whose participants must be absent from the test split of the same fold."""


def groups(table: pd.DataFrame) -> pd.Series:
    """The unit that must not be split, per row: the participant, or the take where the participant is unknown.

    `table` has columns dataset, take_uid, participant (null where unknown).
    """
    people = table["participant"].astype("object").where(table["participant"].notna(), None)
    found = [group_of(*row) for row in zip(table["dataset"], table["take_uid"], people, strict=True)]
    return pd.Series(found, index=table.index, dtype="object").astype(str)


def unseen_fold(segments: pd.DataFrame, splits: pd.DataFrame, dataset: str) -> int | None:
    """The first fold whose encoders have seen none of the labelled people of a data set, also not in another data set; None where there is none."""
    people = set(groups(segments[(segments["dataset"] == dataset) & (segments["purpose"] == "probe")]))
    seen = splits[splits["split"].isin([split for split in SEEN if split != "shots"])]
    for fold in sorted(splits["fold"].unique().tolist()):
        if people.isdisjoint(groups(seen[seen["fold"] == fold])):
            return int(fold)
    return None


def assert_disjoint(splits: pd.DataFrame) -> None:
    """Raise UserError if, in any fold, a participant (or take of an unknown participant) is in the test split and in another one.

    Participants are compared across data sets: two data sets of the same population share their people. `splits` has columns fold,
    dataset, take_uid, participant, split.
    """
    table = splits.assign(group=groups(splits))
    for fold, rows in table.groupby("fold", sort=True):
        tested = set(rows.loc[rows["split"] == "test", "group"])
        for split in SEEN:
            shared = sorted(tested & set(rows.loc[rows["split"] == split, "group"]))
            if shared:
                raise UserError(
                    f"fold {fold}: {len(shared)} participant(s) are both in 'test' and in {split!r} ({', '.join(shared[:3])}"
                    f"{', ...' if len(shared) > 3 else ''}); scores would be inflated: rerun the segment stage, which draws disjoint splits"
                )
