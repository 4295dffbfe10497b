"""Retrieval between two sets of vectors: the rank of the first correct answer, with duplicates and ties counted as what they are.

Several answers may be correct (equal texts, equal embeddings), and what counts is the best of them. Wrong answers that score the same as it are
neither ahead nor behind: among equals the order is drawn, and every number here is the expectation over that draw. So a constant score gives
exactly what guessing gives, and `chance` is computed that way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primus.evaluation.episodes import TOUCH_S
from primus.evaluation.statistics import Estimate, Resampling
from primus.evaluation.vectors import unit
from primus.seeds import generator

TOLERANCE = 1e-9
"""Cosines closer than this are equal: the last bits of a product depend on how many rows are multiplied at once."""

RECALL_AT = (1, 5, 10)
METRICS = tuple(f"r{k}" for k in RECALL_AT) + ("median_rank", "mrr")
"""Recall at k, the median rank and the mean reciprocal rank."""


@dataclass(frozen=True)
class FirstCorrect:
    """Per query (Q,) int64: wrong answers that score better than the best correct one, and wrong and correct ones that score the same as it."""

    ahead: np.ndarray
    tied_wrong: np.ndarray
    tied_correct: np.ndarray

    def survival(self, most: int) -> np.ndarray:
        """(most + 1, Q): probability that the first correct of the tied answers comes after place x = 0 ... `most` among them."""
        left = np.ones((most + 1, len(self.ahead)))
        wrong, everyone = self.tied_wrong.astype(np.float64), (self.tied_wrong + self.tied_correct).astype(np.float64)
        for x in range(1, most + 1):
            drawn = x - 1
            left[x] = left[x - 1] * np.maximum(wrong - drawn, 0) / np.maximum(everyone - drawn, 1)
        return left

    def expected(self) -> dict[str, np.ndarray]:
        """Name -> (Q,) float64: expected recall at each k (`r1`, ...), reciprocal rank (`mrr`) and rank (`median_rank`, before the median)."""
        most = int(self.tied_wrong.max(initial=0)) + 1
        left = self.survival(most)
        places = self.ahead + np.arange(1, most + 1)[:, None]
        found: dict[str, np.ndarray] = {}
        for k in RECALL_AT:
            room = np.clip(k - self.ahead, 0, most)
            found[f"r{k}"] = 1 - left[room, np.arange(len(self.ahead))]
        found["median_rank"] = self.ahead + (self.tied_wrong + self.tied_correct + 1) / (self.tied_correct + 1)
        found["mrr"] = ((left[:-1] - left[1:]) / places).sum(axis=0)
        return found


def choose_gallery(segments: pd.DataFrame, most: int, seed: int, *names: str | int) -> np.ndarray:
    """Row numbers of at most `most` segments of which no two of a take overlap: the earliest-ending ones, in a seeded order.

    `segments` has columns dataset, take_uid, start_s, end_s, segment_id; the order of its rows does not matter.
    """
    kept: list[int] = []
    free_from: dict[tuple[str, str], float] = {}
    table = segments.reset_index(drop=True).sort_values(["end_s", "segment_id"])
    for row, dataset, take, start, end in table[["dataset", "take_uid", "start_s", "end_s"]].itertuples(name=None):
        if start >= free_from.get((dataset, take), -np.inf) - TOUCH_S:
            free_from[dataset, take] = end
            kept.append(row)
    ordered = sorted(kept, key=lambda row: str(segments["segment_id"].iloc[row]))
    return generator(seed, "gallery", *names).permutation(np.array(ordered, dtype=np.int64))[:most]


def same(codes: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """(N, N) bool: which items are the same by their code (N,), or by the other code where there is one."""
    equal = codes[:, None] == codes[None]
    return equal if other is None else equal | (other[:, None] == other[None])


def first_correct(queries: np.ndarray, answers: np.ndarray, correct: np.ndarray, block: int = 1024) -> FirstCorrect:
    """Rank answers by cosine for every query.

    Args:
        queries: (Q, D); any length, a zero row is equally far from everything.
        answers: (N, D).
        correct: (Q, N) bool; every query has a correct answer (ValueError otherwise).
        block: queries compared at once; the result does not depend on it.
    """
    if correct.shape != (len(queries), len(answers)) or not correct.any(axis=1).all():
        raise ValueError(f"correct must be ({len(queries)}, {len(answers)}) with an answer to every query, found {correct.shape}")
    answers = unit(answers)
    parts = []
    for start in range(0, len(queries), block):
        right = correct[start : start + block]
        scores = unit(queries[start : start + block]) @ answers.T
        best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
        near = np.abs(scores - best) <= TOLERANCE
        parts.append(((~right & (scores > best + TOLERANCE)).sum(axis=1), (~right & near).sum(axis=1), (right & near).sum(axis=1)))
    return FirstCorrect(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def by_chance(correct: np.ndarray) -> dict[str, np.ndarray]:
    """What guessing is expected to score on every query, as `FirstCorrect.expected`: each answer ties with every other. `correct` is (Q, N)."""
    right = correct.sum(axis=1)
    return FirstCorrect(np.zeros(len(correct), dtype=np.int64), correct.shape[1] - right, right).expected()


def summary(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Metrics over queries, of what `FirstCorrect.expected` says."""
    return {name: float(np.median(values[name]) if name == "median_rank" else values[name].mean()) for name in METRICS}


def estimate(values: Mapping[str, np.ndarray], people: np.ndarray, resampling: Resampling) -> dict[str, Estimate]:
    """Metrics over queries and pretraining seeds with their intervals, participants and seeds resampled as a whole.

    Args:
        values: name -> (S, Q) what `FirstCorrect.expected` says, per seed.
        people: (Q,) participant number of each query, in [0, U).
        resampling: draws for S seeds, one episode and U participants.
    """
    weights = resampling.seeds[:, :, None] * resampling.participants[:, None, people]  # (R, S, Q)
    flat = weights.reshape(len(weights), -1)
    once = np.ones((1, flat.shape[1]))
    found = {}
    for name in METRICS:
        value = values[name].ravel()
        centre = weighted_median if name == "median_rank" else _weighted_mean
        found[name] = Estimate.of(float(centre(value, once)[0]), centre(value, flat))
    return found


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) medians of `values` (M,), each counted as often as the whole-numbered `weights` (R, M) say."""
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], weights[:, order].cumsum(axis=1)
    half = reached[:, -1:] / 2
    return (ordered[(reached >= half).argmax(axis=1)] + ordered[(reached > half).argmax(axis=1)]) / 2


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights @ values / weights.sum(axis=1)


def codes_of(rows: np.ndarray | Sequence[object]) -> np.ndarray:
    """(N,) int64, equal for equal rows: of an array (bit for bit), or of a list of hashable things."""
    keys = [row.tobytes() for row in rows] if isinstance(rows, np.ndarray) else list(rows)
    number: dict[object, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
