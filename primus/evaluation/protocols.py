"""Which labelled segments may be shots and which are tested, where a data set also gives the pretraining segments (Ego-Exo4D).

- `ours`: shots and test are takes of the probe, of different people, none of whom was pretrained on.
- `table1`: the paper's Table I. Shots come from the takes that pretraining trained on, and all takes of the probe (official validation) are
  tested.
- `code`: the authors' released code. The probe's takes of each class are cut into shots, head validation and test, 50/25/25; people are on both
  sides. Kept to show what it does to the numbers; everything made from it counts how many people are shared. Of few takes shots and test are served
  first (`code_sizes`).
- `leave_site_out`: every site is tested with shots from the others (see `primus.evaluation.sites`).

Data sets that serve the probe alone are as in `ours` whatever the protocol (except `leave_site_out`, which needs sites only).
"""

from typing import Literal

import numpy as np
import pandas as pd

from primus.errors import UserError
from primus.seeds import generator

Protocol = Literal["ours", "table1", "code", "leave_site_out"]

HEAD_VALIDATION = "head_val"
"""Split of the labelled takes that the protocol `code` chooses a head's epoch on."""


def code_sizes(takes: int) -> dict[str, int]:
    """How many of a class's takes give shots, head validation and test under the protocol `code`: a half, a quarter, a quarter.

    The quarter for the test is rounded up, the one for validation down, and shots get the rest: two takes are shots and test, and validation gets its
    first take with the fourth. The only take of a class gives shots: without them it could not be recognised, so testing it would say nothing.
    """
    test = -(-takes // 4) if takes > 1 else 0
    return {"shots": takes - takes // 4 - test, HEAD_VALIDATION: takes // 4, "test": test}


def both_purposes(segments: pd.DataFrame) -> list[str]:
    """Data sets that give pretraining and probe segments, sorted."""
    purposes = segments.groupby("dataset")["purpose"].agg(set)
    return sorted(str(name) for name, found in purposes.items() if found >= {"pretrain", "probe"})


def segments_to_encode(segments: pd.DataFrame, protocol: Protocol) -> list[str]:
    """Ids of the segments whose features the protocol needs, sorted. `segments` has columns segment_id, dataset, purpose, label."""
    wanted = segments["purpose"] == "probe"
    if protocol == "table1":
        wanted |= segments["dataset"].isin(both_purposes(segments)) & segments["label"].notna()
    return np.sort(segments.loc[wanted, "segment_id"].to_numpy(dtype=str)).tolist()


def apply_protocol(protocol: Protocol, segments: pd.DataFrame, splits: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segment and split tables as the protocol wants them, for `build_tasks`.

    Under `code` participants of the data set are forgotten in both tables, so that the unit is the take, as in the released code.

    Raises:
        UserError: pretraining segments without any label cannot give the shots of `table1`.
    """
    if protocol in ("ours", "leave_site_out"):
        return segments, splits
    apply = _table1 if protocol == "table1" else _code
    for dataset in both_purposes(segments):
        segments, splits = apply(dataset, segments, splits, seed)
    return segments, splits


def _table1(dataset: str, segments: pd.DataFrame, splits: pd.DataFrame, _seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    own = splits["dataset"] == dataset
    tested = splits[own & splits["split"].isin(["shots", "test"])].assign(split="test")
    trained = splits[own & splits["split"].isin(["train", "val"])]
    labelled = (segments["dataset"] == dataset) & segments["label"].notna() & segments["take_uid"].isin(trained["take_uid"])
    if not labelled.any():
        raise UserError(f"{dataset}: its pretraining segments carry no label, so protocol table1 has no shots; use protocol ours")
    used = segments.assign(purpose=segments["purpose"].where(~labelled, "probe"))
    without_label = (segments["dataset"] == dataset) & segments["label"].isna()
    splits = pd.concat([splits[~own], trained, trained.assign(split="shots"), tested], ignore_index=True)
    return used[~without_label], splits


def _code(dataset: str, segments: pd.DataFrame, splits: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    own = splits["dataset"] == dataset
    mine = (segments["dataset"] == dataset) & (segments["purpose"] == "probe")
    takes = segments[mine].groupby("take_uid")["label"].agg(lambda labels: labels.mode().iloc[0])
    part: dict[str, str] = {}
    for label in sorted(takes.unique()):
        order = generator(seed, "protocol code", dataset, str(label)).permutation(np.sort(takes.index[takes == label].to_numpy(dtype=str)))
        sizes = code_sizes(len(order))
        part |= dict(zip(order.tolist(), (name for name, size in sizes.items() for _ in range(size)), strict=True))
    cut = splits[own & splits["split"].isin(["shots", "test"])]
    cut = cut.assign(split=cut["take_uid"].map(part).fillna("shots"), participant=None)
    rest = splits[~(own & splits["split"].isin(["shots", "test"]))]
    return segments.assign(participant=segments["participant"].where(~mine, None)), pd.concat([rest, cut], ignore_index=True)


def shared_people(segments: pd.DataFrame, splits: pd.DataFrame, dataset: str) -> int:
    """People of `dataset` who give shots and are tested in the same fold, by the participants of the original segment table."""
    people = segments[["take_uid", "participant"]].dropna().drop_duplicates()
    joined = splits[splits["dataset"] == dataset][["fold", "take_uid", "split"]].merge(people, on="take_uid")
    worst = 0
    for _, rows in joined.groupby("fold"):
        shots, tested = (set(rows.loc[rows["split"] == split, "participant"]) for split in ("shots", "test"))
        worst = max(worst, len(shots & tested))
    return worst
