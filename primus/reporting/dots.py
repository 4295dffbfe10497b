"""Charts of points: intervals of several methods row by row, and a cloud of points by class."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from primus.reporting.charts import RIGHT, WIDTH, nice_ticks
from primus.reporting.palette import Look
from primus.reporting.svg import element, figure, label, marker, path

TOP, FOOT = 6, 42
LINE = 11
"""Height of one method's line within a row."""

Mark = tuple[Look, float, float, float]
"""Look, mean, lo, hi."""


def grouped_chart(
    title: str,
    description: str,
    rows: Sequence[tuple[str, Sequence[Mark]]],
    *,
    x_title: str,
    x_range: tuple[float, float],
    unit: str = "",
    reference: float | None = None,
) -> str:
    """Named rows, each with one interval per method below the other.

    An interval that leaves `x_range` is cut there, and its end has an arrow head in place of a cap.
    """
    left = 16 + 7.0 * max((len(name) for name, _ in rows), default=0)
    heights = [LINE * max(len(marks), 1) + 9 for _, marks in rows]
    bottom = TOP + sum(heights)
    low, high = x_range

    def px(value: float) -> float:
        return left + (min(max(value, low), high) - low) / ((high - low) or 1.0) * (WIDTH - left - RIGHT - 12)

    parts = []
    for tick in nice_ticks(low, high, 5):
        parts.append(path([(px(tick), TOP), (px(tick), bottom)], class_="grid"))
        parts.append(label(px(tick), bottom + 16, f"{tick:g}{unit}", text_anchor="middle", class_="tick"))
    if reference is not None and low <= reference <= high:
        parts.append(path([(px(reference), TOP), (px(reference), bottom)], class_="reference"))
    top = float(TOP)
    for (name, marks), height in zip(rows, heights, strict=True):
        parts.append(path([(0, top), (WIDTH - RIGHT, top)], class_="grid"))
        parts.append(label(left - 8, top + height / 2 + 4, name, text_anchor="end", class_="tick"))
        for number, (look, mean, lo, hi) in enumerate(marks):
            y = top + 5 + LINE * (number + 0.5)
            drawn = path([(px(lo), y), (px(hi), y)], stroke="currentColor", stroke_width=1.8)
            drawn += _end(px(lo), y, -1 if lo < low else 0) + _end(px(hi), y, 1 if hi > high else 0)
            drawn += marker(look.marker, px(mean), y, 3.4) if low <= mean <= high else ""
            parts.append(element("g", drawn, class_=look.css))
        top += height
    parts.append(label((left + WIDTH - RIGHT) / 2, bottom + 34, x_title, text_anchor="middle", class_="title"))
    return figure(WIDTH, int(bottom + FOOT), title, description, "".join(parts))


def _end(x: float, y: float, beyond: int) -> str:
    """A cap, or an arrow head that points to where the interval goes on."""
    points = [(x - 5 * beyond, y - 3.5), (x, y), (x - 5 * beyond, y + 3.5)] if beyond else [(x, y - 3), (x, y + 3)]
    return path(points, fill="none", stroke="currentColor", stroke_width=1.4)


def spread_of(rows: Sequence[tuple[str, Sequence[Mark]]], least: float, most: float, step: float) -> tuple[float, float]:
    """A range of whole `step`s that holds every interval, within [least, most]."""
    values = [value for _, marks in rows for _, *interval in marks for value in interval]
    low, high = min(values, default=least), max(values, default=most)
    return max(least, math.floor(low / step) * step), min(most, max(math.ceil(high / step), math.floor(low / step) + 1) * step)


def cloud_chart(title: str, description: str, clouds: Mapping[str, tuple[Look, Sequence[tuple[float, float]]]], *, axes: tuple[str, str]) -> str:
    """Points (x, y) by class; both axes have the same scale, since distances are what is looked at."""
    left, height = 22, 290
    points = [point for _, cloud in clouds.values() for point in cloud]
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    width, inner = WIDTH - left - RIGHT, height - TOP - 26
    scale = 0.95 * min(width / ((max(xs) - min(xs)) or 1.0), inner / ((max(ys) - min(ys)) or 1.0))
    parts = [element("rect", x=left, y=TOP, width=width, height=inner, fill="none", stroke="var(--line)")]
    for name, (look, cloud) in clouds.items():
        drawn = "".join(
            marker(look.marker, left + width / 2 + (x - middle[0]) * scale, TOP + inner / 2 - (y - middle[1]) * scale, 3.0) for x, y in cloud
        )
        parts.append(element("g", element("title", escape(name)) + drawn, class_=look.css, opacity=0.8))
    parts.append(label(left + width / 2, height - 8, axes[0], text_anchor="middle", class_="title"))
    turned = f"rotate(-90 12 {TOP + inner / 2:.1f})"
    parts.append(label(12, TOP + inner / 2, axes[1], text_anchor="middle", class_="title", transform=turned))
    return figure(WIDTH, height, title, description, "".join(parts))
