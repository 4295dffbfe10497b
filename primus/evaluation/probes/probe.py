"""What a probe is: a small classifier fitted on frozen features, many episodes at once."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

Preparation = Literal["standardised", "unit", "raw"]
"""How a probe wants its features: unit length then standardised, unit length only, or as they are."""


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

    def select(self, chosen: Tensor) -> "ShotBatch":
        """The rows where `chosen` (B, n) bool, in order, padded to the largest number of them."""
        count = chosen.sum(dim=1)
        index = torch.argsort(~chosen, dim=1, stable=True)[:, : int(count.max())]
        weights = (torch.arange(index.shape[1])[None, :] < count[:, None]).to(self.weights)
        features = torch.gather(self.features, 1, index[..., None].expand(-1, -1, self.features.shape[2])) * weights[..., None]
        return ShotBatch(features, torch.gather(self.labels, 1, index), weights, self.classes)


class Probe(Protocol):
    """Fit on the shots of every episode, score the classes of the test set."""

    @property
    def preparation(self) -> Preparation:
        """How features are to be prepared for it."""
        ...

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        """Class scores (B, T, classes) of test features (B, T, D) or (1, T, D), prepared like the shots.

        Their softmax is the probe's probability of each class, their largest its prediction.
        """
        ...
