"""What a probe is: a small classifier fitted on frozen features, many episodes at once."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class ShotBatch:
    """The shots of several episodes, padded to a common number of rows.

    Attributes:
        features: (B, n, D) float64; rows beyond an episode's own are zero.
        labels: (B, n) int64 in [0, classes); every class occurs in every episode.
        weights: (B, n) float64: 1 for a shot, 0 for padding.
        classes: number of classes.
    """

    features: Tensor
    labels: Tensor
    weights: Tensor
    classes: int

    def one_hot(self) -> Tensor:
        """(B, n, classes) float64: 1 at a shot's class, zero rows for padding."""
        return torch.nn.functional.one_hot(self.labels, self.classes).to(self.weights) * self.weights[..., None]


class Probe(Protocol):
    """Fit on the shots of every episode, predict the test set."""

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        """Predicted classes (B, T) int64 of test features (B, T, D) or (1, T, D), standardised like the shots."""
        ...
