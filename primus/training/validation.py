"""Validation loss and health of an encoder, the same for the same weights: fixed batches, fixed views, the queue read but not written."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from primus.losses.multitask import MultitaskObjective
from primus.losses.objective import PrimusObjective
from primus.models.encoder import ImuEncoder
from primus.models.feature_queue import FeatureQueue
from primus.seeds import derived_seed, generator
from primus.training.distributed import World
from primus.training.forward import Objective, Pass, forward_pass
from primus.training.health import alignment, health
from primus.training.resident import ResidentSegments
from primus.training.settings import TrainingSettings

HEALTH_ROWS = 1024  # enough for 512 dimensions, and a small fixed cost


@torch.no_grad()
def validate(
    encoder: ImuEncoder,
    objective: Objective,
    data: ResidentSegments,
    rows: np.ndarray,
    queue: FeatureQueue | None,
    settings: TrainingSettings,
    seed: int,
    world: World,
) -> dict[str, float]:
    """Mean terms ("val/<term>") over `rows` (n,) int64 and health of every trained representation ("health/<name>/<number>").

    A term is the mean over the rows that have what it needs, "val/total" the weighted sum of such means; both are absent where no row has it.
    Batches and augmentations are drawn from `seed` alone, so that two validations differ by the weights (and the queue) only. Where a term is not
    finite there is no health.
    """
    order = generator(seed, "validation").permutation(rows)
    batches = np.array_split(order, -(-len(order) // settings.batch_size))
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    sample: list[dict[str, Tensor]] = []
    encoder.eval()
    draws = torch.Generator()
    for number, index in enumerate(batches):
        draws.manual_seed(derived_seed(seed, "validation view", number))
        batch = data.batch(index)
        done = forward_pass(encoder, objective, batch, queue, settings, draws, world)
        for name, count in done.covered.items():
            sums[name] = sums.get(name, 0.0) + (float(done.terms[name]) * count if count else 0.0)
            counts[name] = counts.get(name, 0) + count
        if number * settings.batch_size < HEALTH_ROWS:
            sample.append(_representations(objective, done) | {f"{name} embedding": batch.embeddings[name] for name in batch.embeddings})
            sample[-1] |= {f"{name} present": batch.present[name] for name in batch.present}
    encoder.train()
    means = {name: value / counts[name] for name, value in sums.items() if counts[name]}
    if means:
        weights = objective.weights if isinstance(objective, PrimusObjective) else dict.fromkeys(means, 1.0)
        means["total"] = sum(weights[name] * value for name, value in means.items())
    terms = {f"val/{name}": value for name, value in means.items()}
    return terms | _health(objective, _joined(sample)) if all(map(math.isfinite, means.values())) else terms


def _representations(objective: Objective, done: Pass) -> dict[str, Tensor]:
    """What the objective trains, by name, and the second view where there is one."""
    assert done.first is not None
    if isinstance(objective, MultitaskObjective):
        return {"feature": done.first.feature}
    found = {name: getattr(done.first, name) for name in objective.trained_projections}
    if done.second is not None:
        found["second view"] = done.second.self_supervised
    return found


def _joined(sample: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in sample])[:HEALTH_ROWS].cpu() for name in sample[0]}


def _health(objective: Objective, seen: dict[str, Tensor]) -> dict[str, float]:
    """Health numbers by representation; alignment is with the second view (f_ss) or with the frozen embeddings (f_mm)."""
    numbers: dict[str, dict[str, float]] = {name: health(seen[name]) for name in ("feature", "self_supervised", "multimodal") if name in seen}
    if "second view" in seen:
        numbers["self_supervised"]["alignment"] = alignment(seen["self_supervised"], seen["second view"])
    if "multimodal" in seen and isinstance(objective, PrimusObjective):
        for name in objective.modalities:
            has = seen[f"{name} present"]
            if bool(has.any()):
                numbers["multimodal"][f"alignment_{name}"] = alignment(seen["multimodal"][has], seen[f"{name} embedding"][has])
    return {f"health/{name}/{number}": value for name, values in numbers.items() for number, value in values.items()}
