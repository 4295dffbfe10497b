"""The fixed images and texts on which the demo encoder's centring and whitening are measured. They share nothing with any corpus.

Everything is drawn with NumPy's PCG64 and elementwise IEEE arithmetic, so the same bytes come out on every machine.
"""

from collections.abc import Sequence

import numpy as np

from primus.seeds import generator

SEED = 20250401
N_IMAGES = 256
N_TEXTS = 1024

FUNCTION_WORDS = ("the", "a", "an", "with", "on", "in", "of", "her", "his", "and", "to", "from")


def calibration_images(size: int) -> np.ndarray:
    """Procedural pictures (N_IMAGES, size, size, 3) uint8: smooth noise at six scales around a base colour, with up to six discs and boxes."""
    rng = generator(SEED, "images")
    total = np.zeros((N_IMAGES, size, size, 3), np.float32)
    weight = np.zeros((N_IMAGES, 1, 1, 1), np.float32)
    for cells in (1, 3, 6, 12, 24, 48):
        amount = rng.random((N_IMAGES, 1, 1, 1), dtype=np.float32)
        amount *= amount
        total += amount * _smooth_noise(rng, size, cells)
        weight += amount
    total /= weight
    total -= np.float32(0.5)
    total *= np.float32(1.5)
    total += rng.random((N_IMAGES, 1, 1, 3), dtype=np.float32)
    axis = np.arange(size, dtype=np.float32) / np.float32(size)
    for _ in range(6):
        centre, radius = rng.random((2, N_IMAGES, 2), dtype=np.float32)
        radius = radius * np.float32(0.3) + np.float32(0.05)
        colour = rng.random((N_IMAGES, 3), dtype=np.float32)
        shape = rng.integers(0, 3, N_IMAGES)  # 0 nothing, 1 disc, 2 box
        across, down = ((axis - centre[:, side, None]) / radius[:, side, None] for side in (0, 1))
        disc = (across * across)[:, None, :] + (down * down)[:, :, None] < 1
        box = (np.abs(across) < 1)[:, None, :] & (np.abs(down) < 1)[:, :, None]
        inside = np.where((shape == 1)[:, None, None], disc, box) & (shape > 0)[:, None, None]
        image, row, column = np.nonzero(inside)
        total[image, row, column] = colour[image]
    return (np.clip(total, 0, 1) * np.float32(255)).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Random colours on a grid of cells x cells, blended linearly: (N_IMAGES, size, size, 3) float32 in [0, 1]."""
    grid = rng.random((N_IMAGES, cells + 1, cells + 1, 3), dtype=np.float32)
    position = np.arange(size, dtype=np.float32) * np.float32(cells / size)
    cell = position.astype(np.int64)
    right = (position - cell).astype(np.float32)
    rows = grid[:, cell] * (1 - right)[None, :, None, None] + grid[:, cell + 1] * right[None, :, None, None]
    return rows[:, :, cell] * (1 - right)[None, None, :, None] + rows[:, :, cell + 1] * right[None, None, :, None]


def calibration_texts(words: Sequence[str]) -> list[str]:
    """1024 phrases: one to six of `words`, each often led by a function word.

    Function words and length, which all narrations share, thereby become the directions of large variance that the whitening levels, while content
    words stay alike in all directions.
    """
    rng = generator(SEED, "texts")
    texts = []
    for _ in range(N_TEXTS):
        phrase = []
        for _ in range(rng.integers(1, 7)):
            if rng.random() < 0.75:
                phrase.append(FUNCTION_WORDS[rng.integers(len(FUNCTION_WORDS))])
            phrase.append(words[int(rng.integers(len(words)))])
        texts.append(" ".join(phrase))
    return texts
