"""The IMU inside a camera's video file: raw packets as telemetry-parser hands them out, each sensor laid on the video's time on its own.

`Parser.telemetry()` is used and not `normalized_imu()`, which pairs accelerometer and gyroscope by index and is wrong where their rates differ.

Time. Zero is the first video frame. A packet is stamped by the camera (GoPro's STMP in microseconds or TICK in milliseconds) or, where it is
not, by the track that carries it; its samples are spread evenly up to the next packet's stamp, and those of a last packet, or of one in front
of missing packets, at the sensor's usual step. Camera stamps are placed on the video by the exposure stream, which has one value a frame: the
stamp of its first packet is the first frame's. Cameras that stamp each sample (Insta360) need none of this.

Axes: `primus.io.telemetry_axes`.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.recording import normalise_timestamps
from primus.io.telemetry_axes import in_camera_frame
from primus.io.units import MAX_ACCEL, MAX_GYRO, measurable

Floats = NDArray[np.float64]

_TICK = "0x5449434b"
_INSTA_MAGIC = b"8db42d694ccc418790edff439fe026bf"
_INSTA_FOOTER = 72  # bytes behind the records of an Insta360 trailer: padding, its size, its version and the signature
_INSTA_RECORD = struct.Struct("<BBI")  # format, kind and size, behind each record's data
_REGULAR = (0.5, 1.5)  # a packet whose samples would lie further apart than this multiple of the usual step precedes missing packets


class SensorStream(NamedTuple):
    """Timestamps (N,) int64 ns from the first video frame, values (N, 3) in SI units and the stated axes, how many stamps were equal, and how many
    samples were left out because no sensor measures such values."""

    timestamps_ns: NDArray[np.int64]
    values: Floats
    duplicate_stamps: int
    missing_values: int


class Telemetry(NamedTuple):
    """What a file holds: the camera's make and model, the accelerometer, and the gyroscope where there is one."""

    camera: str
    accel: SensorStream
    gyro: SensorStream | None


class _Packet(NamedTuple):
    """One packet of one sensor: its samples, and what is known of its time."""

    values: Floats
    sample_s: Floats | None
    camera_s: float | None
    track_s: float | None


def read_telemetry(path: Path) -> Telemetry:
    """Accelerometer and gyroscope of a video file, each on its own samples.

    Raises:
        UserError: telemetry-parser is not installed.
        Rejected: `no_imu` when the file carries no accelerometer, `unreadable_imu` when it is corrupt or its packets cannot be placed in
            time, `non_monotonic`.
    """
    camera, model, packets = _parse(path)
    if not any("Data" in packet.get("Accelerometer", {}) for packet in packets):
        kinds = sorted({group for packet in packets for group in packet})
        raise Rejected("no_imu", f"{path.name}: no accelerometer in its telemetry ({camera} {model}; it has {', '.join(kinds[:12]) or 'nothing'})")
    tracks = _times_on_track(packets, _track_times(path))
    offset_s = _camera_time_of_first_frame(packets, tracks)
    streams = {}
    for group in ("Accelerometer", "Gyroscope"):
        found = [
            _packet(packet[group], group, camera, model, time, path)
            for packet, time in zip(packets, tracks, strict=True)
            if packet.get(group, {}).get("Data")
        ]
        limit = MAX_ACCEL if group == "Accelerometer" else MAX_GYRO
        streams[group] = _laid_out(found, offset_s, limit, f"{path.name} ({group.lower()})") if found else None
    accel = streams["Accelerometer"]
    if accel is None:
        raise Rejected("no_imu", f"{path.name}: its accelerometer holds no sample")
    return Telemetry(f"{camera} {model}".strip(), accel, streams["Gyroscope"])


