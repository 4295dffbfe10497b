"""A compact file of one recording's IMU samples: what remains of a VRS file of several GB when only the IMU is wanted.

Parquet columns `stream` (label), `timestamp_ns` (int64, device clock), `accel_x` ... `gyro_z` (float32, m/s^2 and rad/s). The file metadata
names the format, so such a file is told from any other table. It lies beside the recording it was made from, as `<stem>.imu.parquet`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from primus.artifacts import atomic_path
from primus.errors import Rejected, UserError
from primus.io.recording import ImuRecording, build_recording
from primus.schema import CHANNELS

SUFFIX = ".imu.parquet"
_FORMAT = b"primus.imu"
_VERSION = b"1"
_CALIBRATED = b"calibrated"


def write_imu_parquet(path: Path, recordings: Mapping[str, ImuRecording], calibrated: bool = False) -> None:
    """Write the streams of one device, label -> recording, whole or not at all; `calibrated` is kept in the file and checked on reading.

    Raises:
        ValueError: a recording without gyroscope.
    """
    tables = []
    for label, recording in recordings.items():
        if recording.gyro is None:
            raise ValueError(f"{label}: no gyroscope; the format holds six channels")
        channels = np.concatenate((recording.accel, recording.gyro), axis=1).astype(np.float32)
        columns = {"stream": pa.array([label] * len(channels)).dictionary_encode(), "timestamp_ns": pa.array(recording.timestamps_ns)}
        tables.append(pa.table(columns | {name: pa.array(channels[:, i]) for i, name in enumerate(CHANNELS)}))
    notes = json.dumps({label: dict(recording.notes) for label, recording in recordings.items()}, sort_keys=True)
    metadata = {_FORMAT: _VERSION, _CALIBRATED: str(calibrated).encode(), b"notes": notes.encode()}
    table = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata(metadata)
    with atomic_path(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            use_dictionary=["stream"],
            column_encoding={"timestamp_ns": "DELTA_BINARY_PACKED"} | dict.fromkeys(CHANNELS, "BYTE_STREAM_SPLIT"),
        )


def is_imu_parquet(path: Path) -> bool:
    """Whether the file says it is of this format; False also when it is no Parquet at all."""
    try:
        return (pq.read_schema(path).metadata or {}).get(_FORMAT) == _VERSION
    except (OSError, pa.ArrowException):
        return False


def read_imu_parquet(path: Path, stream: str | None = None, calibrated: bool = False) -> ImuRecording:
    """Read one stream of a compact IMU file; `stream` None takes the only one, or "imu-right".

    Raises:
        UserError: the file was written with the factory calibration and is asked for without, or the other way round.
        Rejected: `no_imu` when it holds no sample of that stream, `unreadable_imu` when it is corrupt.
    """
    try:
        table = pq.read_table(path, columns=["stream", "timestamp_ns", *CHANNELS])
        metadata = table.schema.metadata or {}
        labels = table["stream"].unique().to_pylist()
        label = stream or (labels[0] if len(labels) == 1 else "imu-right")
        rows = table.filter(pa.compute.equal(table["stream"], label))
        notes = json.loads(metadata.get(b"notes", b"{}")).get(label, {})
        stamps = rows["timestamp_ns"].to_numpy()
        channels = np.stack([rows[name].to_numpy() for name in CHANNELS], axis=1).astype(np.float32)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise Rejected("unreadable_imu", f"{path.name}: not a compact IMU file, or corrupt ({type(error).__name__}: {error})") from error
    if metadata.get(_CALIBRATED) != str(calibrated).encode():
        found = "without" if calibrated else "with"
        raise UserError(f"{path.name} was extracted {found} factory calibration and is read the other way; set `calibrated` to match")
    if not len(rows):
        raise Rejected("no_imu", f"{path.name}: no sample of {label}; it holds {', '.join(map(str, labels)) or 'nothing'}")
    return build_recording(stamps, channels[:, :3], channels[:, 3:], f"{path.name} ({label})", notes)
