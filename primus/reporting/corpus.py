"""The sections of how the results came about: pretraining, and what became of the raw recordings."""

from collections.abc import Mapping
from typing import Any

from primus.reasons import meaning
from primus.reporting.charts import Curve, curves_chart, legend, nice_ticks
from primus.reporting.html import beside, details, escape, paragraph, section, table
from primus.reporting.palette import looks
from primus.reporting.results import Results

LOSS_PREFIX = {"train": "training", "val": "validation"}


def pretraining(results: Results) -> str:
    """Training and validation loss of every trained method."""
    seen = looks(["primus", "simclr"])
    drawings = []
    rows = []
    for method, table_of in results.losses.items():
        totals = table_of[table_of["term"].isin(["train/total", "val/total"])]
        if totals.empty:
            continue
        curves = []
        for part, look in zip(LOSS_PREFIX, seen.values(), strict=True):
            mean = totals[totals["term"] == f"{part}/total"].groupby("step")["value"].mean()
            if len(mean):
                curves.append(Curve(LOSS_PREFIX[part], look, mean.index.tolist(), mean.tolist()))
                rows.append([f"{method}, {LOSS_PREFIX[part]}", f"{mean.iloc[0]:.3f}", f"{mean.min():.3f}", f"{mean.iloc[-1]:.3f}"])
        lowest, highest = min(min(curve.y) for curve in curves), max(max(curve.y) for curve in curves)
        last = max(max(curve.x) for curve in curves)
        drawing = curves_chart(
            f"Loss of {method}",
            f"From {curves[0].y[0]:.2f} to {curves[0].y[-1]:.2f} over {last:.0f} steps",
            curves,
            x_title="optimiser step",
            y_title="total loss",
            x_ticks=nice_ticks(0, last, 6),
            x_range=(0, last),
            log_x=False,
            y_range=(lowest - 0.05 * (highest - lowest), highest + 0.05 * (highest - lowest)),
            percent=False,
        )
        drawings.append(f"<h3>{escape(method)}</h3>{drawing}")
    if not drawings:
        return ""
    words = (
        "Total loss over optimiser steps, averaged over seeds and folds. Losses of different methods are sums of different terms and not comparable."
    )
    keys = legend(list(zip(LOSS_PREFIX.values(), seen.values(), strict=True)))
    numbers = details("Numbers", table("Total loss", ["method", "first", "lowest", "last"], rows))
    return section("Pretraining", paragraph(words), keys, beside(*drawings), numbers)


COUNTS = {
    "takes": "takes used",
    "participants": "participants",
    "segments": "segments",
    "purpose.pretrain": "for pretraining",
    "purpose.probe": "labelled, for the probe",
    "segments_with_video": "with video",
    "segments_with_text": "with text",
}
"""Counts of the segment stage that the report shows per data set, with their names in words."""


def corpus(results: Results) -> str:
    """What the segment stage kept per data set, and what it refused by reason."""
    counted: Mapping[str, Any] = results.segments.get("datasets", {})
    if not counted:
        return ""
    found = {name: dict(flat(numbers)) for name, numbers in counted.items()}
    kept = [[words, *(str(numbers.get(key, 0)) for numbers in found.values())] for key, words in COUNTS.items()]
    refusals = sorted({key for numbers in found.values() for key in numbers if key.startswith("rejects.")})
    refused = []
    for key in refusals:
        _, scope, reason = key.split(".")
        refused.append([f"{reason} ({scope})", *(str(numbers.get(key, 0)) for numbers in found.values()), meaning(reason)])
    words = (
        "What the raw recordings gave, and everything that was refused: a refused segment costs itself, a refused take or video no more than that."
    )
    tables = [table("Kept", ["", *found], kept)]
    tables += [table("Refused", ["reason (scope)", *found, "meaning"], refused)] if refused else []
    return section("What was kept and refused", paragraph(words), *tables)


def flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested mappings with their dotted names, in order."""
    leaves: list[tuple[str, Any]] = []
    for name, value in tree.items():
        dotted = f"{above}.{name}" if above else str(name)
        leaves += flat(value, dotted) if isinstance(value, Mapping) else [(dotted, value)]
    return leaves
