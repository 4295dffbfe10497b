"""What a VRS file says about itself: its header, the tags of its streams, and the byte layout of their records.

The format is that of the public VRS library (facebookresearch/vrs: FileFormat.h, DescriptionRecord.cpp, DataLayout), little-endian throughout.
"""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from mmap import mmap

import numpy as np

from primus.errors import Rejected

FILE_HEADER = struct.Struct("<8s8xIIqqq24x8s")
RECORD_HEADER = struct.Struct("<IIiIdHBBI")
DATA_RECORD = 3
_MAGIC_START, _MAGIC_END = b"VisionRe", b"cord"
_MAX_HEADER_GROWTH = 200  # headers may grow in later versions of the format, by no more than this
_DESCRIPTION_VERSION = 2
_SCALARS = {"Bool": "u1", "int8_t": "i1", "uint8_t": "u1", "int16_t": "<i2", "uint16_t": "<u2", "int32_t": "<i4", "uint32_t": "<u4"}
_SCALARS |= {"int64_t": "<i8", "uint64_t": "<u8", "float": "<f4", "double": "<f8"}


@dataclass(frozen=True)
class VrsDescription:
    """The self-description of a VRS file.

    Attributes:
        record_header_bytes: size of the header of every record.
        first_record, end: byte offsets of the first record and behind the last.
        streams: (type id, instance) -> the stream's tags, the library's own (record layouts) and the recorder's.
        tags: the file's tags.
    """

    record_header_bytes: int
    first_record: int
    end: int
    streams: Mapping[tuple[int, int], Mapping[str, str]]
    tags: Mapping[str, str]


def read_description(data: mmap, source: str) -> VrsDescription:
    """Parse the file header and the description record.

    Raises:
        Rejected: `unreadable_imu` when the file is not VRS, is truncated, or an offset or size is out of bounds.
    """
    size = len(data)
    if size < FILE_HEADER.size:
        raise Rejected("unreadable_imu", f"{source}: {size} bytes; expected a VRS file, whose header alone has {FILE_HEADER.size}")
    magic, header_bytes, record_header_bytes, index, description, first, version = FILE_HEADER.unpack_from(data, 0)
    if magic != _MAGIC_START or version[:4] != _MAGIC_END or not version.startswith(b"VRS", 4):
        raise Rejected("unreadable_imu", f"{source}: does not start with the VRS signature; expected a VRS recording")
    grown = (header_bytes - FILE_HEADER.size, record_header_bytes - RECORD_HEADER.size)
    if min(grown) < 0 or max(grown) > _MAX_HEADER_GROWTH:
        raise Rejected("unreadable_imu", f"{source}: headers of {header_bytes} and {record_header_bytes} bytes; the file is corrupt")
    if not header_bytes <= description <= size - record_header_bytes:
        raise Rejected("unreadable_imu", f"{source}: description at byte {description} of {size}; the file is truncated or corrupt")
    head = RECORD_HEADER.unpack_from(data, description)
    stop = description + head[0]
    if head[0] < record_header_bytes or stop > size:
        raise Rejected("unreadable_imu", f"{source}: description of {head[0]} bytes at byte {description} of {size}: truncated or corrupt")
    if head[3] != _DESCRIPTION_VERSION:
        raise Rejected("unreadable_imu", f"{source}: description of version {head[3]}; expected {_DESCRIPTION_VERSION} (VRS 2)")
    start = first or stop
    if index < 0 or index > size or not stop <= start <= size:
        raise Rejected("unreadable_imu", f"{source}: index at byte {index}, records from byte {start} of {size}; the file is truncated or corrupt")
    streams, tags = _read_tags(data[description + record_header_bytes : stop], source)
    return VrsDescription(record_header_bytes, start, index if index > start else size, streams, tags)


def data_record_versions(stream_tags: Mapping[str, str]) -> list[int]:
    """The format versions of data records that the stream's tags describe, ascending."""
    found = (re.fullmatch(r"DL:Data:(\d{1,9}):0", name) for name in stream_tags)
    return sorted(int(match.group(1)) for match in found if match)


def payload_dtype(stream_tags: Mapping[str, str], version: int, wanted: Mapping[str, int], offset: int, source: str) -> np.dtype | None:
    """Where the `wanted` fields lie in a data record of the stream, shifted by `offset` bytes; None when the layout is one we do not know.

    Args:
        wanted: field name -> number of values expected (1 for a scalar).

    Raises:
        Rejected: `unreadable_imu` when the layout is not the JSON of a VRS data layout.
    """
    if not stream_tags.get(f"RF:Data:{version}", "").startswith("data_layout"):
        return None
    try:
        fields = json.loads(stream_tags[f"DL:Data:{version}:0"])["data_layout"]
        pieces = {field["name"]: field for field in fields}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Rejected("unreadable_imu", f"{source}: the layout of its IMU records is not valid ({type(error).__name__}): corrupt") from error
    formats: list[tuple[str, tuple[int, ...]]] = []
    offsets: list[int] = []
    for name, count in wanted.items():
        piece = pieces.get(name, {})
        match = re.fullmatch(r"DataPiece(Value|Array)<(\w+)>", str(piece.get("type")))
        at, values = piece.get("offset"), piece.get("size", 1)
        if match is None or match.group(2) not in _SCALARS or type(at) is not int or not 0 <= at < 65536 or values != count:
            return None
        formats.append((_SCALARS[match.group(2)], (count,) if count > 1 else ()))
        offsets.append(offset + at)
    size = max(at + np.dtype(code).itemsize * (shape[0] if shape else 1) for at, (code, shape) in zip(offsets, formats, strict=True))
    return np.dtype({"names": list(wanted), "formats": formats, "offsets": offsets, "itemsize": size})


def _read_tags(payload: bytes, source: str) -> tuple[dict[tuple[int, int], dict[str, str]], dict[str, str]]:
    position = 0

    def number() -> int:
        nonlocal position
        (value,) = struct.unpack_from("<I", payload, position)
        position += 4
        return int(value)

    def text() -> str:
        nonlocal position
        length = number()
        if length > len(payload) - position:
            raise ValueError("a tag runs past the description")
        position += length
        return payload[position - length : position].decode("utf-8", "replace")

    def pairs() -> dict[str, str]:
        return {text(): text() for _ in range(number())}

    streams: dict[tuple[int, int], dict[str, str]] = {}
    try:
        for _ in range(number()):
            type_id, instance = struct.unpack_from("<iH", payload, position)
            position += 6
            streams[type_id, instance] = pairs() | pairs()
        return streams, pairs()
    except (struct.error, ValueError) as error:
        raise Rejected("unreadable_imu", f"{source}: its description ends early ({error}); the file is truncated or corrupt") from error
