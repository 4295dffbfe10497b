"""A minimal Insta360 recording: the trailer that telemetry-parser reads, behind any bytes."""

import struct
from collections.abc import Sequence

MAGIC = b"8db42d694ccc418790edff439fe026bf"
METADATA, GYRO = 1, 3


def trailer(
    model: str,
    samples: Sequence[tuple[int, Sequence[float], Sequence[float]]],
    first_frame: int,
    ranges: tuple[int, int] | None = None,
) -> bytes:
    """Records of metadata and motion.

    Args:
        samples: (time, accelerometer, gyroscope): milliseconds, m/s^2 and rad/s; or, with `ranges`, microseconds and integer counts.
        first_frame: time of the first video frame, in the same unit.
        ranges: (g, deg/s) full scale of raw samples.
    """
    metadata = _field(2, model.encode()) + _varint(24 << 3) + _varint(first_frame)
    if ranges is not None:
        metadata += _varint(62 << 3) + _varint(1)
        metadata += _field(65, _varint(1 << 3) + _varint(ranges[0]) + _varint(2 << 3) + _varint(ranges[1]))
    if ranges is None:
        motion = b"".join(struct.pack("<Q6d", time, *accel, *gyro) for time, accel, gyro in samples)
    else:
        motion = b"".join(struct.pack("<Q6H", time, *(int(v) + 32768 for v in (*accel, *gyro))) for time, accel, gyro in samples)
    records = b"".join(data + struct.pack("<BBI", kind, record, len(data)) for record, kind, data in ((GYRO, 0, motion), (METADATA, 1, metadata)))
    return records + bytes(32) + struct.pack("<II", len(records) + 72, 3) + MAGIC


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content
