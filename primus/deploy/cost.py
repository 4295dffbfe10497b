"""What an exported encoder costs: bytes, multiply-accumulates, and milliseconds for one window on one core."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from primus.deploy.portable import PortableEncoder, UnrolledGru
from primus.models.encoder import WIDTH, ImuEncoder

WARM_UP = 20
REPEATS = 200


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one window: the median, and what 95 of 100 calls stay below."""

    p50_ms: float
    p95_ms: float


def multiply_accumulates(encoder: ImuEncoder, projection: bool = True) -> int:
    """Products summed for one window: of convolutions, pooling, recurrence and head; normalisation and gates are not counted."""
    portable = PortableEncoder(encoder, "unrolled", projection)
    counts: list[int] = []

    def counted(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv1d)
        counts.append(output.shape[2] * layer.weight.numel())

    for part in portable.front.modules():
        if isinstance(part, nn.Conv1d):
            part.register_forward_hook(counted)
    with torch.no_grad():
        steps = portable.front(torch.zeros(1, 6, encoder.inputs.samples))
    recurrence = portable.recurrence
    assert isinstance(recurrence, UnrolledGru)
    counts += [steps.numel() * WIDTH, WIDTH * recurrence.into.numel(), (WIDTH - 1) * recurrence.recurrent.numel()]
    if portable.head is not None:
        counts += [part.weight.numel() for part in portable.head.modules() if isinstance(part, nn.Linear)]
    return sum(counts)


def latency(run: Callable[[NDArray[np.float32]], object], window: NDArray[np.float32], repeats: int = REPEATS) -> Latency:
    """Time `run` on one window (1, 6, T) again and again, after warming up."""
    for _ in range(WARM_UP):
        run(window)
    spent = np.empty(repeats)
    for number in range(repeats):
        began = time.perf_counter()
        run(window)
        spent[number] = 1000 * (time.perf_counter() - began)
    return Latency(float(np.median(spent)), float(np.quantile(spent, 0.95)))
