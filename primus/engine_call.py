"""One call of a function on one take: what it takes, and what became of it. What the engines share and send to their workers."""

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from primus.errors import Rejected, UserError
from primus.system_faults import lacked_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class OutOfMemory(Rejected):
    """A call for which there was not enough memory: perhaps there is once it runs alone."""


@dataclass(frozen=True)
class Needs:
    """What one call takes of a node when calls are spread over a cluster."""

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a `value`, or the reason it was `refused`."""

    item: Item
    value: Result | None
    refused: Rejected | None


def call_once(function: Callable[[Item], Result], item: Item) -> tuple[Result | None, Rejected | None]:
    """The value of one call, or why its item is refused."""
    try:
        return function(item), None
    except Rejected as refused:
        return None, OutOfMemory(refused.reason, refused.detail) if lacked_memory(refused) else refused
    except UserError:
        raise
    except Exception as error:
        kind = OutOfMemory if lacked_memory(error) else Rejected
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:300]
        return None, kind("reader_crashed", f"{type(error).__name__}: {text} ({os.path.basename(place.filename)}:{place.lineno})")
