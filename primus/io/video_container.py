"""Video files as containers: opened, their track found, packets listed. Nothing is decoded here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected

TAIL_S = 0.5  # a file may end this much before the length its header states; more is missing data


@dataclass(frozen=True)
class PacketIndex:
    """Presentation stamps of all packets: ascending ticks of `tick_s` seconds; `sound` when a plain decoder shows exactly these frames."""

    ticks: NDArray[np.int64]
    end: int
    tick_s: float
    sound: bool


def said(error: Exception | None) -> str:
    """What FFmpeg says, without the path of this machine that its message ends with."""
    return "no frame" if error is None else getattr(error, "strerror", None) or type(error).__name__


def opened(path: Path) -> Any:
    """The container, a context manager.

    Raises:
        Rejected: `unreadable_video`.
    """
    try:
        return av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Rejected("unreadable_video", f"{path.name}: cannot be opened as a video ({said(error)})") from error


def video_stream(container: Any, path: Path) -> Any:
    """The best video track.

    Raises:
        Rejected: `unreadable_video` where there is none.
    """
    stream = container.streams.best("video")
    if stream is None or stream.codec_context is None or stream.time_base is None:
        raise Rejected("unreadable_video", f"{path.name}: it has no video track that can be decoded")
    return stream


def usual_ticks(stream: Any) -> int:
    """Ticks of the track's clock that a frame lasts at its mean rate."""
    rate = stream.average_rate or stream.guessed_rate
    return round(1 / (rate * stream.time_base)) if rate else 1


def list_packets(path: Path) -> PacketIndex:
    """Presentation stamps of the video's packets, read without decoding."""
    stamps: list[int] = []
    sound, last, length = True, None, 0
    with opened(path) as container:
        stream = video_stream(container, path)
        tick_s, usual = float(stream.time_base), usual_ticks(stream)
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue  # the flush packet at the end
                if packet.pts is None or packet.is_corrupt or packet.is_discard:
                    sound = False
                    if packet.pts is None:
                        continue
                stamps.append(packet.pts)
                if last is None or packet.pts > last:
                    last, length = packet.pts, packet.duration or usual
        except (av.FFmpegError, ValueError):
            sound = False
        declared = stream.frames
    ticks = np.unique(np.array(stamps, np.int64))
    sound = sound and len(ticks) == len(stamps) > 0 and declared in (0, len(stamps))
    return PacketIndex(ticks, (last or 0) + length, tick_s, sound)


def require_end(container: Any, stream: Any, duration_s: float, path: Path) -> None:
    """Refuse a file whose last packets are not there, by reading from the last key frame on."""
    start = stream.start_time or 0
    reached = start
    try:
        container.seek(start + stream.duration, stream=stream, backward=True)
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_corrupt:
                reached = max(reached, packet.pts + (packet.duration or 0))
    except (av.FFmpegError, ValueError):
        pass  # what was reached tells
    missing_s = duration_s - float((reached - start) * stream.time_base)
    if missing_s > TAIL_S:
        raise Rejected(
            "unreadable_video", f"{path.name}: its last {missing_s:.1f} s of {duration_s:.1f} s are missing; the file is truncated or corrupt"
        )
