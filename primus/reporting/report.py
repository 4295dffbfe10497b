"""The report: one self-contained page, its tables as CSV, and the tables that DVC's plots draw."""

import pandas as pd

from primus.reporting.ablations import aligned_percent, at_shots, pairs
from primus.reporting.claims import claims_table
from primus.reporting.corpus import corpus, pretraining
from primus.reporting.devices import devices
from primus.reporting.efficiency import efficiency_and_calibration
from primus.reporting.heads import heads, heads_table
from primus.reporting.how_judged import what_is_scored
from primus.reporting.html import bullets, contents, page, paragraph
from primus.reporting.measured import feature_map, retrieval, robustness, tests, zeroshot
from primus.reporting.paper import augmentations, claims, composition, fraction_aligned, loss_subsets
from primus.reporting.results import Results
from primus.reporting.sections import confusions, efficiency, gains, representations
from primus.reporting.sites import sites
from primus.reporting.words import SIMULATED, caveats

PARTS = (
    composition, efficiency, gains, tests, claims, efficiency_and_calibration, heads, representations,
    confusions, feature_map, zeroshot, retrieval, robustness, sites, devices, loss_subsets, fraction_aligned, augmentations, pretraining, corpus,
)  # fmt: skip


def report_page(results: Results) -> str:
    """The HTML document."""
    opening = [paragraph("Simulated corpus. " + SIMULATED, banner=True)] if results.simulated else []
    opening += [paragraph(f"Profile {results.profile}: few-shot activity recognition from IMU, with {what_is_scored(results)}.")]
    opening.append(bullets(caveats(results)))
    parts = [part(results) for part in PARTS]
    return page(f"PRIMUS report: {results.profile}", *opening, contents(parts), *parts)


def report_tables(results: Results) -> dict[str, pd.DataFrame]:
    """CSV tables by file name: all scores, all paired differences, the confusion of every method at the headline, Table I and the claims."""
    return {
        "scores.csv": results.scores,
        "differences.csv": results.differences,
        "confusion.csv": confusion_table(results, results.methods),
        "table1.csv": results.beside.composition,
        "claims.csv": claims_table(results),
    }


def confusion_table(results: Results, methods: list[str]) -> pd.DataFrame:
    """dataset, method, label, predicted, share of the label's segments."""
    cells = []
    for dataset in results.datasets:
        for method in methods:
            classes, shares = results.confusion(dataset, method)
            for row, truth in enumerate(classes):
                cells += [(dataset, method, truth, predicted, shares[row, column]) for column, predicted in enumerate(classes)]
    return pd.DataFrame(cells, columns=["dataset", "method", "label", "predicted", "share"])


def whole_range(fractions: pd.DataFrame) -> pd.DataFrame:
    """Rows of Fig. 6 with their method; a variant without a share (all of its data aligned) becomes a level line under its own name."""
    shares, whole = fractions[fractions["x"].notna()], fractions[fractions["x"].isna()]
    ends = sorted({shares["x"].min(), shares["x"].max()}) if len(shares) else [1.0]
    return pd.concat([shares, *(whole.assign(x=end, method=whole["variant"]) for end in ends)], ignore_index=True)


def figure_tables(results: Results) -> dict[str, pd.DataFrame]:
    """What DVC's plots draw and no other stage writes, by name; tables without rows keep their columns.

    A value has its bounds beside it as `<value>_lo` and `<value>_hi`, as the templates expect.
    """
    ablations, shots = results.beside.ablations, results.headline
    bounded = {"mean": "accuracy", "lo": "accuracy_lo", "hi": "accuracy_hi"}
    composed = results.beside.composition
    losses, fractions = at_shots(ablations, "losses", shots), whole_range(at_shots(ablations, "fraction_aligned", shots))
    kept = ["dataset", "method", "shots", *bounded.values(), "n_seeds", "profile"]
    return {
        "table1": composed.assign(part=[f"{row.dataset}, {row.split}, fold {row.fold}" for row in composed.itertuples()]),
        "claims": claims_table(results).rename(columns={"lo": "estimate_lo", "hi": "estimate_hi"}),
        "confusion": confusion_table(results, [results.lead_method]),
        "feature_map": results.beside.map.round(4),
        "heads": heads_table(results),
        "losses": losses.rename(columns=bounded)[["variant", *kept]],
        "fraction_aligned": fractions.assign(aligned_percent=aligned_percent(fractions)).rename(columns=bounded)[["aligned_percent", *kept]],
        "augmentations": pairs(at_shots(ablations, "augmentations", shots)).rename(columns=bounded)[["first", "second", *kept]],
    }
