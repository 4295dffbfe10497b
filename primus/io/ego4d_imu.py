"""Ego4D's normalised IMU CSV to samples on the clock of the canonical video, its documented faults mended and counted."""

from pathlib import Path

import numpy as np

from primus.errors import Rejected
from primus.io.csv_columns import as_numbers, read_csv_table
from primus.io.recording import ImuRecording, build_recording, stamps_to_ns
from primus.io.units import require_plausible_rotation

STAMP_COLUMN = "canonical_timestamp_ms"
_SENSORS = tuple(f"{sensor}_{axis}" for sensor in ("accl", "gyro") for axis in "xyz")
_OUTSIDE_MS = 60_000.0  # a stamp further than this from the video is no time in it


def read_ego4d_csv(path: Path, duration_s: float | None = None) -> ImuRecording:
    """Read a normalised IMU CSV of Ego4D, m/s^2 and rad/s, on the clock of the canonical video (zero is its first frame).

    Documented faults are mended and counted in the notes: rows without a canonical time are dropped (`missing_stamps`), so are rows more
    than a minute outside the video (`stamps_outside_video`) and rows lacking a sensor value (`missing_values`); rows out of order are
    sorted by time, which these files need because components are written one after another (`reordered_samples`: backward steps found).

    Args:
        path: `imu/<video_uid>.csv`.
        duration_s: length of the video; None does not check stamps against it.

    Raises:
        Rejected: `unreadable_imu` (also where the gyroscope is not in rad/s: the release states no units), `missing_axis` when a column is absent
            or empty, `no_imu` when no row is left.
    """
    table = read_csv_table(path, (), ",", path.name)
    if STAMP_COLUMN not in table:
        raise Rejected("unreadable_imu", f"{path.name}: no column {STAMP_COLUMN}; found {', '.join(map(str, table.columns)) or 'none'}")
    absent = [name for name in _SENSORS if name not in table]
    if absent:
        raise Rejected("missing_axis", f"{path.name}: no column {', '.join(absent)}")
    columns = {name: as_numbers(table[name]).astype(np.float64) for name in (STAMP_COLUMN, *_SENSORS)}  # text among them becomes NaN, and is counted
    stamps = columns[STAMP_COLUMN]
    known = np.isfinite(stamps)
    latest = np.inf if duration_s is None else duration_s * 1000 + _OUTSIDE_MS
    inside = known & (stamps >= -_OUTSIDE_MS) & (stamps <= latest)
    notes = {"missing_stamps": int((~known).sum()), "stamps_outside_video": int((known & ~inside).sum())}
    if len(stamps) and not inside.any():
        raise Rejected("unreadable_imu", f"{path.name}: none of {len(stamps)} rows has a time within the video ({notes['missing_stamps']} have none)")
    stamps = stamps[inside]
    notes["reordered_samples"] = int((np.diff(stamps) < 0).sum())
    order = np.argsort(stamps, kind="stable")
    channels = np.stack([columns[name][inside][order] for name in _SENSORS], axis=1)
    recording = build_recording(stamps_to_ns(stamps[order], "ms", path.name), channels[:, :3], channels[:, 3:], path.name, notes)
    assert recording.gyro is not None
    require_plausible_rotation(recording.gyro, path.name)
    return recording
