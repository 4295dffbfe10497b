"""What one hop of `primus.Stream` costs on one core: everything from the samples to feature and projection.

    python benchmarks/stream.py
    python benchmarks/stream.py --rate 1000 --hop 0.5 --json

hop_ms_p50, hop_ms_p95: time of the call that completes a window, by the clock; hop_cpu_ms_p50 by the processor's own account, which other programs on
the machine disturb less. Samples come in one piece a hop. The start, when the first window is not complete, is not counted.
"""

import json
import time
from typing import Annotated

import numpy as np
import torch
import typer
from threadpoolctl import threadpool_limits

from primus.inference.live import Stream
from primus.models.encoder import ImuEncoder
from primus.seeds import generator


def main(
    rate: Annotated[float, typer.Option(help="of the samples, Hz")] = 100.0,
    hop: Annotated[float, typer.Option(help="seconds between windows")] = 0.5,
    hops: Annotated[int, typer.Option(help="measured")] = 400,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print milliseconds per hop."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random = generator(0, "benchmark", "stream")
    stream = Stream(ImuEncoder().eval(), rate, hop)
    piece = round(rate * hop)
    wall: list[float] = []
    cpu: list[float] = []
    with threadpool_limits(1):
        while len(wall) < hops:
            samples = random.standard_normal((piece, 6)) + np.array([0, 0, 9.81, 0, 0, 0])
            begin, begin_cpu = time.perf_counter(), time.thread_time()
            found = stream.push(samples)
            elapsed, elapsed_cpu = time.perf_counter() - begin, time.thread_time() - begin_cpu
            if len(found) == 1 and found[0].start_s > 2:
                assert found[0].feature is not None, found[0].refused
                wall.append(1e3 * elapsed)
                cpu.append(1e3 * elapsed_cpu)
    numbers = {
        "hop_ms_p50": round(float(np.quantile(wall, 0.5)), 3),
        "hop_ms_p95": round(float(np.quantile(wall, 0.95)), 3),
        "hop_cpu_ms_p50": round(float(np.quantile(cpu, 0.5)), 3),
        "latency_s": round(stream.latency_s, 3),
        "rate_hz": rate,
        "hop_s": hop,
    }
    cost = f"{numbers['hop_ms_p50']} ms a hop (p95 {numbers['hop_ms_p95']}), {numbers['hop_cpu_ms_p50']} ms of processor"
    print(f"{rate:g} Hz, a feature every {hop:g} s: {cost}")
    print(f"a feature comes {numbers['latency_s']} s after its window's end")
    if as_json:
        print(json.dumps(numbers))


if __name__ == "__main__":
    typer.run(main)
