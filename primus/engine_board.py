"""What a run of an engine keeps track of: which takes are handed out, finished or to be done once more, and how long a worker may take."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from primus.errors import Rejected

AHEAD = 4
"""Results that may wait, per worker, for an earlier one to be finished; it bounds memory when one take is slow."""
STARTS = 3
"""Workers that may fail to start, one after the other, before the run ends."""
TimeLimit = float | Callable[[Any], float] | None
"""Seconds one call may take, or a function of the item that gives them; None for no limit."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trouble:
    """Why a worker is replaced, whether that may have been for lack of memory, and the reason to refuse its item with."""

    text: str
    memory: bool = False
    reason: str = "reader_crashed"


@dataclass
class Board:
    """Finished outcomes by index, the next index to hand out and to hand over, and what is done once more: `waiting`, then `alone`."""

    finished: dict[int, tuple[Any, Rejected | None]] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)
    next_given: int = 0
    next_due: int = 0
    failed_starts: int = 0

    def next_index(self, busy: set[int], limit: int) -> int | None:
        """What a free worker does next while others are `busy` with theirs; None to wait."""
        if self.waiting:
            if busy:
                return None
            self.alone.add(again := self.waiting.pop(0))
            return again
        if self.next_given >= limit or busy & self.alone:
            return None
        self.next_given += 1
        return self.next_given - 1

    def failed(self, index: int, trouble: Trouble) -> None:
        """Refuse an item, or have it done once more where it may have been for lack of memory."""
        if trouble.memory and index not in self.alone:
            log.warning("item %d of the work: %s; it is done once more by itself", index + 1, trouble.text)
            self.waiting.append(index)
        else:
            self.finished[index] = (None, Rejected(trouble.reason, trouble.text + (", also by itself" if trouble.memory else "")))

    def limit(self, items: Sequence[Any], workers: int) -> int:
        """Items before this one may be begun."""
        return min(len(items), self.next_due + AHEAD * workers)

    def due(self) -> tuple[Any, Rejected | None] | None:
        """The outcome to hand over next, if it is there; it is then the turn of the one after it."""
        if self.next_due not in self.finished:
            return None
        self.next_due += 1
        return self.finished.pop(self.next_due - 1)


@dataclass(kw_only=True)
class Working:
    """What a worker is doing: `index` is its item, None while it starts or waits."""

    ready: bool = False
    index: int | None = None
    limit_s: float | None = None
    deadline: float | None = None

    @property
    def free(self) -> bool:
        """Whether it can be given an item."""
        return self.ready and self.index is None

    def begin(self, index: int, item: Any, timeout_s: TimeLimit) -> None:
        """Note that it is given an item now."""
        self.index = index
        self.limit_s = timeout_s(item) if callable(timeout_s) else timeout_s
        self.deadline = None if self.limit_s is None else time.monotonic() + self.limit_s

    def end(self) -> None:
        """Note that it is done with its item."""
        self.index = self.deadline = None

    def overdue(self) -> Trouble | None:
        """What is wrong with it where its time is over."""
        if self.deadline is None or time.monotonic() < self.deadline:
            return None
        return Trouble(f"no result within its time limit of {self.limit_s:g} s")


def pause_s(working: Sequence[Working]) -> float | None:
    """Seconds until the first time limit; None where there is none."""
    deadlines = [one.deadline for one in working if one.deadline is not None]
    return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
