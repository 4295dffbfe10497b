"""One pretraining run from settings to trained encoder: the unit that is cached, resumed and repeated over seeds and folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
import torch

from primus.models.encoder import ImuEncoder, InputContract
from primus.training.checkpoint import Checkpoint
from primus.training.distributed import World
from primus.training.loop import StepReport, TrainingResult, train, untrained
from primus.training.method import (
    EncoderSettings,
    MethodSettings,
    NegativeSettings,
    TemperatureSettings,
    make_encoder,
    make_objective,
    probed_representation,
)
from primus.training.resident import CPU, AlignedBy, ResidentSegments, thin_alignment
from primus.training.settings import TrainingSettings
from primus.work_cache import WorkCache

AFTER_TRAINING = frozenset({"primus.models.pretrained", "primus.models.model_card"})
"""Modules that the encoder's `save_pretrained` and `from_pretrained` import. They write and read a finished model; training state is tensors from
`state_dict` and never passes through them, so a sentence of the model card trains nothing again."""

DEFAULT_PROJECTION = 512  # width of the projections where the corpus has no embeddings to match


@dataclass(frozen=True)
class PretrainSettings(TrainingSettings):
    """Section `pretrain`: shared by every method, so that comparisons are of objectives alone.

    Attributes (beyond those of TrainingSettings):
        seeds: one run per seed and fold.
        encoder, temperature, negatives: see the classes.
        fraction_aligned, aligned_by: share of the training takes (or segments) that keep video and text.
        export: which weights leave the stage.
        device: "cpu", or "cuda" for the first GPU (one GPU per process).
        processes: processes of this machine that share every batch; the result is that of one up to rounding.
    """

    seeds: tuple[int, ...] = (0,)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    temperature: TemperatureSettings = field(default_factory=TemperatureSettings)
    negatives: NegativeSettings = field(default_factory=NegativeSettings)
    fraction_aligned: float = 1.0
    aligned_by: AlignedBy = "take"
    export: Literal["best", "last"] = "best"
    device: Literal["cpu", "cuda"] = "cpu"
    processes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"pretrain.seeds must be different whole numbers >= 0, found {list(self.seeds)}")
        if not 1 <= self.processes <= self.batch_size // 2:
            raise ValueError(f"pretrain.processes must lie in 1..batch_size/2 = {self.batch_size // 2}, found {self.processes}")
        if not 0 < self.fraction_aligned <= 1:
            raise ValueError(f"pretrain.fraction_aligned must lie in (0, 1], found {self.fraction_aligned}")


@dataclass(frozen=True)
class Run:
    """One trained encoder: `encoder` holds the last weights (CPU), `representation` names the output downstream tasks use."""

    seed: int
    fold: int
    encoder: ImuEncoder
    representation: str
    result: TrainingResult


@dataclass(frozen=True)
class Pretraining:
    """What the runs of one method share.

    Attributes:
        method, settings: what to train and how.
        data, inputs: the corpus and the contract of its windows.
        identity: of the files the corpus was read from; part of the place where a run's state is kept.
        threads: of the numeric libraries, on which the last bits depend.
    """

    method: MethodSettings
    settings: PretrainSettings
    data: ResidentSegments
    inputs: InputContract
    identity: tuple[str, ...]
    threads: int

    def checkpoint(self, seed: int, fold: int) -> Checkpoint:
        """Where the state of one run is kept: a place named by everything its weights depend on."""
        pretrain = {name: value for name, value in asdict(self.settings).items() if name not in ("seeds", "checkpoint_every_s", "export")}
        everything = {"method": asdict(self.method), "pretrain": pretrain, "threads": self.threads, "seed": seed, "fold": fold}
        cache = WorkCache("pretrain")
        return Checkpoint(cache, cache.key(self.identity, everything, "primus.training.run", AFTER_TRAINING))

    def run(
        self,
        seed: int,
        fold: int,
        rows: Mapping[str, np.ndarray],
        report: Callable[[StepReport], None] | None = None,
        world: World | None = None,
        device: torch.device = CPU,
    ) -> Run:
        """Train, continue or recall the encoder of one seed and fold.

        Args:
            seed, fold: which run.
            rows: {"train": (n,), "val": (m,)} int64 rows of the data.
            report: told of every step.
            world, device: this process among those that train together, and where it computes.

        Raises:
            primus.errors.UserError: see `train`.
        """
        settings, method = self.settings, self.method
        encoder = make_encoder(settings.encoder, self.data.embedding_dim or DEFAULT_PROJECTION, self.inputs, seed).to(device)
        available = self.data.modalities_of(rows["train"])
        objective = make_objective(method, settings.temperature, settings.negatives, available, settings.encoder.feature_dim, seed)
        if objective is None:
            result = untrained(encoder, len(rows["train"]))
        else:
            data = thin_alignment(self.data, rows["train"], settings.fraction_aligned, settings.aligned_by, seed).to(device)
            place = self.checkpoint(seed, fold)
            result = train(data, rows["train"], rows["val"], encoder, objective.to(device), settings, seed, place, report, world)
        return Run(seed, fold, encoder.cpu(), probed_representation(objective), result)
