"""A small Ego-Exo4D root on disk for tests, file by file as the release lays it out."""

import json
from pathlib import Path

import numpy as np

from primus.io.egoexo4d import EgoExo4DDataset
from primus.io.files import FileSet
from tests.io import vrs_files

START_NS = 284_324_000_000
ROWS_BEFORE = 60


def record(uid="uid-1", name="cmu_bike01_2", camera="aria01", seconds=4.0, **changes) -> dict:
    rows = round(seconds * 30)
    capture = {
        "capture_name": name.rpartition("_")[0],
        "cameras": [{"cam_id": camera, "is_ego": True}, {"cam_id": "gp05", "is_ego": True}, {"cam_id": "cam01", "is_ego": False}],
    }
    videos = {camera: {"rgb": {"relative_path": f"frame_aligned_videos/{camera}_214-1.mp4"}}, "cam01": {"0": {}}, "collage": {}}
    return {
        "take_uid": uid,
        "take_name": name,
        "root_dir": f"takes/{name}",
        "participant_uid": 657,
        "university_name": name.split("_")[0],
        "task_id": 4001,
        "task_name": "Remove a Wheel",
        "parent_task_name": "Bike Repair",
        "duration_sec": rows / 30,
        "timesync_start_idx": ROWS_BEFORE,
        "timesync_end_idx": ROWS_BEFORE + rows,
        "has_trimmed_vrs": True,
        "vrs_relative_path": f"{camera}_noimagestreams.vrs",
        "capture": capture,
        "frame_aligned_videos": videos,
    } | changes


def timesync_stamps(rows: int) -> np.ndarray:
    """Device time in ns of every row of a capture, the take starting at row ROWS_BEFORE."""
    return START_NS + np.round((np.arange(rows) - ROWS_BEFORE) * 1e9 / 30).astype(np.int64)


def write_timesync(path: Path, stamps: list, camera="aria01") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"cam01_pts,{camera}_214-1_capture_timestamp_ns,{camera}_1201-1_capture_timestamp_ns"]
    lines += [f"{i},{'' if stamp is None else float(stamp)},{i}" for i, stamp in enumerate(stamps)]
    path.write_text("\n".join(lines) + "\n")


def write_imu(root: Path, take: dict, stamps=None, instance=1, valid=None) -> tuple:
    """The take's VRS file: 1 kHz samples over the take and a little beyond, or at the stamps given."""
    seconds = take["duration_sec"]
    if stamps is None:
        stamps = vrs_files.signal(seconds + 0.1, start_ns=START_NS - 20_000_000)[0]
    draw = np.random.default_rng(1)
    accel, gyro = (draw.normal(0, 1, (len(stamps), 3)).astype(np.float32) for _ in range(2))
    path = root / take["root_dir"] / take["vrs_relative_path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    vrs_files.write(path, {instance: vrs_files.imu_rows(stamps, accel, gyro, valid)})
    return stamps, accel, gyro


def write_root(root: Path, takes: list[dict], descriptions: dict | None = None, splits: dict | None = None, imu=True, timesync=True) -> Path:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "takes.json").write_text(json.dumps(takes))
    for split, content in (descriptions or {}).items():
        (root / f"annotations/atomic_descriptions_{split}.json").write_text(json.dumps({"ds": "", "annotations": content}))
    if splits is not None:
        (root / "annotations/splits.json").write_text(json.dumps({"take_uid_to_split": splits}))
    for take in takes:
        if timesync:
            camera = take["vrs_relative_path"].split("_")[0]
            capture = take["capture"]["capture_name"]
            write_timesync(root / f"captures/{capture}/timesync.csv", list(timesync_stamps(take["timesync_end_idx"] + 30)), camera)
        if imu:
            write_imu(root, take)
    return root


def dataset(root: Path, **config) -> EgoExo4DDataset:
    return EgoExo4DDataset("egoexo4d", config, FileSet.scan(root))


def description(text="C turns a bolt.", timestamp=1.0, **changes) -> dict:
    return {"text": text, "timestamp": timestamp, "subject": "C", "ego_visible": True, "unsure": False, "best_exo": None} | changes


def a_pass(*descriptions: dict, rejected=False) -> dict:
    return {"annotation_uid": "a", "rejected": rejected, "reject_reason": None, "descriptions": list(descriptions)}
