"""Table I against counting by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primus.evaluation.protocols import Protocol, apply_protocol
from primus.reporting.composition import COLUMNS, composition, covered_seconds


def segment(take: str, start: float, end: float, **more: object) -> dict[str, object]:
    base = {"dataset": "d", "take_uid": take, "participant": "d/1", "start_s": start, "end_s": end, "label": "a", "texts": [], "video_path": None}
    return base | more


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=30))
def test_hours_are_those_of_the_union_of_intervals(intervals: list[tuple[str, int, int]]) -> None:
    table = pd.DataFrame([segment(take, start, start + length) for take, start, length in intervals])
    for take, found in covered_seconds(table).loc["d"].items():
        second = np.zeros(100, dtype=bool)
        for name, start, length in intervals:
            second[start : start + length] |= name == take
        assert found == second.sum()


def test_takes_people_segments_and_classes_are_counted_per_fold_and_split() -> None:
    segments = pd.DataFrame(
        [
            segment("t1", 0, 5, label="a", texts=["walks"], video_path="v.mp4"),
            segment("t1", 2, 7, label="a", texts=["sits", "stands"]),
            segment("t2", 0, 5, label="b", participant="d/2"),
            segment("t3", 0, 5, label="b", participant=None),
            segment("t4", 0, 5, label=None, dataset="e", participant="e/1"),
        ]
    )
    rows = [(fold, "d", take, "shots" if (take == "t2") == (fold == 0) else "test") for fold in (0, 1) for take in ("t1", "t2", "t3")]
    splits = pd.DataFrame([*rows, (0, "e", "t4", "train"), (0, "e", "refused", "val")], columns=["fold", "dataset", "take_uid", "split"])
    table = composition(segments, splits)
    assert list(table.columns) == COLUMNS
    found = {(row["fold"], row["dataset"], row["split"]): row for row in table.to_dict("records")}
    assert set(found) == {(0, "d", "shots"), (0, "d", "test"), (1, "d", "shots"), (1, "d", "test"), (0, "e", "train")}, "no row without segments"
    test = found[0, "d", "test"]
    assert (test["takes"], test["participants"], test["unknown_people"], test["segments"], test["classes"]) == (2, 1, 1, 3, 2)
    assert (test["with_video"], test["with_text"]) == (1, 2)
    assert math.isclose(test["hours"], (7 + 5) / 3600)
    assert found[0, "d", "shots"]["participants"] == 1
    assert found[0, "e", "train"]["classes"] == 0
    assert table[table["fold"] == 0]["split"].tolist() == ["shots", "test", "train"], "by data set, then in the order of the pipeline"


@pytest.mark.parametrize(
    ("protocol", "splits", "shots"),
    [
        ("ours", {"train": 12, "shots": 8, "test": 8}, (8, 4)),
        ("table1", {"train": 12, "shots": 8, "test": 16}, (8, 4)),
        ("code", {"train": 12, "shots": 8, "head_val": 4, "test": 4}, (8, 4)),
    ],
)
def test_the_splits_counted_are_those_that_the_protocol_made(protocol: Protocol, splits: dict[str, int], shots: tuple[int, int]) -> None:
    """Of takes that were pretrained on and give shots, labelled segments alone are shots."""
    rows = [
        segment(f"{purpose}{n}", 5 * part, 5 * part + 5, participant=f"d/{purpose}{n}", purpose=purpose, segment_id=f"{purpose}{n}_{part}",
                label=None if purpose == "pretrain" and part == 2 else "ab"[n % 2])
        for purpose, takes, parts in (("pretrain", 4, 3), ("probe", 8, 2)) for n in range(takes) for part in range(parts)
    ]  # fmt: skip
    segments = pd.DataFrame(rows)
    made = [(0, "d", f"pretrain{n}", f"d/pretrain{n}", "train") for n in range(4)]
    made += [(0, "d", f"probe{n}", f"d/probe{n}", "shots" if n < 4 else "test") for n in range(8)]
    table = pd.DataFrame(made, columns=["fold", "dataset", "take_uid", "participant", "split"])
    found = composition(segments, apply_protocol(protocol, segments, table, 0)[1]).set_index("split")
    assert found["segments"].to_dict() == splits
    assert (found.loc["shots", "segments"], found.loc["shots", "participants"]) == shots
    assert found.loc["shots", "hours"] == pytest.approx(40 / 3600)
    assert found.loc["train", "hours"] == pytest.approx(60 / 3600)
    assert found["participants"].min() > 0, "people are named whatever the protocol makes of them"
