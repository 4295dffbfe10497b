"""Several processes training one model: each encodes its share of the global batch, all see all projections.

Whatever follows the encoder (losses, queue, optimiser) is computed alike on every process from gathered projections, so that negatives are
global, the queue is equal everywhere, and gradients are those of one process with the same global batch.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()


def launched() -> bool:
    """Whether this process was started by torchrun."""
    return "LOCAL_RANK" in os.environ and "WORLD_SIZE" in os.environ


def die_with_parent() -> None:
    """Let the system kill this process as soon as the one that started it ends, however that ends (Linux; elsewhere nothing happens).

    Else ranks of a stage that was killed would train on, and write their result over that of the next run.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def launch(processes: int, module: str, arguments: Sequence[str]) -> int:
    """Run `python -m module arguments` in `processes` processes of this machine (torchrun); returns the exit status.

    Each process says its own errors; torchrun's account of them is left out, unless `LOGLEVEL` asks for it.
    """
    torchrun = [sys.executable, "-m", "primus.training.torchrun", "--standalone", f"--nproc-per-node={processes}"]
    environment = {"LOGLEVEL": "CRITICAL"} | os.environ
    return subprocess.run([*torchrun, "-m", module, *arguments], env=environment, preexec_fn=die_with_parent, check=False).returncode


@contextmanager
def world(device: str) -> Iterator[tuple[World, torch.device]]:
    """This process's world and its own device: of the group torchrun started (gloo on CPUs, NCCL on GPUs), or alone."""
    if not launched():
        yield World(), torch.device(device)
        return
    die_with_parent()
    local = int(os.environ["LOCAL_RANK"])
    if device == "cuda":
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size()), torch.device(f"cuda:{local}" if device == "cuda" else device)
    finally:
        dist.destroy_process_group()
