"""An Ego-Exo4D-shaped corpus of any number of takes whose recordings are never decoded: what benchmarks/scale.py measures the pipeline on.

    python -m benchmarks.scale_corpus ROOT --takes 5000        run in a copy of the repository with the profile `scale`

The folder has the release's metadata, narrations and one small, distinct file for every recording and video. The work cache is then filled by the
stages' own code, with what reads and encodes the media replaced: a segment is the sinusoid of its activity with noise, frames and texts random.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from primus.embeddings import jobs as embedding_jobs
from primus.embeddings.frames import VideoFrames
from primus.embeddings.text import TextCache
from primus.seeds import generator
from primus.segments import segmenter

SEGMENTS_PER_TAKE = 50
TAKES_PER_PERSON = 7  # 5 035 takes of 740 people in the release
PROBE_SHARE = 0.1
TASKS = (("Cooking", 1), ("Bike Repair", 4), ("Music", 5), ("Basketball", 6), ("Rock Climbing", 7), ("Soccer", 8), ("Dance", 9), ("Cooking", 1))
SPACING_S = 6.0
PRETRAIN_S, PROBE_S = SPACING_S * SEGMENTS_PER_TAKE + 5.0, 5.0 * SEGMENTS_PER_TAKE


def take_name(number: int) -> str:
    """Folders of the corpus: a hundred takes in each."""
    return f"part{number // 100:03d}/take{number:05d}"


def write_corpus(root: Path, takes: int) -> None:
    """Metadata, narrations, and one small file in place of each recording and video."""
    records: list[dict[str, Any]] = []
    described: dict[str, dict[str, list[object]]] = {"train": {}, "val": {}}
    for number in range(takes):
        person = number // TAKES_PER_PERSON
        split = "val" if (person % round(1 / PROBE_SHARE)) == 0 else "train"
        uid = hashlib.sha256(f"take {number}".encode()).hexdigest()[:32]
        task, task_id = TASKS[number % len(TASKS)]
        folder = root / "takes" / take_name(number)
        (folder / "frame_aligned_videos/downscaled/448").mkdir(parents=True)
        (folder / "aria01_noimagestreams.vrs").write_text(f"recording {number}")
        (folder / "frame_aligned_videos/downscaled/448/aria01_214-1.mp4").write_text(f"video {number}")
        records.append(
            {
                "take_uid": uid, "take_name": f"take{number:05d}", "root_dir": f"takes/{take_name(number)}", "participant_uid": person,
                "university_name": f"site{person % 12}", "duration_sec": PROBE_S if split == "val" else PRETRAIN_S,
                "task_name": task, "parent_task_name": task, "task_id": task_id * 1000, "vrs_relative_path": "aria01_noimagestreams.vrs",
                "has_trimmed_vrs": True, "capture": {"capture_name": "c", "cameras": [{"cam_id": "aria01", "is_ego": True}]},
                "frame_aligned_videos": {"aria01": {"rgb": {"relative_path": "frame_aligned_videos/aria01_214-1.mp4"}}},
            }
        )  # fmt: skip
        said = [
            {"timestamp": 2.5 + SPACING_S * place, "subject": "C", "ego_visible": True, "unsure": False,
             "text": f"C handles object {(number * SEGMENTS_PER_TAKE + place) // 2} beside the table"}
            for place in range(SEGMENTS_PER_TAKE)
        ]  # fmt: skip
        described[split][uid] = [{"rejected": False, "descriptions": said}]
    (root / "takes.json").write_text(json.dumps(records))
    (root / "annotations").mkdir()
    for split, passes in described.items():
        (root / f"annotations/atomic_descriptions_{split}.json").write_text(json.dumps({"annotations": passes}))


def cut_nothing(_: Any, files: Any, job: segmenter.TakeJob, settings: segmenter.SegmentSettings) -> segmenter.TakeSegments:
    """In place of `segment_take`: its intervals, filled with the sinusoid of the take's activity and noise."""
    take, random = job.take, generator(0, "scale", job.take.take_uid)
    narrations = list(take.narrations)
    grid = segmenter._grid(job, narrations, 0.0, take.duration_s or 0.0, settings)
    count, samples = len(grid.intervals), settings.samples
    frequency = 0.5 + (hash_of(take.label or "") % 8) / 2 + 0.1 * random.standard_normal()
    wave = np.sin(2 * np.pi * frequency * np.arange(samples) / settings.rate_hz).astype(np.float32)
    imu = random.standard_normal((count, 6, samples), dtype=np.float32) + wave
    imu[:, 2] += np.float32(9.81)
    facts = {
        "clock": "first_sample", "n_imu_samples": count * samples, "rate_hz": settings.rate_hz, "duration_s": take.duration_s,
        "narrations": len(narrations), "narrations_other_subject": 0, "narrations_used": len(narrations), "merged": grid.merged, "repairs": {},
    }  # fmt: skip
    return segmenter.TakeSegments(grid.intervals, (take.video_path is not None,) * count, imu, (), facts)


def hash_of(text: str) -> int:
    """A number that is the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def fill_cache() -> None:
    """Run segment, embed_video and embed_text in this process with the readers and encoders replaced."""
    import runpy

    def encode_video(path: Path, encoder: Any, fps: float, *_: Any) -> VideoFrames:
        count = int(PRETRAIN_S * fps)
        vectors = generator(0, "frames", path.parents[3].name).standard_normal((count, encoder.identity.dim))
        return VideoFrames(np.arange(count, dtype=np.int64), vectors.astype(np.float16), count, "")

    def encode_texts(cache: TextCache, chunk: list[str], encoder: Any) -> tuple[np.ndarray, np.ndarray]:
        vectors = generator(0, "texts", chunk[0]).standard_normal((len(chunk), encoder.identity.dim)).astype(np.float16)
        cache._cache.store(cache.key(chunk), {"embedding": vectors, "truncated": np.zeros(len(chunk), np.uint8)}, {})
        return vectors, np.zeros(len(chunk), bool)

    segmenter.segment_take = cut_nothing
    embedding_jobs.encode_video = encode_video  # type: ignore[assignment]
    TextCache.encode = encode_texts  # type: ignore[method-assign, assignment]
    for module in ("primus.engine", "primus.embeddings.jobs"):
        _in_this_process(module)
    for stage in ("segment", "embed_video", "embed_text"):
        runpy.run_module(f"stages.{stage}", run_name="stages")["main"]()


def _in_this_process(module: str) -> None:
    import importlib

    from primus.engine import map_takes

    importlib.import_module(module).map_takes = lambda function, items, *_: map_takes(function, items, 0)  # type: ignore[attr-defined]


def main(
    root: Annotated[Path, typer.Argument(help="folder for the corpus; must not exist")],
    takes: Annotated[int, typer.Option()] = 312,
) -> None:
    """Write the corpus below ROOT, run the manifest stage, fill the work cache."""
    import runpy

    root.mkdir(parents=True)
    write_corpus(root, takes)
    os.environ["EGOEXO4D_ROOT"] = str(root)
    runpy.run_module("stages.manifest", run_name="stages")["main"]()
    fill_cache()


if __name__ == "__main__":
    typer.run(main)
