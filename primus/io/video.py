"""RGB frames of a video at asked times, in one pass over the file. The only module that decodes pictures, with decord or PyAV.

Time zero is the presentation time of the first frame shown; times are compared with the exact presentation stamps of the frames, so a
rate of 30000/1001 or a variable one needs no special care. The frame of a time is the last one shown at or before it; behind the end of the
last frame there is none. Pictures are turned upright by the file's rotation mark.

decord decodes where it is installed, the video is short and the file is sound: every packet is first listed with PyAV (nothing decoded), and whatever
decord could get wrong - damaged or discarded packets, another frame count, other stamps - goes to PyAV. So do videos whose pictures would not all
fit in `DECORD_BYTES`: decord's thread runs ahead of its reader without limit (its issues 157, 208 and 304); beside an encoder that was slower it
filled 18 GB with half an hour at 448 pixels, where PyAV needs ten megabytes. Both give the same frames, and neither ever seeks: decord's jumps to a
key frame are known to end elsewhere in files with untidy stamps (its issues 54 and 91).
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import ArrayLike, NDArray

from primus.errors import Rejected, UserError
from primus.io.video_container import TAIL_S, PacketIndex, list_packets, opened, require_end, said, usual_ticks, video_stream
from primus.system_faults import system_fault

try:
    import decord
except (ImportError, OSError):  # no wheel for this platform, or one whose libraries do not load
    decord = None

Backend = Literal["auto", "decord", "pyav"]
DECORD_BYTES = 128 * 2**20
_TOLERANCE_S = 0.0005  # a stamp rounded up to the file's clock still counts as the time it was rounded from


@dataclass(frozen=True)
class VideoInfo:
    """What a video holds, upright: frames, mean frames per second, seconds from the first frame to the end of the last, pixels."""

    n_frames: int
    fps: float
    duration_s: float
    width: int
    height: int


def probe(path: Path) -> VideoInfo:
    """Frame count, rate, length and size of a video, after decoding its first frame and reading its last packets.

    Raises:
        Rejected: `unreadable_video` when the file is missing, is no video, has no decodable frame, or ends before its header says.
    """
    with opened(path) as container:
        stream = video_stream(container, path)
        frame = _first_frame(container, path)
        count, duration, rate = stream.frames, stream.duration, stream.average_rate
        width, height = (frame.height, frame.width) if _quarter_turns(frame) % 2 else (frame.width, frame.height)
        if count > 0 and duration and rate and stream.time_base:
            duration_s = float(duration * stream.time_base)
            require_end(container, stream, duration_s, path)
            return VideoInfo(count, float(rate), duration_s, width, height)
    index = list_packets(path)  # the header keeps silent (Matroska and the like): count
    if not len(index.ticks):
        raise Rejected("unreadable_video", f"{path.name}: it has a video track without frames")
    duration_s = float(index.end - index.ticks[0]) * index.tick_s
    return VideoInfo(len(index.ticks), len(index.ticks) / duration_s if duration_s > 0 else 0.0, duration_s, width, height)


class FrameStream(Iterator[tuple[int, NDArray[np.uint8]]]):
    """Iterator over (index of the asked time, frame (H, W, 3) uint8 RGB, read-only). Made by `frames_at`.

    Attributes:
        notes: counts, complete when the iteration has ended: `before_first_frame` and `after_last_frame` times that no frame shows, `lost_frames`
            times behind the place where the file broke, `decord_failed` 1 when decord gave up and PyAV took over.
    """

    def __init__(self, path: Path, times_s: NDArray[np.float64], backend: Backend, num_threads: int) -> None:
        self.notes: dict[str, int] = {}
        self._frames = self._serve(path, times_s, backend, num_threads)

    def __next__(self) -> tuple[int, NDArray[np.uint8]]:
        return next(self._frames)

    def close(self) -> None:
        """Stop early and free the decoder."""
        self._frames.close()

    def _serve(self, path: Path, times: NDArray[np.float64], backend: Backend, threads: int) -> Generator[tuple[int, NDArray[np.uint8]], None, None]:
        served = int((times < -_TOLERANCE_S).sum())
        self._count("before_first_frame", served)
        if decord is not None and served < len(times) and (backend == "decord" or (backend == "auto" and _is_short(path))):
            index = list_packets(path)
            try:
                for i, frame in _with_decord(path, times, served, index, threads):
                    yield i, frame
                    served = i + 1
            except _DecordFailedError:
                self._count("decord_failed", 1)
            else:
                self._count("after_last_frame", len(times) - served)
                return
        for i, frame in _with_pyav(path, times, served, threads, self._count):
            yield i, frame

    def _count(self, what: str, number: int) -> None:
        if number:
            self.notes[what] = self.notes.get(what, 0) + number


def frames_at(path: Path, times_s: ArrayLike, backend: Backend = "auto", num_threads: int = 1) -> FrameStream:
    """Frames shown at the given times, decoding every frame at most once and holding no more than the decoder's few.

    Args:
        path: a video file.
        times_s: (N,) seconds from the first frame, ascending; repeats are allowed.
        backend: "auto" is decord where installed and able and the video is short, else PyAV.
        num_threads: decoding threads; 1 gives the same frames as any other number, and spares decord its known thread faults.

    Returns:
        An iterator of (index into `times_s`, (H, W, 3) uint8); indices without a frame are left out and counted in its `notes`.

    Raises:
        ValueError: `times_s` is not ascending and finite.
        UserError: decord is asked for by name and is not installed.
        Rejected: `unreadable_video`, on the first step, when the file cannot be opened or its first frame not decoded; later
            when the system was at fault.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ValueError(f"times_s must be (N,) finite and ascending, found shape {times.shape}")
    if backend == "decord" and decord is None:
        raise UserError("video backend decord is not installed on this platform; use backend auto or pyav")
    return FrameStream(path, times, backend, num_threads)


