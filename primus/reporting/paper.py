"""The sections of the paper's own table and figures that need more than one sweep: Table I, the claims, Fig. 5, Fig. 6 and the heat map."""

import math
from collections.abc import Sequence

import pandas as pd

from primus.evaluation.protocols import HEAD_VALIDATION
from primus.reporting.ablations import aligned_percent, at_shots, pairs
from primus.reporting.charts import Curve, curves_chart, legend
from primus.reporting.claims import CLAIMS, UNTESTED, findings, verdict
from primus.reporting.dots import grouped_chart, spread_of
from primus.reporting.heat import heat_chart
from primus.reporting.how_judged import listed, whose_labels
from primus.reporting.html import beside, details, escape, paragraph, section, table, worded_table
from primus.reporting.palette import looks
from primus.reporting.results import Results, interval_in
from primus.reporting.verdicts import SMALLER
from primus.reporting.words import percent, points

SPLIT_WORDS = {
    "train": "pretraining", "val": "pretraining, validation", "shots": "shots", HEAD_VALIDATION: "validation of heads", "test": "test",
}  # fmt: skip
NOT_RUN = "Not run on this profile. `make ablations` runs it, says beforehand how long that takes, and goes on where it was stopped."


def composition(results: Results) -> str:
    """Table I."""
    every = results.beside.composition
    if every.empty:
        return ""
    folds = every["fold"].nunique()
    words = (
        "Counted from the segments that were kept, not from lists of recordings. Hours are the time that segments cover, overlaps once; "
        f"classes are those that the split's segments carry. {whose_labels(results)}"
    )
    if folds > 1:
        words += f" People rotate through {folds} folds; the table shows fold {every['fold'].iloc[0]}, report/table1.csv all."
    first = every[every["fold"] == every["fold"].iloc[0]]
    rows = [
        [
            f"{row['dataset']}, {SPLIT_WORDS.get(row['split'], row['split'])}",
            str(row["takes"]),
            f"{row['participants']}" + (f" + {row['unknown_people']} unnamed takes" if row["unknown_people"] else ""),
            f"{row['hours']:.2f}",
            *(str(row[name]) for name in ("segments", "classes", "with_video", "with_text")),
        ]
        for row in first.to_dict("records")
    ]
    header = ["data set, split", "takes", "participants", "hours", "segments", "classes", "with video", "with text"]
    return section("Table I: the data", paragraph(words), table("Takes, people, hours and segments", header, rows))


def claims(results: Results) -> str:
    """What this run has to say about the paper's claims."""
    words = (
        f"Each claim of the paper with what profile {results.profile} measured: the estimate in percentage points (a score in percent) with its "
        "95 % interval. A gain is supported where the interval lies above zero and the estimate reaches the size claimed, less a margin of "
        f"{100 * results.margin:g} points. Where the whole interval lies below that size, the verdict is '{SMALLER}' if it lies above zero, too, "
        "and not supported if it does not; all else is undecided. Equality is judged by two one-sided tests at 5 % with the same margin. "
        "Margin and rules are those of docs/evaluation.md, stated before any recording of the paper's data sets was measured. "
        "Largest and least gains are picked among numbers of labels, and their intervals do not allow for that choice."
    )
    if results.simulated:
        words += " On a simulated corpus every verdict is untested, whatever the interval says."
    rows = []
    for found in findings(results):
        value = found.estimate
        number = "-" if value is None else points(value) if found.difference else percent(value)
        judged = verdict(results, found)
        said = f"{judged} (the interval says: {found.reading})" if judged == UNTESTED else judged
        rows.append([f"({found.claim}) {CLAIMS[found.claim]}", found.dataset, found.measured, number, said])
    shown = worded_table(f"Profile {results.profile}", ["claim", "data set", "measured here", "estimate", "verdict"], rows)
    return section("The paper's claims", paragraph(words), shown)


def ran(rows: pd.DataFrame, results: Results) -> str:
    """`profile demo, accuracy at 20 labels per class, 1-3 pretraining seeds`."""
    seeds = sorted({int(rows["n_seeds"].min()), int(rows["n_seeds"].max())})
    tested = "; ".join(f"{name}: {results.datasets[name].segments} test segments" for name in results.datasets if name in set(rows["dataset"]))
    return (
        f"profile {results.profile}, accuracy at {results.headline} labels per class, {'-'.join(map(str, seeds))} pretraining seed(s) each; {tested}"
    )


def present(results: Results, rows: pd.DataFrame) -> list[str]:
    """Data sets of the rows, those of the sweep first."""
    names = list(dict.fromkeys(rows["dataset"]))
    return [name for name in results.datasets if name in names] + [name for name in names if name not in results.datasets]


def numbers_of(rows: pd.DataFrame, first: Sequence[str], heading: str) -> str:
    """The table of some runs: the named columns as the heading, the accuracy, the paired difference from the group's reference, and the seeds."""
    cells = [
        [
            ", ".join(str(row[name]) for name in first),
            percent(interval_in(row, "mean", "lo", "hi")),
            points(interval_in(row, "difference")) if pd.notna(row["difference"]) else "reference" if row["variant"] == row["reference"] else "-",
            str(row["n_seeds"]),
        ]
        for row in rows.sort_values("dataset", kind="stable").to_dict("records")  # what is compared stands together
    ]
    header = [heading, "accuracy", f"minus {listed(references(rows)) or 'the reference'}", "seeds"]
    return details("Numbers", table("Accuracy in %, paired difference in percentage points; 95 % intervals", header, cells))


def references(rows: pd.DataFrame) -> list[str]:
    """The variants that rows have a paired difference from: one for a group, unless it was run again with another."""
    return list(dict.fromkeys(rows.loc[rows["difference"].notna(), "reference"].astype(str)))


