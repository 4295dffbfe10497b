"""The section of label efficiency and calibration: one number per curve of Fig. 4, and how far a probe's confidence can be believed."""

import math

from primus.reporting.charts import legend
from primus.reporting.dots import Mark, grouped_chart, spread_of
from primus.reporting.html import beside, details, escape, paragraph, section, table
from primus.reporting.palette import looks
from primus.reporting.results import Interval, Results, interval_at, interval_in
from primus.reporting.words import draws, percent, seeds_words, size_of

BEFORE, AFTER = "as fitted", "temperature-scaled"
MEASURES = {"ece": BEFORE, "ece_scaled": AFTER}


def efficiency_and_calibration(results: Results) -> str:
    """Areas under the curves of Fig. 4, and calibration before and after temperature scaling, drawn and as numbers."""
    words = (
        "Area: the mean height of a curve of Fig. 4 over the logarithm of the number of shots, so that every doubling of labels counts as much; "
        "it runs over the numbers of shots that every class has, and areas over other ranges are not comparable. "
        "Calibration error: the mean distance between how sure the head is of its answer and how often it is right, over 15 bins of confidence; "
        f"0 is best. Scaled: after a temperature fitted on the shots alone. Both, and the log loss in nats, at {results.headline} shots per class. "
        f"All under the head that a method is judged by; {draws(results)}, {seeds_words(results)}, 95 % intervals. "
        "-: not measured (an encoder that is fine-tuned gets no temperature)."
    )
    keys = legend(list(looks(MEASURES.values()).items()), lines=False)
    blocks = [_block(results, dataset) for dataset in results.datasets]
    return section("Label efficiency and calibration", paragraph(words), paragraph("Marks of calibration error:"), keys, beside(*blocks))


def area_of(results: Results, dataset: str, method: str) -> tuple[Interval, str] | None:
    """The area under a method's curve of accuracy, and the numbers of shots it runs over; None where there are fewer than two."""
    table_of = results.areas
    mine = table_of[(table_of["dataset"] == dataset) & (table_of["method"] == method) & (table_of["metric"] == "accuracy")]
    own = mine[(mine["representation"] == results.representation(method)) & (mine["head"] == results.head(method))].to_dict("records")
    return (interval_in(own[0], "area", "lo", "hi"), f"{own[0]['shots_from']} to {own[0]['shots_to']}") if own else None


def calibration_of(results: Results, dataset: str, method: str) -> dict[str, Interval | None]:
    """Calibration error and log loss at the headline, each as fitted and scaled; None where it was not measured."""
    curve = results.curve(dataset, method)
    names = (*MEASURES, "nll", "nll_scaled")
    return {name: interval_at(curve, results.headline, name) if name in curve else None for name in names}


def _block(results: Results, dataset: str) -> str:
    """One data set: both charts, and their numbers."""
    seen, scaling = looks(results.methods), looks(MEASURES.values())
    areas = {method: area_of(results, dataset, method) for method in results.methods}
    calibrated = {method: calibration_of(results, dataset, method) for method in results.methods}
    drawings = []
    drawn = {method: found[0] for method, found in areas.items() if found}
    if drawn:
        marks: list[tuple[str, list[Mark]]] = [(name, [(seen[name], *area.percents)]) for name, area in drawn.items()]
        best = max(drawn, key=lambda name: drawn[name].mean)
        drawings.append(
            grouped_chart(
                f"Area under the curves on {dataset}",
                f"Largest: {best} with {100 * drawn[best].mean:.1f} percent",
                marks,
                x_title="area: mean accuracy over log shots",
                x_range=spread_of(marks, 0, 100, 10),
                unit=" %",
                reference=100 / results.datasets[dataset].classes,
            )
        )
    errors: list[tuple[str, list[Mark]]] = []
    for method, found in calibrated.items():
        known = [(scaling[words], *value.percents) for name, words in MEASURES.items() if (value := found[name])]
        if known:
            errors.append((method, known))
    if errors:
        least = min(errors, key=lambda row: row[1][0][1])
        drawings.append(
            grouped_chart(
                f"Calibration error on {dataset}",
                f"Least as it stands: {least[0]} with {least[1][0][1]:.0f} points between confidence and accuracy",
                errors,
                x_title="expected calibration error",
                x_range=spread_of(errors, 0, 100, 10),
                unit=" %",
            )
        )
    rows = []
    for method in results.methods:
        area, found = areas[method], calibrated[method]
        cells = [percent(area[0]), area[1]] if area else ["-", "-"]
        rows.append([method, *cells, *(percent(found[name]) for name in MEASURES), *(nats(found[name]) for name in ("nll", "nll_scaled"))])
    header = ["method", "area, %", "shots", "calibration error, %", "scaled", "log loss", "scaled"]
    caption = f"{dataset}: 95 % intervals; the log loss of knowing nothing is {math.log(results.datasets[dataset].classes):.2f}"
    numbers = details("Numbers", table(caption, header, rows))
    return f"<h3>{escape(dataset)}</h3>{paragraph(size_of(results, dataset))}{''.join(drawings)}{numbers}"


def nats(value: Interval | None) -> str:
    """`2.38 [2.27, 2.49]`; `-` where there is no value."""
    return "-" if value is None else f"{value.mean:.2f} [{value.lo:.2f}, {value.hi:.2f}]"
