"""SVG text from numbers: escaped, rounded (so that equal figures are equal bytes), and coloured by CSS classes."""

import math
from html import escape
from typing import Any


def element(name: str, content: str = "", **attributes: Any) -> str:
    """`<name attributes>content</name>`; underscores become hyphens (a trailing one is dropped), `content` must already be SVG."""
    parts = [name]
    for key, value in attributes.items():
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape("0" if shown == "-0" else shown, quote=True)}"')
    return f"<{' '.join(parts)}>{content}</{name}>" if content else f"<{' '.join(parts)}/>"


def label(x: float, y: float, words: str, **attributes: Any) -> str:
    """A text element; `words` are escaped."""
    return element("text", escape(words, quote=False), x=float(x), y=float(y), **attributes)


def path(points: list[tuple[float, float]], close: bool = False, **attributes: Any) -> str:
    """A line through the points, or a closed outline."""
    steps = " ".join(f"{'M' if index == 0 else 'L'}{x:.2f} {y:.2f}" for index, (x, y) in enumerate(points))
    return element("path", d=steps + (" Z" if close else ""), **attributes)


Outline = tuple[tuple[float, float], ...]
_OUTLINES: dict[str, Outline] = {
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "triangle": ((0, -1.1), (1, 0.8), (-1, 0.8)),
    "down": ((0, 1.1), (1, -0.8), (-1, -0.8)),
    "right": ((1.1, 0), (-0.8, 1), (-0.8, -1)),
    "bar": ((-0.5, -1.3), (0.5, -1.3), (0.5, 1.3), (-0.5, 1.3)),
    "star": tuple(
        (reach * math.sin(turn), -reach * math.cos(turn)) for turn, reach in ((math.pi * n / 5, 0.65 if n % 2 else 1.45) for n in range(10))
    ),
}
"""Corners of closed markers, right and down from the middle, in units of their size."""

_STROKES: dict[str, tuple[Outline, Outline]] = {
    "cross": (((-1, -1), (1, 1)), ((-1, 1), (1, -1))),
    "plus": (((-1.3, 0), (1.3, 0)), ((0, -1.3), (0, 1.3))),
}
"""Markers made of two lines."""


def marker(shape: str, x: float, y: float, size: float = 4.0, hollow: bool = False) -> str:
    """A point in the current colour; hollow ones stand for incomplete results."""
    look: dict[str, Any] = {"fill": "var(--page)" if hollow else "currentColor", "stroke": "currentColor", "stroke_width": 1.5}
    if shape == "square":
        return element("rect", x=x - size * 0.85, y=y - size * 0.85, width=size * 1.7, height=size * 1.7, **look)
    if shape in _OUTLINES:
        return path([(x + size * right, y + size * down) for right, down in _OUTLINES[shape]], close=True, **look)
    if shape in _STROKES:
        # Hollow strokes would look like full ones, so that an incomplete result is a thin one.
        look |= {"stroke_width": 0.8 if hollow else 2}
        return "".join(path([(x + size * right, y + size * down) for right, down in stroke], **look) for stroke in _STROKES[shape])
    return element("circle", cx=x, cy=y, r=size, **look)


def figure(width: int, height: int, title: str, description: str, content: str) -> str:
    """An SVG with its alternative text: `title` in short, `description` with what is to be seen."""
    head = element("title", escape(title, quote=False)) + element("desc", escape(description, quote=False))
    alternative = {"role": "img", "aria_label": f"{title}. {description}"}
    style = f"--own:{width}px;max-width:{1.15 * width:.0f}px"  # so that words have the same size in every figure
    return element("svg", head + content, viewBox=f"0 0 {width} {height}", class_="figure", style=style, **alternative)
