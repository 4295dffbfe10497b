"""How the whole picture moves from frame to frame: what turning the camera does to a video, measured from its decoded frames alone.

Each pair of successive frames is reduced to small grey pictures; phase correlation finds the shift, and a few Gauss-Newton steps refine it to a
shift, a turn about the optical axis and a zoom, with weights that let hands and other things that move on their own count for little.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from primus.errors import Rejected
from primus.io.video import frames_at, probe

SIDE = 64
"""Grey pictures keep at least this many pixels on their shorter side (or all of the frame's)."""

_ASKS_PER_FRAME = 4  # a frame of a video with a variable rate is dated to a quarter of the mean frame time
_STEPS = 4
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Frame = tuple[float, NDArray[np.uint8]]
Watch = Callable[[Iterator[Frame], int], Iterator[Frame]]


@dataclass(frozen=True)
class OpticalMotion:
    """The motion of the picture.

    Attributes:
        times_s: (n + 1,) when each frame is first shown, seconds from the first frame, ascending.
        steps: (n, 3) motion from each frame to the next: right and down in shorter sides of the picture, and turn in radians.
        texture: median over frames of the grey pictures' mean gradient (grey levels, 0-255, per pixel): near 0 there is nothing to follow.
    """

    times_s: NDArray[np.float64]
    steps: NDArray[np.float64]
    texture: float


def optical_motion(path: Path, longest_s: float, watch: Watch | None = None) -> OpticalMotion:
    """Measure the first `longest_s` seconds of a video.

    Args:
        path: the video.
        longest_s: where to stop.
        watch: wraps the iterator over frames, for progress; called with it and about how many there are.

    Raises:
        Rejected: `unreadable_video` when it cannot be opened or has fewer than two frames.
    """
    info = probe(path)
    if info.fps <= 0:
        raise Rejected("unreadable_video", f"{path.name}: it has no frame rate")
    end_s = min(info.duration_s, longest_s)
    asked = np.arange(0.0, end_s, 1 / (info.fps * _ASKS_PER_FRAME))
    times, steps, textures = [], [], []
    before: _Grey | None = None
    frames = _new_frames(path, asked)
    for time_s, frame in watch(frames, round(end_s * info.fps)) if watch else frames:
        grey = _Grey.of(frame)
        if before is not None:
            steps.append(before.motion_to(grey))
        times.append(time_s)
        textures.append(grey.texture)
        before = grey
    if len(times) < 2:
        raise Rejected("unreadable_video", f"{path.name}: {len(times)} frame in its first {end_s:.1f} s; motion needs two")
    return OpticalMotion(np.array(times), np.array(steps), float(np.median(textures)))


def _new_frames(path: Path, asked: NDArray[np.float64]) -> Iterator[Frame]:
    """Each frame once, with the first asked time that shows it."""
    shown: NDArray[np.uint8] | None = None
    for index, frame in frames_at(path, asked):
        if frame is not shown:
            yield float(asked[index]), frame
        shown = frame


class _Grey:
    """A small grey picture, smoothed, with its gradients and its windowed spectrum."""

    def __init__(self, picture: NDArray[np.float32]) -> None:
        self.picture = gaussian_filter(picture, 1.0)
        self.down, self.right = np.gradient(self.picture)
        self.texture = float(np.abs(self.down).mean() + np.abs(self.right).mean())
        window = np.outer(np.hanning(picture.shape[0]), np.hanning(picture.shape[1]))
        self.spectrum = np.fft.rfft2((self.picture - self.picture.mean()) * window)

    @classmethod
    def of(cls, frame: NDArray[np.uint8]) -> "_Grey":
        factor = max(1, min(frame.shape[:2]) // SIDE)
        rows, columns = frame.shape[0] // factor, frame.shape[1] // factor
        blocks = frame[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
        return cls(blocks.mean(axis=(1, 3), dtype=np.float32) @ _LUMA)

    def motion_to(self, after: "_Grey") -> tuple[float, float, float]:
        rows, columns = self.picture.shape
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        y0, x0 = (rows - 1) / 2, (columns - 1) / 2
        dx, dy = self._shift_to(after)
        zoom = turn = 0.0
        for _ in range(_STEPS):
            at_y = y + dy + zoom * (y - y0) + turn * (x - x0)
            at_x = x + dx + zoom * (x - x0) - turn * (y - y0)
            inside = (at_y >= 0) & (at_y <= rows - 1) & (at_x >= 0) & (at_x <= columns - 1)
            if inside.sum() < 0.2 * inside.size:
                break
            where = np.stack([at_y[inside], at_x[inside]])
            error = map_coordinates(after.picture, where, order=1) - self.picture[inside]
            gy, gx = self.down[inside], self.right[inside]
            cx, cy = x[inside] - x0, y[inside] - y0
            slopes = np.stack([gx, gy, gx * cx + gy * cy, gy * cx - gx * cy])
            scale = 1.5 * float(np.median(np.abs(error))) + 1e-3
            weighted = slopes / (1 + (error / scale) ** 2)
            change = np.linalg.lstsq(weighted @ slopes.T, -weighted @ error, rcond=1e-6)[0]
            dx, dy, zoom, turn = dx + float(change[0]), dy + float(change[1]), zoom + float(change[2]), turn + float(change[3])
            if abs(change[0]) + abs(change[1]) < 0.01:
                break
        side = min(rows, columns)
        return dx / side, dy / side, turn

    def _shift_to(self, after: "_Grey") -> tuple[float, float]:
        """Whole pixels right and down, by phase correlation."""
        cross = after.spectrum * np.conj(self.spectrum)
        strength = np.abs(cross)
        surface = np.fft.irfft2(cross / (strength + 1e-3 * strength.max() + 1e-9), self.picture.shape)
        row, column = (int(index) for index in np.unravel_index(int(surface.argmax()), surface.shape))
        rows, columns = surface.shape
        return float(column - columns * (column > columns // 2)), float(row - rows * (row > rows // 2))
