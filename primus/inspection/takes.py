"""One take as a person wants to look at it: its signals on take time, its narrations, and what segmentation made of it."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primus.artifacts import read_table
from primus.errors import Rejected, UserError
from primus.io.datasets import open_dataset
from primus.io.files import FileSet, resolve_root
from primus.io.imu_file import TABLE_SUFFIXES, TELEMETRY_SUFFIXES, read_imu
from primus.io.recording import ImuRecording
from primus.io.takes import Narration
from primus.params import load_value
from primus.schema import REJECTS, SEGMENTS
from primus.typed import nearest


@dataclass(frozen=True)
class InspectedTake:
    """A take, or a recording that belongs to none.

    Attributes:
        name: its take_uid, or the file's name.
        facts: what is known of it, in the order in which it is told: plain numbers, texts and mappings.
        recording: its IMU; None where it cannot be read.
        times_s: (N,) stamps of the recording's samples, seconds from take start.
        clock: how the take's start is known on the device's clock (`primus.io.takes.TakeImu`); "" without a recording.
        trouble: why there is no recording, or "".
        duration_s: of the take.
        narrations: ordered in time.
        segments, rejects: rows of the tables of those names (`primus.schema`) that belong to the take.
        video: the take's video; None where there is none.
    """

    name: str
    facts: Mapping[str, Any]
    recording: ImuRecording | None
    times_s: NDArray[np.float64]
    clock: str
    trouble: str
    duration_s: float
    narrations: tuple[Narration, ...]
    segments: pd.DataFrame
    rejects: pd.DataFrame
    video: Path | None


def names_a_file(target: str) -> bool:
    """Whether `target` is meant as a recording's path rather than a take_uid."""
    path = Path(target.partition("::")[0])
    return path.is_file() or "::" in target or path.suffix.lower() in (".vrs", *TELEMETRY_SUFFIXES, *TABLE_SUFFIXES)


def open_recording(path: str, stream: str | None = None, units: Mapping[str, str] | None = None) -> InspectedTake:
    """A recording file by itself, `units` being those of a table; see `primus.io.imu_file.read_imu` for what is raised.

    Its time starts with the first video frame where the file is a video, else with its first sample.
    """
    recording = read_imu(path, stream=stream, **({"units": units} if units else {}))
    stamps = recording.timestamps_ns
    is_video = Path(path).suffix.lower() in TELEMETRY_SUFFIXES and "::" not in path
    times_s = (stamps - (0 if is_video else stamps[0])) * 1e-9
    return InspectedTake(
        name=Path(path).name,
        facts=_recording_facts(recording),
        recording=recording,
        times_s=times_s,
        clock="file" if is_video else "first_sample",
        trouble="",
        duration_s=float(times_s[-1]),
        narrations=(),
        segments=pd.DataFrame(columns=SEGMENTS.names),
        rejects=pd.DataFrame(columns=REJECTS.names),
        video=Path(path) if is_video else None,
    )


