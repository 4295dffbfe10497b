"""One pretraining step beside the plain way: medians of one process, alternating, on `--threads` CPU threads (or `--device cuda`).

    python benchmarks/pretrain_step.py --batch 256 --queue 8192 --json

stock_encoder_ms: forward and backward of both views, one after the other, through the encoder's stock modules (torch.nn.Conv1d, torch.nn.GRU).
step_ms, bfloat16_step_ms: a whole training step (make the view, encode both, retrieve, losses, backward, optimiser, enqueue).
On a CPU without bfloat16 kernels the step rounds to it (primus.models.rounding) and its floor, which would take minutes, is left out.
gemm_floor_ms, bfloat16_gemm_floor_ms: only the recurrence's matrix products of a step, by torch.mm. onednn_floor_ms: the same products, all
large, by the library that the step uses; a step below gemm_floor_ms is one whose products are faster than torch.mm.
*_over_stock: median over turns of the ratio within a turn. peak_mib: most memory a step takes beyond the data, queue and weights, in its own process.
"""

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from primus.losses.objective import PrimusObjective
from primus.models.encoder import WIDTH, ConvBlock, ImuEncoder
from primus.models.products import Product, product_over_rows
from primus.models.rounding import bfloat16_in_hardware
from primus.models.rows import Rows
from primus.training.distributed import World
from primus.training.forward import forward_pass
from primus.training.loop import make_optimiser
from primus.training.resident import Batch
from primus.training.settings import TrainingSettings

SAMPLES, DIM, HIDDEN = 250, 512, 512
PEAK_STEPS = 4


def rows(count: int, first: int) -> Rows:
    """Segments 1.1 s apart in takes of twenty, of which a third repeat their words."""
    number = torch.arange(first, first + count)
    start = number % 20 * 1100
    return Rows(number, number // 20, start, start + 5000, number * 2 // 3, number // 100, number % 8)


def make_batch(batch: int, place: torch.device) -> Batch:
    """Random windows and embeddings, all modalities present."""
    embeddings = {name: torch.randn(batch, DIM, device=place) for name in ("video", "text")}
    present = {name: torch.ones(batch, dtype=torch.bool, device=place) for name in embeddings}
    return Batch(torch.randn(batch, 6, SAMPLES, device=place), embeddings, present, Rows.unstacked(rows(batch, 0).stacked().to(place)))


def make_step(data: Batch, queue: int, precision: str) -> Callable[[], None]:
    """A training step on `data` with a full queue of that many rows, as the loop does it."""
    place = data.imu.device
    settings = TrainingSettings(batch_size=len(data), steps=1, precision=precision)  # type: ignore[arg-type]
    encoder, objective = ImuEncoder().to(place), PrimusObjective().to(place)
    optimiser = make_optimiser(encoder, objective, settings.optimiser)
    held = objective.make_queue(queue, DIM, DIM, place)
    filling = Rows.unstacked(rows(queue, 10**6).stacked().to(place))
    held.enqueue({name: torch.randn(queue, DIM, device=place) for name in held.vectors}, filling)
    draws = torch.Generator()

    def step() -> None:
        done = forward_pass(encoder, objective, data, held, settings, draws, World())
        optimiser.zero_grad(set_to_none=True)
        done.terms["total"].backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), settings.optimiser.clip_norm)
        optimiser.step()
        assert done.first is not None
        objective.enqueue(held, done.first, data.embeddings, data.present, data.rows)

    return step


def make_stock(data: Batch) -> Callable[[], None]:
    """Forward and backward of both views through stock modules only."""
    encoder = ImuEncoder().to(data.imu.device)
    stages = [block.net if isinstance(block, ConvBlock) else block for block in encoder.backbone[:-1]]
    front, recurrence = nn.Sequential(*stages), encoder.backbone[-1]

    def stock() -> None:
        encoder.zero_grad(set_to_none=True)
        for _ in range(2):
            feature = recurrence(front(data.imu))[1][-1]
            assert encoder.ssl_head is not None
            assert encoder.mmcl_head is not None
            (encoder.ssl_head(feature).sum() + encoder.mmcl_head(feature).sum()).backward()

    return stock


