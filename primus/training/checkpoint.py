"""Training state that survives a kill: everything the next step depends on, in one checksummed file written whole or not at all.

No random generator is part of it: every draw of the loop is seeded by its step, so the step number is the random state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from primus.models.feature_queue import FeatureQueue
from primus.work_cache import WorkCache


@dataclass
class Progress:
    """Where a run is: plain JSON values.

    Attributes:
        step: optimiser steps done.
        history: one row per validation so far.
        sums, rows: running sums of the training terms since the last validation, and the segments they cover.
        best_value, best_step: lowest validation loss and its step; None before the first.
        stale: validations since then.
        finished: whether the run is over.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    best_value: float | None = None
    best_step: int = 0
    stale: int = 0
    finished: bool = False


@dataclass
class TrainingState:
    """The objects of a run; `best` holds the encoder's weights at `progress.best_step`."""

    encoder: nn.Module
    objective: nn.Module
    optimiser: torch.optim.Optimizer
    queue: FeatureQueue | None
    best: dict[str, Tensor] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    def keep_best(self) -> None:
        """Remember the encoder's present weights as the best."""
        self.best = {name: value.detach().clone() for name, value in self.encoder.state_dict().items()}

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON values; a finished run keeps only its weights and history."""
        tensors = {f"encoder/{name}": value for name, value in self.encoder.state_dict().items()}
        tensors |= {f"objective/{name}": value for name, value in self.objective.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        if not self.progress.finished:
            for number, slots in self.optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser/{number}/{slot}": value for slot, value in slots.items()}
            if self.queue is not None:
                tensors |= {f"queue/{name}": value for name, value in self.queue.state().items()}
        return {name: value.detach().cpu().numpy() for name, value in tensors.items()}, asdict(self.progress)

    def unpack(self, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
        """Continue from what `pack` returned."""
        parts: dict[str, dict[str, Tensor]] = {}
        for name, array in arrays.items():
            kind, _, rest = name.partition("/")
            parts.setdefault(kind, {})[rest] = torch.from_numpy(np.array(array))
        self.encoder.load_state_dict(parts["encoder"])
        self.objective.load_state_dict(parts["objective"])
        device = next(self.encoder.parameters()).device
        self.best = {name: value.to(device) for name, value in parts.get("best", {}).items()}
        self.progress = Progress(**progress)
        if self.progress.finished:
            return
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in parts.get("optimiser", {}).items():
            number, _, slot = name.partition("/")
            slots.setdefault(int(number), {})[slot] = value
        self.optimiser.load_state_dict({"state": slots, "param_groups": self.optimiser.state_dict()["param_groups"]})
        if self.queue is not None:
            self.queue.load_state(parts["queue"])


@dataclass(frozen=True)
class Checkpoint:
    """Where one run's state lives; outside every DVC out, which DVC deletes before a run."""

    cache: WorkCache
    key: str

    def save(self, state: TrainingState) -> None:
        """Replace the stored state."""
        self.cache.store(self.key, *state.pack())

    def restore(self, state: TrainingState) -> bool:
        """Put the stored state into `state`; False where there is none (or it was damaged: then the run starts anew)."""
        entry = self.cache.load(self.key)
        if entry is None:
            return False
        state.unpack(*entry)
        return True
