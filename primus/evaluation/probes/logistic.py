"""L2-regularised multinomial logistic regression, solved for many episodes at once.

The problem is scikit-learn's: minimise  C * sum_i w_i * cross_entropy_i + 1/2 ||W||^2  with an unpenalised intercept. It is divided by
C * n here, so that the objective is the mean loss. Solved by a truncated Newton method (Newton-CG; Nocedal and Wright, Numerical
Optimization, 2nd ed., section 7.1) whose inner conjugate gradients use only products with the data. Two exact changes of variables make it
quick: features are centred (the intercept takes up the shift) and expressed in their principal axes (the penalty is invariant to rotation), of
which there are at most as many as shots, and in which a diagonal preconditioner is close to the Hessian.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from primus.evaluation.probes.probe import Preparation, ShotBatch

RANK_EPS = 1e-12
"""Principal axes with less than this share of the largest variance are numerically empty."""


@dataclass(frozen=True)
class Solution:
    """Weights (B, D, K), intercepts (B, K), objective (B,) and the estimate (B,) of how far it lies above the optimum."""

    weights: Tensor
    intercepts: Tensor
    objective: Tensor
    gap: Tensor


@dataclass(frozen=True)
class LogisticProbe:
    """Logistic regression as a probe.

    Attributes:
        c: inverse strength of the penalty, as in scikit-learn (> 0).
        gap: solve until the objective lies within this of its optimum, as bounded by the squared gradient over twice the
            penalty's strength (a bound for the penalised weights; the tests compare with scikit-learn's optimum).
        steps: most Newton steps.
    """

    c: float = 1.0
    gap: float = 1e-6
    steps: int = 100
    preparation: Preparation = "standardised"

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        solution = self.fit(shots)
        return test @ solution.weights + solution.intercepts[:, None, :]

    def fit(self, shots: ShotBatch) -> Solution:
        """Solve every episode of the batch; raises ArithmeticError if one does not reach `gap` within `steps`."""
        counts = shots.weights.sum(dim=1)
        centre = (shots.features * shots.weights[..., None]).sum(dim=1, keepdim=True) / counts[:, None, None]
        centred = (shots.features - centre) * shots.weights[..., None]
        rotated, axes = principal_axes(centred)
        theta, objective, gap = self._newton(rotated, shots, counts)
        weights = axes @ theta[..., :-1].transpose(1, 2)
        intercepts = theta[..., -1] - (centre @ weights)[:, 0]
        return Solution(weights, intercepts, objective, gap)

    def _newton(self, rotated: Tensor, shots: ShotBatch, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minimise over theta (B, K, r + 1); its last column is the intercept.

        Classes come before rows throughout: with few classes, products of that shape read the data several times faster than their
        transposes. Search directions are found in float32, objective and gradient in float64: the tolerance is that of the gradient.
        """
        target = shots.one_hot().transpose(1, 2)  # (B, K, n)
        batch, rows, _ = rotated.shape
        data = torch.cat([rotated, rotated.new_ones(batch, rows, 1)], dim=2)  # (B, n, r + 1)
        across = data.transpose(1, 2).contiguous()
        squared, coarse = data.square(), (data.float(), across.float())
        share = (shots.weights / counts[:, None])[:, None, :]  # (B, 1, n): weight of a row in the mean loss
        ridge = 1 / (self.c * counts)  # (B,): the objective is strongly convex in the weights with this modulus
        penalty = ridge[:, None, None].expand(batch, 1, data.shape[2]).clone()
        penalty[..., -1] = 0

        def objective(theta: Tensor) -> tuple[Tensor, Tensor]:
            log_p = torch.log_softmax(theta @ across, dim=1)
            loss = -(log_p * target * share).sum(dim=(1, 2)) + 0.5 * (penalty * theta.square()).sum(dim=(1, 2))
            return loss, log_p.exp()

        theta = data.new_zeros(batch, shots.classes, data.shape[2])
        value, p = objective(theta)
        for _ in range(self.steps):
            gradient = ((p - target) * share) @ data + penalty * theta
            size = gradient.flatten(1).norm(dim=1)
            gap = size.square() / (2 * ridge)
            active = gap > self.gap
            if not active.any():
                return theta, value, gap
            curvature = (p * (1 - p) * share) @ squared + penalty
            step = _conjugate_gradients(
                *coarse,
                p.float(),
                share.float(),
                penalty.float(),
                gradient.float(),
                curvature.clamp_min(1e-12).float(),
                tolerance=(size.sqrt().clamp_max(0.25) * size).float(),
                active=active,
            ).double()
            slope = (gradient * step).sum(dim=(1, 2))
            theta, value, p = _line_search(objective, theta, step, value, p, slope=slope, active=active)
        raise ArithmeticError(
            f"logistic probe: {int(active.sum())} of {batch} fits lie more than {self.gap} above their optimum after {self.steps} steps"
        )


