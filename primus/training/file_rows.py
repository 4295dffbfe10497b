"""Rows of an array in a file, read when they are asked for, into memory that does not grow with the file."""

from __future__ import annotations

import os
import weakref
from typing import Any

import numpy as np


class FileRows:
    """What a memory map is for gathering rows, without its pages: those of a map count as the process's own once they were read.

    Args:
        mapped: the map of a whole array, (N, ...) in C order, as `numpy.memmap` returns it.

    Attributes:
        shape, dtype, nbytes: of the array.
    """

    def __init__(self, mapped: np.memmap) -> None:
        self._mapped = mapped
        self.shape, self.dtype, self.nbytes = mapped.shape, mapped.dtype, int(mapped.nbytes)
        self._row_bytes = self.nbytes // max(1, len(mapped))
        self._file = os.open(str(mapped.filename), os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Rows `index` (B,) int64, 0 <= index < N, as (B, ...).

        Raises:
            IndexError: a row outside the array.
            OSError: the file ends before the array does.
        """
        if len(index) and not 0 <= index.min() <= index.max() < len(self):
            raise IndexError(f"rows must lie in 0..{len(self) - 1}, found {index.min()}..{index.max()}")
        rows = np.empty((len(index), *self.shape[1:]), self.dtype)
        places = rows.reshape(-1).view(np.uint8).data
        for number, row in enumerate(index.tolist()):
            place = places[number * self._row_bytes : (number + 1) * self._row_bytes]
            if os.preadv(self._file, [place], self._mapped.offset + row * self._row_bytes) != self._row_bytes:
                raise OSError(f"{self._mapped.filename} ends before its row {row}: it was cut after it was opened")
        return rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._mapped, dtype=dtype)
