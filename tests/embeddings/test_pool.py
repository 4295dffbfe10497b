"""Pooling against a plain loop, and its bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.embeddings.pool import LEAST_SHARE, Pool, grid_range, mean_vector, normalise, pool_segments
from primus.seeds import generator


def reference(grid: np.ndarray, embedding: np.ndarray, start: float, end: float, fps: float, method: Pool) -> np.ndarray | None:
    """One segment in float64, frame by frame."""
    asked = [k for k in range(int(end * fps) + 3) if start - 1e-9 <= k / fps < end - 1e-9]
    found = [embedding[list(grid).index(k)].astype(np.float64) for k in asked if k in grid]
    if not found or len(found) < LEAST_SHARE * len(asked):
        return None
    if method == "clip4clip":
        found = [vector / np.linalg.norm(vector) for vector in found]
    mean = sum(found) / len(found)
    return mean / np.linalg.norm(mean)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    fps=st.sampled_from([1.0, 2.0, 10.0, 29.97]),
    starts=st.lists(st.integers(0, 20_000), max_size=6),
    window=st.sampled_from([1.0, 2.5, 5.0]),
    lost=st.integers(0, 60),
    method=st.sampled_from(["clip4clip", "published"]),
)
def test_equals_a_loop_over_frames(seed: int, fps: float, starts: list[int], window: float, lost: int, method: Pool) -> None:
    rng = generator(seed)
    grid = np.sort(rng.permutation(int(22 * fps))[lost:])
    embedding = (rng.normal(size=(len(grid), 8)) * rng.uniform(0.5, 12, (len(grid), 1)) + 1).astype(np.float16)
    start = np.array(starts, np.float64) / 1000
    has, vectors = pool_segments(grid, embedding, start, start + window, fps, method)
    expected = [reference(grid, embedding, s, s + window, fps, method) for s in start]
    assert has.tolist() == [vector is not None for vector in expected]
    for ours, theirs in zip(vectors, [vector for vector in expected if vector is not None], strict=True):
        assert np.abs(ours - theirs).max() < 1e-5


def test_a_five_second_window_has_fifty_frames_wherever_it_starts() -> None:
    start = np.arange(0, 30, 0.001)
    first, stop = grid_range(start, start + 5, 10)
    assert set(stop - first) == {50}
    assert first[0] == 0
    assert first[1] == 1, "half-open: frame 0 is before 0.001 s"


def test_the_two_poolings_differ_only_in_how_long_frames_count() -> None:
    long, short = np.array([8.0, 0.0]), np.array([0.0, 1.0])
    frames = np.stack([long, short])
    assert mean_vector(frames, "clip4clip") == pytest.approx(np.array([1, 1]) / 2**0.5)
    assert mean_vector(frames, "published") == pytest.approx(np.array([8, 1]) / 65**0.5)


def test_half_precision_costs_less_than_a_thousandth() -> None:
    """The bound that the documentation states: frames stored in float16, pooled, and the result stored in float16 again."""
    rng = generator(3, "half")
    frames = rng.normal(size=(400, 512)) * rng.uniform(0.01, 30, (400, 1))
    start = np.arange(0, 35.0, 0.7)
    for method in ("clip4clip", "published"):
        exact = pool_segments(np.arange(400), frames, start, start + 5, 10, method)[1]  # type: ignore[arg-type]
        stored = pool_segments(np.arange(400), frames.astype(np.float16), start, start + 5, 10, method)[1].astype(np.float16)  # type: ignore[arg-type]
        assert np.linalg.norm(exact - stored.astype(np.float32), axis=1).max() < 1e-3
        assert np.abs(np.linalg.norm(stored.astype(np.float32), axis=1) - 1).max() < 1e-3


def test_no_frames_no_embedding_and_zeros_stay_zeros() -> None:
    has, vectors = pool_segments(np.empty(0, np.int64), np.empty((0, 4), np.float16), np.array([0.0]), np.array([5.0]), 10, "clip4clip")
    assert not has.any()
    assert vectors.shape == (0, 4)
    assert not normalise(np.zeros((1, 4))).any()
    assert pool_segments(np.arange(3), np.ones((3, 4)), np.array([0.05]), np.array([0.06]), 10, "clip4clip")[0].tolist() == [False]
