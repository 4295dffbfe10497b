"""One forward pass of each kind of objective: from a batch of segments to named loss terms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from primus.augment import Transform, augment, one_of
from primus.losses.multitask import MultitaskObjective
from primus.losses.objective import PrimusObjective
from primus.models.encoder import EncoderOutput, ImuEncoder
from primus.models.feature_queue import FeatureQueue, Neighbours
from primus.models.rounding import arithmetic
from primus.training.distributed import World
from primus.training.resident import Batch
from primus.training.settings import TrainingSettings

Objective = PrimusObjective | MultitaskObjective


@dataclass(frozen=True)
class Pass:
    """Named terms with "total", and of how many rows each but the total is a mean; outputs on the plain windows and on their second view; what was
    retrieved."""

    terms: dict[str, Tensor]
    covered: dict[str, int]
    first: EncoderOutput | None = None
    second: EncoderOutput | None = None
    neighbours: Neighbours | None = None


def encode(encoder: ImuEncoder, x: Tensor, world: World, settings: TrainingSettings) -> EncoderOutput:
    """Encode windows x (R, 6, T), each process its share, and gather the outputs of all in float32."""
    with arithmetic(x.device.type, settings.precision):
        output = encoder(x[world.share(len(x))])
    return output.map(lambda part: world.gather(part.float(), len(x)))


def contrastive_pass(
    encoder: ImuEncoder,
    objective: PrimusObjective,
    batch: Batch,
    queue: FeatureQueue | None,
    settings: TrainingSettings,
    generator: Generator,
    world: World,
) -> Pass:
    """Encode the windows and, where it is needed, their second view as one batch of twice the size; retrieve; compute the terms."""
    size = len(batch)
    x = batch.imu  # (B, 6, T)
    if objective.uses_second_view:
        x = torch.cat([x, augment(x, settings.augment, generator)])  # (2B, 6, T)
    output = encode(encoder, x, world, settings)
    first = output.map(lambda part: part[:size])
    second = output.map(lambda part: part[size:]) if objective.uses_second_view else None
    neighbours = None if queue is None else objective.retrieve(queue, first, batch.embeddings, batch.present, batch.rows)
    terms = objective(first, second, batch.embeddings, batch.present, batch.rows, neighbours)
    return Pass(terms, objective.covered(batch.present, neighbours, size), first, second, neighbours)


def multitask_pass(
    encoder: ImuEncoder, objective: MultitaskObjective, batch: Batch, settings: TrainingSettings, generator: Generator, world: World
) -> Pass:
    """Two versions of every window, each transformed by none or one of the tasks' transformations; which one is to be told.

    So every head sees one positive to as many negatives as there are tasks, and a step encodes as many windows as a contrastive one.
    """
    x, applied = one_of(torch.cat([batch.imu, batch.imu]), [Transform(name) for name in objective.tasks], generator)
    output = encode(encoder, x, world, settings)
    terms = objective(output.feature, applied)
    return Pass(terms, dict.fromkeys(terms.keys() - {"total"}, len(batch)), output)


def forward_pass(
    encoder: ImuEncoder,
    objective: Objective,
    batch: Batch,
    queue: FeatureQueue | None,
    settings: TrainingSettings,
    generator: Generator,
    world: World,
) -> Pass:
    """Terms of one batch under either objective; the queue is read, never written."""
    if isinstance(objective, MultitaskObjective):
        return multitask_pass(encoder, objective, batch, settings, generator, world)
    return contrastive_pass(encoder, objective, batch, queue, settings, generator, world)
