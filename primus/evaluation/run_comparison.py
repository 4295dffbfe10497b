"""Two few-shot sweeps against each other: what both measured, on the people both tested, with intervals of the paired difference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from primus.errors import UserError
from primus.evaluation.metrics import METRICS
from primus.evaluation.statistics import Estimate, Resampling, difference, estimates
from primus.evaluation.tables import confusion_tensor

KEYS = ("dataset", "method", "representation", "head", "shots")
LARGEST = 1e300
NUMBERS = ("fold", "seed", "episode", "shots", "count")
NEEDED = ("dataset", "method", "representation", "fold", "seed", "episode", "shots", "participant", "label", "predicted", "count")
COLUMNS = [*KEYS, "metric", "a", "b", "difference", "lo", "hi", "lo_90", "hi_90", "participants", "seeds", "episodes"]


@dataclass(frozen=True)
class Sweep:
    """Prediction counts of one sweep, and what it is called."""

    name: str
    counts: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [column for column in NEEDED if column not in self.counts]
        if missing:
            raise UserError(f"{self.name}: the predictions have no column {', '.join(missing)}; run the few-shot stage again")
        for column in (*NEEDED, *({"head"} & set(self.counts))):
            values = self.counts[column]
            numbers = column in NUMBERS
            sound = pd.api.types.is_integer_dtype(values) if numbers else pd.api.types.infer_dtype(values) == "string"
            if not sound or (column == "count" and not values.between(0, 1 << 40).all()):
                expected = "whole numbers" if numbers else "text"
                raise UserError(f"{self.name}: column {column} of the predictions does not hold {expected}; run the few-shot stage again")
        if "head" not in self.counts:  # of sweeps from before there was more than one
            object.__setattr__(self, "counts", self.counts.assign(head="logistic"))


def compare_sweeps(a: Sweep, b: Sweep, replicates: int = 1000, seed: int = 0) -> pd.DataFrame:
    """One row per curve, number of shots and metric that both have: both values, and a - b with its interval.

    `lo_90` and `hi_90` bound the middle 90 % of the same draws: two one-sided tests at 5 % say "equal" where they lie within the margin.

    Pretraining seeds, episodes and test participants that both have are compared, and drawn together: an interval of the paired difference.

    Raises:
        UserError: they have no curve, or no person, in common; both are named.
    """
    theirs = dict(_curves(b))
    rows = [row for key, mine in _curves(a) if key in theirs for row in _rows(key, mine, theirs[key], replicates, seed)]
    if not rows:
        raise UserError(
            f"{a.name} and {b.name} measured nothing in common: {_said(a)} against {_said(b)}; "
            "the same data set, method, head and number of shots, tested on the same people, are needed"
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _curves(sweep: Sweep) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    for key, rows in sweep.counts.groupby(list(KEYS), sort=True):
        yield tuple(key), rows


def _said(sweep: Sweep) -> str:
    counts = sweep.counts
    return f"{'/'.join(sorted(map(str, counts['dataset'].unique())))} with {'/'.join(sorted(map(str, counts['method'].unique())))}"


def _rows(key: tuple[Any, ...], mine: pd.DataFrame, theirs: pd.DataFrame, replicates: int, seed: int) -> list[dict[str, Any]]:
    for column in ("participant", "seed", "episode"):
        common = set(mine[column]) & set(theirs[column])
        mine, theirs = mine[mine[column].isin(common)], theirs[theirs[column].isin(common)]
    people = sorted(set(mine["participant"].astype(str)) & set(theirs["participant"].astype(str)))
    if not people:
        return []
    classes = sorted({str(name) for rows in (mine, theirs) for column in ("label", "predicted") for name in rows[column]})
    tensors = [confusion_tensor(rows, classes, people) for rows in (mine, theirs)]
    if tensors[0].shape != tensors[1].shape:
        return []
    seeds, episodes = tensors[0].shape[:2]
    resampling = Resampling.draw(replicates, seeds, episodes, len(people), seed, str(key[0]))
    first, second = (estimates(tensor, METRICS, resampling) for tensor in tensors)
    sizes = {"participants": len(people), "seeds": seeds, "episodes": episodes}
    return [_row(key, name, first[name], second[name], sizes) for name in METRICS]


def _row(key: tuple[Any, ...], metric: str, a: Estimate, b: Estimate, sizes: Mapping[str, int]) -> dict[str, Any]:
    apart = difference(a, b)
    low, high = np.quantile(apart.draws, [0.05, 0.95]).tolist()
    values = {"metric": metric, "a": a.mean, "b": b.mean, "difference": apart.mean, "lo": apart.lo, "hi": apart.hi, "lo_90": low, "hi_90": high}
    return dict(zip(KEYS, key, strict=True)) | values | dict(sizes)


def compare_numbers(a: Mapping[str, Any], b: Mapping[str, Any], names: tuple[str, str]) -> pd.DataFrame:
    """name, a, b, difference of every number that two metrics files share; whole files say nothing of pairs, so there is no interval.

    Raises:
        UserError: they share no number.
    """
    first, second = _numbers(a), _numbers(b)
    shared = [name for name in first if name in second]
    if not shared:
        raise UserError(f"{names[0]} and {names[1]} share no number; give two files of the same stage")
    rows = [{"name": name, "a": first[name], "b": second[name], "difference": first[name] - second[name]} for name in shared]
    return pd.DataFrame(rows)


def _numbers(value: Any, prefix: str = "") -> dict[str, float]:
    """{"a": {"b": 1}} -> {"a.b": 1.0}."""
    if isinstance(value, Mapping):
        return {name: number for key, item in value.items() for name, number in _numbers(item, f"{prefix}.{key}" if prefix else str(key)).items()}
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:  # NaN, too
        return {}
    return {prefix: float(value)}
