"""A take reduced to what fits a picture: signals as lowest and highest value per column, intervals in lanes, holes in the recording."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primus.inspection.takes import InspectedTake

HOLE_S = 0.1
"""Steps between samples longer than this are shown as holes; a rate of 10 Hz is the least that a segment may have."""

_MOST_LANES = 8
_EXTREMES = 1e-3


@dataclass(frozen=True)
class Envelope:
    """Samples as (n,) column middles in seconds, and the lowest and highest value in each; columns without a sample are left out."""

    times_s: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def runs(self, width_s: float) -> list["Envelope"]:
        """Pieces without a column missing; `width_s` is a column's width."""
        cuts = np.flatnonzero(np.diff(self.times_s) > 1.5 * width_s) + 1
        pieces = zip(*(np.split(values, cuts) for values in (self.times_s, self.low, self.high)), strict=True)
        return [Envelope(*piece) for piece in pieces if len(piece[0])]


@dataclass(frozen=True)
class Strip:
    """One axis of one sensor, in the strip's value range; `sensor` is "accelerometer" or "gyroscope"."""

    sensor: str
    axis: str
    unit: str
    envelope: Envelope
    low: float
    high: float


@dataclass(frozen=True)
class Span:
    """An interval in a lane: [start_s, end_s), what to say of it, and whether it is of the weaker kind (a segment without video)."""

    start_s: float
    end_s: float
    lane: int
    words: str
    weak: bool = False


@dataclass(frozen=True)
class Timeline:
    """Everything a picture of a take shows. `column_s`: width of an envelope's column; `holes`: (start_s, end_s) without samples."""

    start_s: float
    end_s: float
    column_s: float
    strips: tuple[Strip, ...]
    holes: tuple[tuple[float, float], ...]
    segments: tuple[Span, ...]
    rejects: tuple[Span, ...]


def timeline_of(take: InspectedTake, columns: int) -> Timeline:
    """Reduce a take to at most `columns` columns."""
    start_s, end_s = 0.0, max(take.duration_s, 0.001)
    if len(take.times_s):
        start_s, end_s = min(start_s, float(take.times_s[0])), max(end_s, float(take.times_s[-1]))
    count = max(1, min(columns, len(take.times_s) // 2))
    edges = np.linspace(start_s, end_s, count + 1)
    steps = np.diff(take.times_s)
    wide = np.flatnonzero(steps > HOLE_S)
    return Timeline(
        start_s=start_s,
        end_s=end_s,
        column_s=(end_s - start_s) / count,
        strips=tuple(_strips(take, edges)),
        holes=tuple((float(take.times_s[index]), float(take.times_s[index + 1])) for index in wide),
        segments=tuple(_segments(take)),
        rejects=tuple(_rejects(take)),
    )


def envelope(times_s: NDArray[np.float64], values: NDArray[np.floating], edges: NDArray[np.float64]) -> Envelope:
    """Lowest and highest of `values` (N,) at ascending `times_s` (N,) between successive `edges` (M + 1,)."""
    first = np.searchsorted(times_s, edges[:-1])
    last = np.append(first[1:], np.searchsorted(times_s, edges[-1], side="right"))
    filled = last > first
    middles = (edges[:-1] + edges[1:]) / 2
    if not filled.any():
        return Envelope(np.empty(0), np.empty(0), np.empty(0))
    inside, starts = np.asarray(values, np.float64)[: last[filled][-1]], first[filled]
    return Envelope(middles[filled], np.minimum.reduceat(inside, starts), np.maximum.reduceat(inside, starts))


def lanes(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """For intervals ordered by start, the lowest lane in which each touches no earlier one; what does not fit lies in the last lane."""
    ends: list[float] = []
    chosen = []
    for start, end in intervals:
        lane = next((number for number, reached in enumerate(ends) if reached <= start + 1e-9), len(ends))
        lane = min(lane, _MOST_LANES - 1)
        if lane == len(ends):
            ends.append(end)
        ends[lane] = max(ends[lane], end)
        chosen.append(lane)
    return chosen


def _strips(take: InspectedTake, edges: NDArray[np.float64]) -> list[Strip]:
    if take.recording is None:
        return []
    sensors = [("accelerometer", "m/s²", take.recording.accel), ("gyroscope", "rad/s", take.recording.gyro)]
    found = []
    for sensor, unit, values in sensors:
        if values is None:
            continue
        # One scale for a sensor's axes, each about its own middle; a lone spike may leave the strip, so that it does not flatten everything else.
        bounds = np.quantile(values, [_EXTREMES, 1 - _EXTREMES], axis=0)
        half = 0.58 * float((bounds[1] - bounds[0]).max()) or 1.0
        for number, axis in enumerate("xyz"):
            middle = float(bounds[:, number].mean())
            found.append(Strip(sensor, axis, unit, envelope(take.times_s, values[:, number], edges), middle - half, middle + half))
    return found


def _segments(take: InspectedTake) -> list[Span]:
    rows = take.segments.sort_values("start_s", kind="stable").to_dict("records")
    places = lanes([(row["start_s"], row["end_s"]) for row in rows])
    spans = []
    for row, lane in zip(rows, places, strict=True):
        parts = [f"{row['start_s']:.3f} to {row['end_s']:.3f} s"]
        parts += [f"label {row['label']}"] if isinstance(row["label"], str) else []
        parts += list(row["texts"]) if row["texts"] is not None else []
        spans.append(Span(row["start_s"], row["end_s"], lane, "; ".join(parts), weak=not isinstance(row["video_path"], str)))
    return spans


def _rejects(take: InspectedTake) -> list[Span]:
    timed = take.rejects[take.rejects["start_s"].notna() & take.rejects["end_s"].notna()]
    rows = timed.sort_values("start_s", kind="stable").to_dict("records")
    places = lanes([(row["start_s"], row["end_s"]) for row in rows])
    return [
        Span(row["start_s"], row["end_s"], lane, f"{row['reason']} ({row['scope']}), {row['start_s']:.3f} to {row['end_s']:.3f} s: {row['detail']}")
        for row, lane in zip(rows, places, strict=True)
    ]
