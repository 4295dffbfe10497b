"""What making batches costs beside the step they feed: 500 shuffled batches from a store of 250 000 segments, on `--threads` CPU threads.

    python benchmarks/loader.py --json
    python benchmarks/loader.py --segments 20000 --batches 50 --folder /data/scratch

The store is written by the segment stage's own writer and by that of embeddings (signals and embeddings are synthetic), then read through
`primus.training.resident`, as pretraining does: left in the files, and held in memory. Beside it torch.utils.data.DataLoader over the same files: a
data set of one segment an item, shuffled, default collation, with 0 and 2 workers. Every way of reading runs in a process of its own; the files
are in the page cache. step_ms is measured in this run, between them.
"""

import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from pretrain_step import DIM, make_batch, make_step, resident_mib
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from primus.embeddings.store import ARRAY, Provenance, write_embeddings
from primus.io.takes import Take
from primus.keyed_arrays import KeyedArrays
from primus.schema import segment_id
from primus.seeds import generator
from primus.segments.grid import Interval
from primus.segments.quality import Thresholds
from primus.segments.segmenter import SegmentSettings, TakeJob, TakeSegments
from primus.segments.writer import SegmentWriter
from primus.training.resident import EpochOrder, ResidentSegments, load_segments

MODALITIES = ("video", "text")
TAKE_SEGMENTS, SPACING_S = 250, 1.1
SETTINGS = SegmentSettings(50.0, 5.0, 5.0, 0.0, 0.5, ("C",), 0.1, Thresholds())
FIRST_PART = 0.2  # share of the batches after which memory is looked at for the first time


