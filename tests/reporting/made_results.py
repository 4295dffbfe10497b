"""Results of a run that never was, for tests of what is made from results."""

import dataclasses
from typing import Any

import pandas as pd

from primus.evaluation.metrics import METRICS
from primus.reporting.ablations import COLUMNS as ABLATIONS
from primus.reporting.beside import Beside
from primus.reporting.composition import COLUMNS as COMPOSITION
from primus.reporting.embedding_map import COLUMNS as MAP
from primus.reporting.results import DatasetFacts, Results

METHODS = ("primus", "simclr", "random")
DATASETS = ("egoexo4d", "ego4d", "realworld")


def beside(**tables: Any) -> Beside:
    """What stands beside the sweep: nothing but what is given."""
    composed, mapped, ablated = (pd.DataFrame(columns=columns) for columns in (COMPOSITION, MAP, ABLATIONS))
    empty: dict[str, Any] = {"composition": composed, "map": mapped, "ablations": ablated, "wordings": {}, "gallery": {}, "labelled_sites": {}}
    empty["zeroshot"] = pd.DataFrame(columns=["dataset", "method", "accuracy", "accuracy_lo", "accuracy_hi"])
    empty["retrieval"] = pd.DataFrame(columns=["method", "direction", "metric", "value", "lo", "hi", "chance"])
    empty["robustness"] = pd.DataFrame(columns=["dataset", "method", "condition", "kind", "severity", "shots", "test_segments"])
    empty["sites"] = pd.DataFrame(columns=["dataset", "check", "method", "shots", "accuracy", "accuracy_lo", "accuracy_hi", "chance"])
    empty["tests"] = pd.DataFrame(
        columns=["dataset", "shots", "method", "other", "n", "difference", "p", "p_holm", "least_p", "family", "effect", "margin", "p_equivalent"]
    )
    return Beside(**(empty | tables))


def gain_rows(dataset: str, method: str, other: str, gains: dict[int, tuple[float, float, float]]) -> pd.DataFrame:
    """Both directions of a paired difference of accuracies, by number of shots."""
    rows = [(dataset, method, other, shots, "accuracy", *gain) for shots, gain in gains.items()]
    rows += [(dataset, other, method, shots, "accuracy", -mean, -hi, -lo) for shots, (mean, lo, hi) in gains.items()]
    return pd.DataFrame(rows, columns=["dataset", "method", "other", "shots", "metric", "difference", "lo", "hi"])


def ablation(
    group: str, variant: str, value: float, *, x: float = 0.0, method: str = "primus", dataset: str = "egoexo4d", half: float = 0.01
) -> tuple:
    """One row of metrics/ablations.csv at 20 shots on the demo."""
    numbers = (20, value, value - half, value + half, 1)
    return (group, variant, x, method, dataset, *numbers, "demo", "none", float("nan"), float("nan"), float("nan"))


def results(shots: tuple[int, ...] = (1, 2, 5, 10, 20, 50), participants: int = 4, seeds: int = 1, **changes: object) -> Results:
    """Results as the demo has them, with made-up scores."""
    scores, differences, areas, rows, predictions = [], [], [], [], []
    for dataset in DATASETS:
        for number, method in enumerate(METHODS):
            curve = {"dataset": dataset, "method": method, "representation": "feature", "head": "logistic", "probed": True}
            areas += [curve | {"metric": name, "area": 0.5, "lo": 0.4, "hi": 0.6, "shots_from": 1, "shots_to": 20} for name in METRICS]
            for size in shots:
                value = 0.7 - 0.2 * number - 0.1 / size
                complete = size < 50
                bounds = {f"{name}{end}": value + shift for name in METRICS for end, shift in (("", 0), ("_lo", -0.05), ("_hi", 0.05))}
                identity = {
                    "dataset": dataset,
                    "method": method,
                    "representation": "feature",
                    "head": "logistic",
                    "shots": size,
                    "complete": complete,
                }
                scores.append(identity | {"probed": True} | bounds)
                rows += [
                    identity | {"fold": 0, "seed": seed, "episode": 0, "short_classes": "" if complete else "climb rock"} for seed in range(seeds)
                ]
                predictions.append(identity | {"label": "a", "predicted": "b", "count": 3})
                differences += [
                    (dataset, method, other, size, name, 0.2 * (METHODS.index(other) - number), -0.01, 0.41)
                    for other in METHODS
                    if other != method
                    for name in METRICS
                ]
    made = Results(
        profile="demo",
        simulated=True,
        random_embeddings=True,
        headline=20,
        reference="random",
        lead=("egoexo4d", "primus"),
        scores=pd.DataFrame(scores),
        differences=pd.DataFrame(differences, columns=["dataset", "method", "other", "shots", "metric", "difference", "lo", "hi"]),
        areas=pd.DataFrame(areas),
        rows=pd.DataFrame(rows),
        predictions=pd.DataFrame(predictions),
        datasets={name: DatasetFacts(8, participants, 1234, 1) for name in DATASETS},
        skipped=(),
        pretraining={},
        losses={},
        segments={},
        beside=beside(),
        margin=0.02,
        protocol="ours",
        degraded_encoders=1,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]
