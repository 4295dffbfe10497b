"""Full fine-tuning: the encoder and a linear head trained together on the shots (and, from an untrained encoder, the supervised baseline).

A stated budget of optimiser steps, the same for every method; the learning rate is chosen within the shots of the episode: candidates train on
every other shot of each class, for a share of the budget, and the one with the lowest loss on the held-out shots trains on all.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from primus.evaluation.features import BATCH
from primus.evaluation.probes.sgd import schedule
from primus.evaluation.probes.standardise import moments
from primus.models.encoder import ImuEncoder
from primus.models.rounding import arithmetic
from primus.seeds import generator

CLIP_NORM = 1.0
"""Largest gradient norm."""


@dataclass(frozen=True)
class FinetuneSettings:
    """Settings of the head `finetune`.

    Attributes:
        steps: optimiser steps of the final training, at least.
        passes: over the shots, at least: many shots get more steps, else they would not be learnt. 0: `steps` it is.
        epochs: passes over the shots in place of both (the published schedule: 20), None for those.
        batch_size: shots in a step (all of them where there are fewer).
        lr: candidates, increasing; with a single shot in some class there is nothing to choose on and the middle one is taken.
        trial_share: share of the budget that each candidate is tried for.
        weight_decay: of AdamW.
        precision: "float32", or "bfloat16" for the encoder's matrix products while it is trained (weights and the head stay float32).
    """

    steps: int = 100
    passes: int = 0
    epochs: int | None = None
    batch_size: int = 32
    lr: tuple[float, ...] = (0.0003, 0.001, 0.003)
    trial_share: float = 0.25
    weight_decay: float = 1e-4
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("passes", 0), ("epochs", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"fewshot.finetune.{name} must be >= {least}, found {value}")
        if not self.lr or min(self.lr) <= 0 or list(self.lr) != sorted(set(self.lr)):
            raise ValueError(f"fewshot.finetune.lr must be increasing rates > 0, found {list(self.lr)}")
        if not 0 < self.trial_share <= 1:
            raise ValueError(f"fewshot.finetune.trial_share must lie in (0, 1], found {self.trial_share}")
        if not self.weight_decay >= 0:
            raise ValueError(f"fewshot.finetune.weight_decay must be >= 0, found {self.weight_decay}")

    def budget(self, shots: int) -> int:
        """Optimiser steps for so many shots."""
        per_pass = math.ceil(shots / self.batch_size)
        return max(self.steps, self.passes * per_pass) if self.epochs is None else self.epochs * per_pass


class Classifier(nn.Module):
    """An encoder's feature, brought to unit scale by fixed moments, and a linear layer that starts at zero."""

    def __init__(self, encoder: ImuEncoder, imu: Tensor, classes: int) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).train()
        self.head = nn.Linear(encoder.feature_dim, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            mean, deviation = moments(self.encoder.feature(imu), torch.ones(len(imu)))
        self.mean, self.deviation = mean, deviation

    def forward(self, imu: Tensor, precision: str = "float32") -> Tensor:
        """Class scores (B, classes) of windows (B, 6, T), with the encoder computing in `precision`."""
        with arithmetic(imu.device.type, precision):
            feature = self.encoder.feature(imu)
        return self.head((feature.float() - self.mean) / self.deviation)


def train_classifier(
    encoder: ImuEncoder, imu: Tensor, labels: Tensor, classes: int, *, lr: float, steps: int, settings: FinetuneSettings, seed: int
) -> Classifier:
    """Train a copy of `encoder` and a head on shots (n, 6, T) float32 with labels (n,); equal arguments give equal weights on one thread."""
    model = Classifier(encoder, imu, classes)
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=lr)
    draw = generator(seed, "finetune", "order")
    size = min(settings.batch_size, len(imu))
    queue = np.empty(0, dtype=np.int64)
    for step in range(steps):
        if len(queue) < size:
            queue = np.concatenate([queue, draw.permutation(len(imu))])
        rows, queue = torch.from_numpy(queue[:size]), queue[size:]
        for group in optimiser.param_groups:
            group["lr"] = lr * schedule(step, steps)
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(imu[rows], settings.precision), labels[rows]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
    return model


@torch.inference_mode()
def class_scores(model: Classifier, imu: np.ndarray) -> Tensor:
    """Scores (T, classes) float64 of windows (T, 6, samples), in batches of fixed size."""
    model.eval()
    blocks = [torch.from_numpy(np.ascontiguousarray(imu[start : start + BATCH], dtype=np.float32)) for start in range(0, len(imu), BATCH)]
    return torch.cat([model(block).double() for block in blocks])


def chosen_rate(encoder: ImuEncoder, imu: Tensor, labels: Tensor, classes: int, settings: FinetuneSettings, seed: int) -> float:
    """The candidate with the lowest loss on every second shot of each class when trained on the others; ties go to the lower rate."""
    middle = settings.lr[(len(settings.lr) - 1) // 2]
    member = nn.functional.one_hot(labels, classes)
    if len(settings.lr) == 1 or int(member.sum(dim=0).min()) < 2:
        return middle
    fitted = ((member.cumsum(dim=0) * member).sum(dim=1) % 2) == 1
    steps = max(1, math.ceil(settings.trial_share * settings.budget(int(fitted.sum()))))
    losses = []
    for lr in settings.lr:
        model = train_classifier(encoder, imu[fitted], labels[fitted], classes, lr=lr, steps=steps, settings=settings, seed=seed)
        losses.append(float(nn.functional.cross_entropy(class_scores(model, imu[~fitted].numpy()), labels[~fitted])))
    return settings.lr[int(np.nanargmin(losses))] if np.isfinite(losses).any() else middle


def finetuned_scores(
    encoder: ImuEncoder,
    shots: np.ndarray,
    labels: np.ndarray,
    classes: int,
    test: np.ndarray,
    settings: FinetuneSettings,
    names: Sequence[str | int],
    seed: int,
) -> Tensor:
    """Class scores (T, classes) float64 of the test windows after training on the shots.

    Args:
        encoder: left as it is.
        shots, labels: (n, 6, samples) and (n,) int64; every class occurs.
        test: (T, 6, samples).
        settings: budget and candidates.
        names, seed: identify the draw of the order of shots.

    Raises:
        ArithmeticError: training diverged.
    """
    imu, truth = torch.from_numpy(np.ascontiguousarray(shots, dtype=np.float32)), torch.from_numpy(labels.astype(np.int64))
    own = int(generator(seed, "finetune", *names).integers(2**31))
    lr = chosen_rate(encoder, imu, truth, classes, settings, own)
    model = train_classifier(encoder, imu, truth, classes, lr=lr, steps=settings.budget(len(imu)), settings=settings, seed=own)
    scores = class_scores(model, test)
    if not bool(torch.isfinite(scores).all()):
        raise ArithmeticError(f"fine-tuning diverged at lr {lr:g}")
    return scores
