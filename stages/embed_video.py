"""Stage `embed_video`: frozen video embeddings of the segments, data/<profile>/embeddings/video.h5."""

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from primus.artifacts import read_table, write_json
from primus.embeddings.jobs import EncoderChoice, TakeEmbeddings, TakeJob, embed_videos
from primus.embeddings.pool import Pool
from primus.embeddings.store import DIM_WITHOUT_ENCODER, NOT_LOADED, Provenance, write_embeddings
from primus.embeddings.weights import load_encoder
from primus.errors import UserError
from primus.io.files import resolve_root
from primus.params import Compute, load, load_datasets, profile_name
from primus.stage import StageLog, progress, stage


@dataclass(frozen=True)
class VideoParams:
    """Section `embed.video`.

    Attributes:
        fps: frames per second of the grid that is encoded (published: 10; CLIP4Clip: 1).
        pool: "clip4clip" (normalise, mean, normalise) or "published" (mean, normalise).
    """

    fps: float
    pool: Pool

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1000:
            raise ValueError(f"embed.video.fps must lie in (0, 1000], found {self.fps:g}")


def jobs_of(segments: pd.DataFrame, profile: str, encoder: EncoderChoice, video: VideoParams) -> list[TakeJob]:
    """One job per take that has a video, in the table's order. Loads the encoder for its identity, which each job carries; workers load their own."""
    with_video = segments[segments["video_path"].notna()]
    if with_video.empty:
        return []
    datasets = load_datasets()
    dvc_root = Path(os.environ.get("DVC_ROOT", "."))
    roots = {name: resolve_root(str(datasets[name]["root"]), dvc_root) for name in with_video["dataset"].unique()}
    identity = load_encoder(encoder.model, encoder.weights, encoder.device).identity
    return [
        TakeJob(
            dataset=str(dataset),
            take_uid=str(take_uid),
            path=roots[dataset] / rows["video_path"].iloc[0],
            name=f"{dataset}/{rows['video_path'].iloc[0]}",
            segment_ids=tuple(rows["segment_id"]),
            start_s=tuple(rows["start_s"]),
            end_s=tuple(rows["end_s"]),
            encoder=encoder,
            identity=identity,
            fps=video.fps,
            pool=video.pool,
        )
        for (dataset, take_uid), rows in with_video.groupby(["dataset", "take_uid"], sort=False)
    ]


def metrics_of(segments: pd.DataFrame, results: list[TakeEmbeddings], crashed: int) -> dict[str, Any]:
    """Counts that depend on the data and the parameters only, never on what was cached."""
    have, named = sum(len(result.segment_ids) for result in results), int(segments["video_path"].notna().sum())
    return {
        "segments": {"total": len(segments), "with_video": have, "without_video": len(segments) - named, "lost": named - have},
        "videos": {
            "total": len(results) + crashed,
            "unreadable": sum(not result.frames for result in results),
            "broken_off": sum(bool(result.frames and result.trouble) for result in results),
            "crashed": crashed,
        },
        "frames": {
            "encoded": sum(result.frames for result in results),
            "used": sum(result.frames_used for result in results),
            "plain": sum(result.frames_plain for result in results),
        },
    }


@stage("embed_video")
def main() -> None:
    """Embed the frames of every take that has a video, pool them per segment, and write the embeddings and the metrics."""
    profile = profile_name()
    encoder, video = load(EncoderChoice, "embed.encoder"), load(VideoParams, "embed.video")
    workers = load(Compute, "compute").workers
    segments = read_table(Path("data") / profile / "segments" / "segments.parquet")
    jobs = jobs_of(segments, profile, encoder, video)
    identity = jobs[0].identity if jobs else None
    provenance = Provenance(
        modality="video",
        model=encoder.model if identity is None else identity.model,
        weights_sha256=NOT_LOADED if identity is None else identity.weights_sha256,
        preprocessing="" if identity is None else identity.preprocessing,
        fps=video.fps,
        pool=video.pool,
        dim=DIM_WITHOUT_ENCODER if identity is None else identity.dim,
        corpus=profile,
    )
    log = StageLog("embed_video")
    counts: Counter[str] = Counter()
    results: list[TakeEmbeddings] = []
    trouble: list[str] = []
    outcomes = progress(embed_videos(jobs, workers), "embed_video", total=len(jobs), unit="videos")
    with write_embeddings(Path("data") / profile / "embeddings" / "video.h5", provenance) as writer:
        for outcome in outcomes:
            result = outcome.value
            if result is not None:
                writer.append(result.segment_ids, {"embedding": result.vectors})
                results.append(replace(result, vectors=result.vectors[:0]))  # the vectors are in the file now
                counts["reused" if result.reused else "encoded"] += result.frames
            why = str(outcome.refused) if result is None else result.trouble
            if why:
                trouble.append(f"{outcome.item.path}: {why}")
                log.event("video_trouble", dataset=outcome.item.dataset, take_uid=outcome.item.take_uid, why=why)
        if jobs and not any(result.frames for result in results):
            raise UserError(f"none of the {len(jobs)} videos could be read; the first is {trouble[0]}")
    write_json("metrics/embed_video.json", metrics_of(segments, results, crashed=len(jobs) - len(results)))
    rates = {"frames_per_s": log.rate(counts.total()), "videos_per_s": log.rate(len(jobs))}
    log.event("frames", encoded=counts["encoded"], reused=counts["reused"], videos=len(jobs), crashed=len(jobs) - len(results), **rates)
    print(f"embed_video: {counts['encoded']} frames encoded, {counts['reused']} reused, of {len(jobs)} videos")
    if trouble:
        print(f"WARNING: {len(trouble)} of {len(jobs)} videos lack frames or all of them, the first {trouble[0]}; logs/embed_video.jsonl names each")


if __name__ == "__main__":
    typer.run(main)
