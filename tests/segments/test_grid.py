"""Which intervals: narrations, tiles and labelled activities."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primus.io.takes import Activity, Narration
from primus.segments.grid import Grid, labelled_intervals, narration_intervals, tile_intervals


def starts(grid: Grid) -> list[float]:
    return [interval.start_s for interval in grid.intervals]


def test_narrations_are_centred_clamped_and_exact_below_a_second() -> None:
    narrations = [Narration(0.4, "a"), Narration(10.1234, "b"), Narration(31.0, "c")]
    grid = narration_intervals(narrations, 5.0, 0.0, 32.5, 0.0)
    assert starts(grid) == [0.0, 7.623, 27.5]
    assert [interval.texts for interval in grid.intervals] == [("a",), ("b",), ("c",)]
    assert grid.merged == 0


def test_segments_that_share_an_interval_keep_all_their_texts() -> None:
    narrations = [Narration(10.0, "a"), Narration(10.05, "b"), Narration(10.09, "a"), Narration(10.2, "c"), Narration(0.1, "d"), Narration(0.2, "e")]
    grid = narration_intervals(narrations, 5.0, 0.0, 60.0, 0.1)
    assert [(interval.start_s, interval.texts) for interval in grid.intervals] == [(0.0, ("d", "e")), (7.5, ("a", "b")), (7.7, ("c",))]
    assert grid.merged == 3


def test_narrations_far_outside_the_take_and_short_takes_are_refused() -> None:
    grid = narration_intervals([Narration(-2.4, "a"), Narration(-2.6, "b"), Narration(22.6, "c")], 5.0, 0.0, 20.0, 0.1)
    assert starts(grid) == [0.0]
    assert [(refused.reason, round(refused.start_s, 3)) for refused in grid.refused] == [("outside_take", -5.1), ("outside_take", 20.1)]
    short = narration_intervals([Narration(1.0, "a"), Narration(2.0, "b")], 5.0, 0.0, 4.9, 0.1)
    assert short.intervals == ()
    assert [refused.reason for refused in short.refused] == ["too_short", "too_short"]


def test_tiles_fill_the_take() -> None:
    assert starts(tile_intervals(5.0, 5.0, 0.0, 20.0)) == [0.0, 5.0, 10.0, 15.0]
    assert starts(tile_intervals(5.0, 2.5, 0.0, 9.99)) == [0.0, 2.5]
    assert starts(tile_intervals(5.0, 5.0, 0.0, 5.0)) == [0.0]
    assert starts(tile_intervals(2.5, 1.25, 0.0123, 6.3)) == [0.013, 1.262, 2.512, 3.762]
    assert [interval.label for interval in tile_intervals(5.0, 5.0, 0.0, 10.0, "cook").intervals] == ["cook", "cook"]
    short = tile_intervals(5.0, 5.0, 0.0, 4.9)
    assert [(refused.reason, refused.end_s) for refused in short.refused] == [("too_short", 4.9)]
    with pytest.raises(ValueError, match="stride_s"):
        tile_intervals(5.0, 0.0, 0.0, 20.0)


def test_labelled_windows_need_more_than_half_of_their_label() -> None:
    activities = [Activity(0.0, 1.3, "sit"), Activity(1.3, 4.0, "walk"), Activity(4.0, 5.25, "turn"), Activity(5.25, 9.0, "walk")]
    grid = labelled_intervals(activities, 2.5, 0.0, 9.0, 0.1)
    assert [(interval.start_s, interval.label) for interval in grid.intervals] == [(0.0, "sit"), (1.4, "walk"), (5.875, "walk")]
    assert [(refused.reason, refused.detail) for refused in grid.refused] == [("mixed_label", "turn covers 50% of it")]


def test_a_long_activity_is_used_whole_and_without_overlap() -> None:
    activities = [Activity(0.0, 12.4, "walk"), Activity(12.4, 17.3, "sit")]
    grid = labelled_intervals(activities, 2.5, 0.0, 17.3, 0.05)
    assert [interval.start_s for interval in grid.intervals] == [1.2, 3.7, 6.2, 8.7, 13.6]
    assert [interval.label for interval in grid.intervals] == ["walk"] * 4 + ["sit"]
    assert grid.refused == ()


def test_intervals_of_one_label_on_both_sides_count_together() -> None:
    activities = [Activity(0.0, 1.0, "walk"), Activity(1.0, 1.4, "turn"), Activity(1.4, 2.5, "walk")]
    grid = labelled_intervals(activities, 2.5, 0.0, 2.5, 0.0)
    assert [(interval.start_s, interval.label) for interval in grid.intervals] == [(0.0, "walk")]
    assert grid.merged == 1
    assert [refused.detail for refused in grid.refused] == ["turn covers 16% of it"]


times = st.floats(-5, 70).map(lambda value: round(value, 4))


@given(st.lists(times, max_size=30), st.floats(0, 2), st.floats(4, 65), st.sampled_from([0.0, 0.1, 1.0]))
def test_narration_grid_laws(at: list[float], begin: float, length: float, merge: float) -> None:
    narrations = [Narration(time, f"text {index % 7}") for index, time in enumerate(at)]
    grid = narration_intervals(narrations, 5.0, begin, begin + length, merge)
    found = starts(grid)
    assert found == sorted(set(found))
    assert all(later - earlier > merge for earlier, later in pairwise(found))
    for interval in grid.intervals:
        assert begin - 1e-6 <= interval.start_s <= begin + length - 5.0 + 1e-6
        assert interval.start_s == round(interval.start_s, 3)
        assert interval.texts
        assert len(set(interval.texts)) == len(interval.texts)
    assert len(found) + grid.merged + len(grid.refused) == len(narrations)
    texts = {text for interval in grid.intervals for text in interval.texts}
    refused_all = {narration.text for narration in narrations} - texts
    assert len(refused_all) <= len(grid.refused)


@given(st.floats(0, 1), st.floats(0, 100), st.sampled_from([0.5, 1.25, 5.0, 7.0]))
def test_tile_grid_laws(begin: float, length: float, stride: float) -> None:
    grid = tile_intervals(5.0, stride, begin, begin + length)
    found = starts(grid)
    assert bool(found) == (length >= 5.0 - 1e-9)
    assert found == sorted(set(found))
    for index, start in enumerate(found):
        assert abs(start - (begin + index * stride)) <= 0.001
        assert begin - 1e-6 <= start
        assert start + 5.0 <= begin + length + 0.0011
    if found:
        assert found[-1] + stride + 5.0 > begin + length - 1e-6


@given(st.lists(st.tuples(st.floats(0.1, 6), st.sampled_from("abc")), min_size=1, max_size=12))
def test_labelled_grid_laws(runs: list[tuple[float, str]]) -> None:
    activities, at = [], 0.0
    for length, label in runs:
        activities.append(Activity(at, at + length, label))
        at += length
    grid = labelled_intervals(activities, 2.5, 0.0, at, 0.0)
    assert len(grid.intervals) + grid.merged + len(grid.refused) == sum(max(1, int((a.end_s - a.start_s) / 2.5 + 1e-9)) for a in activities)
    for interval in grid.intervals:
        inside = sum(
            max(0.0, min(a.end_s, interval.start_s + 2.5) - max(a.start_s, interval.start_s)) for a in activities if a.label == interval.label
        )
        assert inside > 1.25
