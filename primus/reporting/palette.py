"""How each method looks in every figure: a colour-blind-safe colour for light and dark pages, a marker and a dash.

Colours are those of Okabe and Ito (Color Universal Design, https://jfly.uni-koeln.de/color/), lightened for dark pages where needed;
marker and dash repeat the distinction for print and for readers who see no colour. The first ten looks differ in each of the three, so that charts
without lines tell methods apart as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True)
class Look:
    """CSS class, colours on a light and a dark page, marker shape, stroke-dasharray ("" is solid)."""

    css: str
    light: str
    dark: str
    marker: str
    dash: str


_LOOKS = (
    ("#0072B2", "#4DB3F0", "circle", ""),
    ("#C27A00", "#E69F00", "square", "7 3"),
    ("#6B6B6B", "#B5B5B5", "diamond", "2 3"),
    ("#00795A", "#2BC79B", "triangle", "9 3 2 3"),
    ("#B0487F", "#E39BC3", "cross", "4 2"),
    ("#C24A00", "#FF8A4D", "down", "1 3"),
    ("#2F7FB0", "#8CCBF2", "bar", "12 4"),
    ("#8A7A00", "#F0E442", "plus", "3 3"),
    ("#5A3FA0", "#B7A4FF", "star", "10 3 2 3 2 3"),
    ("#7D1D2B", "#F08C96", "right", "6 2 1 2"),
)
_KNOWN = ("primus", "simclr", "random", "imu2clip", "imu2clip-video", "imu2clip-text", "multitask", "standard", "released", "statistics")


def _look(number: int) -> Look:
    """Looks without end: past the last, the colours go round again with other markers and dashes."""
    place, again = number % len(_LOOKS), number // len(_LOOKS)
    others = _LOOKS[(place + again) % len(_LOOKS)]
    return Look(f"m{place}", *_LOOKS[place][:2], *others[2:])


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """A look for each method, never one for two: the well-known ones always the same, any other the next free one."""
    names = list(dict.fromkeys(methods))
    chosen = {name: _KNOWN.index(name) for name in names if name in _KNOWN}
    free = (number for number in count() if number not in set(chosen.values()))
    numbers = {name: chosen[name] if name in chosen else next(free) for name in names}
    return {name: _look(number) for name, number in numbers.items()}


_MARKERS = ("circle", "square", "triangle", "diamond", "cross")


def class_looks(classes: Iterable[str]) -> dict[str, Look]:
    """A look for each class, in their order: colour and marker both go round, so that fifty classes differ in one or the other."""
    chosen = {}
    for number, name in enumerate(classes):
        colour = number % len(_LOOKS)
        shape = _MARKERS[(number + number // len(_LOOKS)) % len(_MARKERS)]
        chosen[name] = Look(f"m{colour}", *_LOOKS[colour][:2], shape, "")
    return chosen


PAGE = (
    ":root{--page:#fff;--ink:#1b1b1b;--soft:#5c5c5c;--line:#d9d9d9;--warn:#fff3cd;--warn-ink:#5c4400;--ink-blue:#0072B2;--over:#fff}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#16181b;--ink:#ececec;--soft:#a8a8a8;--line:#3a3d42;--warn:#4a3a00;--warn-ink:#ffe9a8;\n"
    "--ink-blue:#4DB3F0;--over:#10131a}}\n"
)
"""Colours of page, words and lines, light and dark."""

DRAWN = """.tick{font-size:12px;fill:var(--ink)}
.over{font-size:12px;fill:var(--over)}
.title{font-size:12px;fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1}
.reference{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:3 3}
svg text{font-family:system-ui,sans-serif}
"""
"""Words and lines inside figures."""


def stylesheet() -> str:
    """CSS giving every look its colour as `currentColor` of its class, on light and on dark pages."""
    light = "".join(f".m{number}{{color:{look[0]}}}" for number, look in enumerate(_LOOKS))
    dark = "".join(f".m{number}{{color:{look[1]}}}" for number, look in enumerate(_LOOKS))
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
