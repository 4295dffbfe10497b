"""The sections of the few-shot sweep: each a paragraph that says what was run on what, a figure, and its table."""

import math

from primus.reporting.charts import Curve, ZeroPoint, curves_chart, intervals_chart, legend, matrix_chart
from primus.reporting.how_judged import how_judged, who_was_tested
from primus.reporting.html import beside, details, escape, paragraph, section, table
from primus.reporting.palette import Look, looks
from primus.reporting.results import Interval, Results, interval_at
from primus.reporting.words import draws, percent, points, seeds_words, size_of


def without_labels(results: Results, dataset: str, seen: dict[str, Look]) -> dict[str, ZeroPoint]:
    """Zero-shot accuracy by method, where it was measured."""
    table_of = results.beside.zeroshot
    rows = table_of[(table_of["dataset"] == dataset) & table_of["method"].isin(results.methods)].to_dict("records")
    return {row["method"]: ZeroPoint(row["method"], seen[row["method"]], row["accuracy"], row["accuracy_lo"], row["accuracy_hi"]) for row in rows}


def efficiency_drawing(results: Results, dataset: str) -> str:
    """Fig. 4 for one data set, as SVG: accuracy over the number of labelled segments per class."""
    seen = looks(results.methods)
    curves = []
    for method in results.methods:
        curve = results.curve(dataset, method)
        x, y, lo, hi = (curve[name].tolist() for name in ("shots", "accuracy", "accuracy_lo", "accuracy_hi"))
        curves.append(Curve(method, seen[method], x, y, lo, hi, incomplete=(~curve["complete"]).tolist()))
    zero = list(without_labels(results, dataset, seen).values())
    chance = 1 / results.datasets[dataset].classes
    top = max([max(curve.hi or curve.y) for curve in curves] + [point.hi for point in zero])
    low = min([min(curve.lo or curve.y) for curve in curves] + [point.lo for point in zero])
    best = max(results.methods, key=lambda name: results.score(dataset, name).mean)
    return curves_chart(
        f"Accuracy on {dataset} by shots",
        f"{size_of(results, dataset)}. At {results.headline} shots {best} is highest with {percent(results.score(dataset, best))} percent.",
        curves,
        x_title="labelled segments per class (log scale)",
        y_title="accuracy",
        x_ticks=results.shots,
        x_range=(results.shots[0], results.shots[-1]),
        log_x=True,
        y_range=(math.floor(min(low, chance) * 10) / 10, math.ceil(top * 10) / 10),
        percent=True,
        reference=("chance", chance),
        zero=zero,
    )


def efficiency(results: Results) -> str:
    """Fig. 4 with its words and numbers, per data set."""
    seen = looks(results.methods)
    words = (
        f"{how_judged(results)} {draws(results)} per encoder, the same for every method; {seeds_words(results)}. "
        f"{who_was_tested(results)} "
        "Bands are 95 % bootstrap intervals over seed, episode and test participant together. "
        "Hollow points: a class had fewer segments than asked for. Points at 0: zero-shot, from class prompts."
    )
    blocks = []
    for dataset in results.datasets:
        curves = [results.curve(dataset, method) for method in results.methods]
        columns = [[percent(interval_at(curve, size)) for size in results.shots] for curve in curves]
        zero = without_labels(results, dataset, seen)
        short = results.short_classes(dataset)
        without = ["0", *(percent(Interval(zero[name].mean, zero[name].lo, zero[name].hi)) if name in zero else "-" for name in results.methods)]
        rows = [without] if zero else []
        rows += [[f"{size}{' *' if size in short else ''}", *cells] for size, *cells in zip(results.shots, *columns, strict=True)]
        numbers = details("Numbers", table(f"{dataset}: accuracy in % with 95 % interval", ["shots", *results.methods], rows))
        blocks.append(f"<h3>{escape(dataset)}</h3>{paragraph(size_of(results, dataset))}{efficiency_drawing(results, dataset)}{numbers}")
    return section("Fig. 4: accuracy by number of labels", paragraph(words), legend(list(seen.items())), beside(*blocks))


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
            marks.append((method, seen[method], *gain.percents))
            rows.append([f"{dataset}, {method}", points(gain), points(f1)])
        description = "; ".join(f"{name} {mean:+.1f} points, interval {lo:+.1f} to {hi:+.1f}" for name, _, mean, lo, hi in marks)
        drawing = intervals_chart(f"Gain over {results.reference} on {dataset}", description, marks, x_title="gain in accuracy (percentage points)")
        charts.append(f"<h3>{escape(dataset)}</h3>{drawing}")
    numbers = table(
        f"At {results.headline} shots: gain over {results.reference} in percentage points with 95 % interval",
        ["data set, method", "accuracy", "macro-F1"],
        rows,
    )
    return section(f"Gain over {results.reference}", paragraph(words), beside(*charts), details("Numbers", numbers))


def representations(results: Results) -> str:
    """Every method on the encoder's feature as well, so that no ranking rests on the choice of representation."""
    header = ["data set, method", "probed on", "accuracy", "on feature"]
    rows, absent = [], False
    for dataset in results.datasets:
        for method in results.methods:
            own = results.representation(method)
            plain = interval_at(results.curve(dataset, method, "feature"), results.headline)
            absent |= plain is None
            rows.append([f"{dataset}, {method}", own, percent(results.score(dataset, method)), percent(plain)])
    words = (
        "The same probe on the representation a method is judged by, and on the encoder's feature before its projection heads. "
        f"Test segments, people and seeds are those of Fig. 4.{' -: an encoder is fine-tuned on the one output it is judged by.' if absent else ''}"
    )
    return section("Projection or feature", paragraph(words), table(f"At {results.headline} shots: accuracy in %, 95 % interval", header, rows))


def confusions(results: Results) -> str:
    """Confusion matrix of the lead method on every data set."""
    method = results.lead_method
    words = (
        f"Predictions of {method} at {results.headline} shots, over all seeds, episodes and test people. "
        "Each row is a true class, each column what it was taken for; a row sums to 100 %."
    )
    drawings = []
    for dataset in results.datasets:
        classes, shares = results.confusion(dataset, method)
        worst = min(range(len(classes)), key=lambda number, shares=shares: shares[number, number])  # type: ignore[misc]
        description = f"Hardest class: {classes[worst]}, recognised in {100 * shares[worst, worst]:.0f} percent of its segments."
        drawing = matrix_chart(f"Confusion of {method} on {dataset}", description, classes, shares.tolist())
        rows = [[name, *(f"{100 * share:.1f}" for share in shares[number])] for number, name in enumerate(classes)]
        numbers = details("Numbers", table(f"{dataset}: % of each row's class", ["", *classes], rows))
        drawings.append(f'<h3>{escape(dataset)}</h3>{paragraph(size_of(results, dataset))}<div class="scroll">{drawing}</div>{numbers}')
    return section("What is mistaken for what", paragraph(words), beside(*drawings, least="26rem"))
