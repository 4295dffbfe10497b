"""The Ego4D-shaped labelled set: single-scenario videos of which only the IMU is kept, recorded with other devices."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from primus.seeds import generator
from primus.simulate.activities import EGO4D
from primus.simulate.config import EGO4D_DEFECTS, CorpusConfig, Link
from primus.simulate.imu import Sensor, clock, measure
from primus.simulate.narrations import annotate, identifier
from primus.simulate.people import draw_person, mounting_rotation
from primus.simulate.performance import perform

DATASET: Final = "ego4d"
POPULATION: Final = "ego4d"
COLUMNS: Final = ("component_idx", "component_timestamp_ms", "canonical_timestamp_ms", "gyro_x", "gyro_y", "gyro_z", "accl_x", "accl_y", "accl_z")
SITES: Final = ("unc", "cmu", "bristol", "iiith")
DEVICES: Final = {
    "GoPro Hero 7 Black": Sensor(201.0, 4e-5, ((0, -1, 0), (0, 0, 1), (-1, 0, 0)), (0.09, 0.0, 0.06), 0.06, 0.006, 0.15, 0.006),
    "GoPro Hero 4 Silver": Sensor(198.6, 6e-5, ((0, 0, 1), (0, 1, 0), (-1, 0, 0)), (0.10, 0.02, 0.05), 0.09, 0.008, 0.15, 0.008),
}
"""Head-mounted action cameras: another place on the head, other axes, more noise."""

GAP_S: Final = 1.4
MISSING_STAMP: Final = 0.003


@dataclass(frozen=True)
class VideoJob:
    """One video: `scenario` is what ego4d.json says; `defect` what is wrong with its IMU."""

    video_uid: str
    participant: int
    scenario: str
    device: str
    site: str
    seconds: float
    defect: str | None
    seed: int
    link: Link

    def cost(self) -> float:
        """Roughly proportional to run time."""
        return self.seconds * 0.3

    def run(self, root: Path, cache_root: Path | None) -> dict[str, Any]:
        """Write the IMU file below `root`; returns the video's narration entry and, for a gap, where it is."""
        rng = generator(self.seed, "simulate", "ego4d", self.video_uid)
        activity = EGO4D[self.scenario]
        person = draw_person(self.seed, POPULATION, self.participant)
        performance = perform(activity, person, self.seconds, activity.things, rng)
        sensor = DEVICES[self.device].rotated(mounting_rotation(person, 1.5))
        times = clock(0.0, self.seconds + 0.02, sensor.rate_hz, sensor.jitter_s, rng)
        accel, gyro = measure(performance.trajectory, times * 1e-9, sensor, rng)
        gap = self._write(root / "v2" / "imu" / f"{self.video_uid}.csv", times, accel.astype(float), gyro.astype(float), rng)
        events = performance.events
        if self.link == "none":
            other = EGO4D[str(rng.choice(list(EGO4D)))]
            events = perform(other, person, self.seconds, other.things, rng).events
        passes = annotate(events, self.seconds, ("cam01",), rng, rng)
        return {"narration": _narration(passes, rng), "gap_s": gap}

    def _write(self, path: Path, times: np.ndarray, accel: np.ndarray, gyro: np.ndarray, rng: np.random.Generator) -> tuple[float, float] | None:
        path.parent.mkdir(parents=True, exist_ok=True)
        stamps = np.round(times * 1e-6, 3)
        canonical = stamps.copy()
        canonical[rng.random(len(canonical)) < MISSING_STAMP] = np.nan
        gap = None
        if self.defect == "gap":
            start = float(rng.uniform(0.35, 0.6)) * self.seconds
            gap = (start, start + GAP_S)
            canonical[(stamps >= gap[0] * 1e3) & (stamps < gap[1] * 1e3)] = np.nan
        if self.defect == "missing_axis":
            accel[:, 2] = np.nan
        if self.defect == "duplicate_axis":
            accel[:, 2] = accel[:, 1]
        columns = [stamps, canonical, *np.round(gyro, 5).T, *np.round(accel, 4).T]
        arrays = [pa.array(np.zeros(len(times), np.int64)), *(pa.array(column, from_pandas=True) for column in columns)]
        with open(path, "wb") as handle:
            handle.write((",".join(COLUMNS) + "\n").encode())
            pa_csv.write_csv(pa.table(arrays, names=list(COLUMNS)), handle, pa_csv.WriteOptions(include_header=False))
        return gap


