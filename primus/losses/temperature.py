"""Learnable temperature of a contrastive term."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

TemperatureKind = Literal["log_clamped", "raw"]


class Temperature(nn.Module):
    """A positive scalar learned with the network.

    Args:
        kind: "log_clamped" learns log(1/tau) and `project` keeps tau within [low, high], as CLIP does (arXiv 2103.00020); "raw"
            learns tau itself without bounds, as the released PRIMUS code does (it can reach 0, where the loss is not a number).
        start: initial tau.
        low, high: bounds of "log_clamped".

    Raises:
        ValueError: start outside (0, inf) or, for "log_clamped", outside [low, high].
    """

    def __init__(self, kind: TemperatureKind = "log_clamped", start: float = 0.1, low: float = 0.01, high: float = 1.0) -> None:
        super().__init__()
        if kind not in ("log_clamped", "raw"):
            raise ValueError(f"temperature must be 'log_clamped' or 'raw', found {kind!r}")
        if not (start > 0 and math.isfinite(start)):
            raise ValueError(f"the starting temperature must be > 0, found {start}")
        if kind == "log_clamped" and not 0 < low <= start <= high:
            raise ValueError(f"the starting temperature must lie within its bounds [{low}, {high}], found {start}")
        self.kind: TemperatureKind = kind
        self.low, self.high = low, high
        self.parameter = nn.Parameter(torch.tensor(math.log(1 / start) if kind == "log_clamped" else start))

    def forward(self) -> Tensor:
        """tau, shape ()."""
        return torch.exp(-self.parameter) if self.kind == "log_clamped" else self.parameter

    @torch.no_grad()
    def project(self) -> None:
        """Move the parameter back inside its bounds; call after every optimiser step (so that its gradient never dies at a bound)."""
        if self.kind == "log_clamped":
            self.parameter.clamp_(math.log(1 / self.high), math.log(1 / self.low))
