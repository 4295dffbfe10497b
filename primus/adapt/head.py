"""A classifier on an encoder's features, as two files: head.json and head.safetensors. Nothing in them can execute."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from primus.artifacts import atomic_path, read_json, write_json
from primus.errors import UserError
from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.probes.probe import ShotBatch
from primus.evaluation.probes.standardise import moments, unit_rows

FORMAT = "primus.head/1"
DESCRIPTION, WEIGHTS = "head.json", "head.safetensors"


@dataclass(frozen=True)
class Head:
    """softmax(((feature, at length 1 where so set) - mean) / deviation @ weights + bias).

    Attributes:
        classes: names, in the order of the columns.
        mean, deviation: (D,) float32.
        weights: (D, C) float32.
        bias: (C,) float32.
        unit_length: whether features are scaled to length 1 first.
        about: JSON values: which model it belongs to, how it was trained and scored.
    """

    classes: tuple[str, ...]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    unit_length: bool
    about: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scores (N, C) of features (N, D); their softmax is the probability."""
        rows = torch.from_numpy(np.asarray(features, dtype=np.float64))
        rows = unit_rows(rows) if self.unit_length else rows
        return ((rows.numpy() - self.mean) / self.deviation.astype(np.float64)) @ self.weights.astype(np.float64) + self.bias

    def probabilities(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, C), rows sum to one."""
        return torch.softmax(torch.from_numpy(self.scores(features)), dim=1).numpy()

    def save(self, folder: Path) -> None:
        """Write both files into an existing folder."""
        arrays = {"mean": self.mean, "deviation": self.deviation, "weights": self.weights, "bias": self.bias}
        with atomic_path(folder / WEIGHTS) as temporary:
            save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, temporary)
        write_json(folder / DESCRIPTION, {"format": FORMAT, "classes": list(self.classes), "unit_length": self.unit_length, **self.about})


def load_head(folder: Path) -> Head:
    """Read what `Head.save` wrote.

    Raises:
        UserError: a file is missing or is not what this version writes.
    """
    if not (folder / DESCRIPTION).is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} holds no {DESCRIPTION} and {WEIGHTS}; give a folder that `primus probe train` or `primus finetune` wrote")
    about = read_json(folder / DESCRIPTION)
    wrong = f"{folder / DESCRIPTION} is not what `primus probe train` writes"
    form = about.get("format") if isinstance(about, dict) else None
    if form != FORMAT:
        raise UserError(f"{wrong} (format {str(form)[:80]!r}, expected {FORMAT!r}); train it again")
    classes = about.pop("classes", None)
    if not isinstance(classes, list) or len(classes) < 2 or len({str(name) for name in classes}) != len(classes):
        raise UserError(f"{wrong} (classes are {str(classes)[:200]}); train it again")
    if not isinstance(about.get("model") or {}, dict):
        raise UserError(f"{wrong} (model is {str(about['model'])[:80]!r}); train it again")
    try:
        arrays = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{folder / WEIGHTS} cannot be read ({' '.join(str(error).split())[:200]}); train it again") from None
    width = arrays["mean"].shape[0] if "mean" in arrays and arrays["mean"].ndim == 1 else 0
    expected = {"mean": (width,), "deviation": (width,), "weights": (width, len(classes)), "bias": (len(classes),)}
    for name, shape in expected.items():
        if name not in arrays or arrays[name].shape != shape or not width:
            found = arrays[name].shape if name in arrays else "nothing"
            raise UserError(f"{folder / WEIGHTS}: {name} is {found}, expected {shape}; train it again")
        if not np.isfinite(arrays[name]).all() or (name == "deviation" and not (arrays[name] > 0).all()):
            raise UserError(f"{folder / WEIGHTS}: {name} holds values that make no classifier; train it again")
    unit_length = bool(about.pop("unit_length", False))
    mean, deviation, weights, bias = (arrays[name] for name in expected)
    return Head(tuple(str(name) for name in classes), mean, deviation, weights, bias, unit_length, about)


def fit_logistic(features: NDArray[np.floating], labels: NDArray[np.int64], classes: Sequence[str], c: float) -> Head:
    """L2-regularised logistic regression on features (N, D) of length 1, standardised by the mean and deviation of these rows.

    A class without a row gets the bias -inf, so that it is never predicted; a head that is to be saved has a row of every class.
    """
    rows = unit_rows(torch.from_numpy(np.asarray(features, dtype=np.float64)))
    mean, deviation = moments(rows, torch.ones(len(rows), dtype=torch.float64))
    present, compact = np.unique(labels, return_inverse=True)
    weights = np.zeros((rows.shape[1], len(classes)))
    bias = np.full(len(classes), -math.inf)
    bias[present] = 0.0
    if len(present) > 1:
        shots = ShotBatch(
            ((rows - mean) / deviation)[None], torch.from_numpy(compact)[None], torch.ones(1, len(rows), dtype=torch.float64), len(present)
        )
        solution = LogisticProbe(c=c).fit(shots)
        weights[:, present], bias[present] = solution.weights[0].numpy(), solution.intercepts[0].numpy()
    scale = [value[0].numpy().astype(np.float32) for value in (mean, deviation)]
    return Head(tuple(classes), scale[0], scale[1], weights.astype(np.float32), bias.astype(np.float32), unit_length=True)
