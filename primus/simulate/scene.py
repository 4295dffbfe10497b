"""Places and things to be seen: a textured room with boxes in it, drawn for one take.

Places and things are shared between activities and vary within them: an activity has places and things that are usual for it, and every
take draws from all of them with those preferred.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import zoom

from primus.seeds import derived_seed
from primus.simulate.activities import Activity

TEXELS: Final = 64
"""Every texture is a square of this many texels; a scene's textures lie one after another in one array of packed RGBA."""

USUAL: Final = 0.7
"""Chance that a take is set in a place, or shows a thing, that is usual for its activity."""


@dataclass(frozen=True)
class Place:
    """A kind of room: half sizes (m) and colours (RGB, 0-255) of walls and floor, and the wall pattern."""

    half_size: tuple[float, float]
    height: float
    walls: tuple[int, int, int]
    floor: tuple[int, int, int]
    pattern: str


PLACES: Final[dict[str, Place]] = {
    "kitchen": Place((2.4, 2.2), 2.9, (205, 190, 160), (140, 110, 80), "tiles"),
    "workshop": Place((3.0, 2.6), 3.2, (120, 125, 130), (95, 90, 85), "planks"),
    "garage": Place((2.8, 2.8), 3.0, (150, 140, 135), (110, 110, 115), "noise"),
    "gym": Place((4.0, 3.6), 4.4, (170, 150, 190), (60, 90, 140), "panels"),
    "court": Place((4.4, 4.4), 4.6, (120, 165, 120), (175, 120, 70), "lines"),
    "studio": Place((3.2, 3.0), 3.2, (185, 120, 115), (125, 80, 60), "planks"),
    "clinic": Place((2.6, 2.4), 2.9, (215, 225, 230), (150, 175, 180), "panels"),
    "office": Place((2.6, 2.8), 2.9, (200, 200, 180), (100, 105, 130), "lines"),
}


