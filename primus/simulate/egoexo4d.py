"""Write the metadata of the Ego-Exo4D-shaped corpus: takes, captures, participants, splits, annotations, clocks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from primus.seeds import generator
from primus.simulate.config import CorpusConfig
from primus.simulate.egoexo4d_plan import FPS, LEAD_ROWS, TakePlan, plan_takes
from primus.simulate.egoexo4d_take import EXO_CAMERAS, TakeJob, TakeResult, take_origin_ns

DATASET: Final = "egoexo4d"
DS: Final = "20240324_01:26:30"
MISSING_CELL: Final = 0.004
FRAME_JITTER_NS: Final = 60_000
SCOPES: Final = {"gap": "segment", "unreadable_video": "video", "not_in_takes": "annotation"}


def jobs(config: CorpusConfig) -> list[TakeJob]:
    """One job per take."""
    return [TakeJob(plan, config.seed, config.link, config.egoexo4d.pixels) for plan in plan_takes(config.egoexo4d, config.seed)]


def write_metadata(root: Path, config: CorpusConfig, work: Sequence[TakeJob], results: Sequence[TakeResult]) -> list[dict[str, Any]]:
    """Write everything but the takes' own files below `root`; returns the injected defects."""
    plans = [job.plan for job in work]
    listed = [plan for plan in plans if plan.defect != "not_in_takes"]
    captures = {plan.capture_uid: _capture(plan) for plan in listed}
    _dump(root / "takes.json", [_take(plan, captures[plan.capture_uid], config.seed) for plan in listed])
    _dump(root / "captures.json", list(captures.values()))
    _dump(root / "participants.json", [{"participant_uid": uid} for uid in sorted({plan.participant for plan in listed})])
    _dump(root / "annotations" / "splits.json", _splits(listed))
    for split in ("train", "val"):
        chosen = [(plan, result) for plan, result in zip(plans, results, strict=True) if plan.split == split]
        _dump(
            root / "annotations" / f"atomic_descriptions_{split}.json",
            {
                "ds": DS,
                "take_cam_id_map": {plan.take_uid: {str(i + 1): cam for i, cam in enumerate(EXO_CAMERAS)} for plan, _ in chosen},
                "annotations": {plan.take_uid: result.passes for plan, result in chosen},
            },
        )
    for plan in listed:
        path = root / "captures" / plan.capture_name / "timesync.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_timesync(plan, config.seed), encoding="utf-8")
    return [_injected(plan, result) for plan, result in zip(plans, results, strict=True) if plan.defect]


def _dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _capture(plan: TakePlan) -> dict[str, Any]:
    ego = {
        "cam_id": plan.aria_id,
        "is_ego": True,
        "device_type": "aria",
        "has_walkaround": True,
        "includes_audio": True,
        "relative_path": f"videos/{plan.aria_id}.vrs",
    }
    exo = [
        {
            "cam_id": cam,
            "is_ego": False,
            "device_type": "hero10",
            "has_walkaround": False,
            "includes_audio": True,
            "relative_path": f"videos/{cam}.mp4",
        }
        for cam in EXO_CAMERAS
    ]
    return {
        "root_dir": f"captures/{plan.capture_name}",
        "capture_name": plan.capture_name,
        "capture_uid": plan.capture_uid,
        "university_name": plan.site,
        "physical_setting_uid": _setting(plan),
        "ds_recorded": 1_680_000_000 + plan.start_row * 100,
        "has_trajectory": False,
        "has_gaze": False,
        "has_postsurvey": False,
        "cameras": [ego, *exo],
        "timesync_uid": plan.capture_uid[::-1],
        "timesync_validated": True,
        "validated": True,
    }


def _setting(plan: TakePlan) -> int:
    return 10 + sum(plan.site.encode()) % 90


