"""One name for who must stay together: as the splits draw it, as the evaluation checks it, as the metrics count it."""

import pandas as pd

from primus.evaluation.leakage import groups
from primus.schema import SEGMENTS
from primus.segments.groups import group_of
from primus.segments.splits import SplitRow, SplitTake
from primus.segments.summary import TakeCounts, summarise

KNOWN = ("clips", "day1", "clips/karma")  # somebody called karma, of the data set's own population
UNKNOWN = ("clips", "karma", None)  # a take called karma, of nobody known


def test_a_take_of_nobody_known_is_not_the_person_it_is_named_like() -> None:
    assert group_of(*KNOWN) != group_of(*UNKNOWN)
    assert len({participant or f"{dataset}/{uid}" for dataset, uid, participant in (KNOWN, UNKNOWN)}) == 1  # as metrics/segment.json counted it once
    rows = [SplitRow(0, *take, "train") for take in (KNOWN, UNKNOWN)]
    counted = summarise(SEGMENTS.empty_table().to_pandas(), [], TakeCounts(), [], rows, {})
    assert counted["splits"]["fold0"]["train"]["groups"] == 2


def test_splits_and_evaluation_name_groups_alike() -> None:
    takes = (KNOWN, UNKNOWN, ("watch", "7", "people/1"), ("watch", "8", None))
    table = pd.DataFrame(takes, columns=["dataset", "take_uid", "participant"], index=[4, 2, 9, 1])
    drawn = [SplitTake(*take, "probe", {}).group for take in takes]
    assert groups(table).tolist() == drawn == ["clips/karma", "take:clips/karma", "people/1", "take:watch/8"]
    assert groups(table).index.tolist() == table.index.tolist()
    assert groups(table[:0]).empty