def _parse(path: Path) -> tuple[str, str, list[Mapping[str, Mapping[str, Any]]]]:
    try:
        import telemetry_parser
    except ImportError as error:
        raise UserError(f"{path.name}: reading a camera's IMU needs telemetry-parser: pip install 'primus-imu[actioncam]'") from error
    _require_true_sizes(path)
    try:
        parser = telemetry_parser.Parser(str(path))
        return str(parser.camera or ""), str(parser.model or ""), list(parser.telemetry())
    except BaseException as error:  # a panic inside the library derives from BaseException
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
            raise
        text = str(error).strip() or type(error).__name__
        if ("Unsupported" in text or "No metadata" in text) and _is_video(path):
            raise Rejected("no_imu", f"{path.name}: a video without telemetry that telemetry-parser knows ({text})") from error
        raise Rejected("unreadable_imu", f"{path.name}: telemetry-parser cannot read it ({text}); the file is truncated or corrupt") from error


def _require_true_sizes(path: Path) -> None:
    """Refuse an Insta360 trailer whose records claim more bytes than it has: telemetry-parser would allocate what they claim, gigabytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _INSTA_FOOTER))
        footer = file.read(_INSTA_FOOTER)
        if len(footer) < _INSTA_FOOTER or not footer.endswith(_INSTA_MAGIC):
            return
        left = struct.unpack_from("<I", footer, _INSTA_FOOTER - len(_INSTA_MAGIC) - 8)[0] - _INSTA_FOOTER
        position = size - _INSTA_FOOTER
        while left > 0:
            claimed = left + 1
            if position >= _INSTA_RECORD.size:
                file.seek(position - _INSTA_RECORD.size)
                claimed = _INSTA_RECORD.unpack(file.read(_INSTA_RECORD.size))[2] + _INSTA_RECORD.size
            if claimed > min(left, position):
                raise Rejected("unreadable_imu", f"{path.name}: its trailer claims a record larger than itself; the file is truncated or corrupt")
            left, position = left - claimed, position - claimed


def _is_video(path: Path) -> bool:
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return len(container.streams.video) > 0
    except (av.FFmpegError, OSError, ValueError):
        return False


def _track_times(path: Path) -> list[list[float]]:
    """Seconds from the first video frame of the packets of each metadata track."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            video = container.streams.best("video")
            zero = float(video.start_time * video.time_base) if video is not None and video.start_time and video.time_base else 0.0
            data = [stream for stream in container.streams if stream.type == "data"]
            times: dict[int, list[float]] = {stream.index: [] for stream in data}
            for packet in container.demux(data) if data else ():
                if packet.size > 8 and packet.pts is not None:  # a time code track's packets have 4 bytes
                    times[packet.stream.index].append(float(packet.pts * packet.time_base) - zero)
    except (av.FFmpegError, OSError, ValueError):
        return []
    return list(times.values())


def _times_on_track(packets: Sequence[Mapping[str, Any]], tracks: Sequence[Sequence[float]]) -> list[float | None]:
    """Each packet's time, from the track that has as many packets; None where no track has.

    telemetry-parser puts what the file's header says in front, as a packet that is on no track, and makers differ in whether packets without
    a sensor's sample count.
    """
    sensed = [i for i, packet in enumerate(packets) if "Accelerometer" in packet or "Gyroscope" in packet]
    header = 1 if packets and 0 not in sensed else 0
    for places in (range(len(packets)), range(header, len(packets)), sensed):
        for times in tracks:
            if len(times) == len(places):
                on_track: list[float | None] = [None] * len(packets)
                for place, time in zip(places, times, strict=True):
                    on_track[place] = time
                return on_track
    return [None] * len(packets)


def _camera_stamp(group: Mapping[str, Any]) -> float | None:
    if isinstance(group.get("TimestampUs"), int):
        return float(group["TimestampUs"]) * 1e-6
    if isinstance(group.get(_TICK), int):
        return float(group[_TICK]) * 1e-3
    return None


