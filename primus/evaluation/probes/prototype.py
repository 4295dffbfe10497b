"""Nearest prototype: the class whose mean shot is nearest (Snell et al. 2017, Prototypical Networks, arXiv 1703.05175, without training)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from primus.evaluation.probes.probe import Preparation, ShotBatch


@dataclass(frozen=True)
class PrototypeProbe:
    """Squared Euclidean distance between standardised features and class means; the scores are those of Gaussians of unit variance."""

    preparation: Preparation = "standardised"

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        member = shots.one_hot().transpose(1, 2)  # (B, K, n)
        prototypes = member @ shots.features / member.sum(dim=2, keepdim=True)
        return -0.5 * torch.cdist(test.expand(len(prototypes), -1, -1), prototypes).square()
