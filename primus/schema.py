"""Tables that pass between stages: their columns, their types, and the words used in them."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

CHANNELS: Final = ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z")
"""Order of the six IMU channels: accelerometer in m/s^2 with gravity, then gyroscope in rad/s."""

UNITS: Final = "m/s^2,m/s^2,m/s^2,rad/s,rad/s,rad/s"

REASONS: Final = (
    "no_imu",
    "unreadable_imu",
    "imu_short",
    "gap",
    "non_monotonic",
    "non_finite",
    "saturated",
    "flat_axis",
    "missing_axis",
    "duplicate_axis",
    "implausible_gravity",
    "low_rate",
    "outside_take",
    "mixed_label",
    "no_text",
    "no_label",
    "too_short",
    "unreadable_video",
    "timesync_invalid",
    "not_in_takes",
    "unreadable_metadata",
    "reader_crashed",
)
"""The closed list of reasons for which a take, recording, segment or annotation is refused; `primus.reasons` says what each means."""

SCOPES: Final = ("take", "segment", "video", "annotation")


def segment_id(take_uid: str, start_s: float) -> str:
    """`<take_uid>_<start_ms>`: the identity of a segment that starts `start_s` seconds after its take's start."""
    return f"{take_uid}_{round(start_s * 1000)}"


TAKES: Final = pa.schema(
    [
        ("dataset", pa.string()),
        ("take_uid", pa.string()),
        ("participant", pa.string()),
        ("site", pa.string()),
        ("device", pa.string()),
        ("purpose", pa.string()),
        ("official_split", pa.string()),
        ("label", pa.string()),
        ("duration_s", pa.float64()),
        ("imu_path", pa.string()),
        ("video_path", pa.string()),
        ("clock", pa.string()),
        ("n_imu_samples", pa.int64()),
        ("rate_hz", pa.float64()),
    ]
)

SEGMENTS: Final = pa.schema(
    [
        ("segment_id", pa.string()),
        ("dataset", pa.string()),
        ("take_uid", pa.string()),
        ("participant", pa.string()),
        ("site", pa.string()),
        ("device", pa.string()),
        ("purpose", pa.string()),
        ("policy", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.string()),
        ("texts", pa.list_(pa.string())),
        ("video_path", pa.string()),
    ]
)

REJECTS: Final = pa.schema(
    [
        ("dataset", pa.string()),
        ("take_uid", pa.string()),
        ("scope", pa.string()),
        ("segment_id", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

SPLITS: Final = pa.schema(
    [
        ("fold", pa.int64()),
        ("dataset", pa.string()),
        ("take_uid", pa.string()),
        ("participant", pa.string()),
        ("split", pa.string()),
    ]
)

MANIFEST: Final = pa.schema([("dataset", pa.string()), ("path", pa.string()), ("size_bytes", pa.int64())])


@dataclass(frozen=True)
class Reject:
    """One row of `rejects.parquet`: what was refused, at which scope, and why (`start_s`, `end_s` in seconds from take start)."""

    dataset: str
    take_uid: str
    reason: str
    detail: str = ""
    scope: str = "take"
    segment_id: str | None = None
    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"unknown reject reason {self.reason!r}; the closed list is {sorted(REASONS)}")
        if self.scope not in SCOPES:
            raise ValueError(f"unknown reject scope {self.scope!r}; expected one of {SCOPES}")