class _DecordFailedError(Exception):
    """decord cannot read the file, or stopped half way."""


def _with_decord(path: Path, times: NDArray[np.float64], first: int, index: PacketIndex, threads: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if not index.sound:
        raise _DecordFailedError("packets are damaged, discarded or without stamps")
    relative = index.ticks - index.ticks[0]
    asked = times[first:] / index.tick_s
    tolerance = min(0.5, _TOLERANCE_S / index.tick_s)
    wanted = np.maximum(np.searchsorted(relative, asked + tolerance, side="right") - 1, 0)  # what is a rounding early shows the first frame
    wanted = wanted[asked < index.end - index.ticks[0]]
    if not len(wanted):
        return
    try:
        decord.logging.set_level(decord.logging.QUIET)
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=threads)
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64) if len(reader) == len(relative) else None
    except Exception as error:
        raise _DecordFailedError(str(error)) from error
    if starts is None or np.abs(starts - relative * index.tick_s).max() > 0.001 + 1e-6 * relative[-1] * index.tick_s:  # its stamps are float32
        raise _DecordFailedError("it counts other frames than the file has")
    position, frame = 0, None
    for i, number in enumerate(wanted.tolist(), start=first):
        try:
            while position <= number:
                raw = reader.next()
                if position == number:
                    frame = raw.asnumpy()
                position += 1
        except Exception as error:  # decord raises its own errors, RuntimeError and StopIteration for the same fault
            raise _DecordFailedError(str(error)) from error
        assert frame is not None
        yield i, _read_only(frame)


def _with_pyav(
    path: Path, times: NDArray[np.float64], first: int, threads: int, count: Callable[[str, int], None]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    with opened(path) as container:
        stream = video_stream(container, path)
        stream.codec_context.thread_count = threads
        tick_s = float(stream.time_base)
        tolerance = min(0.5, _TOLERANCE_S / tick_s)
        i, shown, zero, broken = first, None, 0, False
        picture: NDArray[np.uint8] | None = None
        colours = VideoReformatter()  # keeps its tables from frame to frame
        frames = container.decode(stream)
        while i < len(times):
            try:
                frame = next(frames)
            except StopIteration:
                break
            except (av.FFmpegError, ValueError, MemoryError) as error:
                if shown is None or system_fault(error):
                    which = "its first frame" if shown is None else "a frame"
                    raise Rejected("unreadable_video", f"{path.name}: {which} cannot be decoded ({said(error)})") from error
                broken = True
                break
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is None or (shown is not None and stamp <= shown.pts):
                continue
            frame.pts = stamp
            if shown is None:
                zero = stamp
            while shown is not None and i < len(times) and times[i] / tick_s + tolerance < stamp - zero:
                picture = _upright(shown, colours) if picture is None else picture
                yield i, picture
                i += 1
            shown, picture = frame, None
        if shown is None and i < len(times):
            raise Rejected("unreadable_video", f"{path.name}: no frame can be decoded")
        if shown is not None:
            end = shown.pts - zero + (shown.duration or usual_ticks(stream))
            while i < len(times) and times[i] / tick_s < end:
                picture = _upright(shown, colours) if picture is None else picture
                yield i, picture
                i += 1
            declared = int(stream.duration or 0)
            broken = broken or (declared - end) * tick_s > TAIL_S
        count("lost_frames" if broken else "after_last_frame", len(times) - i)


def _is_short(path: Path) -> bool:
    """Whether all pictures of the video, which decord may come to hold at once, fit in `DECORD_BYTES`; no if the header does not tell."""
    with opened(path) as container:
        stream = video_stream(container, path)
        count = stream.frames or float((stream.duration or 0) * stream.time_base) * float(stream.average_rate or 0)
        return 0 < count * stream.codec_context.width * stream.codec_context.height * 3 <= DECORD_BYTES


def _first_frame(container: Any, path: Path) -> Any:
    try:
        return next(container.decode(video_stream(container, path)))
    except (StopIteration, av.FFmpegError, ValueError, MemoryError) as error:
        raise Rejected("unreadable_video", f"{path.name}: its first frame cannot be decoded ({said(error)})") from error


def _quarter_turns(frame: Any) -> int:
    """Quarter turns counter-clockwise that bring the frame upright."""
    return round(frame.rotation / 90) % 4


def _upright(frame: Any, colours: VideoReformatter) -> NDArray[np.uint8]:
    return _read_only(np.ascontiguousarray(np.rot90(colours.reformat(frame, format="rgb24").to_ndarray(), _quarter_turns(frame))))


def _read_only(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    frame.flags.writeable = False
    return frame
