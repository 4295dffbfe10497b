"""IMU of an Aria recording (VRS): device time, m/s^2 and rad/s, as projectaria_tools reads them and bit for bit equal to it.

Records are walked by their headers and decoded in blocks, from the layout the file itself declares, so the only dependency is numpy.
projectaria_tools (extra `aria`) is asked where records are compressed or the layout is unknown.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.aria_calibration import read_calibration, rectify
from primus.io.raw_imu import RawImu
from primus.io.recording import ImuRecording
from primus.io.vrs_layout import DATA_RECORD, VrsDescription, data_record_versions, payload_dtype, read_description

IMU_TYPE = 1202
STREAMS = {"Aria": {"imu-right": (IMU_TYPE, 1), "imu-left": (IMU_TYPE, 2)}, "Oatmeal": {"imu-left": (IMU_TYPE, 1), "imu-right": (IMU_TYPE, 2)}}
"""Label -> stream of a device, by the device's own name: "Aria" is the first generation, "Oatmeal" the second, which swapped the two."""

_FIELDS = {"accelerometer_valid": 1, "gyroscope_valid": 1, "capture_timestamp_ns": 1, "accelerometer": 3, "gyroscope": 3}
_HEAD = struct.Struct("<I4xiI8xI")  # record size, type, version, and instance | kind << 16 | compression << 24
_BLOCK = 1 << 16  # records decoded at once


class _Samples(NamedTuple):
    timestamps_ns: NDArray[np.int64]
    accel: NDArray[np.float32]
    gyro: NDArray[np.float32]
    valid: NDArray[np.bool_]


class _NeedsLibrary(Exception):
    """The file is sound as far as it was read, but only projectaria_tools can decode it."""


def read_imu_vrs(path: Path, stream: str | None = None, calibrated: bool = False) -> ImuRecording:
    """Read one IMU of an Aria recording.

    Args:
        path: a `.vrs` file of either device generation, with or without its index.
        stream: "imu-right" (the default) or "imu-left"; resolved by label, because the two generations number them differently.
        calibrated: apply the factory calibration; otherwise samples are as the device wrote them.

    Returns:
        Samples on the device clock, float32 as written or float64 calibrated; those whose validity flags are cleared are dropped and
        counted in `notes["invalid_samples"]`.

    Raises:
        UserError: the label is unknown, or the file needs projectaria_tools and it is not installed.
        Rejected: `no_imu` when the stream has no sample, `unreadable_imu` when the file is truncated or corrupt, `non_monotonic`.
    """
    label = stream or "imu-right"
    recording = read_raw_vrs(path, label).recording(_source(path, label))
    return rectify(recording, read_calibration(path, label)) if calibrated else recording


def read_raw_vrs(path: Path, label: str) -> RawImu:
    """The valid samples of the IMU `label` as the device wrote them, before the rules for stamps and missing values are applied.

    Raises:
        UserError: as `read_imu_vrs`.
        Rejected: `no_imu` and `unreadable_imu`, as `read_imu_vrs`.
    """
    if label not in STREAMS["Aria"]:
        raise UserError(f"{path.name}: IMU stream {label!r} is unknown; expected one of {', '.join(STREAMS['Aria'])}")
    source = _source(path, label)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if not size:
                raise Rejected("unreadable_imu", f"{path.name}: the file is empty; expected a VRS recording")
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
                samples = _read_records(data, label, source)
    except OSError as error:
        raise Rejected("unreadable_imu", f"{path.name}: cannot be read ({error.strerror})") from error
    except _NeedsLibrary as reason:
        samples = _read_with_projectaria(path, label, source, str(reason))
    keep = samples.valid
    if not keep.any():
        raise Rejected("no_imu", f"{source}: all {len(keep)} samples are marked invalid by the device")
    invalid = int((~keep).sum())
    return RawImu(samples.timestamps_ns[keep], samples.accel[keep], samples.gyro[keep], {"invalid_samples": invalid} if invalid else {})


def _source(path: Path, label: str) -> str:
    return f"{path.name} ({label})"


