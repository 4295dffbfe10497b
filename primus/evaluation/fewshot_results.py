"""What the few-shot stage reports of its fits: tables of scores, and the nested numbers of metrics/fewshot.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from primus.evaluation.calibration import CALIBRATION
from primus.evaluation.metrics import METRICS
from primus.evaluation.paired import comparison_table
from primus.evaluation.plan import size_of_tests
from primus.evaluation.scalars import with_bounds
from primus.evaluation.settings import FewShotParams
from primus.evaluation.tables import Complete, Curves, Probed, area, area_tables, completeness, difference_table, estimate_curves, score_table
from primus.evaluation.tasks import Task


@dataclass(frozen=True)
class FewShotResults:
    """Everything estimated from the fits.

    Attributes:
        tables: name -> table, as the stage writes them.
        curves: estimates by data set, method, representation and head.
        complete: by curve and number of shots, whether every class had that many.
        probed: method -> the representation and head it is judged by.
    """

    tables: dict[str, pd.DataFrame]
    curves: Curves
    complete: Complete
    probed: Probed


def results_of(
    rows: pd.DataFrame, counts: pd.DataFrame, calibration: pd.DataFrame, probed: Probed, params: FewShotParams, pairs: Sequence[tuple[str, str]]
) -> FewShotResults:
    """Estimates, differences, areas and tests (of these `pairs` of methods) from the fits' rows, prediction counts and calibration sums."""
    complete = completeness(rows)
    curves = estimate_curves(counts, replicates=params.bootstrap, seed=params.seed, calibration=calibration)
    areas, area_differences = area_tables(curves, complete, probed)
    tables = {
        "rows": rows,
        "predictions": counts,
        "calibration": calibration,
        "scores": score_table(curves, complete, probed),
        "differences": difference_table(curves, probed),
        "areas": areas,
        "area_differences": area_differences,
        "tests": comparison_table(counts, curves, probed, params.margin, pairs),
    }
    return FewShotResults(tables, curves, complete, probed)


def plot_tables(scores: pd.DataFrame, probed: Probed) -> dict[str, pd.DataFrame]:
    """The curve that each method is judged by (`fewshot`), and those of all heads on the same representation (`fewshot_heads`)."""
    representation = scores["method"].map({method: chosen for method, (chosen, _) in probed.items()})
    chosen = {"fewshot": scores["probed"], "fewshot_heads": scores["representation"] == representation}
    tables = {name: scores[rows].drop(columns="probed") for name, rows in chosen.items()}
    return {name: own.assign(complete=own["complete"].astype(int)) for name, own in tables.items()}


def point(found: Mapping[str, Any], complete: bool) -> dict[str, float]:
    """Scores of one curve at one number of shots: with bounds, calibration without."""
    scores: dict[str, float] = {"complete": int(complete)}
    for name in METRICS:
        scores |= with_bounds(name, found[name])
    return scores | {name: found[name].mean for base in CALIBRATION for name in (base, f"{base}_scaled") if name in found}


def fewshot_metrics(tasks: list[Task], results: FewShotResults) -> dict[str, Any]:
    """Nested scalars: dataset -> method -> k<shots> -> score, for the curve each method is judged by; other heads below `heads`."""
    curves, complete, found = results.curves, results.complete, dict[str, Any]()
    for dataset in sorted({task.dataset for task in tasks}):
        mine = [task for task in tasks if task.dataset == dataset]
        found[dataset] = {"classes": len(mine[0].classes)} | size_of_tests(mine)
        for method, (representation, head) in results.probed.items():
            curve = (dataset, method, representation, head)
            points = curves[curve]
            scores: dict[str, Any] = {f"k{shots}": point(at, complete[*curve, shots]) for shots, at in sorted(points.items())}
            whole = area(points, [shots for shots in points if complete[*curve, shots]])
            scores |= with_bounds("area_under_curve", whole) if whole else {}
            others = {key[3]: at for key, at in curves.items() if key[:3] == curve[:3] and key[3] != head}
            if others:
                chosen = ("accuracy", "macro_f1")
                scores["heads"] = {
                    name: {f"k{shots}": {metric: value[metric].mean for metric in chosen} for shots, value in sorted(at.items())}
                    for name, at in sorted(others.items())
                }
            found[dataset][method] = scores
    return found
