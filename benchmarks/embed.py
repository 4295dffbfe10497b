"""How fast frames become embeddings: the stage's pass over a video beside pure decoding, pure encoding, and the plain way segment by segment.

    python benchmarks/embed.py --encoder demo
    python benchmarks/embed.py --encoder vit-b-32 --seconds 20 --json
    python benchmarks/embed.py --video clip.mp4 --video other.mp4      decord and PyAV on clips of one's own, too

A moving, textured clip is made with PyAV. Narrations come as in Ego-Exo4D's public annotations (gaps: median 1.13 s, mean 2.07 s), each the centre of
a 5-second segment at 10 frames a second. Everything runs on one video: one decoding and one encoding thread, as in one worker of the stage.

What is timed, all in the same rounds: `decode_s` (frames of the grid as RGB arrays, nothing else), `preprocess_s` (scale and cut; the stage does
it in the decoding thread), `encode_s` (the encoder's forward pass from uint8 pixels, normalisation included), `stage_s` (all of it, overlapped), and
`side_by_side_s`: decoding and encoding at once in two threads that have nothing to do with each other, which no overlap can beat here and now.
Beside the claim, `stage_over_slower_part` = stage / max(decode, encode), it prints what the machine allowed: processor seconds of each part, their
sum over the cores (`cpu_floor_s`), and how many cores other processes used meanwhile. Two threads need two cores: where others leave less, the claim
cannot hold whatever the code does, and `stage_over_side_by_side` is what to look at. The round with the least company is printed too.

Decoders, frames of the file per processor second, one thread, grid of 10 frames a second (AMD EPYC, 2026-11-23):
    96 x 96 (made here)       decord 16400   PyAV 33000
    448 x 448 (made here)     decord  1580   PyAV  2500
    854 x 480 (two GoPros)    decord 490-510 PyAV 670-830
Their frames are the same to the bit. decord turns every frame into a picture, PyAV only those asked for; and decord's thread may come to hold the
whole video (`primus.io.video`). So decord, which the project asks for first, decodes short videos, where neither matters beside the encoder, and
PyAV those that decord could not hold in little memory, those it gives up, and all of them where decord has no wheel.
"""

import json
import os
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import av
import numpy as np
import open_clip
import torch
import typer
from open_clip import SimpleTokenizer

from primus.embeddings.clip import FrozenClip, Preprocessing, single_threaded, state_sha256
from primus.embeddings.demo_clip import demo_encoder
from primus.embeddings.frames import FRAMES_PER_BATCH, encode_video
from primus.embeddings.hf_clip import MEAN, STD
from primus.embeddings.pool import grid_range
from primus.io.video import frames_at, probe
from primus.seeds import generator

WINDOW_S, FPS = 5.0, 10.0
SIZES = {"demo": 96, "vit-b-32": 448}


