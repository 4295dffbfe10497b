"""One pretraining step beside the plain way: medians of one process, alternating, on `--threads` CPU threads (or `--device cuda`).

    python benchmarks/pretrain_step.py --batch 256 --queue 8192 --json

stock_encoder_ms: forward and backward of both views, one after the other, through the encoder with torch.nn.GRU.
step_ms: a whole training step (make the view, encode both, retrieve, losses, backward, optimiser, enqueue).
gemm_floor_ms: only the recurrence's matrix products of a step, which no implementation can avoid.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from torch import Tensor

from primus.losses.objective import PrimusObjective
from primus.models.encoder import WIDTH, ImuEncoder
from primus.models.rows import Rows
from primus.training.distributed import World
from primus.training.forward import forward_pass
from primus.training.loop import make_optimiser
from primus.training.resident import Batch
from primus.training.settings import TrainingSettings

SAMPLES, DIM = 250, 512


def rows(count: int, first: int) -> Rows:
    """Segments 1.1 s apart in takes of twenty, of which a third repeat their words."""
    number = torch.arange(first, first + count)
    start = number % 20 * 1100
    return Rows(number, number // 20, start, start + 5000, number * 2 // 3, number // 100, number % 8)


def stock_pass(encoder: ImuEncoder, view: Tensor) -> None:
    """Forward and backward of one view through stock modules only."""
    for block in encoder.backbone[:-1]:
        view = block(view)
    feature = encoder.backbone[-1](view)[1][-1]
    assert encoder.ssl_head is not None
    assert encoder.mmcl_head is not None
    (encoder.ssl_head(feature).sum() + encoder.mmcl_head(feature).sum()).backward()


def main(
    batch: Annotated[int, typer.Option(help="segments per step")] = 256,
    queue: Annotated[int, typer.Option(help="rows of the feature queue, all filled")] = 8192,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 2,
    repeats: Annotated[int, typer.Option(help="measurements of each; the median counts")] = 7,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16")] = "float32",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print milliseconds per step."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    place = torch.device(device)
    settings = TrainingSettings(batch_size=batch, steps=1, precision=precision)  # type: ignore[arg-type]
    encoder, objective = ImuEncoder().to(place), PrimusObjective().to(place)
    optimiser = make_optimiser(encoder, objective, settings.optimiser)
    held = objective.make_queue(queue, DIM, DIM, place)
    filling = Rows.unstacked(rows(queue, 10**6).stacked().to(place))
    held.enqueue({name: torch.randn(queue, DIM, device=place) for name in held.vectors}, filling)
    embeddings = {name: torch.randn(batch, DIM, device=place) for name in objective.modalities}
    present = {name: torch.ones(batch, dtype=torch.bool, device=place) for name in objective.modalities}
    imu = torch.randn(batch, 6, SAMPLES, device=place)
    data = Batch(imu, embeddings, present, Rows.unstacked(rows(batch, 0).stacked().to(place)))
    draws = torch.Generator()

    def step() -> None:
        done = forward_pass(encoder, objective, data, held, settings, draws, World())
        optimiser.zero_grad(set_to_none=True)
        done.terms["total"].backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), settings.optimiser.clip_norm)
        optimiser.step()
        assert done.first is not None
        objective.enqueue(held, done.first, data.embeddings, data.present, data.rows)

    def stock() -> None:
        encoder.zero_grad(set_to_none=True)
        for _ in range(2):
            stock_pass(encoder, imu)

    hidden = encoder.feature_dim
    state, gates = torch.randn(2 * batch, hidden, device=place), torch.randn(2 * batch, 3 * hidden, device=place)
    weight = torch.randn(3 * hidden, hidden, device=place)
    all_states, all_gates = state.repeat(WIDTH, 1), gates.repeat(WIDTH, 1)

    def floor() -> None:
        for _ in range(WIDTH - 1):  # the first state is zero
            torch.mm(state, weight.T)
        for _ in range(WIDTH - 1):
            torch.mm(gates, weight)
        torch.mm(all_gates.T, all_states)

    measured: dict[str, list[float]] = {"stock_encoder_ms": [], "step_ms": [], "gemm_floor_ms": []}
    calls: dict[str, Callable[[], None]] = {"stock_encoder_ms": stock, "step_ms": step, "gemm_floor_ms": floor}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if place.type == "cuda":
                torch.cuda.synchronize()
            if turn:  # the first turn warms up
                measured[name].append(1000 * (time.perf_counter() - started))
    result: dict[str, object] = {name: round(statistics.median(values), 1) for name, values in measured.items()}
    result["step_over_stock"] = round(statistics.median(measured["step_ms"]) / statistics.median(measured["stock_encoder_ms"]), 3)
    result |= {"batch": batch, "queue": queue, "threads": threads, "precision": precision, "device": device, "repeats": repeats}
    for name, value in result.items():
        print(f"{name:>18}  {value}")
    if as_json:
        print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
