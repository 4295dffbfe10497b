"""Fig. 4 as a picture of its own, with legend, colours and what it is: an SVG file that opens anywhere, on light and dark pages."""

import textwrap

from primus.reporting.charts import HEIGHT, WIDTH
from primus.reporting.how_judged import what_is_scored
from primus.reporting.palette import DRAWN, PAGE, Look, looks, stylesheet
from primus.reporting.results import Results
from primus.reporting.sections import efficiency_drawing
from primus.reporting.svg import element, label, marker, path

GAP, LINE, ROW, FOOT = 24, 17, 22, 22
KEY = 34
"""Width of a legend's line and marker, before the name."""

LETTER = 7.0
"""Width to allow for a letter: that of 12-pixel type is not known before it is drawn."""


def few_shot_picture(results: Results) -> str:
    """The drawings of all data sets beside each other, under one legend; words and legend take as many lines as the width asks for."""
    width = len(results.datasets) * (WIDTH + GAP) + GAP
    corpus = "SIMULATED recordings: it shows that the pipeline works, not that the method does" if results.simulated else f"profile {results.profile}"
    words = f"Few-shot accuracy of {what_is_scored(results)}, with 95 % intervals; {corpus}"
    parts = []
    y = 18
    for line in textwrap.wrap(words, int((width - 2 * GAP) / LETTER)):
        parts.append(label(GAP, y, line, class_="title"))
        y += LINE
    keys, y = _legend(looks(results.methods), width, y + 3)
    parts.append(keys)
    top = y + LINE + 16
    for number, dataset in enumerate(results.datasets):
        left = GAP + number * (WIDTH + GAP)
        facts = results.datasets[dataset]
        tested = f"{facts.participants} {'takes' if facts.by_take else 'people'} tested"
        parts.append(label(left, top - 6, f"{dataset}: {facts.classes} classes, {tested}", class_="title"))
        drawing = efficiency_drawing(results, dataset)
        parts.append(drawing.replace("<svg ", f'<svg x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" ', 1))
    height = top + HEIGHT + FOOT
    ground = element("style", PAGE + DRAWN + stylesheet()) + element("rect", width=width, height=height, fill="var(--page)")
    named = "Few-shot accuracy by number of labelled segments per class"
    head = element("title", named) + ground
    whole = {"viewBox": f"0 0 {width} {height}", "width": width, "height": height, "role": "img", "aria_label": f"{named}. {words}."}
    return element("svg", head + "".join(parts), xmlns="http://www.w3.org/2000/svg", **whole)


def _legend(seen: dict[str, Look], width: int, y: int) -> tuple[str, int]:
    """Names with line and marker, in rows from height `y` on; and the height of the last row."""
    parts, x = [], float(GAP)
    for name, look in seen.items():
        wide = KEY + LETTER * len(name)
        if x > GAP and x + wide > width - GAP / 2:
            x, y = float(GAP), y + ROW
        line = path([(x, y), (x + 28, y)], fill="none", stroke="currentColor", stroke_width=2, stroke_dasharray=look.dash or "none")
        parts.append(element("g", line + marker(look.marker, x + 14, y), class_=look.css))
        parts.append(label(x + KEY, y + 4, name, class_="tick"))
        x += wide + 20
    return "".join(parts), y