def make_clip(path: Path, seconds: float, size: int) -> None:
    """A camera gliding over a large texture, 30 fps H.264 as Ego-Exo4D's downscaled takes (crf 24, yuv420p)."""
    rng = generator(0, "benchmark", "clip")
    coarse = rng.integers(0, 256, (2 * size // 8, 2 * size // 8, 3)).astype(np.uint8)
    texture = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "24", "preset": "veryfast"})
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(int(seconds * 30)):
            top, left = (int((1 + np.sin(number / 30 / period)) * (size - 1) / 2) for period in (1.7, 2.3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(texture[top : top + size, left : left + size]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def vit_b_32() -> FrozenClip:
    """The architecture of the paper's encoder; its speed does not depend on the values of its weights, which are random here."""
    torch.manual_seed(0)
    model = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu"))
    preprocessing = Preprocessing(224, tuple(MEAN), tuple(STD))
    sha256 = state_sha256(model.state_dict())
    return FrozenClip(model, SimpleTokenizer(), name="ViT-B-32-quickgelu", preprocessing=preprocessing, context_length=77, weights_sha256=sha256)


def narration_segments(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Start and end (M,) in seconds of the segments around narrations."""
    gaps = generator(0, "benchmark", "gaps").lognormal(np.log(1.13), 1.1, int(2 * seconds))
    start = np.cumsum(gaps) - WINDOW_S / 2
    start = start[(start >= 0) & (start + WINDOW_S <= seconds)]
    return start, start + WINDOW_S


@dataclass(frozen=True)
class Cost:
    """Of one call: seconds on the wall, processor seconds of this process, and cores that other processes kept busy meanwhile."""

    wall_s: float
    cpu_s: float
    others: float


def cost_of(work: Callable[[], object]) -> Cost:
    """Run and measure."""
    busy, wall, cpu = _busy_s(), time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(wall, cpu, max(0.0, (_busy_s() - busy - cpu) / wall))


def _busy_s() -> float:
    """Seconds that all cores together have worked since the machine started; 0 where it does not say."""
    try:
        user, nice, system, _, _, irq, softirq, *_ = (int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    except OSError:
        return 0.0
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def side_by_side(*works: Callable[[], object]) -> None:
    """Run each in a thread of its own."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def plain(path: Path, encoder: FrozenClip, start: np.ndarray, end: np.ndarray) -> int:
    """Segment by segment: open the file, seek, decode the segment's frames, encode them. Returns how many frames that is."""
    first, stop = grid_range(start, end, FPS)
    encoded = 0
    for a, b in zip(first, stop, strict=True):
        wanted, pixels = list(np.arange(a, b) / FPS), []
        with av.open(str(path)) as container:
            container.seek(int(wanted[0] * av.time_base), backward=True)
            for frame in container.decode(video=0):
                while wanted and frame.time is not None and frame.time >= wanted[0] - 1e-3:
                    pixels.append(encoder.preprocessing.apply(frame.to_ndarray(format="rgb24")))
                    wanted.pop(0)
                if not wanted:
                    break
        encoder.encode_images(torch.stack(pixels))
        encoded += len(pixels)
    return encoded


def decoder_rates(path: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Frames of the file per second on the wall and per processor second, grid frames made pictures of, for each decoder."""
    info = probe(path)
    times = np.arange(int(info.duration_s * FPS)) / FPS
    found: dict[str, list[Cost]] = {"decord": [], "pyav": []}
    for _ in range(repeats):
        for backend, costs in found.items():
            costs.append(cost_of(lambda backend=backend: sum(1 for _ in frames_at(path, times, backend=backend))))  # type: ignore[misc]
    return {
        backend: {
            "frames_per_s": round(info.n_frames / statistics.median(cost.wall_s for cost in costs), 1),
            "frames_per_cpu_s": round(info.n_frames / statistics.median(cost.cpu_s for cost in costs), 1),
        }
        for backend, costs in found.items()
    }


def main(
    encoder: Annotated[Literal["demo", "vit-b-32"], typer.Option(help="The demo's tiny encoder on 96 pixels, or ViT-B/32 on 448.")] = "demo",
    seconds: Annotated[float, typer.Option(help="Length of the clip.")] = 300.0,
    repeats: Annotated[int, typer.Option(help="Rounds; medians are reported.")] = 5,
    video: Annotated[list[Path] | None, typer.Option(help="Clips of your own, for the decoders' rates.")] = None,
    measure_plain: Annotated[bool, typer.Option("--plain", help="Also time the plain way (slow).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure the embedding of one video."""
    frozen = demo_encoder() if encoder == "demo" else vit_b_32()
    with tempfile.TemporaryDirectory() as folder, single_threaded():
        path = Path(folder) / "clip.mp4"
        make_clip(path, seconds, SIZES[encoder])
        times = np.arange(int(probe(path).duration_s * FPS)) / FPS
        frames = [frame for _, frame in frames_at(path, times)]
        batches = list(torch.stack([frozen.preprocessing.apply(frame) for frame in frames]).split(FRAMES_PER_BATCH))
        start, end = narration_segments(seconds)
        first, stop = grid_range(start, end, FPS)
        needed = {k for a, b in zip(first, stop, strict=True) for k in range(a, b)}
        frozen.encode_images(batches[0])
        encoded: list[int] = []

        def decode() -> None:
            for _ in frames_at(path, times):
                pass

        def encode() -> None:
            for batch in batches:
                frozen.encode_images(batch)

        parts: dict[str, Callable[[], object]] = {
            "decode": decode,
            "preprocess": lambda: [torch.stack([frozen.preprocessing.apply(frame) for frame in frames])],
            "encode": encode,
            "stage": lambda: encoded.append(len(encode_video(path, frozen, FPS).grid)),
            "side_by_side": lambda: side_by_side(decode, encode),
        }
        costs: dict[str, list[Cost]] = defaultdict(list)
        for _ in range(repeats):
            for name, work in parts.items():
                costs[name].append(cost_of(work))
        wall = {name: [cost.wall_s for cost in found] for name, found in costs.items()}
        cpu = {name: statistics.median(cost.cpu_s for cost in found) for name, found in costs.items()}
        ratios = [s / max(d, e) for s, d, e in zip(wall["stage"], wall["decode"], wall["encode"], strict=True)]
        company = [statistics.fmean(cost.others for cost in found) for found in zip(*costs.values(), strict=True)]
        quietest = company.index(min(company))
        result: dict[str, object] = {"encoder": encoder, "seconds_of_video": seconds, "cores": os.cpu_count()}
        result |= {f"{name}_s": round(statistics.median(found), 4) for name, found in wall.items()}
        result |= {f"{name}_cpu_s": round(found, 4) for name, found in cpu.items()}
        result |= {
            "cpu_floor_s": round((cpu["decode"] + cpu["preprocess"] + cpu["encode"]) / (os.cpu_count() or 1), 4),
            "stage_over_slower_part": round(statistics.median(ratios), 3),
            "stage_over_side_by_side": round(statistics.median(s / both for s, both in zip(wall["stage"], wall["side_by_side"], strict=True)), 3),
            "stage_cpu_over_parts": round(cpu["stage"] / (cpu["decode"] + cpu["preprocess"] + cpu["encode"]), 3),
            "cores_used_by_others": round(statistics.median(company), 2),
            "quietest_round": {
                **{f"{name}_s": round(found[quietest], 4) for name, found in wall.items()},
                "stage_over_slower_part": round(ratios[quietest], 3),
                "cores_used_by_others": round(company[quietest], 2),
            },
            "frames_encoded": encoded[0],
            "frames_on_grid": len(times),
            "frames_in_segments": len(needed),
            "frames_plain": int((stop - first).sum()),
            "decoders": {clip.name: decoder_rates(clip, repeats) for clip in [path, *(video or [])]},
        }
        if measure_plain:
            result["plain_s"] = round(cost_of(lambda: plain(path, frozen, start, end)).wall_s, 4)
    for name, value in result.items():
        print(f"{name:>24}  {value}")
    if as_json:
        print(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    typer.run(main)
