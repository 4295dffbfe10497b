"""A VRS writer for tests, independent of the package: whole files from the format's own tables, any layout, compression or damage on request."""

import json
import struct
from pathlib import Path

import numpy as np

RECORD = struct.Struct("<IIiIdHBBI")
PAYLOAD = np.dtype(
    [("accelerometer_valid", "?"), ("gyroscope_valid", "?"), ("magnetometer_valid", "?"), ("temperature_deg_c", "<f8")]
    + [(name, "<i8") for name in ("capture_timestamp_ns", "capture_timestamp_in_processing_clock_domain_ns", "arrival_timestamp_ns")]
    + [("processing_start_timestamp_ns", "<i8"), ("accelerometer", "<f4", 3), ("gyroscope", "<f4", 3), ("magnetometer", "<f4", 3)]
)
_NAMES = {"|b1": "Bool", "<f8": "double", "<i8": "int64_t", "<f4": "float"}


def layout_of(dtype: np.dtype) -> str:
    pieces = []
    for name in dtype.names:
        field, offset = dtype.fields[name][:2]
        base, shape = field.subdtype or (field, ())
        kind = _NAMES[base.str]
        piece = {"name": name, "type": f"DataPiece{'Array' if shape else 'Value'}<{kind}>", "offset": offset}
        pieces.append(piece | ({"size": shape[0]} if shape else {}))
    return json.dumps({"data_layout": pieces})


def imu_rows(t_ns, accel, gyro, valid=None, dtype=PAYLOAD):
    rows = np.zeros(len(t_ns), dtype)
    rows["capture_timestamp_ns"], rows["accelerometer"], rows["gyroscope"] = t_ns, accel, gyro
    rows["accelerometer_valid"] = rows["gyroscope_valid"] = True if valid is None else valid
    return rows


def write(path: Path, streams: dict, device="Aria", layout=None, index_at_end=False, compress=None, version=2, other=b"") -> Path:
    """`streams`: instance -> structured rows. `compress`: (code, function). `other`: payload of a foreign record put before every tenth sample."""

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value.encode())) + value.encode()

    def pairs(values: dict) -> bytes:
        return struct.pack("<I", len(values)) + b"".join(text(key) + text(value) for key, value in values.items())

    body = struct.pack("<I", 2)
    for instance in (1, 2):
        dtype = streams[instance].dtype if instance in streams else PAYLOAD
        tags = {f"DL:Data:{version}:0": layout or layout_of(dtype), f"RF:Data:{version}": f"data_layout/size={dtype.itemsize}"}
        tags["VRS_Recordable_Flavor"] = f"device/{device.lower()}"
        body += struct.pack("<iH", 1202, instance) + pairs({"device_type": device}) + pairs(tags)
    body += pairs({"device_type": device})
    description = RECORD.pack(RECORD.size + len(body), 0, 2, 2, 1.7e308, 0, 3, 0, 0) + body
    records = []
    for instance, rows in streams.items():
        records += [(int(row["capture_timestamp_ns"]), 1202, instance, row.tobytes()) for row in rows]
    records.sort(key=lambda record: record[0])
    out, previous = b"", len(description)
    for i, (stamp, kind, instance, payload) in enumerate(records):
        parts = [(231, 1, other)] if other and i % 10 == 0 else []
        for type_id, number, content in [*parts, (kind, instance, payload)]:
            code, stored = (compress[0], compress[1](content)) if compress and type_id == 1202 else (0, content)
            size = RECORD.size + len(stored)
            out += RECORD.pack(size, previous, type_id, version, stamp * 1e-9, number, 3, code, len(content) if code else 0) + stored
            previous = size
    index = 80 + len(description) + len(out) if index_at_end else 0
    header = struct.pack("<8sQIIqqq24x8s", b"VisionRe", 1, 80, 32, index, 80, 80 + len(description), b"cordVRS2")
    tail = RECORD.pack(RECORD.size + 7, previous, 1, 2, 1.7e308, 0, 3, 0, 0) + b"\x01" * 7 if index_at_end else b""
    path.write_bytes(header + description + out + tail)
    return path


def signal(seconds=2.0, rate_hz=1000.0, start_ns=284_324_000_000, seed=0):
    """Jittered stamps from 284 s on the device clock, and plausible float32 samples."""
    draw = np.random.default_rng(seed)
    n = int(seconds * rate_hz)
    t = start_ns + np.cumsum(draw.normal(1e9 / rate_hz, 0.03e9 / rate_hz, n)).astype(np.int64)
    accel = (draw.normal(0, 0.3, (n, 3)) + [0, 0, 9.81]).astype(np.float32)
    return t, accel, draw.normal(0, 0.2, (n, 3)).astype(np.float32)
