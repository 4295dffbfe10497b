"""A take as a PNG: the same timeline as the page, with the narrations listed below it by number."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from primus.artifacts import atomic_path
from primus.inspection.takes import InspectedTake
from primus.inspection.timeline import Strip, Timeline, timeline_of
from primus.inspection.told import told
from primus.reporting.palette import looks

COLUMNS = 1400
_HEADING = ("data set", "label", "rate", "length", "gyroscope", "segments", "rejects")
LISTED = 30
"""Narrations written out below the picture; the page lists all of them."""

_INCH = {"strip": 0.62, "row": 0.42, "lane": 0.16, "line": 0.2}


def write_take_picture(take: InspectedTake, target: Path) -> None:
    """Draw the take into `target`, a PNG of about 1500 pixels' width; the file appears whole or not at all."""
    from matplotlib.figure import Figure  # takes a second to import, and a page needs none

    line = timeline_of(take, COLUMNS)
    notes = [textwrap.fill(words, 170, subsequent_indent="    ") for words in _notes(take)]
    rows = _rows(take, line)
    below = 0.75 + _INCH["line"] * sum(words.count("\n") + 1 for words in notes)
    height = 0.75 + sum(inches for _, inches in rows) + below
    figure = Figure(figsize=(12, height), dpi=125, facecolor="white")
    top = height - 0.6
    axes = None
    for name, inches in rows:
        axes = figure.add_axes((0.085, (top - inches + 0.06) / height, 0.9, (inches - 0.06) / height), sharex=axes)
        top -= inches
        axes.set_xlim(line.start_s, line.end_s)
        axes.tick_params(labelbottom=False, labelsize=8, length=2)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        _draw(axes, name, take, line)
    if axes is not None:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("seconds from take start", fontsize=9)
    facts = ";  ".join(f"{name}: {value}" for name, value in told(take.facts) if name in _HEADING)
    figure.text(0.01, 1 - 0.2 / height, _plain(f"Take {take.name}"), fontsize=12, weight="bold", va="center")
    figure.text(0.01, 1 - 0.42 / height, _plain(facts), fontsize=9, va="center")
    figure.text(0.01, (top - 0.55) / height, _plain("\n".join(notes)), fontsize=8.5, va="top", linespacing=1.45)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, format="png", metadata={"Title": f"Take {take.name}", "Software": None})


def _notes(take: InspectedTake) -> list[str]:
    """Lines below the picture: why there is no signal, rejects without an interval, narrations by number."""
    notes = [f"IMU not shown: {take.trouble}"] if take.trouble else []
    untimed = take.rejects[take.rejects["start_s"].isna()].to_dict("records")
    notes += [f"Rejected ({row['scope']}): {row['reason']}, {row['detail']}" for row in untimed]
    notes += [f"{number}. {item.time_s:.1f} s  {item.text}" for number, item in enumerate(take.narrations[:LISTED], 1)]
    return notes + ([f"... and {len(take.narrations) - LISTED} more narrations"] if len(take.narrations) > LISTED else [])


def _rows(take: InspectedTake, line: Timeline) -> list[tuple[str | Strip, float]]:
    """What is drawn from top to bottom, and its height in inches."""
    rows: list[tuple[str | Strip, float]] = [("narrations", _INCH["row"])] if take.narrations else []
    rows += [(strip, _INCH["strip"]) for strip in line.strips]
    for name, spans in (("segments", line.segments), ("rejects", line.rejects)):
        if spans:
            rows.append((name, 0.2 + _INCH["lane"] * (1 + max(span.lane for span in spans))))
    return rows or [("nothing", _INCH["row"])]


def _draw(axes: Any, name: str | Strip, take: InspectedTake, line: Timeline) -> None:
    if isinstance(name, Strip):
        colour = _colour("primus" if name.sensor == "accelerometer" else "simclr")
        for run in name.envelope.runs(line.column_s):
            axes.fill_between(run.times_s, run.low, run.high, color=colour, linewidth=0.8)
        axes.set_ylim(name.low, name.high)
        axes.grid(True, linewidth=0.4, color="#d9d9d9")
        for start, end in line.holes:
            axes.axvspan(start, end, facecolor="none", edgecolor=_colour("random"), hatch="\\\\\\\\", linewidth=0)
        axes.set_ylabel(f"{name.sensor[:5].removesuffix('s')} {name.axis}\n{name.unit}", fontsize=8, rotation=0, ha="right", va="center")
        axes.yaxis.set_label_coords(-0.042, 0.5)
        return
    axes.set_yticks([])
    axes.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    if name == "narrations":
        axes.set_ylim(0, 1)
        for wearer, filling in ((True, "full"), (False, "none")):
            times = [item.time_s for item in take.narrations if (item.subject in ("C", None)) == wearer]
            shape = "v" if len(take.narrations) <= 3 * LISTED else "|"
            axes.plot(times, [0.2] * len(times), shape, color=_colour("imu2clip-video"), markersize=6, fillstyle=filling)
        written = -np.inf
        for number, item in enumerate(take.narrations[:LISTED], 1):
            if item.time_s - written > 0.015 * (line.end_s - line.start_s):  # numbers that would cover the one before are left out
                axes.text(item.time_s, 0.45, str(number), fontsize=8, ha="center", clip_on=True)
                written = item.time_s
        return
    spans = line.segments if name == "segments" else line.rejects
    for span in spans:
        colour = _colour("imu2clip" if name == "segments" else "imu2clip-text")
        filled = {"facecolor": "none" if name == "rejects" else colour, "alpha": 0.25 if span.weak else 0.75}
        hatch = "////" if name == "rejects" else None
        axes.broken_barh([(span.start_s, span.end_s - span.start_s)], (-span.lane - 0.9, 0.8), edgecolor=colour, hatch=hatch, linewidth=0.8, **filled)
        if name == "rejects":
            look = {"facecolor": "white", "edgecolor": "none", "boxstyle": "square,pad=0.1"}
            middle = (span.start_s + span.end_s) / 2, -span.lane - 0.5
            axes.text(*middle, span.words.split(" ")[0], fontsize=7, ha="center", va="center", clip_on=True, bbox=look)
    axes.set_ylim(-1 - max((span.lane for span in spans), default=0), 0)


def _colour(method: str) -> str:
    return looks([method])[method].light


def _plain(words: str) -> str:
    """Without the dollar signs that would start a formula."""
    return words.replace("$", r"\$")
