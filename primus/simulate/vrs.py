"""Write Project Aria Gen1 recordings without image streams: VRS files that hold the two inertial sensors.

VRS is documented and open (github.com/facebookresearch/vrs): an 80-byte file header, a description record (tags of the file and of each
stream, among them the layout of every record), an index of all records, then the records: per stream one configuration, one state and the
data. One data record of an Aria inertial sensor is a 32-byte header and 79 bytes of payload, so a whole recording is one NumPy array of a
packed structured type.
"""

import json
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from primus.simulate.calibration import device_calibration

FILE_HEADER: Final = struct.Struct("<8sQIIQQQQQQ8s")
RECORD_HEADER: Final = struct.Struct("<IIiIdHBBI")
HEADER_DTYPE: Final = np.dtype(
    [
        ("size", "<u4"),
        ("previous_size", "<u4"),
        ("stream_type", "<i4"),
        ("version", "<u4"),
        ("timestamp_s", "<f8"),
        ("instance", "<u2"),
        ("kind", "u1"),
        ("compression", "u1"),
        ("uncompressed_size", "<u4"),
    ]
)
PAYLOAD_DTYPE: Final = np.dtype(
    [
        ("accel_valid", "?"),
        ("gyro_valid", "?"),
        ("mag_valid", "?"),
        ("temperature_c", "<f8"),
        ("capture_ns", "<i8"),
        ("capture_processing_ns", "<i8"),
        ("arrival_ns", "<i8"),
        ("processing_ns", "<i8"),
        ("accel", "<f4", 3),
        ("gyro", "<f4", 3),
        ("mag", "<f4", 3),
    ]
)
RECORD_DTYPE: Final = np.dtype([("header", HEADER_DTYPE), ("payload", PAYLOAD_DTYPE)])
INDEX_DTYPE: Final = np.dtype([("timestamp_s", "<f8"), ("size", "<u4"), ("kind", "u1"), ("stream_type", "<i4"), ("instance", "<u2")])

MAGIC: Final = 0x179CE50EF145C7CF
IMU_STREAM: Final = 1202
STATE, CONFIGURATION, DATA = 1, 2, 3
INDEX_TYPE, DESCRIPTION_TYPE = 1, 2
FORMAT_VERSION: Final = 2
ZSTD: Final = 2
ARRIVAL_DELAY_NS: Final = 2_000_000


@dataclass(frozen=True)
class ImuStream:
    """Samples of one inertial sensor: int64 ns of device time (N,), accelerometer m/s^2 and gyroscope rad/s (N, 3)."""

    timestamps_ns: np.ndarray
    accel: np.ndarray
    gyro: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.timestamps_ns)
        if self.accel.shape != (n, 3) or self.gyro.shape != (n, 3):
            raise ValueError(f"{n} timestamps need accel and gyro of shape ({n}, 3), found {self.accel.shape} and {self.gyro.shape}")


