"""GoPro clips with telemetry of our own: payloads in the published GPMF layout, put in place of a real clip's."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

PAYLOAD_S = 1.001
SCALE = {"ACCL": 418, "GYRO": 939}
UNIT = {"ACCL": b"m/s\xb2", "GYRO": b"rad/s"}
FIRST = {letter: "XYZ".index(letter.upper()) for letter in "XYZxyz"}


def klv(key: str, kind: str, size: int, content: bytes) -> bytes:
    """One item: key, type, bytes of an element, how many, the elements, padded to four bytes."""
    return key.encode() + struct.pack(">cBH", kind.encode(), size, len(content) // size) + content + bytes(-len(content) % 4)


def nested(key: str, *items: bytes) -> bytes:
    content = b"".join(items)
    return key.encode() + b"\0\1" + struct.pack(">H", len(content)) + content


def ordered(values: np.ndarray, order: str) -> np.ndarray:
    """Values (N, 3) along x right, y forward, z up, in a camera's own data order: "YxZ" is y, minus x, z."""
    return np.stack([values[:, FIRST[letter]] * (1 if letter.isupper() else -1) for letter in order], axis=1)


def stream(key: str, values: np.ndarray, order: str, tags: Sequence[bytes] = (), stamp_us: int | None = None, tick_ms: int | None = None) -> bytes:
    """A sensor's stream of one payload, scaled to 16-bit integers."""
    counts = np.rint(ordered(values, order) * SCALE[key]).astype(">i2")
    head = [klv("STMP", "J", 8, struct.pack(">Q", stamp_us))] if stamp_us is not None else []
    head += [klv("TICK", "L", 4, struct.pack(">I", tick_ms))] if tick_ms is not None else []
    scale = klv("SCAL", "s", 2, struct.pack(">h", SCALE[key]))
    name = klv("STNM", "c", 1, b"Accelerometer" if key == "ACCL" else b"Gyroscope")
    return nested("STRM", *head, name, klv("SIUN", "c", len(UNIT[key]), UNIT[key]), scale, *tags, klv(key, "s", 6, counts.tobytes()))


def orientation(order_in: str, order_out: str = "ZXY", matrix: bool = True, matrix_of: int = 36) -> list[bytes]:
    """How newer cameras state the order of their data; the matrix is one element of 36 bytes, or nine of 4."""
    tags = [klv("ORIN", "c", 1, order_in.encode()), klv("ORIO", "c", 1, order_out.encode())]
    if matrix:
        rows = [[float(a.upper() == b.upper()) * (1 if a.isupper() == b.isupper() else -1) for b in order_in] for a in order_out]
        tags.append(klv("MTRX", "f", matrix_of, struct.pack(">9f", *(value for row in rows for value in row))))
    return tags


def device(*streams: bytes) -> bytes:
    return nested("DEVC", klv("DVID", "L", 4, struct.pack(">I", 1)), klv("DVNM", "c", 1, b"Camera"), *streams)


def with_telemetry(clip: Path, path: Path, payloads: Sequence[bytes], model: bytes) -> Path:
    """The HERO5 clip `clip` with its payloads, as many, exchanged for these, and called `model` (11 bytes)."""
    data = bytearray(clip.read_bytes().replace(b"HERO5 Black", model.ljust(11)[:11]))
    track = data.rindex(b"trak", 0, data.index(b"gpmd"))
    sizes, offsets = data.index(b"stsz", track), data.index(b"stco", track)
    count = struct.unpack_from(">I", data, sizes + 12)[0]
    assert count == len(payloads) == struct.unpack_from(">I", data, offsets + 8)[0]
    behind = b"".join(payloads)
    at = len(data) + 8
    for number, payload in enumerate(payloads):
        struct.pack_into(">I", data, sizes + 16 + 4 * number, len(payload))
        struct.pack_into(">I", data, offsets + 12 + 4 * number, at)
        at += len(payload)
    path.write_bytes(bytes(data) + struct.pack(">I", 8 + len(behind)) + b"mdat" + behind)
    return path
