"""How fast recordings become segments: whole takes through intervals, quality gate and cutting, beside loading and resampling window by window.

    python benchmarks/segment.py
    python benchmarks/segment.py --takes 8 --json

A take is 10 minutes of accelerometer and gyroscope at 1000 Hz with a jittered clock, in memory, cut around 300 narrations into 5 s at 50 Hz. The
plain way loads the take from a .npy file for every window, slices it and resamples the slice (scipy.signal.resample_poly). Reading a VRS recording
is measured apart. With two processes both start together, and the time is that of the later one.
"""

import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.signal import resample_poly
from threadpoolctl import threadpool_limits

from primus.io.files import FileSet
from primus.io.recording import ImuRecording
from primus.io.takes import Narration, Take, TakeImu
from primus.io.vrs import read_imu_vrs
from primus.schema import Reject
from primus.seeds import generator
from primus.segments.quality import Thresholds
from primus.segments.segmenter import SegmentSettings, TakeJob, segment_take
from primus.simulate.vrs import ImuStream, write_aria_vrs

TAKE_S, SOURCE_HZ, SEGMENTS, WINDOW_S, RATE_HZ = 600.0, 1000, 300, 5.0, 50
SETTINGS = SegmentSettings(RATE_HZ, WINDOW_S, WINDOW_S, 0.0, 0.5, ("C",), 0.1, Thresholds())


class OneTake:
    """A data set of one take in memory."""

    def __init__(self, imu: TakeImu) -> None:
        self.imu = imu

    def takes(self) -> tuple[list[Take], list[Reject]]:
        return [], []

    def read_imu(self, take: Take) -> TakeImu:
        return self.imu

    def files(self, take: Take) -> list[str]:
        return []


def make_take(seed: int) -> tuple[Take, TakeImu]:
    """Noise and head motion on a clock whose steps jitter by 3 %."""
    random = generator(seed, "benchmark", "take")
    count = round(TAKE_S * SOURCE_HZ)
    stamps = 284_324_000_000 + np.cumsum(random.normal(1e9 / SOURCE_HZ, 3e7 / SOURCE_HZ, count)).astype(np.int64)
    seconds = (stamps - stamps[0]) * 1e-9
    values = np.sin(2 * np.pi * np.array([0.3, 0.7, 1.1, 1.9, 2.3, 4.7]) * seconds[:, None]) + 0.05 * random.standard_normal((count, 6))
    accel = (values[:, :3] + np.array([-8.7, -0.9, 4.1])).astype(np.float32)
    recording = ImuRecording(stamps, accel, values[:, 3:].astype(np.float32), float(SOURCE_HZ), "benchmark")
    times = np.sort(random.choice(np.arange(3000, 597_000), SEGMENTS, replace=False)) / 1000
    narrations = tuple(Narration(float(time_s), "C acts", "C") for time_s in times)
    return Take("benchmark", "take", duration_s=TAKE_S - 0.5, narrations=narrations), TakeImu(recording, int(stamps[0]), "timesync")


def cut_take(take: Take, imu: TakeImu) -> int:
    """Segments that one take gives."""
    return len(segment_take(OneTake(imu), FileSet(Path("."), {}), TakeJob(take, "pretrain", "narration"), SETTINGS).imu)


def work(takes: int, barrier: Barrier, answers: Any) -> None:
    """A process's share: make a take, wait for the others, cut it again and again."""
    threadpool_limits(1)  # one process is to mean one core
    take, imu = make_take(os.getpid())
    cut_take(take, imu)
    barrier.wait()
    begin = time.perf_counter()
    total = sum(cut_take(take, imu) for _ in range(takes))
    answers.put((total, begin, time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def measure(processes: int, takes: int) -> tuple[float, int]:
    """Segments per second over all processes, and the largest process's peak memory in MiB."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    children = [context.Process(target=work, args=(takes, barrier, answers)) for _ in range(processes)]
    for child in children:
        child.start()
    found = [answers.get() for _ in children]
    for child in children:
        child.join()
    elapsed = max(end for _, _, end, _ in found) - min(begin for _, begin, _, _ in found)
    return sum(total for total, *_ in found) / elapsed, max(peak for *_, peak in found)


def measure_plain(windows: int) -> float:
    """Windows per second when each loads the take and resamples its own slice."""
    take, imu = make_take(0)
    assert imu.recording.gyro is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "take.npy")
        np.save(path, np.concatenate([imu.recording.accel, imu.recording.gyro], axis=1).T)
        np.save(path.with_suffix(".times.npy"), imu.recording.timestamps_ns)
        spans = []
        for narration in take.narrations[:: max(1, SEGMENTS // windows)]:
            begin = time.perf_counter()
            signal, stamps = np.load(path), np.load(path.with_suffix(".times.npy"))
            seconds = (stamps - stamps[0]) * 1e-9
            inside = (seconds >= narration.time_s - WINDOW_S / 2) & (seconds < narration.time_s + WINDOW_S / 2)
            resample_poly(signal[:, inside], RATE_HZ, SOURCE_HZ, axis=1)
            spans.append(time.perf_counter() - begin)
    return 1 / statistics.median(spans)


def measure_vrs(seconds: float, repeats: int) -> float:
    """Samples per second read from a VRS recording, warm."""
    random = generator(0, "benchmark", "vrs")
    count = round(seconds * SOURCE_HZ)
    stamps = 284_324_000_000 + np.cumsum(random.normal(1e6, 3e4, count)).astype(np.int64)
    stream = ImuStream(stamps, random.standard_normal((count, 3)).astype(np.float32), random.standard_normal((count, 3)).astype(np.float32))
    spans = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "take.vrs")
        write_aria_vrs(path, "benchmark", stream)
        for _ in range(repeats):
            begin = time.perf_counter()
            read_imu_vrs(path, "imu-right")
            spans.append(time.perf_counter() - begin)
    return count / statistics.median(spans)


def main(
    takes: Annotated[int, typer.Option(help="Takes that each process cuts.", min=1)] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure and print segments per second, the plain way's, and samples per second read from VRS."""
    threadpool_limits(1)
    one, _ = measure(1, takes)
    two, peak = measure(2, takes)
    _, peak_few = measure(1, max(1, takes // 4))
    _, peak_many = measure(1, takes)
    plain = measure_plain(20)
    vrs = measure_vrs(60.0, 5)
    print(f"one process   {one:9.0f} segments/s")
    print(f"two processes {two:9.0f} segments/s")
    print(f"plain way     {plain:9.1f} segments/s: {one / plain:.0f} times slower than one process, {two / plain:.0f} than two")
    print(f"VRS           {vrs:9.0f} samples/s, one process")
    print(f"memory        {peak_few} MiB after {max(1, takes // 4)} takes, {peak_many} MiB after {takes}; {peak} MiB in each of two processes")
    if as_json:
        numbers = {
            "segments_per_s_1": round(one, 1),
            "segments_per_s_2": round(two, 1),
            "plain_segments_per_s": round(plain, 2),
            "vrs_samples_per_s": round(vrs),
            "speedup_1": round(one / plain, 1),
            "speedup_2": round(two / plain, 1),
            "peak_mib_few_takes": peak_few,
            "peak_mib_many_takes": peak_many,
            "segments_a_take": SEGMENTS,
        }
        print(json.dumps(numbers))


if __name__ == "__main__":
    typer.run(main)
