"""Is a representation alive? Numbers that show a collapse long before the probe does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

COLLAPSED_RANK = 5.0


def effective_rank(rows: Tensor) -> float:
    """exp of the entropy of the normalised singular values of unit rows (N, D): the number of dimensions in use (arXiv 2210.02885).

    Rows are not centred, so that N copies of one vector with a little noise count as one dimension.
    """
    values = torch.linalg.svdvals(normalize(rows.double(), dim=1))
    share = values / values.sum().clamp(min=1e-12)
    share = share[share > 1e-12]
    return float(torch.exp(-(share * share.log()).sum()))


def spread(rows: Tensor) -> float:
    """Mean over dimensions of the standard deviation of unit rows (N, D), times sqrt(D): about 1 when evenly spread, 0 when collapsed."""
    unit = normalize(rows.double(), dim=1)
    return float(unit.std(dim=0, correction=0).mean() * rows.shape[1] ** 0.5)


def alignment(left: Tensor, right: Tensor) -> float:
    """Mean squared distance of the unit vectors of true pairs, (N, D) each; 0 is perfect (arXiv 2005.10242)."""
    return float((normalize(left.double(), dim=1) - normalize(right.double(), dim=1)).square().sum(1).mean())


def uniformity(rows: Tensor) -> float:
    """log of the mean of exp(-2 d^2) over pairs of unit rows (N, D), N >= 2; more negative is more even (arXiv 2005.10242)."""
    distance = torch.pdist(normalize(rows.double(), dim=1))
    return float((-2 * distance.square()).exp().mean().log())


def health(rows: Tensor) -> dict[str, float]:
    """effective_rank, std, uniformity (not of one row) and the collapse flag (1.0 where the rank is below 5, or below half of few rows) of (N, D)."""
    rank = effective_rank(rows)
    limit = min(COLLAPSED_RANK, len(rows) / 2)
    even = {"uniformity": uniformity(rows)} if len(rows) > 1 else {}
    return {"effective_rank": rank, "std": spread(rows), **even, "collapsed": float(rank < limit)}
