"""One kind of input and what reads it: the unit of fuzzing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Target:
    """A reader or loader under damage.

    Attributes:
        name: as in the report and in `--reader`.
        kind: "reader" gives recordings or segments, "loader" models, arrays, tables or settings.
        weight: share of the cases, relative to the other targets of its kind.
        prepare: writes sound inputs, each a folder of its own, below a folder; may find that it cannot here and write none.
        read: reads one such folder and checks what it gets; returns how many segments, recordings or arrays it gave.
    """

    name: str
    kind: Literal["reader", "loader"]
    weight: float
    prepare: Callable[[Path], None]
    read: Callable[[Path], int]