def open_take(take_uid: str, folder: Path) -> InspectedTake:
    """A take of a profile that has been segmented.

    Args:
        take_uid: in the profile's tables of takes, of segments or of rejects.
        folder: the profile's data, data/<profile>; its data sets are those of `profiles.<profile>.datasets` in params.yaml.

    Raises:
        UserError: the profile has not been segmented, has no such take, or its data sets cannot be opened.
    """
    if not (folder / "segments" / "takes.parquet").is_file():
        place = folder / "segments" / "takes.parquet"
        raise UserError(f"{take_uid!r} is not a file, and there is no {place} to find a take in; run `dvc repro segment`, or say --data")
    tables = {name: read_table(folder / "segments" / f"{name}.parquet") for name in ("takes", "segments", "rejects")}
    known = pd.concat([tables["takes"][["take_uid", "dataset"]], tables["rejects"][["take_uid", "dataset"]]]).drop_duplicates("take_uid")
    mine = known[known["take_uid"] == take_uid]
    if mine.empty:
        close = nearest(take_uid, known["take_uid"]) if len(known) < 100_000 else ""
        where = f"{folder}/segments/takes.parquet{close if 'mean' in close else ''}"
        raise UserError(f"{take_uid!r} is neither a file nor one of the {len(known)} take_uids of {where}")
    dataset_name = str(mine["dataset"].iloc[0])
    config = _dataset_config(folder, dataset_name)
    files = _files(folder, dataset_name, config)
    dataset = open_dataset(dataset_name, config, files)
    take = next((take for take in dataset.takes()[0] if take.take_uid == take_uid), None)
    segments, rejects = (tables[name][tables[name]["take_uid"] == take_uid].reset_index(drop=True) for name in ("segments", "rejects"))
    facts: dict[str, Any] = {"take_uid": take_uid, "dataset": dataset_name}
    recording, clock, trouble = None, "", "it is in the annotations only; the data set lists no such take"
    times_s: NDArray[np.float64] = np.empty(0)
    if take is not None:
        facts |= {name: getattr(take, name) for name in ("participant", "site", "device", "label") if getattr(take, name)}
        try:
            read = dataset.read_imu(take)
            recording, clock, trouble = read.recording, read.clock, ""
            times_s = (recording.timestamps_ns - read.origin_ns).astype(np.float64) * 1e-9
            facts |= _recording_facts(recording) | {"clock": clock}
        except Rejected as refused:
            trouble = str(refused)
    lengths = [take.duration_s if take is not None else None, *([float(times_s[-1])] if len(times_s) else [])]
    duration_s = next((length for length in lengths if length), 0.0) or float(segments["end_s"].max() if len(segments) else 0.0)
    facts |= {"trouble": trouble} if trouble else {}
    facts |= {"take_s": round(duration_s, 3), "narrations": len(take.narrations) if take is not None else 0}
    facts |= {"segments": len(segments), "rejects": dict(Counter(rejects["reason"]))}
    return InspectedTake(
        name=take_uid,
        facts=facts,
        recording=recording,
        times_s=times_s,
        clock=clock,
        trouble=trouble,
        duration_s=duration_s,
        narrations=take.narrations if take is not None else (),
        segments=segments,
        rejects=rejects,
        video=files.path(take.video_path) if take is not None and take.video_path is not None and files.has(take.video_path) else None,
    )


def _recording_facts(recording: ImuRecording) -> dict[str, Any]:
    return {
        "source": recording.source,
        "samples": len(recording.timestamps_ns),
        "rate_hz": round(float(recording.rate_hz), 3),
        "duration_s": round(recording.duration_s, 3),
        "first_timestamp_ns": int(recording.timestamps_ns[0]),
        "mean_specific_force_m_s2": round(float(np.linalg.norm(recording.accel, axis=1).mean()), 3),
        "gyroscope": recording.gyro is not None,
        "notes": dict(recording.notes),
    }


def _dataset_config(folder: Path, dataset: str) -> Mapping[str, Any]:
    datasets = load_value(f"profiles.{folder.name}.datasets")
    if not isinstance(datasets, Mapping) or not isinstance(datasets.get(dataset), Mapping):
        raise UserError(f"params.yaml: profiles.{folder.name}.datasets has no {dataset}, but {folder} holds takes of it; run `dvc repro segment`")
    return datasets[dataset]


def _files(folder: Path, dataset: str, config: Mapping[str, Any]) -> FileSet:
    """The data set's files as the profile's manifest lists them."""
    root = resolve_root(str(config.get("root") or ""), Path(os.environ.get("DVC_ROOT", ".")))
    manifest = read_table(folder / "manifest.parquet")
    mine = manifest[manifest["dataset"] == dataset]
    return FileSet(root, dict(zip(mine["path"], mine["size_bytes"].tolist(), strict=True)))
