"""Put features on a common scale before a probe: unit length, then zero mean and unit deviation per dimension."""

from typing import Literal

import torch
from torch import Tensor

Statistics = Literal["pool", "shots", "none"]
"""Rows the mean and deviation come from: the unlabelled shot pool, the shots themselves, or no standardisation."""

FLOOR = 0.05
"""Least deviation divided by, as a share of the root mean square over dimensions: a near-constant dimension is not blown up into noise."""


def unit_rows(features: Tensor) -> Tensor:
    """Rows scaled to Euclidean length 1; an all-zero row stays zero."""
    return features / features.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def moments(features: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and floored deviation per dimension: (..., n, D), (..., n) -> two of (..., 1, D).

    Features that do not vary at all get deviation 1.
    """
    share = (weights / weights.sum(dim=-1, keepdim=True))[..., None]
    mean = (features * share).sum(dim=-2, keepdim=True)
    deviation = ((features - mean).square() * share).sum(dim=-2, keepdim=True).sqrt()
    floor = FLOOR * deviation.square().mean(dim=-1, keepdim=True).sqrt()
    deviation = torch.maximum(deviation, floor)
    return mean, torch.where(deviation > 1e-12, deviation, torch.ones_like(deviation))
