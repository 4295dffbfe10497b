"""What zero-shot scores come to: the stage's tables, and the nested numbers of metrics/zeroshot.json."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from primus.evaluation.plan import size_of_tests
from primus.evaluation.settings import FewShotParams
from primus.evaluation.zeroshot_run import BOUNDS, COLUMNS, PREDICTION_COLUMNS, SPREAD, WORDING_COLUMNS, ZeroShotFound

ByDataset = Mapping[str, Mapping[str, ZeroShotFound]]
"""Data set -> method -> what it scored."""


def zeroshot_tables(found: ByDataset, fewshot: FewShotParams) -> dict[str, pd.DataFrame]:
    """Scores, scores of single wordings and counted predictions of all data sets and methods, as the stage writes them."""
    every = [(dataset, method, one) for dataset, methods in found.items() for method, one in methods.items()]
    rows = [one.row(dataset, method, fewshot) for dataset, method, one in every]
    return {
        "scores": pd.DataFrame(rows, columns=[*COLUMNS, *BOUNDS, *SPREAD]),
        "wordings": _together([one.wordings(dataset, method) for dataset, method, one in every], WORDING_COLUMNS),
        "predictions": _together([one.predictions(dataset, method) for dataset, method, one in every], PREDICTION_COLUMNS),
    }


def zeroshot_metrics(by_dataset: ByDataset, scores: pd.DataFrame) -> dict[str, Any]:
    """Nested scalars: dataset -> method -> score."""
    found: dict[str, Any] = {}
    for dataset, methods in by_dataset.items():
        any_method = next(iter(methods.values()))
        tasks = any_method.tasks
        found[dataset] = {
            "classes": len(tasks[0].classes),
            "chance": 1 / len(tasks[0].classes),
            "wordings": len(any_method.prompts.wordings),
        } | size_of_tests(tasks)
        for row in scores[scores["dataset"] == dataset].to_dict("records"):
            found[dataset][str(row["method"])] = {name: row[name] for name in (*BOUNDS, *SPREAD)}
    return found


def _together(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """One table of these columns, also where there is nothing to put together."""
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
