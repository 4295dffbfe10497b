"""Several processes training one model: each encodes its share of the global batch, all see all projections.

Whatever follows the encoder (losses, queue, optimiser) is computed alike on every process from gathered projections, so that negatives are
global, the queue is equal everywhere, and gradients are those of one process with the same global batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor


class _Gather(torch.autograd.Function):
    """All processes' rows in rank order; backward keeps the gradient of this process's rows."""

    @staticmethod
    def forward(context: Any, rows: Tensor, sizes: list[int], rank: int) -> Tensor:
        context.span = (sum(sizes[:rank]), sum(sizes[: rank + 1]))
        largest = max(sizes)
        padded = torch.cat([rows, rows.new_zeros(largest - len(rows), *rows.shape[1:])])  # collectives need equal shapes
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded.contiguous())
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        start, stop = context.span
        return gradients[0][start:stop], None, None


@dataclass(frozen=True)
class World:
    """This process among `size`; a world of one does nothing."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> World:
        """The initialised process group, or a world of one."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else cls()

    def sizes(self, rows: int) -> list[int]:
        """How many of `rows` rows each process encodes (near-equal)."""
        return [len(part) for part in np.array_split(np.arange(rows), self.size)]

    def share(self, rows: int) -> slice:
        """The rows this process encodes."""
        sizes = self.sizes(rows)
        return slice(sum(sizes[: self.rank]), sum(sizes[: self.rank + 1]))

    def gather(self, rows: Tensor, total: int) -> Tensor:
        """Rows of all processes (total, ...) from this process's share, differentiable."""
        if self.size == 1:
            return rows
        return _Gather.apply(rows, self.sizes(total), self.rank)

    def combine_gradients(self, sharded: Iterable[torch.nn.Parameter], replicated: Iterable[torch.nn.Parameter]) -> None:
        """Sum over processes the gradients of parameters before the gather, average (equal) ones after it."""
        if self.size == 1:
            return
        for parameters, divisor in ((sharded, 1), (replicated, self.size)):
            for parameter in parameters:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)
                    parameter.grad.div_(divisor)

    def agree(self, value: bool) -> bool:
        """What the first process says, on every process."""
        if self.size == 1:
            return value
        holder = torch.tensor([int(value)])
        dist.broadcast(holder, 0)
        return bool(holder.item())
