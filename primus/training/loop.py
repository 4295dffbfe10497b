"""The pretraining loop: one optimisation step, top to bottom, with validation, checkpoints and an exact resume around it."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from primus.errors import UserError
from primus.losses.objective import PrimusObjective
from primus.losses.temperature import Temperature
from primus.models.encoder import ImuEncoder
from primus.models.rows import Rows, kinds
from primus.seeds import derived_seed, generator
from primus.training.checkpoint import Checkpoint, Progress, TrainingState
from primus.training.distributed import World
from primus.training.forward import Objective, Pass, forward_pass
from primus.training.resident import EpochOrder, ResidentSegments
from primus.training.schedule import learning_rate
from primus.training.settings import OptimiserSettings, TrainingSettings
from primus.training.validation import validate

MONITORED_ROWS = 512  # of the training segments, for health where there is no validation split


@dataclass(frozen=True)
class StepReport:
    """What the caller is told after every step: steps done and to do, segments in the step, unweighted terms with "total"."""

    step: int
    total_steps: int
    segments: int
    terms: dict[str, float]


@dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Attributes:
        best, last: the encoder's weights at the lowest validation loss and at the end (CPU; the same where there is no validation, or where no
            validation segment has what the objective needs).
        progress: history (one row per validation) and where the best one was.
        facts: what the run was in numbers: segments, steps, sizes.
    """

    best: dict[str, Tensor]
    last: dict[str, Tensor]
    progress: Progress
    facts: dict[str, int]


def train(
    data: ResidentSegments,
    train_rows: np.ndarray,
    val_rows: np.ndarray,
    encoder: ImuEncoder,
    objective: Objective,
    settings: TrainingSettings,
    seed: int,
    checkpoint: Checkpoint | None = None,
    report: Callable[[StepReport], None] | None = None,
    world: World | None = None,
) -> TrainingResult:
    """Train `encoder` (in place) with `objective` on rows of `data`.

    Every random draw is seeded by `seed` and the step it belongs to, so a run continued from `checkpoint` ends with the weights of one that
    was never interrupted (bit for bit on a CPU with a fixed number of threads).

    Args:
        data: all segments.
        train_rows, val_rows: (n,) and (m,) int64; without validation rows the last weights are the best.
        encoder, objective: freshly made, on `data.device`.
        settings: budget, batch, optimiser, views.
        seed: of data order, views and validation.
        checkpoint: where state is kept; None keeps none.
        report: called after every step.
        world: this process among several that train together.

    Raises:
        UserError: fewer than two segments, a term or gradient that is not finite (the stored state stays the last good one), or nothing that
            could compile the encoder.
    """
    world = world or World()
    if len(train_rows) < 2:
        raise UserError(f"pretraining needs at least 2 training segments, found {len(train_rows)}; see rejects.parquet and segment.splits")
    order = EpochOrder(train_rows, settings.batch_size, seed)
    total_steps = settings.total_steps(order.steps_per_epoch)
    optimiser = make_optimiser(encoder, objective, settings.optimiser)
    queue = None
    if isinstance(objective, PrimusObjective) and objective.uses_queue:
        queue = objective.make_queue(settings.capacity(len(train_rows)), encoder.projection_dim, data.embedding_dim, data.device)
    state = TrainingState(encoder, objective, optimiser, queue)
    kept = False
    if checkpoint is not None:
        world.wait()  # whatever another run of these processes stored is complete
        kept = checkpoint.restore(state)
        world.wait()  # nobody stores before everyone has read
    progress = state.progress
    monitored = val_rows if len(val_rows) else generator(seed, "monitor").permutation(train_rows)[:MONITORED_ROWS]
    temperatures = [module for module in objective.modules() if isinstance(module, Temperature)]
    network = [parameter for parameter in [*encoder.parameters(), *objective.parameters()] if not _is_temperature(parameter, temperatures)]
    draws = torch.Generator()
    if settings.compile:
        compile_encoder(encoder, data.device)
    encoder.train()
    saved_at = time.monotonic()

    while not progress.finished:
        step = progress.step
        batch = data.batch(order.batch(step))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, total_steps, group["peak"], settings.optimiser.schedule, settings.optimiser.warmup)

        draws.manual_seed(derived_seed(seed, "view", step))
        done = forward_pass(encoder, objective, batch, queue, settings, draws, world)
        terms = {name: value.item() for name, value in done.terms.items()}
        _require_finite(terms, step, kept)

        optimiser.zero_grad(set_to_none=True)
        done.terms["total"].backward()
        world.combine_gradients(encoder.parameters(), objective.parameters())
        norm = nn.utils.clip_grad_norm_(network, settings.optimiser.clip_norm or math.inf).item()
        _require_finite({"gradient norm": norm}, step, kept)
        optimiser.step()
        for temperature in temperatures:
            temperature.project()
        if queue is not None and isinstance(objective, PrimusObjective) and done.first is not None:
            objective.enqueue(queue, done.first, batch.embeddings, batch.present, batch.rows)

        _tally(progress, done, terms, batch.rows)
        progress.step += 1
        if progress.step % (order.steps_per_epoch * settings.validate_every) == 0 or progress.step == total_steps:
            measured = validate(encoder, objective, data, monitored, queue, settings, seed, world)
            _require_finite({name: value for name, value in measured.items() if name.startswith("val/")}, step, kept)
            _record(state, measured, order, optimiser.param_groups[0]["lr"], bool(len(val_rows)) and "val/total" in measured)
            out_of_patience = settings.patience > 0 and progress.stale >= settings.patience
            progress.finished = progress.step == total_steps or out_of_patience
        if report is not None:
            report(StepReport(progress.step, total_steps, len(batch), terms))
        if checkpoint is not None and world.rank == 0 and (progress.finished or time.monotonic() - saved_at >= settings.checkpoint_every_s):
            checkpoint.save(state)
            kept = True
            saved_at = time.monotonic()

    facts = {
        "train_segments": len(train_rows),
        "val_segments": len(val_rows),
        "batch_size": order.batch_size,
        "steps": progress.step,
        "steps_per_epoch": order.steps_per_epoch,
        "queue_capacity": queue.capacity if queue is not None else 0,
        "best_step": progress.best_step,
    }
    last = {name: value.detach().cpu().clone() for name, value in encoder.state_dict().items()}
    return TrainingResult({name: value.cpu() for name, value in state.best.items()}, last, progress, facts)


