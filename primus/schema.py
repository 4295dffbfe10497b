"""Tables that pass between stages: their columns, their types, and the words used in them."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

CHANNELS: Final = ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z")
"""Order of the six IMU channels: accelerometer in m/s^2 with gravity, then gyroscope in rad/s."""

UNITS: Final = "m/s^2,m/s^2,m/s^2,rad/s,rad/s,rad/s"

SPLITS_OF_PRETRAINING: Final = ("train", "val")
SPLITS_OF_PROBE: Final = ("shots", "test")

REASONS: Final[dict[str, str]] = {
    "no_imu": "the take has no IMU recording, or the asked-for sensor stream is absent",
    "unreadable_imu": "the IMU file is corrupt, truncated or of an unknown layout",
    "imu_short": "the IMU recording does not cover the whole take",
    "gap": "the interval touches a hole in the IMU recording",
    "non_monotonic": "time runs backwards in the IMU recording",
    "non_finite": "the IMU holds NaN or infinite values in the interval",
    "saturated": "too many samples sit at the sensor's limit",
    "flat_axis": "an axis is constant",
    "missing_axis": "an axis holds no data",
    "duplicate_axis": "two axes of one sensor carry the same signal",
    "implausible_gravity": "the mean specific force is far from 9.81 m/s^2",
    "low_rate": "the recording's sampling rate is below the least usable rate",
    "outside_take": "the interval does not lie within the take",
    "mixed_label": "no activity covers more than half of the interval",
    "no_text": "a narration without usable text",
    "no_label": "a take of a labelled set carries none of the known classes",
    "too_short": "the take or activity is shorter than one segment",
    "unreadable_video": "the video is missing, corrupt or has no decodable frame",
    "timesync_invalid": "timesync.csv has no usable device time in the take's rows",
    "not_in_takes": "annotations refer to a take that takes.json does not list",
    "unreadable_metadata": "the take's metadata are corrupt or incomplete",
    "reader_crashed": "the process reading the take died or exceeded its time limit",
}
"""The closed list of reasons for which a take, recording, segment or annotation is refused."""

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
