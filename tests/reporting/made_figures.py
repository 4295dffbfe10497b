"""Results of a run of `make figures` that never was: ten methods, five heads, three seeds, as params.yaml and experiments.yaml would have it."""

import dataclasses
import math
from pathlib import Path

import pandas as pd
import yaml

from primus.evaluation.calibration import CALIBRATION
from primus.evaluation.metrics import METRICS
from primus.reporting.results import DatasetFacts, Results
from tests.reporting.made_results import DATASETS, gain_rows, results

ROOT = Path(__file__).resolve().parents[2]
SHOTS = (1, 2, 5, 10, 20, 50)
FINETUNED = (5, 20)
TEN: tuple[str, ...] = tuple(yaml.safe_load((ROOT / "experiments.yaml").read_text())["figures"]["methods"])
REPRESENTATION = {"simclr": "self_supervised"} | dict.fromkeys(("multitask", "standard", "random", "statistics"), "feature")
OWN_HEAD = {"standard": "finetune", "statistics": "forest"}
SHIFT = {"logistic": 0.0, "knn": -0.06, "prototype": -0.02, "sgd": -0.3, "finetune": 0.03, "forest": 0.0}
UNTRAINED = ("standard", "random", "released", "statistics")


def heads_of(method: str) -> tuple[str, ...]:
    return (OWN_HEAD[method],) if method in OWN_HEAD else ("logistic", "knn", "prototype", "sgd", "finetune")


def seeds_of(method: str, head: str) -> int:
    return 1 if method in ("released", "statistics") or (head == "finetune" and method != "standard") else 3


def accuracy(dataset: str, method: str, head: str, shots: int) -> float:
    best = 0.75 - 0.15 * DATASETS.index(dataset) - 0.025 * TEN.index(method) + SHIFT[head]
    return max(0.12, 0.12 + (best - 0.12) * math.log(1 + shots) / math.log(1 + SHOTS[-1]))


def points(dataset: str, method: str, representation: str, head: str) -> list[dict[str, object]]:
    """Scores of one curve; fine-tuning beside another head was done at few sizes, and gets no temperature."""
    rows = []
    probed = representation == REPRESENTATION.get(method, "multimodal") and head == heads_of(method)[0]
    for shots in SHOTS if head != "finetune" or probed else FINETUNED:
        value = accuracy(dataset, method, head, shots) - (0.03 if representation == "feature" and not probed else 0)
        row: dict[str, object] = {"dataset": dataset, "method": method, "representation": representation, "head": head, "shots": shots}
        row |= {"complete": shots < 50, "probed": probed}
        for name in METRICS:
            row |= {name: value, f"{name}_lo": max(value - 0.05, 0), f"{name}_hi": value + 0.06}
        for name in CALIBRATION:
            for scaled, level in (("", 0.3 + value / 4), ("_scaled", 0.06 if shots > 1 and head != "finetune" else math.nan)):
                level *= 1 if name == "ece" else 5
                row |= {f"{name}{scaled}": level, f"{name}{scaled}_lo": level * 0.8, f"{name}{scaled}_hi": level * 1.3}
        rows.append(row)
    return rows


def figures(**changes: object) -> Results:
    """The results; `simulated` as on the demo."""
    scores, fits, areas, predictions = [], [], [], []
    for dataset in DATASETS:
        for method in TEN:
            own = REPRESENTATION.get(method, "multimodal")
            for head in heads_of(method):
                for representation in dict.fromkeys((own,) if head == "finetune" else (own, "feature")):
                    curve = points(dataset, method, representation, head)
                    scores += curve
                    identity = {"dataset": dataset, "method": method, "representation": representation, "head": head, "fold": 0}
                    for at in curve:
                        said = {"shots": at["shots"], "complete": at["complete"], "short_classes": "" if at["complete"] else "climb rock"}
                        fits += [identity | said | {"seed": seed, "episode": 0} for seed in range(seeds_of(method, head))]
                    if representation == own and head == heads_of(method)[0]:
                        predictions += [
                            identity | {"shots": 20, "seed": 0, "episode": 0, "label": a, "predicted": b, "count": 9 if a == b else 2}
                            for a in ("climb rock", "cook", "dance") for b in ("climb rock", "cook", "dance")
                        ]  # fmt: skip
                    whole = accuracy(dataset, method, head, 6)
                    span = (FINETUNED[0], FINETUNED[-1]) if len(curve) == len(FINETUNED) else (1, 20)
                    area = {"area": whole, "lo": whole - 0.04, "hi": whole + 0.04, "shots_from": span[0], "shots_to": span[1]}
                    areas.append(identity | {"probed": curve[0]["probed"], "metric": "accuracy"} | area)
    differences = [gain_rows(dataset, method, "random", {20: (0.2 - 0.02 * n, 0.1 - 0.02 * n, 0.3 - 0.02 * n)})
                   for dataset in DATASETS for n, method in enumerate(TEN) if method != "random"]  # fmt: skip
    gains = pd.concat(differences, ignore_index=True)
    made = results(
        scores=pd.DataFrame(scores),
        areas=pd.DataFrame(areas),
        rows=pd.DataFrame(fits),
        predictions=pd.DataFrame(predictions),
        differences=pd.concat([gains, gains.assign(metric="macro_f1")], ignore_index=True),
        datasets={name: DatasetFacts(8, 6, 1234, 1) for name in DATASETS},
        pretraining={method: {"data": {"steps": 0.0 if method in UNTRAINED else 300.0}} for method in TEN},
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]
