"""How fast frames become embeddings: the stage's pass over a video beside pure decoding, pure encoding, and the plain way segment by segment.

    python benchmarks/embed.py --encoder demo
    python benchmarks/embed.py --encoder vit-b-32 --seconds 30 --json

A moving, textured clip is made with PyAV. Narrations come as in Ego-Exo4D's public annotations (gaps: median 1.13 s, mean 2.07 s), each the centre of
a 5-second segment at 10 frames a second. Everything runs on one video: one decoding and one encoding thread, as in one worker of the stage.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
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


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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


def main(
    encoder: Annotated[Literal["demo", "vit-b-32"], typer.Option(help="The demo's tiny encoder on 96 pixels, or ViT-B/32 on 448.")] = "demo",
    seconds: Annotated[float, typer.Option(help="Length of the clip.")] = 60.0,
    repeats: Annotated[int, typer.Option(help="Rounds; medians are reported.")] = 3,
    measure_plain: Annotated[bool, typer.Option("--plain", help="Also time the plain way (slow).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure the embedding of one video."""
    frozen = demo_encoder() if encoder == "demo" else vit_b_32()
    with tempfile.TemporaryDirectory() as folder, single_threaded():
        path = Path(folder) / "clip.mp4"
        make_clip(path, seconds, SIZES[encoder])
        times = np.arange(int(probe(path).duration_s * FPS)) / FPS
        batches = list(torch.stack([frozen.preprocessing.apply(frame) for _, frame in frames_at(path, times)]).split(FRAMES_PER_BATCH))
        start, end = narration_segments(seconds)
        first, stop = grid_range(start, end, FPS)
        needed = {k for a, b in zip(first, stop, strict=True) for k in range(a, b)}
        frozen.encode_images(batches[0])
        timed: dict[str, list[float]] = {"stage": [], "decode": [], "encode": [], "decord": [], "pyav": []}
        encoded = 0
        for _ in range(repeats):

            def stage() -> None:
                nonlocal encoded
                encoded = len(encode_video(path, frozen, FPS).grid)

            timed["decode"].append(seconds_of(lambda: sum(1 for _ in frames_at(path, times))))
            timed["encode"].append(seconds_of(lambda: [frozen.encode_images(batch) for batch in batches]))
            timed["stage"].append(seconds_of(stage))
            for backend in ("decord", "pyav"):
                timed[backend].append(seconds_of(lambda backend=backend: sum(1 for _ in frames_at(path, times, backend=backend))))  # type: ignore[misc]
        median = {name: statistics.median(values) for name, values in timed.items()}
        ratio = statistics.median(s / max(d, e) for s, d, e in zip(timed["stage"], timed["decode"], timed["encode"], strict=True))
        result: dict[str, float | int | str] = {
            "encoder": encoder,
            "stage_s": round(median["stage"], 4),
            "decode_s": round(median["decode"], 4),
            "encode_s": round(median["encode"], 4),
            "stage_over_slower_part": round(ratio, 3),
            "frames_encoded": encoded,
            "frames_on_grid": len(times),
            "frames_in_segments": len(needed),
            "frames_plain": int((stop - first).sum()),
            "decord_frames_per_s": round(30 * seconds / median["decord"], 1),
            "pyav_frames_per_s": round(30 * seconds / median["pyav"], 1),
        }
        if measure_plain:
            result["plain_s"] = round(seconds_of(lambda: plain(path, frozen, start, end)), 4)
    for name, value in result.items():
        print(f"{name:>24}  {value}")
    if as_json:
        print(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    typer.run(main)
