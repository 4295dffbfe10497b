"""Encode frames as H.264 in MP4, with the same bytes on every run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import av
import numpy as np

FPS: Final = 30
CODEC_OPTIONS: Final = {"preset": "ultrafast", "crf": "26", "threads": "1", "g": "30", "bf": "0"}
"""One thread, since x264 may split work differently on more; a key frame every second keeps seeking cheap."""


def encode(path: Path, frames: Iterable[np.ndarray], pixels: int) -> int:
    """Write RGBA frames (pixels, pixels, 4) uint8 to `path` at 30 frames per second; returns how many there were."""
    count = 0
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options=dict(CODEC_OPTIONS))
        stream.width = stream.height = pixels
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for count, pixels_rgba in enumerate(frames, start=1):
            frame = av.VideoFrame.from_ndarray(pixels_rgba, format="rgba")
            frame.pts = count - 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return count