def write_corpus(folder: Path, segments: int) -> None:
    """segments.parquet, imu.h5 and the embeddings of both modalities below `folder`."""
    random = generator(0, "benchmark", "loader")
    samples = SETTINGS.samples
    signal = random.standard_normal((6, 64 * samples)).astype(np.float32)
    facts = {"duration_s": TAKE_SEGMENTS * SPACING_S + 5.0, "clock": "device", "n_imu_samples": 1000, "rate_hz": 1000.0}
    keys: list[str] = []
    with SegmentWriter(folder, SETTINGS) as writer:
        for number in range(-(-segments // TAKE_SEGMENTS)):
            count = min(TAKE_SEGMENTS, segments - number * TAKE_SEGMENTS)
            take = Take("benchmark", f"take{number:05d}", participant=f"benchmark/{number // 4}", video_path="v.mp4")
            intervals = tuple(Interval(round(place * SPACING_S, 3), (f"C acts {place % 40}",)) for place in range(count))
            starts = random.integers(0, signal.shape[1] - samples, count)
            imu = np.stack([signal[:, start : start + samples] for start in starts])
            writer.add(TakeJob(take, "pretrain", "narration"), TakeSegments(intervals, (True,) * count, imu, (), facts))
            keys += [segment_id(take.take_uid, interval.start_s) for interval in intervals]
        writer.write_tables()
    for modality in MODALITIES:
        provenance = Provenance(modality, "benchmark", "0" * 64, "none", 0.0, "none", DIM, "benchmark")
        with write_embeddings(folder / f"{modality}.h5", provenance) as writer_of_rows:
            for start in range(0, segments, 10_000):
                part = keys[start : start + 10_000]
                vectors = random.standard_normal((len(part), DIM)).astype(np.float32)
                writer_of_rows.append(part, {ARRAY: (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)})


class OneByOne(Dataset[tuple[Tensor, ...]]):
    """The plain way: an item is one segment's windows and embeddings, read from memory-mapped files."""

    def __init__(self, folder: Path) -> None:
        self.imu = KeyedArrays(folder / "imu.h5").memmap("imu")
        self.embeddings = [KeyedArrays(folder / f"{name}.h5").memmap(ARRAY) for name in MODALITIES]

    def __len__(self) -> int:
        return len(self.imu)

    def __getitem__(self, row: int) -> tuple[Tensor, ...]:
        return torch.from_numpy(np.array(self.imu[row])), *(torch.from_numpy(store[row].astype(np.float32)) for store in self.embeddings)


def resident_batches(folder: Path, batch: int, in_memory: bool) -> Callable[[], Any]:
    """The next batch, as pretraining draws them."""
    data, _, _ = load_segments(folder, {name: folder / f"{name}.h5" for name in MODALITIES})
    if in_memory:
        embeddings = {name: torch.from_numpy(np.array(store)) for name, store in data.embeddings.items()}
        data = ResidentSegments(torch.from_numpy(np.array(data.imu)), embeddings, data.position, data.rows)
    order = EpochOrder(np.arange(len(data)), batch, seed=0)
    steps = itertools.count()
    return lambda: data.batch(order.batch(next(steps)))


def plain_batches(folder: Path, batch: int, workers: int) -> Callable[[], Any]:
    """The next batch of the plain way."""
    context = "fork" if workers else None  # a started-anew worker would be sent the whole store
    drawing = torch.Generator().manual_seed(0)
    loader = DataLoader(OneByOne(folder), batch, shuffle=True, num_workers=workers, generator=drawing, multiprocessing_context=context)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    return lambda: next(batches)


WAYS: dict[str, Callable[[Path, int], Callable[[], Any]]] = {
    "in_files": lambda folder, batch: resident_batches(folder, batch, in_memory=False),
    "resident": lambda folder, batch: resident_batches(folder, batch, in_memory=True),
    "dataloader": lambda folder, batch: plain_batches(folder, batch, workers=0),
    "dataloader_2_workers": lambda folder, batch: plain_batches(folder, batch, workers=2),
}


def read(way: str, folder: Path, batch: int, batches: int, threads: int, answers: "multiprocessing.Queue[dict[str, float]]") -> None:
    """In a process of its own: milliseconds per batch, and MiB of memory after the first part and at the end, beyond those before the first batch."""
    torch.set_num_threads(threads)
    for path in sorted(folder.glob("*.h5")):  # into the page cache, whatever was read before
        with open(path, "rb") as file:
            while file.read(2**24):
                pass
    draw = WAYS[way](folder, batch)
    before, spans, early = resident_mib("VmRSS"), [], 0.0
    for number in range(batches + 1):
        started = time.perf_counter()
        draw()
        if number:  # the first starts workers and draws the order of the epoch
            spans.append(1000 * (time.perf_counter() - started))
        if number == int(FIRST_PART * batches):
            early = resident_mib("VmRSS") - before
    answers.put({"ms": statistics.mean(spans), "median_ms": statistics.median(spans), "early_mib": early, "late_mib": resident_mib("VmRSS") - before})


def measure(way: str, folder: Path, batch: int, batches: int, threads: int) -> dict[str, float]:
    """What `read` finds in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=read, args=(way, folder, batch, batches, threads, answers))
    child.start()
    answer = answers.get()
    child.join()
    return answer


def main(
    segments: Annotated[int, typer.Option(help="segments in the store")] = 250_000,
    batch: Annotated[int, typer.Option(help="segments per batch")] = 256,
    batches: Annotated[int, typer.Option(help="batches drawn in each way")] = 500,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 2,
    folder: Annotated[
        Path | None, typer.Option(help="where the store is written, then removed (up to 3.5 GB; default: the temporary folder)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print milliseconds per batch and their share of a training step."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = make_step(make_batch(batch, torch.device("cpu")), 8192, "float32")
    spans: list[float] = []

    def time_steps(count: int) -> None:
        step()
        for _ in range(count):
            started = time.perf_counter()
            step()
            spans.append(1000 * (time.perf_counter() - started))

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch)
        write_corpus(place, segments)
        found = {}
        for way in WAYS:
            time_steps(3)
            found[way] = measure(way, place, batch, batches, threads)
    step_ms = statistics.median(spans)
    print(f"a step of {batch} segments takes {step_ms:.0f} ms; means over {batches} batches from {segments} segments:")
    for way, numbers in found.items():
        share = 100 * numbers["ms"] / step_ms
        grown = f"memory grew by {numbers['early_mib']:.0f} MiB in the first {FIRST_PART:.0%}, by {numbers['late_mib']:.0f} MiB in all"
        print(f"{way:>20}  {numbers['ms']:7.2f} ms (median {numbers['median_ms']:.2f}), {share:5.1f} % of the step; {grown}")
    if as_json:
        shares = {way: {"share_of_step": round(numbers["ms"] / step_ms, 4)} for way, numbers in found.items()}
        result = {way: {name: round(value, 2) for name, value in numbers.items()} | shares[way] for way, numbers in found.items()}
        print(json.dumps({"step_ms": round(step_ms, 1), "segments": segments, "batch": batch, "batches": batches, "threads": threads} | result))


if __name__ == "__main__":
    typer.run(main)
