"""Table I: takes, participants, hours, segments and classes per data set and split, counted from the segments themselves."""

import pandas as pd

from primus.evaluation.protocols import HEAD_VALIDATION

COLUMNS = [
    "fold", "dataset", "split", "takes", "participants", "unknown_people", "hours", "segments", "classes", "with_video", "with_text",
]  # fmt: skip
LABELLED = ("shots", HEAD_VALIDATION, "test")
"""Splits of which labelled segments alone are used: under some protocols a take that gives shots was pretrained on with all of its segments."""

SPLITS = ("train", "val", *LABELLED)


def covered_seconds(segments: pd.DataFrame) -> pd.Series:
    """Seconds of recording that the segments of each take cover, overlaps counted once; indexed by (dataset, take_uid)."""
    takes = ["dataset", "take_uid"]
    ordered = segments.sort_values([*takes, "start_s", "end_s"])
    reached = ordered.groupby(takes, sort=False)["end_s"].cummax()
    before = reached.groupby([ordered["dataset"], ordered["take_uid"]], sort=False).shift()
    start = ordered["start_s"].where(before.isna() | (before < ordered["start_s"]), before)
    fresh = (ordered["end_s"] - start).clip(lower=0.0)
    return fresh.groupby([ordered["dataset"], ordered["take_uid"]]).sum()


def composition(segments: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """One row per fold, data set and split that has segments.

    Args:
        segments: dataset, take_uid, participant, start_s, end_s, label, texts, video_path.
        splits: fold, dataset, take_uid, split.

    Returns:
        COLUMNS: `participants` counts those known, `unknown_people` the takes that name none, `hours` the recording time that segments cover,
        `classes` the distinct labels.
    """
    keys = ["fold", "dataset", "split"]
    covered = {True: segments[segments["label"].notna()], False: segments}
    seconds = pd.concat([covered_seconds(rows).rename("seconds").reset_index().assign(labelled=only) for only, rows in covered.items()])
    told = segments.assign(with_text=segments["texts"].map(len) > 0, with_video=segments["video_path"].notna())
    joined = splits[[*keys, "take_uid"]].merge(told, on=["dataset", "take_uid"])
    joined = joined.assign(labelled=joined["split"].isin(LABELLED))
    joined = joined[~joined["labelled"] | joined["label"].notna()]
    of_take = ["dataset", "take_uid", "labelled"]
    takes = joined[[*keys, "take_uid", "participant", "labelled"]].drop_duplicates([*keys, "take_uid"]).merge(seconds, on=of_take)
    by_take, by_segment = takes.groupby(keys), joined.groupby(keys)
    table = pd.DataFrame(
        {
            "takes": by_take["take_uid"].nunique(),
            "participants": by_take["participant"].nunique(),
            "unknown_people": by_take["participant"].agg(lambda people: int(people.isna().sum())),
            "hours": by_take["seconds"].sum() / 3600,
            "segments": by_segment.size(),
            "classes": by_segment["label"].nunique(),
            "with_video": by_segment["with_video"].sum(),
            "with_text": by_segment["with_text"].sum(),
        }
    ).reset_index()
    place = table["split"].map({name: number for number, name in enumerate(SPLITS)}).fillna(len(SPLITS))
    return table.assign(place=place).sort_values(["fold", "dataset", "place", "split"], ignore_index=True)[COLUMNS]