def principal_axes(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (B, n, r) of centred rows (B, n, D) in their principal axes (B, D, r), r = min(n, D); empty axes are zero."""
    _, rows, width = centred.shape
    if rows < width:
        variance, left = torch.linalg.eigh(centred @ centred.transpose(1, 2))
        full = variance > RANK_EPS * variance[:, -1:].clamp_min(1e-300)
        length = variance.clamp_min(0).sqrt()
        axes = centred.transpose(1, 2) @ (left * torch.where(full, 1 / length.clamp_min(1e-150), 0.0)[:, None, :])
        return left * torch.where(full, length, 0.0)[:, None, :], axes
    _, axes = torch.linalg.eigh(centred.transpose(1, 2) @ centred)
    return centred @ axes, axes


def _conjugate_gradients(
    data: Tensor,
    across: Tensor,
    p: Tensor,
    share: Tensor,
    penalty: Tensor,
    gradient: Tensor,
    preconditioner: Tensor,
    *,
    tolerance: Tensor,
    active: Tensor,
) -> Tensor:
    """Approximately solve  Hessian @ step = -gradient  for every active problem; inactive ones get a zero step.

    `data` is (B, n, r), `across` its transpose laid out contiguously, `p` (B, K, n), `gradient` and the result (B, K, r).
    """
    weighted = p * share
    step = torch.zeros_like(gradient)
    residual = -gradient
    search = residual / preconditioner
    product = (residual * search).sum(dim=(1, 2))
    for _ in range(4 * gradient.shape[2]):
        image = search @ across
        image = weighted * (image - (p * image).sum(dim=1, keepdim=True))
        image = image @ data + penalty * search
        bend = (search * image).sum(dim=(1, 2))
        active = active & (bend > 0)  # a direction without curvature: only the common shift of all intercepts has none
        length = torch.where(active, product / torch.where(active, bend, 1.0), 0.0)[:, None, None]
        step = step + length * search
        residual = residual - length * image
        active = active & (residual.flatten(1).norm(dim=1) > tolerance)
        if not active.any():
            break
        scaled = residual / preconditioner
        renewed = (residual * scaled).sum(dim=(1, 2))
        search = scaled + torch.where(active, renewed / torch.where(active, product, 1.0), 0.0)[:, None, None] * search
        product = renewed
    return step


def _line_search(
    objective: Callable[[Tensor], tuple[Tensor, Tensor]],
    theta: Tensor,
    step: Tensor,
    value: Tensor,
    p: Tensor,
    *,
    slope: Tensor,
    active: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Halve the step of every active problem until the objective falls enough (Armijo); inactive problems stay where they are."""
    length = active.to(value.dtype)
    for _ in range(40):
        moved = theta + length[:, None, None] * step
        new_value, new_p = objective(moved)
        poor = active & (new_value > value + 1e-4 * length * slope + 1e-15 * value.abs())
        if not poor.any():
            break
        length = torch.where(poor, length / 2, length)
    return moved, torch.where(active, new_value, value), torch.where(active[:, None, None], new_p, p)
