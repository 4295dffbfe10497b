"""Which intervals of a take become segments: around each narration, in tiles, or around each labelled activity. Times in seconds from take start.

Starts are whole milliseconds, so a segment's id, which ends in its start in milliseconds, gives its interval exactly.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from primus.io.takes import Activity, Narration


@dataclass(frozen=True)
class Interval:
    """One interval [start_s, start_s + window_s) that is to become a segment; `members` narrations or activities asked for it."""

    start_s: float
    texts: tuple[str, ...] = ()
    label: str | None = None
    members: int = 1


@dataclass(frozen=True)
class Refused:
    """An interval that will not become one, and why (a reason of `primus.schema.REASONS`)."""

    start_s: float
    end_s: float
    reason: str
    detail: str


@dataclass(frozen=True)
class Grid:
    """Intervals of one take, ordered by start, and what was left out on the way.

    Attributes:
        intervals: what is to be cut.
        refused: intervals refused before any signal was read.
        merged: how many intervals were within the tolerance of another and joined it.
    """

    intervals: tuple[Interval, ...]
    refused: tuple[Refused, ...] = ()
    merged: int = 0


def narration_intervals(narrations: Sequence[Narration], window_s: float, begin_s: float, end_s: float, merge_s: float) -> Grid:
    """One interval centred on each narration, moved as little as needed to lie within [begin_s, end_s].

    Intervals that start no more than `merge_s` after the first of their group become one (at the first's place) and keep every text, in time order;
    equal texts are kept once. A narration outside the take by more than half a window is refused as `outside_take`, and every narration
    as `too_short` where the take is shorter than a window.
    """
    first, last = _ms_up(begin_s), _ms_down(end_s - window_s)
    wanted: list[tuple[int, str]] = []
    refused: list[Refused] = []
    for narration in sorted(narrations, key=lambda item: item.time_s):
        start = narration.time_s - window_s / 2
        if last < first:
            detail = f"{end_s - begin_s:.3f} s of take for a segment of {window_s:g} s"
            refused.append(Refused(start, start + window_s, "too_short", detail))
        elif not begin_s - window_s / 2 <= narration.time_s <= end_s + window_s / 2:
            detail = f"narrated at {narration.time_s:.3f} s of a take from {begin_s:.3f} to {end_s:.3f} s"
            refused.append(Refused(start, start + window_s, "outside_take", detail))
        else:
            wanted.append((min(max(round(start * 1000), first), last), narration.text))
    groups: list[tuple[int, list[str]]] = []
    for start_ms, text in wanted:
        if groups and start_ms - groups[-1][0] <= merge_s * 1000:
            groups[-1][1].append(text)
        else:
            groups.append((start_ms, [text]))
    intervals = tuple(Interval(start_ms / 1000, tuple(dict.fromkeys(texts)), members=len(texts)) for start_ms, texts in groups)
    return Grid(intervals, tuple(refused), merged=len(wanted) - len(groups))


def tile_intervals(window_s: float, stride_s: float, begin_s: float, end_s: float, label: str | None = None) -> Grid:
    """Intervals every `stride_s` from `begin_s` as long as they end by `end_s`; a shorter take is refused as `too_short`."""
    if stride_s <= 0:
        raise ValueError(f"stride_s must be positive, found {stride_s}")
    room = end_s - begin_s - window_s
    if room < -1e-9:
        detail = f"{max(0.0, end_s - begin_s):.3f} s for a segment of {window_s:g} s"
        return Grid((), (Refused(begin_s, end_s, "too_short", detail),))
    count = math.floor(room / stride_s + 1e-9) + 1
    first, last = _ms_up(begin_s), _ms_down(end_s - window_s)
    starts = (min(max(round((begin_s + k * stride_s) * 1000), first), max(first, last)) for k in range(count))
    return Grid(tuple(Interval(start / 1000, label=label) for start in dict.fromkeys(starts)))


def labelled_intervals(activities: Sequence[Activity], window_s: float, begin_s: float, end_s: float, merge_s: float, majority: float = 0.5) -> Grid:
    """Intervals with each activity's label: as many as fit one after another, at least one, centred on it together.

    So an activity shorter than two windows gives the one centred on it, and a long one is used whole, without overlap. Each is moved as little as
    needed to lie within [begin_s, end_s]. It is kept when intervals of that label cover more than `majority` of it, else refused as
    `mixed_label`. Two of one label that start within `merge_s` become one.
    """
    first, last = _ms_up(begin_s), _ms_down(end_s - window_s)
    kept: list[Interval] = []
    refused: list[Refused] = []
    merged = 0
    newest: dict[str, int] = {}
    for activity, start in _centred(activities, window_s):
        if last < first:
            detail = f"{max(0.0, end_s - begin_s):.3f} s of recording for a segment of {window_s:g} s"
            refused.append(Refused(start, start + window_s, "too_short", detail))
            continue
        start_ms = min(max(round(start * 1000), first), last)
        start = start_ms / 1000
        share = _covered(activities, activity.label, start, start + window_s) / window_s
        if share <= majority:
            refused.append(Refused(start, start + window_s, "mixed_label", f"{activity.label} covers {share:.0%} of it"))
        elif activity.label in newest and start_ms - newest[activity.label] <= merge_s * 1000:
            merged += 1
        else:
            newest[activity.label] = start_ms
            kept.append(Interval(start, label=activity.label))
    return Grid(tuple(sorted(kept, key=lambda item: item.start_s)), tuple(refused), merged)


def _centred(activities: Sequence[Activity], window_s: float) -> Iterator[tuple[Activity, float]]:
    for activity in sorted(activities, key=lambda item: (item.start_s, item.end_s)):
        count = max(1, math.floor((activity.end_s - activity.start_s) / window_s + 1e-9))
        start = (activity.start_s + activity.end_s - count * window_s) / 2
        for number in range(count):
            yield activity, start + number * window_s


def _covered(activities: Sequence[Activity], label: str, begin_s: float, end_s: float) -> float:
    """Seconds of [begin_s, end_s) that activities of the label cover, overlaps counted once."""
    spans = sorted((max(a.start_s, begin_s), min(a.end_s, end_s)) for a in activities if a.label == label)
    total, reached = 0.0, begin_s
    for start, end in spans:
        if end > max(start, reached):
            total += end - max(start, reached)
            reached = end
    return total


def _ms_up(seconds: float) -> int:
    return math.ceil(seconds * 1000 - 1e-6)


def _ms_down(seconds: float) -> int:
    return math.floor(seconds * 1000 + 1e-6)
