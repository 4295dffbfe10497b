"""Clips of action cameras: the IMU out of the video file itself, on the video's clock, and a folder of such clips as a dataset."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from primus.engine import map_takes
from primus.errors import Rejected, UserError
from primus.io.files import FileSet
from primus.io.narrations_csv import read_narrations_csv
from primus.io.people import person_in, person_pattern
from primus.io.recording import ImuRecording, build_recording
from primus.io.sensor_join import join_sensors
from primus.io.takes import Take, TakeImu
from primus.io.telemetry import read_telemetry
from primus.io.video import probe
from primus.schema import Reject

SUFFIXES = (".mp4", ".mov", ".insv", ".360")
_PROBE_LIMIT_S = 120.0


def read_imu_telemetry(path: Path) -> ImuRecording:
    """The IMU of a camera's video file (GoPro, Insta360, Sony, ... whatever telemetry-parser decodes) from its raw packets.

    Each sensor is spread over its own packets at its own rate (see `primus.io.telemetry`, which also states the axes: x right, y forward,
    z up); then both are brought to the slower one's timestamps, the faster one low-passed before (see `primus.io.sensor_join`).

    Returns:
        Samples in m/s^2 and rad/s; timestamp 0 is the first video frame. `gyro` is None where the camera has none. `notes` count
        `duplicate_stamps`, `missing_values` and `unpaired_samples`.

    Raises:
        UserError: the extra `actioncam` is not installed.
        Rejected: `no_imu`, `unreadable_imu` or `non_monotonic`.
    """
    if not path.is_file():
        raise Rejected("no_imu", f"{path.name}: there is no such file")
    telemetry = read_telemetry(path)
    accel, gyro = telemetry.accel, telemetry.gyro
    streams = (accel, gyro) if gyro else (accel,)
    notes = {name: sum(getattr(one, name) for one in streams) for name in ("duplicate_stamps", "missing_values")}
    if gyro is None:
        return build_recording(accel.timestamps_ns, accel.values, None, path.name, notes)
    joined = join_sensors(accel.timestamps_ns, accel.values, gyro.timestamps_ns, gyro.values)
    if not len(joined.timestamps_ns):
        raise Rejected("no_imu", f"{path.name}: its accelerometer and gyroscope have no time in common")
    notes["unpaired_samples"] = joined.unpaired
    return build_recording(joined.timestamps_ns, joined.accel, joined.gyro, path.name, notes)


class ActionCameraDataset:
    """A folder of clips; each is a take named after its file, and carries both the IMU and the video.

    Config:
        population: prefix of the participants, default the dataset's name.
        participants: regular expression with a group `participant`, searched in the file's name below the root; default none (participant unknown).
        narrations: name of a CSV below the root with take, timestamp_s, text; default narrations.csv, used where it exists.

    Raises:
        UserError: the folder has no clip, or a setting is wrong.
    """

    def __init__(self, name: str, config: Mapping[str, Any], files: FileSet) -> None:
        self.name = name
        self.root_files = files
        self.population = str(config.get("population") or name)
        self.participants = person_pattern(name, config.get("participants"))
        self.narrations = str(config.get("narrations") or "narrations.csv")
        if config.get("narrations") and not files.has(self.narrations):
            raise UserError(f"dataset {name}: {files.root} has no {self.narrations}; expected the narrations there")
        if not files.names(SUFFIXES):
            raise UserError(f"dataset {name}: {files.root} has no clip; expected files ending in {', '.join(SUFFIXES)}")

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """One take per clip; a clip whose pictures cannot be read keeps its IMU, and a reject of scope "video" says why."""
        takes: dict[str, Take] = {}
        rejects: list[Reject] = []
        clips = self.root_files.names(SUFFIXES)
        # in a process of its own: a clip that crashes or hangs the decoder costs its pictures, not the run
        probed = map_takes(probe, [self.root_files.path(file) for file in clips], workers=1, timeout_s=_PROBE_LIMIT_S)
        for file, outcome in zip(clips, probed, strict=True):
            uid = PurePosixPath(file).stem
            if uid in takes:
                rejects.append(Reject(self.name, uid, "unreadable_metadata", f"{file} has the name of {takes[uid].imu_path}; rename it", "take"))
                continue
            duration_s, video = (None, None) if outcome.value is None else (outcome.value.duration_s, file)
            if outcome.refused is not None:
                rejects.append(Reject(self.name, uid, outcome.refused.reason, outcome.refused.detail, "video"))
            person = person_in(file, self.participants, self.population)
            takes[uid] = Take(self.name, uid, person, device="action camera", duration_s=duration_s, imu_path=file, video_path=video)
        if self.root_files.has(self.narrations):
            found, refused = read_narrations_csv(self.root_files.path(self.narrations), self.name, takes)
            takes |= {uid: replace(takes[uid], narrations=narrations) for uid, narrations in found.items()}
            rejects += refused
        return [takes[uid] for uid in sorted(takes)], rejects

    def read_imu(self, take: Take) -> TakeImu:
        """The clip's IMU; the take starts with the first video frame.

        Raises:
            Rejected: see `read_imu_telemetry`.
        """
        if not self.root_files.has(take.imu_path):
            raise Rejected("no_imu", f"{take.imu_path}: not in the dataset")
        return TakeImu(read_imu_telemetry(self.root_files.path(str(take.imu_path))), 0, "file")

    def files(self, take: Take) -> list[str]:
        """The clip."""
        return [take.imu_path] if take.imu_path else []