def write_aria_vrs(path: Path, serial: str, right: ImuStream, left: ImuStream | None = None) -> None:
    """Write `path` with the streams of imu-right (1202-1, 1000 Hz) and, if given, imu-left (1202-2, 800 Hz).

    `serial` names the device; session and stream identities derive from it and from the first stamp, so equal input gives equal bytes.
    """
    streams = [(1, "imu-right", 1000.0, "BMI085", right)]
    if left is not None:
        streams.append((2, "imu-left", 800.0, "BMI263", left))
    first_ns = min((int(stream.timestamps_ns[0]) for *_, stream in streams if len(stream.timestamps_ns)), default=0)
    session = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{serial}:{first_ns}"))
    calibration = json.dumps(device_calibration(serial), separators=(",", ":"))

    head_records: list[tuple[np.ndarray, bytes]] = []
    for instance, _, rate_hz, sensor, _ in streams:
        payload = _configuration(instance, rate_hz, serial, sensor, calibration)
        head_records.append((_header(instance, CONFIGURATION, len(payload), 5e-324), payload))
    head_records += [(_header(instance, STATE, 0, 1e-323), b"") for instance, *_ in streams]
    data = _data_records(streams)

    description = _description(serial, session, calibration, [(instance, rate) for instance, _, rate, *_ in streams])
    headers = np.concatenate([np.array([header for header, _ in head_records], HEADER_DTYPE), data["header"]])
    index = _index([instance for instance, *_ in streams], headers)
    sizes = [RECORD_HEADER.size + len(description), RECORD_HEADER.size + len(index[0])]
    previous = [sizes[1], *headers["size"][:-1].tolist()]
    headers["previous_size"] = previous
    data["header"]["previous_size"] = previous[len(head_records) :]

    with open(path, "wb") as handle:
        index_at = FILE_HEADER.size + sizes[0]
        handle.write(
            FILE_HEADER.pack(
                b"VisionRe", MAGIC, FILE_HEADER.size, RECORD_HEADER.size, index_at, FILE_HEADER.size, index_at + sizes[1], 0, 0, 0, b"cordVRS2"
            )
        )
        handle.write(RECORD_HEADER.pack(sizes[0], 0, DESCRIPTION_TYPE, FORMAT_VERSION, np.finfo(np.float64).max, 0, DATA, 0, 0))
        handle.write(description)
        handle.write(RECORD_HEADER.pack(sizes[1], sizes[0], INDEX_TYPE, FORMAT_VERSION, np.finfo(np.float64).max, 0, DATA, ZSTD, index[1]))
        handle.write(index[0])
        for header, (_, payload) in zip(headers[: len(head_records)], head_records, strict=True):
            handle.write(header.tobytes() + payload)
        handle.write(data.tobytes())


def _header(instance: int, kind: int, payload_bytes: int, timestamp_s: float) -> np.ndarray:
    size = RECORD_HEADER.size + payload_bytes
    return np.array((size, 0, IMU_STREAM, FORMAT_VERSION, timestamp_s, instance, kind, 0, 0), HEADER_DTYPE)


def _data_records(streams: Sequence[tuple[int, str, float, str, ImuStream]]) -> np.ndarray:
    """All data records of all streams in time order, as one array of `RECORD_DTYPE`."""
    parts = []
    for instance, _, _, _, stream in streams:
        rows = np.zeros(len(stream.timestamps_ns), RECORD_DTYPE)
        header, payload = rows["header"], rows["payload"]
        header["size"], header["stream_type"], header["version"] = RECORD_DTYPE.itemsize, IMU_STREAM, FORMAT_VERSION
        header["timestamp_s"], header["instance"], header["kind"] = stream.timestamps_ns * 1e-9, instance, DATA
        payload["accel_valid"] = payload["gyro_valid"] = True
        payload["temperature_c"] = np.nan
        payload["capture_ns"], payload["arrival_ns"] = stream.timestamps_ns, stream.timestamps_ns + ARRIVAL_DELAY_NS
        payload["accel"], payload["gyro"] = stream.accel, stream.gyro
        parts.append(rows)
    if len(parts) == 1:
        return parts[0]
    merged = np.concatenate(parts)
    return merged[np.argsort(merged["payload"]["capture_ns"], kind="stable")]


def _index(instances: Sequence[int], headers: np.ndarray) -> tuple[bytes, int]:
    """The index record's payload (its entries compressed with zstd, as VRS writers do) and its uncompressed size in bytes."""
    entries = np.zeros(len(headers), INDEX_DTYPE)
    for name in INDEX_DTYPE.names or ():
        entries[name] = headers[name]
    prelude = struct.pack("<I", len(instances)) + b"".join(struct.pack("<iH", IMU_STREAM, instance) for instance in instances)
    prelude += struct.pack("<I", len(entries))
    packed = pa.Codec("zstd", compression_level=1).compress(entries.tobytes(), asbytes=True)
    return prelude + packed, len(prelude) + entries.nbytes


