"""The kinds of chart the report draws: curves with bands, intervals in rows, a matrix of shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from primus.reporting.palette import Look
from primus.reporting.svg import element, figure, label, marker, path

WIDTH, HEIGHT = 360, 270
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 24, 42


@dataclass(frozen=True)
class Curve:
    """One line of a chart: points (x, y), optionally bounds per point, and which points are incomplete."""

    name: str
    look: Look
    x: Sequence[float]
    y: Sequence[float]
    lo: Sequence[float] | None = None
    hi: Sequence[float] | None = None
    incomplete: Sequence[bool] = field(default_factory=tuple)


@dataclass(frozen=True)
class ZeroPoint:
    """A result without any label, drawn left of a logarithmic axis, which has no zero."""

    name: str
    look: Look
    mean: float
    lo: float
    hi: float


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most about `most` round numbers (steps of 1, 2 or 5 times a power of ten) inside [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def curves_chart(
    title: str,
    description: str,
    curves: Sequence[Curve],
    *,
    x_title: str,
    y_title: str,
    x_ticks: Sequence[float],
    x_range: tuple[float, float],
    log_x: bool,
    y_range: tuple[float, float],
    percent: bool,
    reference: tuple[str, float] | None = None,
    zero: Sequence[ZeroPoint] = (),
) -> str:
    """Lines with confidence bands; `reference` is a named horizontal line (chance), `zero` stands at 0, apart from the axis."""
    start, end = (math.log(x) if log_x else x for x in x_range)
    span = (end - start) or 1.0
    apart = 22 + 7 * len(zero) if zero else 0

    def px(x: float) -> float:
        return LEFT + 8 + apart + ((math.log(x) if log_x else x) - start) / span * (WIDTH - LEFT - RIGHT - 16 - apart)

    def py(y: float) -> float:
        inside = min(max((y - y_range[0]) / ((y_range[1] - y_range[0]) or 1.0), 0.0), 1.0)
        return HEIGHT - BOTTOM - inside * (HEIGHT - TOP - BOTTOM)

    parts = []
    for tick in nice_ticks(*y_range):
        parts.append(path([(LEFT, py(tick)), (WIDTH - RIGHT, py(tick))], class_="grid"))
        parts.append(label(LEFT - 6, py(tick) + 4, f"{tick * 100:.0f} %" if percent else f"{tick:g}", text_anchor="end", class_="tick"))
    for x in x_ticks:
        parts.append(path([(px(x), HEIGHT - BOTTOM), (px(x), HEIGHT - BOTTOM + 4)], class_="axis"))
        parts.append(label(px(x), HEIGHT - BOTTOM + 16, f"{x:g}", text_anchor="middle", class_="tick"))
    parts.append(path([(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)], class_="axis"))
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_title, text_anchor="middle", class_="title"))
    parts.append(label(2, 12, y_title, class_="title"))
    if reference is not None:
        parts.append(path([(LEFT, py(reference[1])), (WIDTH - RIGHT, py(reference[1]))], class_="reference"))
        parts.append(label(WIDTH - RIGHT - 2, py(reference[1]) - 4, reference[0], text_anchor="end", class_="tick"))
    for number, point in enumerate(zero):
        x = LEFT + 8.0 + 7 * number
        bar = path([(x, py(point.lo)), (x, py(point.hi))], stroke="currentColor", stroke_width=1.6)
        drawn_point = element("title", escape(f"{point.name}, no labels")) + bar + marker(point.look.marker, x, py(point.mean))
        parts.append(element("g", drawn_point, class_=point.look.css))
    if zero:
        parts.append(label(LEFT + 8 + 3.5 * (len(zero) - 1), HEIGHT - BOTTOM + 16, "0", text_anchor="middle", class_="tick"))
        parts.append(label(LEFT + apart - 6, HEIGHT - BOTTOM + 4, "//", text_anchor="middle", class_="tick"))
    opacity = min(0.15, 0.5 / max(len(curves), 1))  # bands of many curves lie over each other and would hide the lines
    for curve in curves:
        drawn = []
        points = [(px(x), py(y)) for x, y in zip(curve.x, curve.y, strict=True)]
        if curve.lo is not None and curve.hi is not None:
            upper = [(px(x), py(y)) for x, y in zip(curve.x, curve.hi, strict=True)]
            lower = [(px(x), py(y)) for x, y in zip(curve.x, curve.lo, strict=True)]
            drawn.append(path(upper + lower[::-1], close=True, fill="currentColor", fill_opacity=opacity, stroke="none"))
        drawn.append(path(points, fill="none", stroke="currentColor", stroke_width=2, stroke_dasharray=curve.look.dash or "none"))
        if len(points) <= 20:
            hollow = list(curve.incomplete) or [False] * len(points)
            drawn += [marker(curve.look.marker, x, y, hollow=empty) for (x, y), empty in zip(points, hollow, strict=True)]
        parts.append(element("g", element("title", escape(curve.name)) + "".join(drawn), class_=curve.look.css))
    return figure(WIDTH, HEIGHT, title, description, "".join(parts))


def intervals_chart(title: str, description: str, rows: Sequence[tuple[str, Look, float, float, float]], *, x_title: str) -> str:
    """One row per (name, look, mean, lo, hi) in percentage points, with a line at zero."""
    height = TOP + 24 * len(rows) + BOTTOM
    left = 16 + 7 * max((len(row[0]) for row in rows), default=0)
    low = min(0.0, *(row[3] for row in rows), *(row[2] for row in rows))
    high = max(0.0, *(row[4] for row in rows), *(row[2] for row in rows))
    pad = 0.06 * (high - low or 1.0)

    def px(value: float) -> float:
        return left + (value - low + pad) / (high - low + 2 * pad) * (WIDTH - left - RIGHT)

    parts = []
    for tick in nice_ticks(low - pad, high + pad, 5):
        parts.append(path([(px(tick), TOP), (px(tick), height - BOTTOM)], class_="reference" if abs(tick) < 1e-12 else "grid"))
        parts.append(label(px(tick), height - BOTTOM + 16, f"{tick:+g}" if abs(tick) > 1e-12 else "0", text_anchor="middle", class_="tick"))
    for number, (name, look, mean, lo, hi) in enumerate(rows):
        y = TOP + 24 * number + 12.0
        bar = path([(px(lo), y), (px(hi), y)], stroke="currentColor", stroke_width=2.5)
        caps = "".join(path([(px(end), y - 4), (px(end), y + 4)], stroke="currentColor", stroke_width=1.5) for end in (lo, hi))
        parts.append(element("g", bar + caps + marker(look.marker, px(mean), y), class_=look.css))
        parts.append(label(left - 10, y + 4, name, text_anchor="end", class_="tick"))
    parts.append(label((left + WIDTH - RIGHT) / 2, height - 8, x_title, text_anchor="middle", class_="title"))
    return figure(WIDTH, height, title, description, "".join(parts))


def matrix_chart(title: str, description: str, names: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """Confusion matrix: rows are the truth, shares of a row sum to one; cells carry their percentage."""
    cell, count = 34, len(names)
    left = 14 + 6.6 * max(len(name) for name in names)
    top = 10 + 4.8 * max(len(name) for name in names)
    overhang = max(4.9 * len(name) - cell * (count - number - 0.5) for number, name in enumerate(names))
    width, height = int(left + cell * count + max(overhang, 0)) + 8, int(top + cell * count) + 6
    parts = []
    for row, name in enumerate(names):
        y = top + cell * row
        parts.append(label(left - 6, y + cell / 2 + 4, name, text_anchor="end", class_="tick"))
        x = left + cell * row + cell / 2
        parts.append(label(x, top - 6, name, class_="tick", transform=f"rotate(-45 {x:.1f} {top - 6:.1f})"))
        for column in range(count):
            share = shares[row][column]
            box: dict[str, Any] = {"x": left + cell * column + 1.0, "y": y + 1.0, "width": cell - 2, "height": cell - 2}
            parts.append(element("rect", fill="var(--ink-blue)", fill_opacity=0.04 + 0.96 * share, **box))
            if share >= 0.005:
                colour = "over" if share > 0.5 else "tick"
                parts.append(label(box["x"] + cell / 2 - 1, y + cell / 2 + 4, f"{share * 100:.0f}", text_anchor="middle", class_=colour))
    return figure(width, height, title, description, "".join(parts))


def legend(names_and_looks: Sequence[tuple[str, Look]], lines: bool = True) -> str:
    """An HTML list of names with their line (where figures draw lines) and marker."""
    items = []
    for name, look in names_and_looks:
        line = path([(2, 8), (30, 8)], fill="none", stroke="currentColor", stroke_width=2, stroke_dasharray=look.dash or "none") if lines else ""
        key = element("svg", line + marker(look.marker, 16, 8), viewBox="0 0 32 16", width=32, height=16, class_=look.css, aria_hidden="true")
        items.append(f"<li>{key} {escape(name)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'