def make_floor(batch: int, dtype: torch.dtype, place: torch.device, ours: bool = False) -> Callable[[], None]:
    """The recurrence's products of a step, by torch.mm or by `primus.models.products`."""
    state, gates = (torch.randn(2 * batch, width, device=place).to(dtype) for width in (HIDDEN, 3 * HIDDEN))
    weight = torch.randn(3 * HIDDEN, HIDDEN, device=place).to(dtype)
    all_states, all_gates = state.repeat(WIDTH, 1), gates.repeat(WIDTH, 1)
    span = 4096  # rows of one product over several steps
    there: Callable[[Tensor], Tensor] = Product(weight, None, len(state)) if ours else lambda x: torch.mm(x, weight.T)
    back: Callable[[Tensor], Tensor] = Product(weight.T, None, len(state)) if ours else lambda x: torch.mm(x, weight)

    def floor() -> None:
        for _ in range(WIDTH - 1):  # the first state is zero
            there(state)
            back(gates)
        if not ours:
            torch.mm(all_gates.T, all_states)
            return
        for start in range(0, len(all_states), span):
            product_over_rows(all_gates[start : start + span], all_states[start : start + span])

    return floor


def resident_mib(field: str) -> float:
    """Memory of this process now (VmRSS) or at its highest (VmHWM; getrusage would count what the parent had before it started this one)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(f"{field}:")) / 1024


def peak_beyond_data(batch: int, queue: int, precision: str, threads: int, answers: "multiprocessing.Queue[float]") -> None:
    """In a process of its own: MiB that steps take beyond what was there before the first."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = make_step(make_batch(batch, torch.device("cpu")), queue, precision)
    before = resident_mib("VmRSS")
    for _ in range(PEAK_STEPS):
        step()
    answers.put(resident_mib("VmHWM") - before)


def measure_peak(batch: int, queue: int, precision: str, threads: int) -> float:
    """What `peak_beyond_data` finds in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=peak_beyond_data, args=(batch, queue, precision, threads, answers))
    child.start()
    answer = answers.get()
    child.join()
    return answer


def main(
    batch: Annotated[int, typer.Option(help="segments per step")] = 256,
    queue: Annotated[int, typer.Option(help="rows of the feature queue, all filled")] = 8192,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 2,
    repeats: Annotated[int, typer.Option(help="measurements of each; the median counts")] = 7,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print milliseconds per step."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    place = torch.device(device)
    data = make_batch(batch, place)
    calls = {
        "stock_encoder_ms": make_stock(data),
        "step_ms": make_step(data, queue, "float32"),
        "bfloat16_step_ms": make_step(data, queue, "bfloat16"),
        "gemm_floor_ms": make_floor(batch, torch.float32, place),
    }
    if place.type != "cpu" or bfloat16_in_hardware():
        calls["bfloat16_gemm_floor_ms"] = make_floor(batch, torch.bfloat16, place)
    if place.type == "cpu":
        calls["onednn_floor_ms"] = make_floor(batch, torch.float32, place, ours=True)
    measured: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if place.type == "cuda":
                torch.cuda.synchronize()
            if turn:  # the first turn warms up
                measured[name].append(1000 * (time.perf_counter() - started))
    result: dict[str, object] = {name: round(statistics.median(values), 1) for name, values in measured.items()}
    for name in ("step", "bfloat16_step"):
        pairs = zip(measured[f"{name}_ms"], measured["stock_encoder_ms"], strict=True)
        result[f"{name}_over_stock"] = round(statistics.median(ours / stock for ours, stock in pairs), 3)
    if place.type == "cpu":
        result["peak_mib"] = round(measure_peak(batch, queue, "float32", threads))
        result["bfloat16_peak_mib"] = round(measure_peak(batch, queue, "bfloat16", threads))
    else:
        result["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    result |= {"batch": batch, "queue": queue, "threads": threads, "device": device, "repeats": repeats}
    for name, value in result.items():
        print(f"{name:>24}  {value}")
    if as_json:
        print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