def _configuration(instance: int, rate_hz: float, serial: str, sensor: str, calibration: str) -> bytes:
    """Payload of the configuration record: fixed fields, then (offset, length) of each text, then the texts."""
    fixed = struct.pack("<IQd3?", instance - 1, instance - 1, rate_hz, True, True, False)
    texts = [text.encode() for text in ("Aria", "simulated", serial, sensor, calibration, "", "")]
    places, offset = b"", 0
    for text in texts:
        places += struct.pack("<II", offset, len(text))
        offset += len(text)
    return fixed + places + b"".join(texts)


def _layout(values: Sequence[tuple[str, str, int]], arrays: Sequence[tuple[str, str, int]] = (), texts: Sequence[str] = ()) -> str:
    """VRS DataLayout JSON; `values` and `arrays` hold (name, C++ type, size in bytes | number of floats), packed one after another."""
    pieces: list[dict[str, object]] = []
    offset = 0
    for name, kind, size in values:
        pieces.append({"name": name, "type": f"DataPieceValue<{kind}>", "offset": offset})
        offset += size
    for name, kind, count in arrays:
        pieces.append({"name": name, "type": f"DataPieceArray<{kind}>", "offset": offset, "size": count})
        offset += 4 * count
    pieces += [{"name": name, "type": "DataPieceString", "index": index} for index, name in enumerate(texts)]
    return json.dumps({"data_layout": pieces}, separators=(",", ":"))


_CONFIGURATION_LAYOUT: Final = _layout(
    [
        ("stream_index", "uint32_t", 4),
        ("device_id", "uint64_t", 8),
        ("nominal_rate", "double", 8),
        ("has_accelerometer", "Bool", 1),
        ("has_gyroscope", "Bool", 1),
        ("has_magnetometer", "Bool", 1),
    ],
    texts=["device_type", "device_version", "device_serial", "sensor_model", "factory_calibration", "online_calibration", "description"],
)
_DATA_LAYOUT: Final = _layout(
    [
        ("accelerometer_valid", "Bool", 1),
        ("gyroscope_valid", "Bool", 1),
        ("magnetometer_valid", "Bool", 1),
        ("temperature_deg_c", "double", 8),
        ("capture_timestamp_ns", "int64_t", 8),
        ("capture_timestamp_in_processing_clock_domain_ns", "int64_t", 8),
        ("arrival_timestamp_ns", "int64_t", 8),
        ("processing_start_timestamp_ns", "int64_t", 8),
    ],
    arrays=[("accelerometer", "float", 3), ("gyroscope", "float", 3), ("magnetometer", "float", 3)],
)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded


def _tags(tags: Mapping[str, str]) -> bytes:
    return struct.pack("<I", len(tags)) + b"".join(_text(name) + _text(tags[name]) for name in sorted(tags))


def _description(serial: str, session: str, calibration: str, streams: Sequence[tuple[int, float]]) -> bytes:
    """Payload of the description record: per stream its id, its own tags and VRS' tags; then the tags of the file."""
    body = struct.pack("<I", len(streams))
    for instance, _ in streams:
        device = {
            "device_id": str(instance - 1),
            "device_serial": serial,
            "device_type": "Aria",
            "device_version": "simulated",
            "session_id": session,
        }
        vrs = {
            f"DL:Configuration:{FORMAT_VERSION}:0": _CONFIGURATION_LAYOUT,
            f"DL:Data:{FORMAT_VERSION}:0": _DATA_LAYOUT,
            f"RF:Configuration:{FORMAT_VERSION}": "data_layout",
            f"RF:Data:{FORMAT_VERSION}": f"data_layout/size={PAYLOAD_DTYPE.itemsize}",
            "VRS_Original_Recordable_Name": "IMU Data (SLAM)",
            "VRS_Recordable_Flavor": "device/aria",
            "VRS_Serial_Number": uuid.uuid5(uuid.NAMESPACE_OID, f"{session}:{instance}").hex[:16],
        }
        body += struct.pack("<iH", IMU_STREAM, instance) + _tags(device) + _tags(vrs)
    return body + _tags(
        {
            "calib_json": calibration,
            "device_serial": serial,
            "device_type": "Aria",
            "device_version": "simulated",
            "metadata": json.dumps({"simulated": True, "shared_session_id": session}, separators=(",", ":")),
            "session_id": session,
        }
    )
