"""The published few-shot head: a linear layer on unit-length features, a few epochs of AdamW.

As in the authors' downstream scripts: AdamW, learning rate and weight decay 1e-4, 20 epochs, batches of 256, warm-up over at least ten steps, then
a cosine. The gradient of the cross entropy is written out, so that all episodes of one size are trained at once. With few shots that is a few
dozen steps of 1e-4: the head hardly leaves where it starts, which is why it starts from class prompts where it can.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from primus.evaluation.probes.probe import Preparation, ShotBatch
from primus.seeds import derived_seed

CHECK_EVERY = 5
"""Epochs between looks at the labelled validation set, where one is used."""

LEAST_WARMUP = 10
"""Steps of warm-up at least (a hundredth of all, where that is more)."""


@dataclass(frozen=True)
class SgdSettings:
    """Settings of the head `sgd`; the defaults are the published ones, except that neither prompts nor a validation set are used.

    Attributes:
        lr, weight_decay: of AdamW.
        epochs, batch_size: how long.
        start: weights before the first step: "random", or "prompts" (mean embeddings of each class's prompts; for methods that were trained with
            text, on the multimodal projection; random elsewhere).
        select: "last" epoch, or the one with the best accuracy on a labelled "validation" set, where the protocol has one.
    """

    lr: float = 1e-4
    weight_decay: float = 1e-4
    epochs: int = 20
    batch_size: int = 256
    start: Literal["random", "prompts"] = "random"
    select: Literal["last", "validation"] = "last"

    def __post_init__(self) -> None:
        if not self.lr > 0 or not self.weight_decay >= 0:
            raise ValueError(f"fewshot.sgd needs lr > 0 and weight_decay >= 0, found {self.lr} and {self.weight_decay}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"fewshot.sgd.{name} must be >= 1, found {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class SgdProbe:
    """The head as a probe.

    Attributes:
        settings: see the class.
        seed: of the order of shots and of random weights.
        start: (classes, D) weights to start from; None draws them as `torch.nn.Linear` does.
        validation: (V, D) unit-length features and (V,) classes to choose the epoch on; None takes the last.
    """

    settings: SgdSettings = SgdSettings()
    seed: int = 0
    start: Tensor | None = None
    validation: tuple[Tensor, Tensor] | None = None
    preparation: Preparation = "unit"

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        counts = shots.weights.sum(dim=1).long()
        scores = test.new_empty(len(counts), test.shape[1], shots.classes)
        for count in counts.unique().tolist():
            rows = torch.nonzero(counts == count)[:, 0]
            weights, biases = self._train(shots.features[rows, :count], shots.labels[rows, :count], shots.classes)
            tests = test if test.shape[0] == 1 else test[rows]
            scores[rows] = tests @ weights.transpose(1, 2) + biases[:, None, :]
        return scores

    def _train(self, features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Weights (B, classes, D) and biases (B, classes) of heads trained on (B, n, D) features."""
        batch, count, width = features.shape
        weights, biases = self._begin(batch, classes, width), features.new_zeros(batch, classes)
        optimiser = torch.optim.AdamW([weights, biases], lr=self.settings.lr, weight_decay=self.settings.weight_decay)
        size, step = self.settings.batch_size, 0
        steps = max(int(max(count / size, 1) * self.settings.epochs), 1)
        best, kept = features.new_full((batch,), -1.0), (weights.clone(), biases.clone())
        target = torch.nn.functional.one_hot(labels, classes).to(features)
        for epoch in range(self.settings.epochs):
            draw = torch.Generator().manual_seed(derived_seed(self.seed, "sgd", "order", count, epoch))
            for rows in torch.randperm(count, generator=draw).split(size):
                for group in optimiser.param_groups:
                    group["lr"] = self.settings.lr * schedule(step, steps)
                x = features[:, rows]
                error = (torch.softmax(x @ weights.transpose(1, 2) + biases[:, None, :], dim=2) - target[:, rows]) / len(rows)
                weights.grad, biases.grad = error.transpose(1, 2) @ x, error.sum(dim=1)
                optimiser.step()
                step += 1
            if self.validation is not None and ((epoch + 1) % CHECK_EVERY == 0 or epoch + 1 == self.settings.epochs):
                seen, truth = self.validation
                right = ((seen @ weights.transpose(1, 2) + biases[:, None, :]).argmax(dim=2) == truth).to(features).mean(dim=1)
                better = right > best
                best = torch.where(better, right, best)
                kept = (torch.where(better[:, None, None], weights, kept[0]), torch.where(better[:, None], biases, kept[1]))
        return kept if self.validation is not None else (weights, biases)

    def _begin(self, batch: int, classes: int, width: int) -> Tensor:
        if self.start is not None:
            return self.start.double().expand(batch, -1, -1).clone()
        draw = torch.Generator().manual_seed(derived_seed(self.seed, "sgd", "weights"))
        bound = 1 / math.sqrt(width)
        return torch.empty(classes, width, dtype=torch.float64).uniform_(-bound, bound, generator=draw).expand(batch, -1, -1).clone()


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate at `step` of `steps`: linear warm-up, then half a cosine to zero."""
    warmup = max(steps // 100, LEAST_WARMUP)
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * min((step - warmup) / max(steps - warmup, 1), 1.0))) / 2