def _camera_time_of_first_frame(packets: Sequence[Mapping[str, Any]], tracks: Sequence[float | None]) -> float | None:
    """Camera stamp of the first video frame; None where camera stamps or the track's times are missing."""
    for packet, time in zip(packets, tracks, strict=True):
        stamp = _camera_stamp(packet.get("Exposure", {}))
        if stamp is not None and time is not None:
            return stamp - time
    apart = []  # cameras without an exposure stream: packets are written about when they are full
    for packet, time in zip(packets, tracks, strict=True):
        stamp = _camera_stamp(packet.get("Accelerometer", {}))
        if stamp is not None and time is not None:
            apart.append(stamp - time)
    return float(np.median(apart)) if apart else None


def _packet(group: Mapping[str, Any], name: str, camera: str, model: str, track_s: float | None, path: Path) -> _Packet:
    try:
        data = group["Data"]
        raw = np.array([(sample["x"], sample["y"], sample["z"]) for sample in data], np.float64)
        values = in_camera_frame(raw, group, name, camera, model)
        sample_s = np.array([sample["t"] for sample in data], np.float64) if "t" in data[0] else None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Rejected("unreadable_imu", f"{path.name}: a {name.lower()} packet is not of a known form ({type(error).__name__}: {error})") from error
    return _Packet(values, sample_s, _camera_stamp(group), track_s)


def _laid_out(packets: Sequence[_Packet], offset_s: float | None, limit: float, source: str) -> SensorStream:
    """One sensor's packets on one time axis, without the samples that are beyond `limit` or not finite."""
    values = np.concatenate([packet.values for packet in packets])
    if packets[0].sample_s is not None:
        seconds = np.concatenate([packet.sample_s for packet in packets if packet.sample_s is not None])
    else:
        seconds = _spread([len(packet.values) for packet in packets], _starts(packets, offset_s, source), source)
    if len(seconds) != len(values) or not np.isfinite(seconds).all() or np.abs(seconds).max() > 1e9:
        raise Rejected("unreadable_imu", f"{source}: {len(values)} samples with times that make no sense; the file is corrupt")
    keep = np.all(measurable(values, limit, source), axis=1)
    if not keep.any():
        raise Rejected("no_imu", f"{source}: none of its {len(keep)} samples is a measurement")
    stamps, repeated = normalise_timestamps(np.rint(seconds[keep] * 1e9).astype(np.int64), source)
    return SensorStream(stamps, values[keep], repeated, int((~keep).sum()))


def _starts(packets: Sequence[_Packet], offset_s: float | None, source: str) -> Floats:
    """Start of each packet in seconds from the first video frame: by the camera's stamps if all have them, else by the track."""
    camera = [packet.camera_s for packet in packets if packet.camera_s is not None]
    if len(camera) == len(packets):
        return np.array(camera) - (camera[0] if offset_s is None else offset_s)
    track = [packet.track_s for packet in packets if packet.track_s is not None]
    if len(track) == len(packets):
        return np.array(track)
    raise Rejected("unreadable_imu", f"{source}: {len(packets)} packets without camera stamps, and no track of the file carries as many")


def _spread(counts: Sequence[int], starts: Floats, source: str) -> Floats:
    """Seconds of every sample of packets with `counts` samples that begin at `starts`."""
    number = np.array(counts)
    lengths = np.diff(starts)
    if (lengths <= 0).any():
        raise Rejected("non_monotonic", f"{source}: packet {int(np.argmax(lengths <= 0)) + 1} begins before the one ahead of it")
    steps = lengths / number[:-1]
    usual = float(np.median(np.repeat(steps, number[:-1]))) if len(steps) else math.nan
    if not len(steps):
        raise Rejected("unreadable_imu", f"{source}: a single packet of {counts[0]} samples, so their rate is unknown")
    steps = np.append(np.where(steps <= _REGULAR[1] * usual, steps, usual), usual)
    rank = np.arange(int(number.sum())) - np.repeat(np.cumsum(number) - number, number)
    return np.asarray(np.repeat(starts, number) + rank * np.repeat(steps, number))
