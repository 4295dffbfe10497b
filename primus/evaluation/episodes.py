"""Episodes of few-shot learning: seeded draws of labelled segments, nested so that the 5-shot set contains the 1-shot set.

One permutation per class and episode; k shots are the first k of it (as in the few-shot evaluator of google-research/big_vision). The
draw depends on the seed, the data set, the fold, the episode and the class only, so every encoder is compared on the same shots.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from primus.errors import UserError
from primus.seeds import generator

ShotsUnit = Literal["segment", "nonoverlapping", "take"]
"""What one shot is: any segment, a segment that overlaps no earlier shot of its class, or all of a class's segments of one take."""

TOUCH_S = 1e-6
"""Two segments of a take overlap when they share more than this many seconds."""


@dataclass(frozen=True)
class Episode:
    """One draw: per class, its shots in order; each shot is an array of row numbers of the pool table."""

    number: int
    order: dict[str, list[np.ndarray]]

    def rows(self, shots: int) -> np.ndarray:
        """Row numbers (n,) int64 of the first `shots` shots of every class (all a class has, where it has fewer)."""
        return np.concatenate([rows for draws in self.order.values() for rows in draws[:shots]])

    def short_classes(self, shots: int) -> list[str]:
        """Classes of the pool that have fewer than `shots` shots: with them the episode is incomplete at this size."""
        return [label for label, draws in self.order.items() if len(draws) < shots]


def _nonoverlapping(order: np.ndarray, takes: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, most: int) -> list[int]:
    """Walk `order` and keep what overlaps nothing kept before it in its take, up to `most` segments."""
    kept: list[int] = []
    occupied: dict[str, list[tuple[float, float]]] = {}
    for row in order:
        if len(kept) == most:
            break
        intervals = occupied.setdefault(takes[row], [])
        here = (float(start_s[row]), float(end_s[row]))
        place = bisect_left(intervals, here)
        before_ends = intervals[place - 1][1] if place else -np.inf
        after_starts = intervals[place][0] if place < len(intervals) else np.inf
        if before_ends <= here[0] + TOUCH_S and after_starts >= here[1] - TOUCH_S:
            insort(intervals, here)
            kept.append(int(row))
    return kept


def draw_episodes(pool: pd.DataFrame, *, unit: ShotsUnit, episodes: int, most: int, seed: int, names: tuple[str | int, ...]) -> list[Episode]:
    """Draw `episodes` nested episodes from the labelled pool.

    Args:
        pool: columns segment_id, take_uid, start_s, end_s, label; its row positions are what episodes refer to.
        unit: what counts as one shot.
        episodes: number of independent draws.
        most: the largest number of shots that will be asked for.
        seed, names: identify the draw (data set and fold go into `names`); the order of the pool's rows does not matter.

    Raises:
        UserError: the pool is empty.
    """
    if pool.empty:
        raise UserError(f"{'/'.join(map(str, names))}: no labelled segments to draw shots from; check the splits and rejects of the segment stage")
    labels, takes = pool["label"].to_numpy(), pool["take_uid"].to_numpy()
    ids, start_s, end_s = pool["segment_id"].to_numpy(), pool["start_s"].to_numpy(float), pool["end_s"].to_numpy(float)
    drawn = []
    for number in range(episodes):
        order: dict[str, list[np.ndarray]] = {}
        for label in sorted(set(labels)):
            rng = generator(seed, "shots", *names, number, label)
            rows = np.flatnonzero(labels == label)
            if unit == "take":
                of_take = {take: rows[takes[rows] == take] for take in sorted(set(takes[rows]))}
                chosen = rng.permutation(np.array(list(of_take), dtype=object))[:most]
                order[label] = [of_take[take][np.argsort(ids[of_take[take]])] for take in chosen]
                continue
            permuted = rng.permutation(rows[np.argsort(ids[rows])])
            kept = permuted[:most].tolist() if unit == "segment" else _nonoverlapping(permuted, takes, start_s, end_s, most)
            order[label] = [np.array([row], dtype=np.int64) for row in kept]
        drawn.append(Episode(number, order))
    return drawn