@dataclass(frozen=True)
class Box:
    """A thing: an upright box at `centre` (m) with half sizes `half` (m), turned by `yaw` (rad); `texture` is its place in the atlas."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float
    texture: int


@dataclass(frozen=True)
class Scene:
    """What the camera can see. `half` (m): half sizes of the room, whose floor is z = 0; `atlas`: packed RGBA texels (textures * 64 * 64,)
    uint32, the first six textures belonging to the walls; `things`: names of what is there; hands: skin and tool colour, packed RGBA."""

    place: str
    half: tuple[float, float, float]
    boxes: tuple[Box, ...]
    atlas: np.ndarray
    things: tuple[str, ...]
    skin: int
    tool: int


def draw_things(activity: Activity, pool: Sequence[str], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """`count` things: mostly those usual for `activity`, the others from `pool`."""
    chosen = [str(rng.choice(activity.things if rng.random() < USUAL else pool)) for _ in range(count)]
    return tuple(dict.fromkeys(chosen))


def draw_scene(activity: Activity, things: Sequence[str], rng: np.random.Generator) -> Scene:
    """A room for `activity` with the given things (and a table) around the wearer, who stays near the middle."""
    name = str(rng.choice(activity.places if rng.random() < USUAL else list(PLACES)))
    place = PLACES[name]
    half = (place.half_size[0] * rng.uniform(0.9, 1.15), place.half_size[1] * rng.uniform(0.9, 1.15), place.height * rng.uniform(0.95, 1.1) / 2)
    cast = rng.normal(0, 10, 3)
    textures = [_surface(place.walls, place.pattern, shade, cast, rng) for shade in (1.0, 0.86, 0.93, 0.8)]
    textures += [_surface(place.floor, "planks" if rng.random() < 0.5 else "noise", 0.9, cast, rng)]
    textures += [_surface((225, 225, 220), "noise", 1.0, cast, rng)]
    boxes = [_furniture(len(textures), rng)]
    textures.append(_surface((150, 115, 80), "planks", 1.0, cast, rng))
    for angle in rng.permutation(8)[: min(8, 2 * len(things))] * (np.pi / 4):
        thing = str(rng.choice(list(things)))
        boxes.append(_thing(thing, len(textures), float(angle + rng.normal(0, 0.2)), rng))
        textures.append(_thing_texture(thing, cast, rng))
    tool = np.clip(_thing_colour(things[0]) + cast, 0, 255)
    skin = np.clip(np.array([205, 150, 120]) * rng.uniform(0.5, 1.1) + cast, 0, 255)
    return Scene(name, half, tuple(boxes), np.concatenate([_packed(texture) for texture in textures]), tuple(things), _colour(skin), _colour(tool))


def _furniture(texture: int, rng: np.random.Generator) -> Box:
    angle, distance = rng.uniform(-np.pi, np.pi), rng.uniform(1.4, 1.7)
    size = (rng.uniform(0.35, 0.5), rng.uniform(0.5, 0.8), rng.uniform(0.35, 0.46))
    return Box((distance * np.cos(angle), distance * np.sin(angle), size[2]), size, angle, texture)


def _thing(name: str, texture: int, angle: float, rng: np.random.Generator) -> Box:
    own = np.random.Generator(np.random.PCG64(derived_seed(0, "simulate", "shape", name)))
    half = own.uniform([0.08, 0.08, 0.1], [0.3, 0.3, 0.5]) * rng.uniform(0.8, 1.2)
    distance, height = rng.uniform(1.3, 1.8), rng.uniform(0.3, 1.7)
    return Box((distance * np.cos(angle), distance * np.sin(angle), max(height, half[2])), tuple(half.tolist()), angle + own.uniform(0, 0.8), texture)


def _thing_colour(name: str) -> np.ndarray:
    """The usual colour of a thing (RGB): fixed by its name."""
    own = np.random.Generator(np.random.PCG64(derived_seed(0, "simulate", "colour", name)))
    return own.uniform(30, 240, 3)


def _thing_texture(name: str, cast: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    colour = np.clip(_thing_colour(name) + rng.normal(0, 18, 3), 10, 245)
    return _surface(tuple(int(c) for c in colour), str(rng.choice(["noise", "lines", "tiles"])), 1.0, cast, rng)


def _surface(colour: tuple[int, ...], pattern: str, shade: float, cast: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A texture (64, 64, 3) float: a colour with stains of several sizes and a pattern, so that motion shows everywhere."""
    noise = sum(zoom(rng.normal(0, size, (cells, cells)), TEXELS / cells, order=1) for cells, size in ((4, 16.0), (16, 14.0), (64, 7.0)))
    v, u = np.mgrid[:TEXELS, :TEXELS]
    step = int(rng.integers(7, 14))
    if pattern == "tiles":
        noise = noise - 45 * ((u % step == 0) | (v % step == 0))
    elif pattern == "planks":
        noise = noise - 40 * (v % step == 0) + 14 * ((v // step) % 3 - 1)
    elif pattern == "panels":
        noise = noise + 25 * (((u // (2 * step)) + (v // (2 * step))) % 2) - 12
    elif pattern == "lines":
        noise = noise + 40 * (np.abs(u % (2 * step) - 3) < 2)
    for _ in range(3):  # posters and stains: something to tell the walls apart by
        a, b = rng.integers(0, TEXELS - 14, 2)
        noise[a : a + rng.integers(6, 14), b : b + rng.integers(6, 14)] += rng.normal(0, 45)
    texture = np.array(colour, dtype=float) * shade + cast + noise[..., None] * rng.uniform(0.8, 1.2, 3)
    return np.clip(texture, 0, 255)


def _packed(texture: np.ndarray) -> np.ndarray:
    rgba = np.full((*texture.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = np.round(texture)
    return rgba.reshape(-1, 4).view("<u4").ravel()


def _colour(rgb: np.ndarray) -> int:
    red, green, blue = (round(float(value)) for value in np.clip(rgb, 0, 255))
    return red | green << 8 | blue << 16 | 255 << 24