def _read_records(data: mmap.mmap, label: str, source: str) -> _Samples:
    description = read_description(data, source)
    type_id, instance = _stream_of(description, label, source)
    tags = description.streams.get((type_id, instance))
    if tags is None:
        raise Rejected("no_imu", f"{source}: the file has no such stream, only {_listed(description)}")
    layouts = {version: payload_dtype(tags, version, _FIELDS, description.record_header_bytes, source) for version in data_record_versions(tags)}
    blocks = []
    for version, block in _data_blocks(data, description, (type_id, instance), layouts, source):
        rows = np.frombuffer(block, layouts[version])
        valid = (rows["accelerometer_valid"] != 0) & (rows["gyroscope_valid"] != 0)
        blocks.append(_Samples(rows["capture_timestamp_ns"].copy(), rows["accelerometer"].copy(), rows["gyroscope"].copy(), valid))
    if not blocks:
        raise Rejected("no_imu", f"{source}: the stream holds no sample; the file declares {_listed(description)}")
    return _Samples(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _data_blocks(
    data: mmap.mmap,
    description: VrsDescription,
    stream: tuple[int, int],
    layouts: dict[int, np.dtype | None],
    source: str,
) -> Iterator[tuple[int, bytes]]:
    """The stream's data records, cut to the bytes their layout needs and joined by up to `_BLOCK`, with their format version."""
    type_id, instance = stream
    ours = instance | DATA_RECORD << 16
    sizes = {version: layout.itemsize for version, layout in layouts.items() if layout is not None}
    unpack, least, end = _HEAD.unpack_from, description.record_header_bytes, description.end
    position, last_header = description.first_record, end - description.record_header_bytes
    block: list[bytes] = []
    current = -1
    while position <= last_header:
        size, kind, version, tail = unpack(data, position)
        following = position + size
        if size < least or following > end:
            break
        if kind == type_id and tail & 0xFFFFFF == ours:
            if version not in sizes:
                raise _NeedsLibrary(f"its IMU records of version {version} have a layout unknown to this reader")
            if tail >> 24:
                raise _NeedsLibrary("its IMU records are compressed")
            if size < sizes[version]:
                raise Rejected("unreadable_imu", f"{source}: IMU record of {size} bytes at byte {position}, expected {sizes[version]}: corrupt")
            if version != current or len(block) == _BLOCK:
                if block:
                    yield current, b"".join(block)
                block, current = [], version
            block.append(data[position : position + sizes[version]])
        position = following
    if position != end:
        raise Rejected(
            "unreadable_imu",
            f"{source}: no whole record at byte {position} of {end}; the file is truncated or corrupt, fetch it again",
        )
    if block:
        yield current, b"".join(block)


def _stream_of(description: VrsDescription, label: str, source: str) -> tuple[int, int]:
    imu = next((tags for (type_id, _), tags in description.streams.items() if type_id == IMU_TYPE), {})
    flavor = imu.get("VRS_Recordable_Flavor", "").removeprefix("device/").capitalize()
    device = description.tags.get("device_type") or imu.get("device_type") or flavor
    if device not in STREAMS:
        known = ", ".join(STREAMS)
        raise Rejected("unreadable_imu", f"{source}: recorded by device {device!r}; expected one of {known}, whose streams are known by label")
    return STREAMS[device][label]


def _listed(description: VrsDescription) -> str:
    names = sorted(description.streams)
    return ", ".join(f"{type_id}-{instance}" for type_id, instance in names) or "none"


def _read_with_projectaria(path: Path, label: str, source: str, reason: str) -> _Samples:
    try:
        from projectaria_tools.core import data_provider
    except ImportError as error:
        raise UserError(f"{path.name}: {reason}; reading it needs projectaria_tools: pip install 'primus-imu[aria]'") from error
    try:
        provider = data_provider.create_vrs_data_provider(str(path))
        stream_id = provider.get_stream_id_from_label(label) if provider is not None else None
        if provider is None or stream_id is None:
            raise Rejected("unreadable_imu", f"{source}: {reason}, and projectaria_tools cannot open it either")
        options = provider.get_default_deliver_queued_options()
        options.deactivate_stream_all()
        options.activate_stream(stream_id)
        motion = [item.imu_data() for item in provider.deliver_queued_sensor_data(options)]
    except (RuntimeError, ValueError, IndexError) as error:
        raise Rejected("unreadable_imu", f"{source}: {reason}, and projectaria_tools fails on it ({error})") from error
    if not motion:
        raise Rejected("no_imu", f"{source}: the stream holds no sample")
    return _Samples(
        np.array([sample.capture_timestamp_ns for sample in motion], np.int64),
        np.array([sample.accel_msec2 for sample in motion], np.float32),
        np.array([sample.gyro_radsec for sample in motion], np.float32),
        np.array([sample.accel_valid and sample.gyro_valid for sample in motion], bool),
    )
