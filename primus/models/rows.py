"""What is known of each row of a batch besides its signals, and the relations between rows that the losses care about."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

Relation = Literal["none", "self", "overlap", "take"]
UNKNOWN = -1  # in `text`, `participant` and `label`: equal to nothing, itself included


@dataclass(frozen=True)
class Rows:
    """Identity of B segments, each field (B,) int64.

    segment and take are numbers of the corpus; start_ms, end_ms are milliseconds from the take's start (half-open); text is the number
    of the segment's narration text; participant and label likewise. text, participant and label may be `UNKNOWN`.
    """

    segment: Tensor
    take: Tensor
    start_ms: Tensor
    end_ms: Tensor
    text: Tensor
    participant: Tensor
    label: Tensor

    def stacked(self) -> Tensor:
        """All fields as one (B, 7) int64 tensor, in field order."""
        return torch.stack([getattr(self, field.name) for field in fields(self)], dim=1)

    @classmethod
    def unstacked(cls, table: Tensor) -> Rows:
        """The inverse of `stacked`."""
        return cls(*table.unbind(1))

    def __getitem__(self, index: Tensor | slice) -> Rows:
        return Rows(*(getattr(self, field.name)[index] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.segment)


COLUMNS = len(fields(Rows))


def _equal(left: Tensor, right: Tensor) -> Tensor:
    return left[:, None] == right[None, :]


def _equal_known(left: Tensor, right: Tensor) -> Tensor:
    return _equal(left, right) & (left != UNKNOWN)[:, None]


def same_segment(left: Rows, right: Rows) -> Tensor:
    """(A, B) bool: the same segment."""
    return _equal(left.segment, right.segment)


def same_take(left: Rows, right: Rows) -> Tensor:
    """(A, B) bool: segments of one take."""
    return _equal(left.take, right.take)


def overlapping(left: Rows, right: Rows) -> Tensor:
    """(A, B) bool: segments of one take that share time (a segment overlaps itself)."""
    starts_before = left.start_ms[:, None] < right.end_ms[None, :]
    ends_after = left.end_ms[:, None] > right.start_ms[None, :]
    return same_take(left, right) & starts_before & ends_after


def same_text(left: Rows, right: Rows) -> Tensor:
    """(A, B) bool: narrated with the same words."""
    return _equal_known(left.text, right.text)


def related(relation: Relation, left: Rows, right: Rows) -> Tensor | None:
    """(A, B) bool for a relation by name; None for "none"."""
    if relation == "none":
        return None
    if relation == "self":
        return same_segment(left, right)
    if relation == "overlap":
        return overlapping(left, right)
    if relation == "take":
        return same_take(left, right)
    raise ValueError(f"relation must be 'none', 'self', 'overlap' or 'take', found {relation!r}")


def kinds(queries: Rows, neighbours: Rows) -> dict[str, Tensor]:
    """Row-wise relations of B queries to their B neighbours, each (B,) bool: self, overlap (without self), take, participant, label."""
    same = queries.segment == neighbours.segment
    take = queries.take == neighbours.take
    shares_time = take & (queries.start_ms < neighbours.end_ms) & (queries.end_ms > neighbours.start_ms)
    return {
        "self": same,
        "overlap": shares_time & ~same,
        "take": take,
        "participant": (queries.participant == neighbours.participant) & (queries.participant != UNKNOWN),
        "label": (queries.label == neighbours.label) & (queries.label != UNKNOWN),
    }
