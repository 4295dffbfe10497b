"""Small clips whose frames carry their own number, for the tests of the video reader."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, BITS = 96, 64, 8


def numbered(number: int) -> NDArray[np.uint8]:
    """A frame (64, 96, 3) whose top half spells `number` in black and white columns and whose lower half is red beside blue."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    step = WIDTH // BITS
    for bit in range(BITS):
        if number >> bit & 1:
            frame[: HEIGHT // 2, bit * step : (bit + 1) * step] = 255
    frame[HEIGHT // 2 :, : WIDTH // 2] = (200, 30, 30)
    frame[HEIGHT // 2 :, WIDTH // 2 :] = (20, 60, 220)
    return frame


def number_of(frame: NDArray[np.uint8]) -> int:
    """The number spelt by an upright frame."""
    step = WIDTH // BITS
    return sum(1 << bit for bit in range(BITS) if frame[HEIGHT // 4, bit * step + step // 2].mean() > 128)


def write_clip(
    path: Path,
    n: int = 60,
    rate: Fraction | int = 30,
    stamps: Sequence[int] | None = None,
    b_frames: int = 2,
    gop: int = 12,
    codec: str = "libx264",
    faststart: bool = False,
) -> Path:
    """Encode frames 0..n-1, shown at `rate`, or at `stamps` milliseconds when given."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=rate, options={"bf": str(b_frames), "g": str(gop), "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if stamps is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(n):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts = number if stamps is None else stamps[number]
            if stamps is not None:
                frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn(path: Path, quarter_turns: int) -> Path:
    """Mark an MP4 as one to be shown turned by quarter turns clockwise, in its track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    matrix_at = at + (4 + 8 + 8 + 4 + 4 + 8 if data[at] == 1 else 4 + 4 + 4 + 4 + 4 + 4) + 8 + 8
    one = 1 << 16
    cos, sin = [(one, 0), (0, one), (-one, 0), (0, -one)][quarter_turns % 4]
    if struct.unpack_from(">i", data, matrix_at)[0] != one:
        raise AssertionError("no identity matrix where the track header should have it")
    struct.pack_into(">9i", data, matrix_at, cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
