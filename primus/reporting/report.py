"""The report: one self-contained page, and its tables as CSV."""

import pandas as pd

from primus.reporting.html import bullets, page, paragraph
from primus.reporting.results import Results
from primus.reporting.sections import confusions, corpus, efficiency, gains, pretraining, representations
from primus.reporting.words import SIMULATED, caveats


def report_page(results: Results) -> str:
    """The HTML document."""
    opening = [paragraph("Simulated corpus. " + SIMULATED, banner=True)] if results.simulated else []
    opening += [paragraph(f"Profile {results.profile}: few-shot activity recognition with frozen IMU encoders.")]
    opening.append(bullets(caveats(results)))
    parts = (efficiency, gains, representations, confusions, pretraining, corpus)
    return page(f"PRIMUS report: {results.profile}", *opening, *(part(results) for part in parts))


def report_tables(results: Results) -> dict[str, pd.DataFrame]:
    """CSV tables by file name: all scores, all paired differences, and the confusion of every method at the headline."""
    cells = []
    for dataset in results.datasets:
        for method in results.methods:
            classes, shares = results.confusion(dataset, method)
            for row, truth in enumerate(classes):
                cells += [(dataset, method, truth, predicted, shares[row, column]) for column, predicted in enumerate(classes)]
    confusion = pd.DataFrame(cells, columns=["dataset", "method", "label", "predicted", "share"])
    return {"scores.csv": results.scores, "differences.csv": results.differences, "confusion.csv": confusion}
