"""How fast `primus encode` is beside the encoder's own forward pass: same batch size, same number of cores, alternating.

    python benchmarks/encode.py
    python benchmarks/encode.py --hours 4 --hop 1 --threads 2 --json

Recordings are written to Parquet first and encoded to Parquet by the function behind the command: reading, checks, resampling, encoding, writing.
encoder_windows_per_s: windows in memory through `ImuEncoder.forward` with both heads, one batch on each core, which is the quickest way to run it.
encode_windows_per_s: the whole command's function on files whose clock is regular.
jittered_windows_per_s: the same on files whose stamps jitter by 5 % of a step, which are resampled point by point.
cpu_share: of the processors' time for a window in encoding files, what the encoder alone takes; other programs on the machine disturb it less.
"""

import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import torch
import typer
from threadpoolctl import threadpool_limits

from primus.inference.feature_file import encode_paths
from primus.inference.policy import Policy
from primus.inference.window_sequence import EncodeSettings
from primus.models.encoder import ImuEncoder
from primus.seeds import generator

FILES = 4


def write_recordings(folder: Path, hours: float, rate_hz: float, jitter: float) -> None:
    """Tables of head-like motion with nanosecond stamps."""
    for number in range(FILES):
        random = generator(number, "benchmark", "encode")
        count = round(hours * 3600 / FILES * rate_hz)
        times = (np.arange(count) + jitter * random.uniform(-1, 1, count)) / rate_hz
        values = np.sin(2 * np.pi * np.array([0.3, 0.7, 1.1, 1.9, 2.3, 4.7]) * times[:, None]) + 0.05 * random.standard_normal((count, 6))
        table = pd.DataFrame(
            (values + np.array([0, 0, 9.81, 0, 0, 0])).astype(np.float32), columns=[f"{s}_{a}" for s in ("accel", "gyro") for a in "xyz"]
        )
        table.insert(0, "timestamp_ns", np.rint(times * 1e9).astype(np.int64))
        table.to_parquet(folder / f"{number}.parquet", index=False)


class Rate(NamedTuple):
    """Windows per second by the clock, and per second of processor."""

    wall: float
    cpu: float


def measure_encode(folder: Path, encoder: ImuEncoder, settings: EncodeSettings, threads: int) -> Rate:
    """Everything, from the first file read to the last byte written."""
    out = folder / "out" / "features.parquet"
    begin, begin_cpu = time.perf_counter(), time.process_time()
    report = encode_paths(sorted(folder.glob("*.parquet")), encoder, out, settings, threads)
    found = Rate(report.windows / (time.perf_counter() - begin), report.windows / (time.process_time() - begin_cpu))
    out.unlink()
    return found


def measure_encoder(encoder: ImuEncoder, batch: int, threads: int, batches: int) -> Rate:
    """The encoder alone, both heads."""
    windows = np.random.default_rng(0).standard_normal((batch, 6, encoder.inputs.samples)).astype(np.float32)

    def forward(_: int) -> None:
        with torch.inference_mode():
            encoder(torch.from_numpy(windows))

    begin, begin_cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as executor:
        list(executor.map(forward, range(batches)))
    count = batch * batches
    return Rate(count / (time.perf_counter() - begin), count / (time.process_time() - begin_cpu))


def main(
    hours: Annotated[float, typer.Option(help="of recordings, in four files", min=0.1)] = 4.0,
    rate: Annotated[float, typer.Option(help="of the recordings, Hz")] = 100.0,
    hop: Annotated[float, typer.Option(help="seconds between windows")] = 1.0,
    batch: Annotated[int, typer.Option(help="windows encoded at once")] = 128,
    threads: Annotated[int | None, typer.Option(help="cores; by default all")] = None,
    repeats: Annotated[int, typer.Option(help="measurements of each; the median counts")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print windows per second of the encoder, and of encoding files."""
    cores = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder, settings = ImuEncoder().eval(), EncodeSettings(Policy(hop_s=hop), units={"accel": "m/s^2", "gyro": "rad/s"}, batch=batch)
    found: dict[str, list[Rate]] = {"encoder": [], "encode": [], "jittered": []}
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        regular, jittered = Path(name, "regular"), Path(name, "jittered")
        for folder, jitter in ((regular, 0.0), (jittered, 0.05)):
            folder.mkdir()
            write_recordings(folder, hours if not jitter else hours / 4, rate, jitter)
        measure_encoder(encoder, batch, cores, 2 * cores)
        for _ in range(repeats):
            found["encoder"].append(measure_encoder(encoder, batch, cores, max(8 * cores, round(hours * 3600 / hop / batch))))
            found["encode"].append(measure_encode(regular, encoder, settings, cores))
        found["jittered"].append(measure_encode(jittered, encoder, settings, cores))
    rates = {key: statistics.median(rate.wall for rate in values) for key, values in found.items()}
    pairs = list(zip(found["encode"], found["encoder"], strict=True))
    shares, cpu_shares = [mine.wall / own.wall for mine, own in pairs], [mine.cpu / own.cpu for mine, own in pairs]
    print(f"{hours:g} h at {rate:g} Hz, a window every {hop:g} s, batches of {batch}, {cores} core(s)")
    print(f"encoder alone      {rates['encoder']:8.0f} windows/s")
    print(f"encode, regular    {rates['encode']:8.0f} windows/s: {statistics.median(shares):.0%} of it (each run: {[round(s, 2) for s in shares]})")
    print(f"encode, jittered   {rates['jittered']:8.0f} windows/s: {rates['jittered'] / rates['encoder']:.0%} of it")
    if as_json:
        numbers = {f"{key}_windows_per_s": round(value, 1) for key, value in rates.items()}
        numbers |= {"share": round(statistics.median(shares), 3), "cpu_share": round(statistics.median(cpu_shares), 3)}
        print(json.dumps(numbers | {"batch": batch, "cores": cores, "hop_s": hop, "rate_hz": rate}))


if __name__ == "__main__":
    typer.run(main)
