"""A compact file of one device's IMU samples: what remains of a VRS file of several GB when only the IMU is wanted.

Parquet columns `stream` (label), `timestamp_ns` (int64, device clock), `accel_x` ... `gyro_z` (float32, m/s^2 and rad/s), in file order and before
any repair, so that reading it gives what reading the recording gave. The file metadata names the format, so such a file is told from any other
table, and keeps the recording's factory calibration. It lies beside the recording it was made from, as `<stem>.imu.parquet`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primus.artifacts import atomic_path
from primus.errors import Rejected
from primus.io.aria_calibration import parse_calibration, rectify
from primus.io.raw_imu import RawImu
from primus.io.recording import ImuRecording
from primus.schema import CHANNELS

SUFFIX = ".imu.parquet"
_FORMAT = b"primus.imu"
_VERSION = b"1"
_CONVERTER_STEPS = 2 * 2**16  # two devices of 16 bits


class ImuFile(NamedTuple):
    """What a compact IMU file holds.

    Attributes:
        streams: label -> samples.
        calibration: the recording's `calib_json`, None where it had none.
        origin: whatever the writer noted about the file it was made from, None where it noted nothing.
    """

    streams: Mapping[str, RawImu]
    calibration: str | None = None
    origin: str | None = None


def write_imu_parquet(path: Path, streams: Mapping[str, RawImu | ImuRecording], calibration: str | None = None, origin: str | None = None) -> None:
    """Write the streams of one device, label -> samples, whole or not at all; `calibration` and `origin` as in `ImuFile`.

    Raises:
        ValueError: a stream without gyroscope, or of another type than float32, which the file would round.
    """
    tables = []
    for label, stream in streams.items():
        if stream.gyro is None:
            raise ValueError(f"{label}: no gyroscope; the format holds six channels")
        channels = np.concatenate((stream.accel, stream.gyro), axis=1)
        if channels.dtype != np.float32:
            raise ValueError(f"{label}: samples of {channels.dtype}; the format holds float32")
        columns = {"stream": pa.array([label] * len(channels)).dictionary_encode(), "timestamp_ns": pa.array(stream.timestamps_ns)}
        tables.append(pa.table(columns | {name: pa.array(channels[:, i]) for i, name in enumerate(CHANNELS)}))
    notes = json.dumps({label: dict(stream.notes) for label, stream in streams.items()}, sort_keys=True)
    metadata = {_FORMAT: _VERSION, b"notes": notes.encode()}
    metadata |= {name: text.encode() for name, text in ((b"calibration", calibration), (b"origin", origin)) if text is not None}
    table = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata(metadata)
    quantised = [name for name in CHANNELS if _is_quantised(table[name].to_numpy())]
    with atomic_path(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            write_page_checksum=True,
            use_dictionary=["stream", *quantised],
            column_encoding={"timestamp_ns": "DELTA_BINARY_PACKED"} | {name: "BYTE_STREAM_SPLIT" for name in CHANNELS if name not in quantised},
        )


def _is_quantised(values: NDArray[np.float32]) -> bool:
    """Whether the values are steps of a converter, as devices give them: naming each value once then takes little more than half the space."""
    return bool(np.isfinite(values).all()) and len(np.unique(values)) <= min(_CONVERTER_STEPS, len(values) // 8)


def is_imu_parquet(path: Path) -> bool:
    """Whether the file says it is of this format; False also when it is no Parquet at all."""
    try:
        return (pq.read_schema(path).metadata or {}).get(_FORMAT) == _VERSION
    except (OSError, ValueError, pa.ArrowException):  # ValueError: names that are no UTF-8
        return False


def read_imu_file(path: Path) -> ImuFile:
    """Everything a compact IMU file holds, as it was written.

    Raises:
        Rejected: `unreadable_imu` when it is not such a file, or corrupt.
    """
    try:
        table = pq.read_table(path, columns=["stream", "timestamp_ns", *CHANNELS], page_checksum_verification=True)
        metadata = table.schema.metadata or {}
        notes = json.loads(metadata.get(b"notes", b"{}"))
        streams = {}
        for label in table["stream"].unique().to_pylist():
            rows = table.filter(pa.compute.equal(table["stream"], label))
            accel, gyro = (np.stack([rows[name].to_numpy() for name in names], axis=1) for names in (CHANNELS[:3], CHANNELS[3:]))
            counts = {str(key): int(value) for key, value in notes.get(label, {}).items()}
            streams[label] = RawImu(rows["timestamp_ns"].to_numpy(), accel, gyro, counts)
        calibration, origin = (metadata[name].decode() if name in metadata else None for name in (b"calibration", b"origin"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError, pa.ArrowException) as error:
        raise Rejected("unreadable_imu", f"{path.name}: not a compact IMU file, or corrupt ({type(error).__name__}: {error})") from error
    return ImuFile(streams, calibration, origin)


def read_imu_parquet(path: Path, stream: str | None = None, calibrated: bool = False) -> ImuRecording:
    """Read one stream of a compact IMU file, as `primus.io.vrs.read_imu_vrs` reads it from the recording it was made from.

    `stream` None takes the only one, or "imu-right"; `calibrated` applies the factory calibration, which gives float64.

    Raises:
        Rejected: `no_imu` when it holds no sample of that stream, `unreadable_imu` when it is corrupt or holds no calibration and is asked for it,
            and what the samples themselves are refused for.
    """
    held = read_imu_file(path)
    label = stream or (next(iter(held.streams)) if len(held.streams) == 1 else "imu-right")
    samples = held.streams.get(label)
    if samples is None or not len(samples.timestamps_ns):
        raise Rejected("no_imu", f"{path.name}: no sample of {label}; it holds {', '.join(map(str, held.streams)) or 'nothing'}")
    recording = samples.recording(f"{path.name} ({label})")
    return rectify(recording, parse_calibration(held.calibration, label, path.name)) if calibrated else recording
