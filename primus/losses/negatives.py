"""Which pairs of a batch are no negatives of each other: near duplicates, repeated narrations, rows of different groups."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from primus.models.feature_queue import Neighbours
from primus.models.rows import Rows, overlapping, same_segment, same_text

FalseNegatives = Literal["none", "overlap_and_same_text"]
SharedNeighbours = Literal["exclude", "keep"]


def _either(left: Tensor | None, right: Tensor | None) -> Tensor | None:
    if left is None or right is None:
        return right if left is None else left
    return left | right


def _false_negatives(kind: FalseNegatives, left: Rows, right: Rows) -> Tensor | None:
    if kind == "none":
        return None
    return overlapping(left, right) | same_text(left, right)


def in_batch(rows: Rows, kind: FalseNegatives, group: int = 0) -> Tensor | None:
    """(B, B) bool, True where rows i and j are not contrasted with each other; None where all are.

    Args:
        rows: identities of the batch.
        kind: "overlap_and_same_text" takes out segments of one take that share time and segments narrated with the same words.
        group: contrast only within consecutive groups of this many rows (what each device does when negatives are not gathered);
            0 means the whole batch.
    """
    excluded = _false_negatives(kind, rows, rows)
    if 0 < group < len(rows):
        member = torch.arange(len(rows), device=rows.segment.device) // group
        excluded = _either(excluded, member[:, None] != member[None, :])
    return excluded


def of_neighbours(rows: Rows, neighbours: Neighbours, kind: FalseNegatives, shared: SharedNeighbours, batch: Tensor | None) -> Tensor | None:
    """(B, B) bool, True where the neighbour of row j is no negative of row i; None where all are.

    Args:
        rows, neighbours: the batch and what was retrieved for it.
        kind: as in `in_batch`, between row i and the neighbour of row j.
        shared: "exclude" takes out pairs of rows that retrieved the same segment, wherever it stands in the queue: it is a positive of both.
        batch: what `in_batch` returned.
    """
    excluded = _either(batch, _false_negatives(kind, rows, neighbours.rows))
    if shared == "exclude":
        excluded = _either(excluded, same_segment(neighbours.rows, neighbours.rows))
    return excluded