def untrained(encoder: ImuEncoder, segments: int) -> TrainingResult:
    """The result of a run of no steps: the weights as they are."""
    weights = {name: value.detach().cpu().clone() for name, value in encoder.state_dict().items()}
    progress = Progress(history=[{"step": 0.0, "epoch": 0.0}], finished=True)
    return TrainingResult(weights, weights, progress, {"train_segments": segments, "steps": 0})


def compile_encoder(encoder: ImuEncoder, device: torch.device) -> None:
    """Let calls of the encoder go through `torch.compile`; names and values of its weights stay. UserError where a CPU has no C++ compiler."""
    chosen = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(chosen) is None:
        raise UserError(
            f"pretrain.compile needs a C++ compiler, and {chosen} is not there; install it, name another in CXX, or leave pretrain.compile out"
        )
    encoder.compile()


def make_optimiser(encoder: ImuEncoder, objective: Objective, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Adam or AdamW over three groups: matrices, vectors (no weight decay under "adamw") and temperatures (their own learning rate)."""
    temperatures = [module for module in objective.modules() if isinstance(module, Temperature)]
    network = [parameter for parameter in [*encoder.parameters(), *objective.parameters()] if not _is_temperature(parameter, temperatures)]
    vectors_decay = settings.weight_decay if settings.name == "adam" else 0.0
    groups = [
        {"params": [p for p in network if p.ndim > 1], "peak": settings.lr, "weight_decay": settings.weight_decay},
        {"params": [p for p in network if p.ndim <= 1], "peak": settings.lr, "weight_decay": vectors_decay},
        {"params": [module.parameter for module in temperatures], "peak": settings.temperature_lr, "weight_decay": 0.0},
    ]
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind([group for group in groups if group["params"]], lr=settings.lr)


def _is_temperature(parameter: nn.Parameter, temperatures: list[Temperature]) -> bool:
    return any(parameter is module.parameter for module in temperatures)


def _require_finite(values: dict[str, float], step: int, kept: bool) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            state = "the last good state is kept" if kept else "no state was kept"
            raise UserError(
                f"training stopped at step {step}: {name} is {value} ({state}); lower pretrain.optimiser.lr, set pretrain.optimiser.clip_norm,"
                " or use pretrain.temperature.kind=log_clamped"
            )


def _tally(progress: Progress, done: Pass, terms: dict[str, float], rows: Rows) -> None:
    """Add one step to the running sums: each term over the rows it is a mean of, the total over all, and the kinds of neighbours."""
    values = {f"train/{name}": (value, done.covered.get(name, len(rows))) for name, value in terms.items()}
    if done.neighbours is not None:
        found = done.neighbours.found
        count = int(found.sum())
        values["neighbours/found"] = (count / len(rows), len(rows))
        if count:
            for name, flags in kinds(rows, done.neighbours.rows).items():
                values[f"neighbours/{name}"] = (float(flags[found].sum()) / count, count)
    for name, (value, weight) in values.items():
        if not weight:
            continue
        progress.sums[name] = progress.sums.get(name, 0.0) + value * weight
        progress.rows[name] = progress.rows.get(name, 0) + weight


def _record(state: TrainingState, measured: dict[str, float], order: EpochOrder, lr: float, validated: bool) -> None:
    """Close a span of training: append a row to the history and decide whether these weights are the best so far."""
    progress = state.progress
    row = {"step": float(progress.step), "epoch": progress.step / order.steps_per_epoch, "lr": lr}
    if isinstance(state.objective, PrimusObjective):
        used = {"self_supervised": ("tau_ss", state.objective.tau_ss), "multimodal": ("tau_mm", state.objective.tau_mm)}
        for projection in state.objective.trained_projections:
            name, temperature = used[projection]
            row[name] = temperature().item()
    if state.queue is not None:
        row["queue_filled"] = float(len(state.queue))
    row |= {name: total / progress.rows[name] for name, total in progress.sums.items()}
    row |= measured if validated else {name: value for name, value in measured.items() if not name.startswith("val/")}
    progress.history.append(dict(sorted(row.items())))  # the order a stored state comes back in
    progress.sums, progress.rows = {}, {}
    value = measured["val/total"] if validated else None
    if value is None or progress.best_value is None or value < progress.best_value:
        progress.best_value = value
        progress.best_step, progress.stale = progress.step, 0
        state.keep_best()
    else:
        progress.stale += 1