def _take(plan: TakePlan, capture: Mapping[str, Any], seed: int) -> dict[str, Any]:
    rng = generator(seed, "simulate", "egoexo4d", plan.take_uid, "metadata")
    video = f"frame_aligned_videos/{plan.aria_id}_214-1.mp4" if plan.has_video else None
    streams: dict[str, Any] = {
        plan.aria_id: {"rgb": {"cam_id": plan.aria_id, "stream_id": "214-1", "readable_stream_id": "rgb", "clip_uid": None, "relative_path": video}},
        "collage": {"0": {"relative_path": None}},
        "best_exo": {"0": {"relative_path": None}},
    }
    return {
        "root_dir": f"takes/{plan.take_name}",
        "take_name": plan.take_name,
        "take_uid": plan.take_uid,
        "take_idx": plan.take_idx,
        "capture_uid": plan.capture_uid,
        "capture": dict(capture),
        "participant_uid": plan.participant,
        "university_name": plan.site,
        "university_id": plan.site,
        "task_id": None if plan.split == "train" and rng.random() < 0.03 else plan.task.task_id,
        "task_name": plan.task.task_name,
        "parent_task_id": plan.task.task_id // 1000 * 1000,
        "parent_task_name": plan.task.parent_name,
        "duration_sec": plan.duration_s,
        "task_start_sec": round(float(rng.uniform(0.1, 0.9)), 5),
        "task_end_sec": round(plan.duration_s - float(rng.uniform(0.1, 0.9)), 5),
        "timesync_start_idx": plan.start_row,
        "timesync_end_idx": plan.start_row + plan.n_frames,
        "timesync_uid": capture["timesync_uid"],
        "best_exo": str(rng.choice(EXO_CAMERAS)) if rng.random() < 0.9 else None,
        "is_narrated": False,
        "is_dropped": False,
        "validated": True,
        "objects": [],
        "physical_setting_uid": _setting(plan),
        "has_trimmed_vrs": plan.defect != "no_imu" or plan.start_row % 2 == 0,  # the file may also be missing without notice
        "has_trimmed_trajectory": False,
        "has_trimmed_gaze": False,
        "vrs_relative_path": f"{plan.aria_id}_noimagestreams.vrs",
        "vrs_all_streams_relative_path": None,
        "frame_aligned_videos": streams,
    }


def _splits(plans: Sequence[TakePlan]) -> dict[str, Any]:
    return {
        "take_uid_to_split": {plan.take_uid: plan.split for plan in plans},
        "split_to_take_uids": {split: [plan.take_uid for plan in plans if plan.split == split] for split in ("train", "val", "test")},
        "take_uid_to_benchmark": {plan.take_uid: ["atomic_action_descriptions"] for plan in plans},
    }


def _timesync(plan: TakePlan, seed: int) -> str:
    """The capture's clock: one row per synchronised instant at 30 Hz; the take's first row holds its exact origin."""
    rng = generator(seed, "simulate", "egoexo4d", plan.take_uid, "timesync")
    rows = plan.start_row + plan.n_frames + LEAD_ROWS
    stamps = plan.origin_ns + np.round(np.arange(rows) * 1e9 / FPS + rng.normal(0, FRAME_JITTER_NS, rows)).astype(np.int64)
    stamps[plan.start_row] = take_origin_ns(plan)
    missing = rng.random(rows) < MISSING_CELL
    missing[plan.start_row] = False
    if plan.defect == "timesync_invalid":
        missing[plan.start_row : plan.start_row + plan.n_frames] = True
    aria = plan.aria_id
    lines = [f"{aria}_214-1_capture_timestamp_ns,{aria}_214-1_frame_number,cam01_pts,cam01_frame_number"]
    for row, (stamp, lost) in enumerate(zip(stamps.tolist(), missing.tolist(), strict=True)):
        lines.append(f"{'' if lost else stamp},{'' if lost else row},{row * 512},{row}")
    return "\n".join(lines) + "\n"


def _injected(plan: TakePlan, result: TakeResult) -> dict[str, Any]:
    row: dict[str, Any] = {"dataset": DATASET, "take_uid": plan.take_uid, "reason": plan.defect, "scope": SCOPES.get(str(plan.defect), "take")}
    if result.gap_s:
        row |= {"start_s": round(result.gap_s[0], 6), "end_s": round(result.gap_s[1], 6)}
    return row
