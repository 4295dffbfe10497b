"""What a head-mounted camera sees: rays cast into a box-shaped room with boxes in it, one frame at a time.

One frame of 96 x 96 pixels is about a hundred array operations over 9 216 single-precision values, which one core does in well under a
millisecond. Boxes are cast only where their projection lies.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from primus.simulate.calibration import CAMERA_FROM_HEAD
from primus.simulate.scene import TEXELS, Box, Scene

FIELD_OF_VIEW: Final = 1.6
"""Horizontal and vertical field of view of the square image, radians."""

CAMERA_TILT: Final = 0.15
"""The camera looks this much below the head's forward axis, radians."""

NEAREST_M: Final = 0.08
PARALLEL: Final = np.float32(1e-6)
"""In place of a ray component of exactly zero, so that dividing by it is defined."""


class Camera:
    """Renders a scene along a path of poses. `pixels`: width and height of the image."""

    def __init__(self, scene: Scene, pixels: int) -> None:
        self.scene, self.pixels = scene, pixels
        self.focal = pixels / 2 / np.tan(FIELD_OF_VIEW / 2)
        centre = (np.arange(pixels) + 0.5 - pixels / 2) / self.focal
        x, y = np.meshgrid(centre, centre)
        self._rays = np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).astype(np.float32)
        tilt = np.array([[1, 0, 0], [0, np.cos(CAMERA_TILT), -np.sin(CAMERA_TILT)], [0, np.sin(CAMERA_TILT), np.cos(CAMERA_TILT)]])
        self._head_from_camera = CAMERA_FROM_HEAD.T @ tilt.T
        self._half = np.array(scene.half, np.float32)

    def frames(self, positions: np.ndarray, rotations: np.ndarray, hands: np.ndarray) -> Iterator[np.ndarray]:
        """RGBA frames (pixels, pixels, 4) uint8 for positions (N, 3), rotations head -> world (N, 3, 3) and hands (N, 4)."""
        for position, rotation, hand in zip(positions, rotations, hands, strict=True):
            yield self.frame(position, rotation, hand)

    def frame(self, position: np.ndarray, rotation: np.ndarray, hands: np.ndarray) -> np.ndarray:
        """One frame; see `frames`."""
        world_from_camera = (rotation @ self._head_from_camera).astype(np.float32)
        origin = position.astype(np.float32)
        rays = world_from_camera @ self._rays
        rays[rays == 0] = PARALLEL
        image, depth = self._room(origin - np.array([0, 0, self._half[2]], np.float32), rays)
        grid, depths = image.reshape(self.pixels, -1), depth.reshape(self.pixels, -1)
        cube = rays.reshape(3, self.pixels, self.pixels)
        for box in self.scene.boxes:
            self._box(box, origin, world_from_camera, cube, grid, depths)
        self._hands(grid, hands)
        return grid.view(np.uint8).reshape(self.pixels, self.pixels, 4)

    def _room(self, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colour and distance (in ray lengths) of the room's inside, seen from within; both (pixels^2,)."""
        half = self._half
        inverse = 1 / rays
        reach = np.abs(inverse) * half[:, None] - inverse * origin[:, None]
        depth = np.minimum(np.minimum(reach[0], reach[1]), reach[2])
        x, y, z = (origin[axis] + depth * rays[axis] for axis in range(3))
        on_x, on_z = reach[0] == depth, reach[2] == depth
        scale = TEXELS / 2 / half
        u = np.where(on_x, (y + half[1]) * scale[1], (x + half[0]) * scale[0])
        v = np.where(on_z, (y + half[1]) * scale[1], (z + half[2]) * scale[2])
        face = np.where(on_x, (rays[0] > 0).astype(np.int32), np.where(on_z, 4 + (rays[2] > 0), 2 + (rays[1] > 0)))
        return self._texels(face, u, v), depth

    def _texels(self, texture: np.ndarray | int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        column = np.clip(u.astype(np.int32), 0, TEXELS - 1)
        row = np.clip(v.astype(np.int32), 0, TEXELS - 1)
        return self.scene.atlas[texture * (TEXELS * TEXELS) + row * TEXELS + column]

    def _box(self, box: Box, origin: np.ndarray, world_from_camera: np.ndarray, rays: np.ndarray, image: np.ndarray, depths: np.ndarray) -> None:
        """Draw one box over `image` (P, P) where it is nearer than `depths` (P, P), in place."""
        window = self._window(box, origin, world_from_camera)
        if window is None:
            return
        cos, sin = np.float32(np.cos(box.yaw)), np.float32(np.sin(box.yaw))
        part = rays[:, window[0], window[1]]
        along = np.stack([cos * part[0] + sin * part[1], cos * part[1] - sin * part[0], part[2]])
        along[along == 0] = PARALLEL
        offset = origin - np.array(box.centre, np.float32)
        start = np.array([cos * offset[0] + sin * offset[1], cos * offset[1] - sin * offset[0], offset[2]], np.float32)
        inverse = 1 / along
        middle = -start[:, None, None] * inverse
        extent = np.array(box.half, np.float32)[:, None, None] * np.abs(inverse)
        first = middle - extent  # where each ray enters the slab between two opposite faces
        enter, leave = first.max(axis=0), (middle + extent).min(axis=0)
        hit = (leave > enter) & (enter > NEAREST_M) & (enter < depths[window])
        if not hit.any():
            return
        t = enter[hit]
        x, y, z = (start[axis] + t * along[axis][hit] for axis in range(3))
        scale = [TEXELS / 2 / half for half in box.half]
        u = np.where(first[0][hit] == t, (y + box.half[1]) * scale[1], (x + box.half[0]) * scale[0])
        image[window][hit] = self._texels(box.texture, u, (z + box.half[2]) * scale[2])
        depths[window][hit] = t

    def _window(self, box: Box, origin: np.ndarray, world_from_camera: np.ndarray) -> tuple[slice, slice] | None:
        """Rows and columns that a box's bounding ball may cover; None where it is out of view."""
        centre = world_from_camera.T @ (np.array(box.centre, np.float32) - origin)
        radius = float(np.linalg.norm(box.half))
        if centre[2] < -radius:
            return None
        if centre[2] < 1.5 * radius:
            return slice(0, self.pixels), slice(0, self.pixels)
        reach = self.focal * radius / (centre[2] - radius) * 1.2 + 1
        column, row = (self.pixels / 2 + self.focal * centre[axis] / centre[2] for axis in range(2))
        low_row, low_column = max(0, int(row - reach)), max(0, int(column - reach))
        high_row, high_column = min(self.pixels, int(row + reach) + 1), min(self.pixels, int(column + reach) + 1)
        if low_row >= high_row or low_column >= high_column:
            return None
        return slice(low_row, high_row), slice(low_column, high_column)

    def _hands(self, image: np.ndarray, hands: np.ndarray) -> None:
        """Draw both hands (u, v in image units) and what the right one holds, in place."""
        size = 0.1 * self.pixels
        for u, v, colour, radius in (
            (hands[0] + 0.03, hands[1] - 0.09, self.scene.tool, 0.8),
            (hands[0], hands[1], self.scene.skin, 1.0),
            (hands[2], hands[3], self.scene.skin, 1.0),
        ):
            column, row, reach = float(u) * self.pixels, float(v) * self.pixels, size * radius
            if row - reach >= self.pixels:
                continue
            rows = np.arange(max(0, int(row - reach)), min(self.pixels, int(row + reach) + 1))
            columns = np.arange(max(0, int(column - reach)), min(self.pixels, int(column + reach) + 1))
            if len(rows) and len(columns):
                inside = (rows[:, None] - row) ** 2 + ((columns - column) * 1.3) ** 2 < reach**2
                image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][inside] = colour
