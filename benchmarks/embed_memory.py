"""How much memory the stage `embed_video` needs: one long video under ViT-B/32, and thousands of short takes under the demo's encoder.

    python benchmarks/embed_memory.py --json
    python benchmarks/embed_memory.py --minutes 0 --takes 1000

The stage runs as DVC runs it, in a folder of its own with a work cache of its own, while the resident memory of its processes is read from /proc
(Linux). `peak_process_mib` is the greatest of a single process at any moment (RSS), `peak_sum_mib` the greatest sum over all of them at one moment
(PSS: pages that several processes share, such as PyTorch's libraries, count once). A leak shows as `mib_per_1000_takes`: the least-squares slope of
the sum over the takes done, after the first fifth.

The long video is 30 frames a second of H.264 at 448 pixels in which little moves (memory does not depend on it); ViT-B/32 has random weights in a
local open_clip folder, as a person without network would give it. The short takes are one clip of 16 frames under many names.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import av
import numpy as np
import open_clip
import pandas as pd
import torch
import typer
import yaml
from safetensors.torch import save_file

from primus.artifacts import read_json, write_json, write_table
from primus.embeddings.hf_clip import MEAN, STD
from primus.schema import SEGMENTS

ROOT = Path(__file__).resolve().parent.parent


def make_clip(path: Path, frames: int, size: int) -> None:
    """H.264 at 30 frames a second whose picture changes once a second."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (3 * size // 2, size)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "30"})
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            if number % 30 == 0:
                picture[: size // 8] = rng.integers(0, 256)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())


def make_weights(folder: Path) -> None:
    """ViT-B/32 with random weights as an open_clip folder."""
    folder.mkdir()
    config = open_clip.get_model_config("ViT-B-32-quickgelu")
    torch.manual_seed(0)
    save_file({name: value.contiguous() for name, value in open_clip.CLIP(**config).state_dict().items()}, folder / "open_clip_model.safetensors")
    write_json(folder / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": {"mean": list(MEAN), "std": list(STD)}})


def make_workspace(folder: Path, names: list[str], seconds: float, window_s: float, encoder: dict[str, str], fps: float, workers: int) -> None:
    """Params and segments of takes with one video each, below `folder`; the videos are expected in `folder`/videos."""
    rows = [
        {
            "segment_id": f"{Path(name).stem}_{round(start * 1000)}", "dataset": "set", "take_uid": Path(name).stem, "purpose": "pretrain",
            "policy": "tile", "start_s": start, "end_s": start + window_s, "texts": [], "video_path": name,
        }
        for name in names
        for start in np.arange(0, seconds - window_s + 1e-9, window_s).tolist()
    ]  # fmt: skip
    write_table(folder / "data" / "memory" / "segments" / "segments.parquet", pd.DataFrame(rows).reindex(columns=SEGMENTS.names), SEGMENTS)
    params = {
        "data": "memory",
        "preset": "ours",
        "compute": {"threads": 2, "workers": workers},
        "embed": {"encoder": {**encoder, "device": "cpu"}, "video": {"fps": fps, "pool": "clip4clip"}},
        "profiles": {"memory": {"datasets": {"set": {"reader": "egoexo4d", "root": str(folder / "videos")}}}},
        "presets": {"ours": {}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def memory_mib(ancestor: int) -> list[tuple[float, float]]:
    """(RSS, PSS) of a process and of all that descend from it, the process itself first."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _fields(entry / "status")
            if fields:
                parents[int(entry.name)] = int(fields["PPid"])
    family = [ancestor]
    for member in family:
        family += [pid for pid, parent in parents.items() if parent == member]
    rolled = [_fields(Path(f"/proc/{pid}/smaps_rollup")) for pid in family]
    return [(int(fields["Rss"].split()[0]) / 1024, int(fields["Pss"].split()[0]) / 1024) for fields in rolled if fields]


def _fields(path: Path) -> dict[str, str]:
    """Lines `name: value` of a file in /proc; none where the process has just ended."""
    try:
        return {name: value for name, _, value in (line.partition(":") for line in path.read_text().splitlines())}
    except OSError:
        return {}


def watch_stage(folder: Path, every_s: float) -> tuple[list[tuple[int, list[tuple[float, float]]]], float]:
    """Run the stage in `folder`; samples of (takes done, memory of each process), and the seconds it took."""
    cache = folder / "cache"
    env = os.environ | {"PRIMUS_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    samples = []
    with open(folder / "said.txt", "w") as said:
        process = subprocess.Popen([sys.executable, "-m", "stages.embed_video"], cwd=folder, env=env, stdout=said, stderr=said)
        while process.poll() is None:
            samples.append((sum(1 for _ in cache.glob("frames/*/*.entry")), memory_mib(process.pid)))
            time.sleep(every_s)
    if process.returncode != 0:
        raise SystemExit(f"the stage failed:\n{(folder / 'said.txt').read_text()[-2000:]}")
    return samples, time.monotonic() - started


def slope(samples: list[tuple[int, list[tuple[float, float]]]], takes: int) -> float:
    """MiB per 1000 takes, over the samples between the first fifth of the takes and the last."""
    late = np.array([(done, sum(pss for _, pss in sizes)) for done, sizes in samples if takes // 5 <= done < takes])
    return float(np.polyfit(late[:, 0] / 1000, late[:, 1], 1)[0]) if len(late) > 2 else float("nan")


def measured(samples: list[tuple[int, list[tuple[float, float]]]], seconds: float, folder: Path) -> dict[str, Any]:
    """What both runs report."""
    frames = read_json(folder / "metrics" / "embed_video.json")["frames"]["encoded"]
    return {
        "peak_process_mib": round(max(rss for _, sizes in samples for rss, _ in sizes), 1),
        "peak_sum_mib": round(max(sum(pss for _, pss in sizes) for _, sizes in samples), 1),
        "frames_encoded": frames,
        "seconds": round(seconds, 1),
    }


def main(
    minutes: Annotated[float, typer.Option(help="Length of the long video; 0 leaves it out.")] = 30.0,
    takes: Annotated[int, typer.Option(help="Short takes; 0 leaves them out.")] = 5000,
    workers: Annotated[int, typer.Option(help="Worker processes (compute.workers).")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure the memory of the stage."""
    result: dict[str, Any] = {"workers": workers}
    with tempfile.TemporaryDirectory() as name:
        if minutes:
            folder = Path(name, "long")
            (folder / "videos").mkdir(parents=True)
            make_clip(folder / "videos" / "long.mp4", round(minutes * 60 * 30), 448)
            make_weights(folder / "weights")
            encoder = {"model": "ViT-B-32-quickgelu", "weights": str(folder / "weights")}
            make_workspace(folder, ["long.mp4"], minutes * 60, 5.0, encoder, 1.0, workers)
            result["long_video"] = {"minutes": minutes, **measured(*watch_stage(folder, 0.2), folder)}
        if takes:
            folder = Path(name, "many")
            (folder / "videos").mkdir(parents=True)
            make_clip(folder / "clip.mp4", 16, 96)
            names = [f"take{number:05d}.mp4" for number in range(takes)]
            for link in names:
                os.link(folder / "clip.mp4", folder / "videos" / link)
            make_workspace(folder, names, 0.5, 0.5, {"model": "primus-demo", "weights": "fixed-random"}, 10.0, workers)
            samples, seconds = watch_stage(folder, 1.0)
            result["many_takes"] = {"takes": takes, **measured(samples, seconds, folder), "mib_per_1000_takes": round(slope(samples, takes), 2)}
    for part, value in result.items():
        print(f"{part:>12}  {value}")
    if as_json:
        print(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    typer.run(main)