def paired_with(rows: pd.DataFrame) -> str:
    """What the differences in the table are, and which comparison has none."""
    if not references(rows):
        return "Separate runs: no row is paired with another."
    return (
        f"The table's differences from {listed(references(rows))} are paired: same people, episodes and seeds, drawn together; "
        "one whose interval holds zero shows nothing. Intervals of accuracies are each row's own, and no test of two rows."
    )


def loss_subsets(results: Results) -> str:
    """Fig. 5."""
    heading, rows = "Fig. 5: which losses", at_shots(results.beside.ablations, "losses", results.headline)
    if rows.empty:
        return section(heading, paragraph(f"Pretraining with subsets of the three losses. {NOT_RUN}"))
    look = looks(["primus"])["primus"]
    drawings = []
    for dataset in present(results, rows):
        mine = rows[rows["dataset"] == dataset].to_dict("records")
        marks = [(str(row["variant"]), [(look, 100 * row["mean"], 100 * row["lo"], 100 * row["hi"])]) for row in mine]
        best = max(marks, key=lambda mark: mark[1][0][1])
        drawing = grouped_chart(
            f"Loss subsets on {dataset}",
            f"Highest: {best[0]} with {best[1][0][1]:.1f} percent",
            marks,
            x_title="accuracy",
            x_range=spread_of(marks, 0, 100, 10),
            unit=" %",
        )
        drawings.append(f"<h3>{escape(dataset)}</h3>{drawing}")
    words = f"Pretraining with subsets of the three losses: {ran(rows, results)}. {paired_with(rows)}"
    return section(heading, paragraph(words), beside(*drawings), numbers_of(rows, ["dataset", "variant"], "data set, losses"))


def fraction_aligned(results: Results) -> str:
    """Fig. 6."""
    heading, rows = "Fig. 6: how much aligned data", at_shots(results.beside.ablations, "fraction_aligned", results.headline)
    if rows.empty:
        return section(heading, paragraph(f"Pretraining where only a share of the data keeps video and text, the rest IMU alone. {NOT_RUN}"))
    rows = rows.assign(percent=aligned_percent(rows))
    shares, whole = rows.dropna(subset="percent").sort_values("percent", kind="stable"), rows[rows["percent"].isna()]
    seen = looks(dict.fromkeys([*shares["method"], *whole["variant"]]))
    ticks = sorted(set(shares["percent"])) or [100.0]
    drawings = []
    for dataset in present(results, rows):
        curves = []
        for name, line in shares[shares["dataset"] == dataset].groupby("method", sort=False):
            curves.append(Curve(str(name), seen[str(name)], *(line[column].tolist() for column in ("percent", "mean", "lo", "hi"))))
        for row in whole[whole["dataset"] == dataset].to_dict("records"):
            level = [[row[column]] * 2 for column in ("mean", "lo", "hi")]
            curves.append(Curve(str(row["variant"]), seen[str(row["variant"])], [ticks[0], ticks[-1]], *level))
        spoken = [f"{curve.name} from {100 * curve.y[0]:.1f} to {100 * curve.y[-1]:.1f} percent" for curve in curves]
        mine = rows[rows["dataset"] == dataset]
        drawing = curves_chart(
            f"Accuracy on {dataset} by share of aligned data",
            "; ".join(spoken),
            curves,
            x_title="share with video and text, % (log scale)",
            y_title="accuracy",
            x_ticks=ticks,
            x_range=(ticks[0], ticks[-1]),
            log_x=True,
            y_range=(math.floor(mine["lo"].min() * 10) / 10, math.ceil(mine["hi"].max() * 10) / 10),
            percent=True,
        )
        drawings.append(f"<h3>{escape(dataset)}</h3>{drawing}")
    words = f"Pretraining where only a share of the data keeps video and text, the rest IMU alone: {ran(rows, results)}. Bands are 95 % intervals. "
    words += f"A level line has all of its data aligned. {paired_with(rows)}"
    numbers = numbers_of(rows, ["dataset", "variant"], "data set, variant")
    return section(heading, paragraph(words), legend(list(seen.items())), beside(*drawings), numbers)


def augmentations(results: Results) -> str:
    """The heat map of pairs of transformations."""
    heading, rows = "Pairs of augmentations", at_shots(results.beside.ablations, "augmentations", results.headline)
    if rows.empty:
        return section(heading, paragraph(f"Pretraining with single transformations and pairs of them for the second view. {NOT_RUN}"))
    drawings = []
    for dataset in present(results, rows):
        for method in dict.fromkeys(rows["method"]):
            mine = pairs(rows[(rows["dataset"] == dataset) & (rows["method"] == method)])
            if mine.empty:
                continue
            cells = {(row["first"], row["second"]): float(row["mean"]) for row in mine.to_dict("records")}
            names = list(dict.fromkeys([*mine["first"], *mine["second"]]))
            best = max(cells, key=lambda cell, cells=cells: cells[cell])  # type: ignore[misc]
            description = f"Highest: {' then '.join(dict.fromkeys(best))} with {100 * cells[best]:.1f} percent"
            drawing = heat_chart(f"Augmentations of {method} on {dataset}", description, names, cells)
            drawings.append(f'<h3>{escape(f"{dataset}, {method}")}</h3><div class="scroll">{drawing}</div>')
    words = (
        f"Pretraining with single transformations (diagonal) and pairs of them: {ran(rows, results)}. Cells hold the accuracy in %; "
        f"where only one order of a pair was run, both cells show it. {paired_with(rows)}"
    )
    numbers = numbers_of(rows, ["dataset", "method", "variant"], "data set, method, transformations")
    return section(heading, paragraph(words), beside(*drawings, least="24rem"), numbers)
