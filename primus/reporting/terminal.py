"""The summary as plain text: aligned, 80 columns, readable in a log."""

import textwrap

from primus.reporting.how_judged import what_is_scored
from primus.reporting.results import Results, interval_at
from primus.reporting.words import SIMULATED, caveats, percent, points, size_of

WIDTH = 80
MOST_COLUMNS = 8


def aligned(header: list[str], rows: list[list[str]]) -> list[str]:
    """Columns padded to their widest cell: the first flush left, the others flush right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *rows]
    ]


def chosen_shots(results: Results) -> list[int]:
    """At most eight numbers of shots, spread over all of them, the headline among them."""
    shots = results.shots
    if len(shots) <= MOST_COLUMNS:
        return shots
    step = (len(shots) - 1) / (MOST_COLUMNS - 1)
    return sorted({shots[round(number * step)] for number in range(MOST_COLUMNS)} | {results.headline})


def summary_text(results: Results) -> str:
    """The whole summary, ending in a newline."""
    lines = textwrap.wrap(f"Few-shot recognition with {what_is_scored(results)}, profile {results.profile!r}", WIDTH, subsequent_indent="  ")
    if results.simulated:
        lines += textwrap.wrap("SIMULATED CORPUS. " + SIMULATED, WIDTH)
    for dataset in results.datasets:
        lines += ["", f"{dataset}: {size_of(results, dataset)}", "Accuracy (%) by labelled segments per class"]
        shots = chosen_shots(results)
        rows = []
        for method in results.methods:
            curve = results.curve(dataset, method)
            whole = dict(zip(curve["shots"], curve["complete"], strict=True))
            found = {size: interval_at(curve, size) for size in shots}
            cells = [f"{100 * at.mean:.1f}{'' if whole[size] else '*'}" if at else "-" for size, at in found.items()]
            rows.append([method, *cells])
        lines += aligned(["", *(str(size) for size in shots)], rows)
        lines.append(f"At {results.headline} per class, with 95 % intervals")
        rows = []
        for method in results.methods:
            gain = results.gain(dataset, method)
            scores = [percent(results.score(dataset, method, metric)) for metric in ("accuracy", "macro_f1")]
            rows.append([method, *scores, points(gain) if gain else "-"])
        lines += aligned(["", "accuracy", "macro-F1", f"over {results.reference}"], rows)
    notes = caveats(results)
    if notes:
        lines.append("")
        for note in notes:
            lines += textwrap.wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(lines) + "\n"
