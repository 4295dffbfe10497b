"""Frame embeddings to segment embeddings."""

from typing import Literal

import numpy as np

Pool = Literal["clip4clip", "published"]

LEAST_SHARE = 0.5
"""A segment has a video embedding when at least this share of its grid frames was decoded: the last frames of a file are often missing."""


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Rows (..., D) scaled to unit length, float32; a zero row stays zero."""
    vectors = vectors.astype(np.float32)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def mean_vector(vectors: np.ndarray, method: Pool) -> np.ndarray:
    """One unit vector (D,) float32 for vectors (n, D), n >= 1.

    "clip4clip": normalise, mean, normalise (Luo et al. 2021, mean pooling). "published": mean, normalise, as the code released with PRIMUS does,
    where a frame counts by the length of its embedding.
    """
    parts = normalise(vectors) if method == "clip4clip" else vectors.astype(np.float32)
    return normalise(parts.mean(axis=0))


def grid_range(start_s: np.ndarray, end_s: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last grid frame k of half-open intervals: start_s <= k / fps < end_s. Times count to the microsecond."""
    first, stop = (np.ceil(np.round(np.asarray(times, np.float64) * fps, 6)).astype(np.int64) for times in (start_s, end_s))
    return np.maximum(first, 0), np.maximum(stop, 0)


def pool_segments(
    grid: np.ndarray, embedding: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, fps: float, method: Pool
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of the segments of one video.

    Args:
        grid: (n,) ascending grid frames that exist.
        embedding: (n, D) their embeddings, not normalised.
        start_s, end_s: (M,) half-open intervals in seconds from take start.
        fps: of the grid.
        method: how frames are pooled.

    Returns:
        has: (M,) bool, whether enough frames exist (`LEAST_SHARE`).
        vectors: (sum(has), D) float32, unit norm, of those segments in order.
    """
    first, stop = grid_range(start_s, end_s, fps)
    low, high = np.searchsorted(grid, first), np.searchsorted(grid, stop)
    has = (high > low) & (high - low >= LEAST_SHARE * (stop - first))
    ready = normalise(embedding) if method == "clip4clip" else embedding.astype(np.float32)
    vectors = [normalise(ready[a:b].mean(axis=0)) for a, b in zip(low[has], high[has], strict=True)]
    return has, np.stack(vectors) if vectors else np.empty((0, embedding.shape[1]), np.float32)
