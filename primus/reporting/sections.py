"""The sections of the report: each a paragraph that says what was run on what, a figure, and its table."""

import math
from collections.abc import Mapping
from typing import Any

from primus.reporting.charts import Curve, curves_chart, intervals_chart, legend, matrix_chart, nice_ticks
from primus.reporting.html import beside, escape, paragraph, section, table
from primus.reporting.palette import looks
from primus.reporting.results import Results, interval_at
from primus.reporting.words import percent, points, size_of
from primus.schema import REASONS

LOSS_PREFIX = {"train": "training", "val": "validation"}


def efficiency(results: Results) -> str:
    """Accuracy over the number of labelled segments per class, per data set."""
    seen = looks(results.methods)
    words = (
        "Each encoder was frozen, every labelled segment encoded once, and a probe fitted on k segments per class: "
        f"{results.episodes} draws of shots per encoder, the same for every method, and {results.seeds} pretraining seed(s). "
        "The whole test set was scored, and nobody in it was seen in pretraining or among the shots. "
        "Bands are 95 % bootstrap intervals over seed, episode and test participant together. "
        "Hollow points: a class had fewer segments than asked for."
    )
    blocks = []
    for dataset, facts in results.datasets.items():
        curves, columns = [], []
        for method in results.methods:
            curve = results.curve(dataset, method)
            x, y = curve["shots"].tolist(), curve["accuracy"].tolist()
            bounds = curve["accuracy_lo"].tolist(), curve["accuracy_hi"].tolist()
            curves.append(Curve(method, seen[method], x, y, *bounds, incomplete=(~curve["complete"]).tolist()))
            columns.append([percent(interval_at(curve, size)) for size in results.shots])
        short = results.short_classes(dataset)
        rows = [[f"{size}{' *' if size in short else ''}", *cells] for size, *cells in zip(results.shots, *columns, strict=True)]
        top = max(max(curve.hi or curve.y) for curve in curves)
        low = min(min(curve.lo or curve.y) for curve in curves)
        span = (math.floor(min(low, 1 / facts.classes) * 10) / 10, math.ceil(top * 10) / 10)
        best = max(results.methods, key=lambda name, dataset=dataset: results.score(dataset, name).mean)  # type: ignore[misc]
        description = (
            f"{size_of(results, dataset)}. At {results.headline} shots {best} is highest with {percent(results.score(dataset, best))} percent."
        )
        drawing = curves_chart(
            f"Accuracy on {dataset} by shots",
            description,
            curves,
            x_title="labelled segments per class (log scale)",
            y_title="accuracy",
            x_ticks=results.shots,
            x_range=(results.shots[0], results.shots[-1]),
            log_x=True,
            y_range=span,
            percent=True,
            reference=("chance", 1 / facts.classes),
        )
        numbers = table(f"{dataset}: accuracy in % with 95 % interval", ["shots", *results.methods], rows)
        blocks.append(f"<h3>{escape(dataset)}</h3>{paragraph(size_of(results, dataset))}" + beside(drawing, numbers))
    return section("Accuracy by number of labels", paragraph(words), legend(list(seen.items())), *blocks)


def gains(results: Results) -> str:
    """Paired gain over the reference at the headline number of shots."""
    seen = looks(results.methods)
    rated = [method for method in results.methods if any(results.gain(dataset, method) for dataset in results.datasets)]
    if not rated:
        return ""
    words = (
        f"Accuracy minus that of {results.reference} at {results.headline} labelled segments per class, on the same shots and the same "
        "test people; the interval is that of the paired difference. An interval that holds zero shows no difference."
    )
    charts, rows = [], []
    for dataset in results.datasets:
        marks = []
        for method in rated:
            gain, f1 = results.gain(dataset, method), results.gain(dataset, method, "macro_f1")
            if gain is None or f1 is None:
                continue
            marks.append((method, seen[method], 100 * gain.mean, 100 * gain.lo, 100 * gain.hi))
            rows.append([f"{dataset}, {method}", points(gain), points(f1)])
        description = "; ".join(f"{name} {mean:+.1f} points, interval {lo:+.1f} to {hi:+.1f}" for name, _, mean, lo, hi in marks)
        drawing = intervals_chart(f"Gain over {results.reference} on {dataset}", description, marks, x_title="gain in accuracy (percentage points)")
        charts.append(f"<h3>{escape(dataset)}</h3>{drawing}")
    numbers = table(
        f"At {results.headline} shots: gain over {results.reference} in percentage points with 95 % interval",
        ["data set, method", "accuracy", "macro-F1"],
        rows,
    )
    return section(f"Gain over {results.reference}", paragraph(words), beside("".join(charts), numbers))


def representations(results: Results) -> str:
    """Every method on the encoder's feature as well, so that no ranking rests on the choice of representation."""
    header = ["data set, method", "probed on", "accuracy", "on feature"]
    rows = []
    for dataset in results.datasets:
        for method in results.methods:
            own = results.representation(method)
            plain = interval_at(results.curve(dataset, method, "feature"), results.headline)
            rows.append([f"{dataset}, {method}", own, percent(results.score(dataset, method)), percent(plain)])
    words = "The same probe on the representation a method is judged by, and on the encoder's feature before its projection heads."
    return section("Projection or feature", paragraph(words), table(f"At {results.headline} shots: accuracy in %, 95 % interval", header, rows))


def confusions(results: Results) -> str:
    """Confusion matrix of the first method on every data set."""
    method = results.methods[0]
    words = (
        f"Predictions of {method} at {results.headline} shots, over all seeds, episodes and test people. "
        "Each row is a true class, each column what it was taken for; a row sums to 100 %."
    )
    drawings = []
    for dataset in results.datasets:
        classes, shares = results.confusion(dataset, method)
        worst = min(range(len(classes)), key=lambda number, shares=shares: shares[number, number])  # type: ignore[misc]
        description = f"Hardest class: {classes[worst]}, recognised in {100 * shares[worst, worst]:.0f} percent of its segments."
        drawings.append(f"<h3>{escape(dataset)}</h3>" + matrix_chart(f"Confusion of {method} on {dataset}", description, classes, shares.tolist()))
    return section("What is mistaken for what", paragraph(words), beside(*drawings, least="26rem"))


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
    numbers = table("Total loss", ["method", "first", "lowest", "last"], rows)
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
        refused.append([f"{reason} ({scope})", *(str(numbers.get(key, 0)) for numbers in found.values()), REASONS.get(reason, "")])
    words = (
        "What the raw recordings gave, and everything that was refused: a refused segment costs itself, a refused take or video no more than that."
    )
    tables = [table("Kept", ["", *found], kept)]
    tables += [table("Refused", ["reason (scope)", *found, "meaning"], refused)] if refused else []
    return section("The corpus", paragraph(words), *tables)


def flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested mappings with their dotted names, in order."""
    leaves: list[tuple[str, Any]] = []
    for name, value in tree.items():
        dotted = f"{above}.{name}" if above else str(name)
        leaves += flat(value, dotted) if isinstance(value, Mapping) else [(dotted, value)]
    return leaves