def _narration(passes: Sequence[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    entry: dict[str, Any] = {"status": "complete"}
    accepted = [row["descriptions"] for row in passes if not row["rejected"]]
    for number, rows in enumerate(accepted[:2], start=1):
        narrations = [
            {
                "timestamp_sec": row["timestamp"],
                "timestamp_frame": int(row["timestamp"] * 30),
                "_unmapped_timestamp_sec": row["timestamp"],
                "narration_text": f"#{row['subject'] or 'unsure'} {row['text']}",
                "annotation_uid": identifier(rng),
            }
            for row in rows
        ]
        order = rng.permutation(len(narrations))  # the published file is not sorted by time
        entry[f"narration_pass_{number}"] = {"narrations": [narrations[i] for i in order], "summaries": []}
    return entry


def jobs(config: CorpusConfig) -> list[VideoJob]:
    """One job per video: every participant does every scenario once, then the defective extras."""
    sizes = config.ego4d
    rng = generator(config.seed, "simulate", "ego4d", "plan")
    scenarios = list(EGO4D)[: sizes.classes]
    slots: list[tuple[int, str, str | None]] = [(person, name, None) for person in range(sizes.participants) for name in scenarios]
    extras = [defect for defect in EGO4D_DEFECTS for _ in range(sizes.defects_per_kind)] if slots else []
    slots += [(number % sizes.participants, scenarios[number % len(scenarios)], defect) for number, defect in enumerate(extras)]
    devices = list(DEVICES)
    return [
        VideoJob(
            video_uid=identifier(rng),
            participant=700 + person,
            scenario=scenario,
            device=devices[person % len(devices)],
            site=SITES[person // len(devices) % len(SITES)],
            seconds=round(sizes.video_s * float(rng.uniform(0.97, 1.08)), 3),
            defect=defect,
            seed=config.seed,
            link=config.link,
        )
        for person, scenario, defect in slots
    ]


def write_metadata(root: Path, work: Sequence[VideoJob], results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write ego4d.json and narration.json below `root`; returns the injected defects."""
    folder = root / "v2"
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    videos = [_video(job) for job in work]
    listing = {
        "date": "220216",
        "version": "v2_1",
        "description": "simulated",
        "videos": videos,
        "clips": [],
        "concurrent_video_sets": [],
        "physical_settings": [],
    }
    (folder / "ego4d.json").write_text(json.dumps(listing, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    narrations = {job.video_uid: result["narration"] for job, result in zip(work, results, strict=True)}
    (folder / "annotations" / "narration.json").write_text(json.dumps(narrations, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    injected = []
    for job, result in zip(work, results, strict=True):
        if job.defect:
            row: dict[str, Any] = {
                "dataset": DATASET,
                "take_uid": job.video_uid,
                "reason": job.defect,
                "scope": "segment" if job.defect == "gap" else "take",
            }
            if result["gap_s"]:
                row |= {"start_s": round(result["gap_s"][0], 6), "end_s": round(result["gap_s"][1], 6)}
            injected.append(row)
    return injected


def _video(job: VideoJob) -> dict[str, Any]:
    frames = int(job.seconds * 30)
    metadata = {
        "fps": 30.0,
        "num_frames": frames,
        "video_codec": "vp9",
        "mp4_duration_sec": job.seconds,
        "video_start_sec": 0.0,
        "video_duration_sec": job.seconds,
        "audio_start_sec": None,
        "audio_duration_sec": None,
    }
    return {
        "video_uid": job.video_uid,
        "duration_sec": job.seconds,
        "scenarios": [job.scenario],
        "video_metadata": metadata,
        "split_em": None,
        "split_av": None,
        "split_fho": None,
        "video_source": job.site,
        "device": job.device,
        "physical_setting_name": None,
        "fb_participant_id": job.participant,
        "is_stereo": False,
        "has_imu": True,
        "has_gaze": False,
        "imu_s3_path": None,
        "video_components": [
            {
                "component_idx": 0,
                "redacted": False,
                "canonical_video_start_sec": 0.0,
                "canonical_video_end_sec": job.seconds,
                "canonical_video_start_frame": 0,
                "canonical_video_end_frame": frames,
            }
        ],
        "has_redacted_regions": False,
        "redacted_intervals": [],
        "gaps": [],
    }
