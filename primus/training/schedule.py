"""Step -> learning rate."""

from __future__ import annotations

import math
from typing import Literal

ScheduleKind = Literal["constant", "cosine"]


def learning_rate(step: int, total: int, peak: float, kind: ScheduleKind, warmup: float) -> float:
    """Learning rate of step `step` (from 0) of `total`.

    Args:
        step, total: position in the run.
        peak: largest learning rate.
        kind: "constant", or "cosine" falling to 0 at the end (arXiv 1608.03983, one cycle).
        warmup: share of the run in which the rate rises linearly to its peak, in [0, 1).
    """
    rising = math.ceil(warmup * total)
    if step < rising:
        return peak * (step + 1) / rising
    if kind == "constant":
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))
