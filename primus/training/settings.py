"""Everything about a pretraining run that is not the objective's own: one frozen value, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from primus.augment import Transform
from primus.training.schedule import ScheduleKind


@dataclass(frozen=True)
class OptimiserSettings:
    """Optimiser and its schedule.

    Attributes:
        name: "adam" or "adamw".
        lr, temperature_lr: peak learning rates of the network and of the temperatures.
        weight_decay: of the network's matrices (temperatures, biases and norms have none under "adamw").
        schedule, warmup: see `primus.training.schedule.learning_rate`.
        clip_norm: largest gradient norm; 0 means no clipping.
    """

    name: Literal["adam", "adamw"] = "adamw"
    lr: float = 1e-3
    temperature_lr: float = 1e-3
    weight_decay: float = 1e-4
    schedule: ScheduleKind = "cosine"
    warmup: float = 0.05
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lr", "temperature_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"pretrain.optimiser.{name} must be > 0, found {getattr(self, name)}")
        for name in ("weight_decay", "clip_norm"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"pretrain.optimiser.{name} must be >= 0, found {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"pretrain.optimiser.warmup is a share of the run in [0, 1), found {self.warmup}")


@dataclass(frozen=True)
class TrainingSettings:
    """One run.

    Attributes:
        batch_size: segments per step (capped at the number there are).
        steps, epochs: budget; the run ends at whichever comes first, None means no limit of that kind.
        optimiser: see `OptimiserSettings`.
        augment: composition that makes the second view.
        queue_capacity: segments kept for neighbour search; None means 8192, or a quarter of the training segments where there are fewer
            than four times that.
        validate_every: epochs between validations.
        patience: validations without improvement after which the run ends; 0 means never.
        precision: "float32", or "bfloat16" for the encoder's matrix products (weights and losses stay float32).
        compile: whether the encoder goes through `torch.compile`: the same up to rounding, slower on the CPUs tried (docs/deviations.md).
        checkpoint_every_s: seconds of work between checkpoints.
    """

    batch_size: int = 256
    steps: int | None = None
    epochs: int | None = None
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    augment: tuple[Transform, ...] = (Transform("scaling"), Transform("time_reversal"))
    queue_capacity: int | None = None
    validate_every: int = 1
    patience: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    checkpoint_every_s: float = 30.0

    def __post_init__(self) -> None:
        if self.steps is None and self.epochs is None:
            raise ValueError("pretrain needs a budget: set pretrain.steps or pretrain.epochs")
        for name, least in (("batch_size", 2), ("steps", 1), ("epochs", 1), ("queue_capacity", 1), ("validate_every", 1), ("patience", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"pretrain.{name} must be >= {least}, found {value}")
        if not self.checkpoint_every_s >= 0:
            raise ValueError(f"pretrain.checkpoint_every_s must be >= 0, found {self.checkpoint_every_s}")

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimiser steps of the run."""
        limits = [self.steps, None if self.epochs is None else self.epochs * steps_per_epoch]
        return min(limit for limit in limits if limit is not None)

    def capacity(self, segments: int) -> int:
        """Queue capacity for that many training segments."""
        if self.queue_capacity is not None:
            return self.queue_capacity
        return 8192 if segments >= 4 * 8192 else max(1, segments // 4)
