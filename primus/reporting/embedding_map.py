"""A flat picture of features: test segments of one fold, on the two directions in which their features vary most."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from primus.evaluation.vectors import unit
from primus.keyed_arrays import KeyedArrays
from primus.seeds import generator

MOST = 200
"""Most segments of a data set that are drawn: more would hide each other, and the page grows with them."""

COLUMNS = ["dataset", "method", "representation", "label", "x", "y", "share_x", "share_y", "tested"]


def plane(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of rows at unit length.

    Args:
        features: (N, D), N >= 1.

    Returns:
        Coordinates (N, 2) float64 and the share of the variance on each of the two axes (2,). An axis points to where its largest
        coordinate in magnitude is positive, so that equal features give equal pictures.
    """
    rows = unit(features)
    rows -= rows.mean(axis=0)
    left, strength, _ = np.linalg.svd(rows, full_matrices=False)
    places, shares = np.zeros((len(rows), 2)), np.zeros(2)
    count = min(2, len(strength))
    places[:, :count] = left[:, :count] * strength[:count]
    total = float((strength**2).sum())
    if total > 0:
        shares[:count] = strength[:count] ** 2 / total
    for axis in range(2):
        if places[np.abs(places[:, axis]).argmax(), axis] < 0:
            places[:, axis] *= -1
    return places, shares


def drawn_segments(segments: pd.DataFrame, splits: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """At most `most` test segments per data set of its first fold, a seeded draw: dataset, segment_id, label, tested (how many there were)."""
    first = splits[(splits["fold"] == splits["fold"].min()) & (splits["split"] == "test")][["dataset", "take_uid"]]
    probe = segments[segments["purpose"] == "probe"].merge(first, on=["dataset", "take_uid"]).sort_values("segment_id")
    parts = []
    for dataset, rows in probe.groupby("dataset", sort=True):
        chosen = np.sort(generator(0, "embedding map", str(dataset)).permutation(len(rows))[:most])
        parts.append(rows.iloc[chosen][["dataset", "segment_id", "label"]].assign(tested=len(rows)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["dataset", "segment_id", "label", "tested"])


def embedding_map(features: Path, methods: Sequence[str], segments: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """One row per drawn segment and method (COLUMNS): the representation the method is judged by, of its first seed and fold.

    `features` is the folder with a folder of feature files for every method; one without files (a skipped method) gives no rows.
    """
    drawn, parts = drawn_segments(segments, splits), []
    for method in methods:
        path = next(iter(sorted((features / method).glob("*.h5"))), None)
        if path is None:
            continue
        with KeyedArrays(path) as file:
            representation = str(file.attrs["representation"])
            for dataset, rows in drawn.groupby("dataset", sort=True):
                places, shares = plane(file.rows(representation, rows["segment_id"].tolist()))
                where = {"x": places[:, 0], "y": places[:, 1], "share_x": shares[0], "share_y": shares[1]}
                parts.append(rows.assign(dataset=dataset, method=method, representation=representation, **where)[COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
