"""Columns of a delimited text file as arrays: numbers, or labels as text. One way to parse CSV for every reader of labelled data."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primus.errors import Rejected, UserError

_SURPLUS = "\0surplus"
_LINE_LIMIT = 1 << 20
_NUMBER = re.compile(r"\s*[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?(?:\.\d+)?\s*")  # pandas appends .1 to a name that occurs twice
_DECIMAL_COMMA = r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*"
SIZE_LIMIT = 4 << 30  # bytes of one CSV; a day of 100 Hz has 1.5 GB


def read_csv_columns(
    content: Path | bytes, numbers: Sequence[str], texts: Sequence[str], separator: str, source: str, header: Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """The named columns of a CSV.

    Args:
        content: the file, or its bytes.
        numbers: columns to read as numbers: int64 where all are whole, else float64; a cell that is no number becomes NaN. Decimal commas are read.
        texts: columns to read as text (N,) object, white space trimmed, empty where the cell is.
        separator: one character.
        source: for messages.
        header: names of all columns of a file without a header line; None where it has one.

    Raises:
        Rejected: `unreadable_imu` when the file is no such CSV, or a column is missing.
    """
    table = read_csv_table(content, texts, separator, source, header)
    missing = sorted({*numbers, *texts} - set(table.columns))
    if missing and has_no_header(list(table.columns)):
        raise Rejected("unreadable_imu", f"{source}: {no_header_words(list(table.columns))}")
    if missing:
        raise Rejected("unreadable_imu", f"{source}: no column {', '.join(missing)}; expected them in a header line separated by {separator!r}")
    return {name: as_numbers(table[name]) for name in numbers} | {name: as_texts(table[name]) for name in texts}


def has_no_header(names: Sequence[str]) -> bool:
    """Whether most of what was read as names of columns are numbers: the first row of a file without a header line."""
    return 2 * sum(_NUMBER.fullmatch(name) is not None for name in names) > len(names)


def no_header_words(names: Sequence[str]) -> str:
    """What is wrong with such a file, and what to do."""
    first = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"has no header line, it begins with {first[:80]}; add one, or state its columns as `header: [...]` with its data set"


def checked_header(header: Any, owner: str) -> tuple[str, ...] | None:
    """A `header` setting: the names of all columns of files without a header line; None stays None.

    Raises:
        UserError: it is no list of different names.
    """
    if header is None:
        return None
    if not isinstance(header, (list, tuple)) or not header or not all(isinstance(name, str) and name.strip() for name in header):
        raise UserError(f"{owner}: header is {header!r}; expected a list with the name of every column, in order")
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if twice:
        raise UserError(f"{owner}: header names {', '.join(twice)} twice; give every column a name of its own")
    return tuple(header)


def read_csv_table(content: Path | bytes, texts: Sequence[str], separator: str, source: str, stated: Sequence[str] | None = None) -> pd.DataFrame:
    """All columns of a CSV, their names trimmed; `texts` are not parsed as numbers. `stated` are the columns of a file without a header line.

    Raises:
        Rejected: `unreadable_imu` when the file is no such CSV, or a row has more values than the header has columns.
    """
    how: dict[str, Any] = {"sep": separator, "index_col": False, "skipinitialspace": True, "encoding": "utf-8-sig", "encoding_errors": "replace"}
    try:
        if isinstance(content, Path) and content.stat().st_size > SIZE_LIMIT:
            raise ValueError(f"larger than {SIZE_LIMIT >> 30} GiB")
        header = list(stated) if stated else [str(name) for name in pd.read_csv(_opened(content), nrows=0, **how).columns]
        first_row = _first_row(content, separator, below_header=not stated)
        if len(first_row) > len(header) + 1:  # pandas would cut the first row without an error
            raise ValueError(f"its first row has {len(first_row)} values, its header {len(header)} columns")
        if stated and first_row and len(first_row) < len(header):
            raise ValueError(f"its first row has {len(first_row)} values, the stated header {len(header)} columns")
        if stated and [cell.strip() for cell in first_row[: len(header)]] == header:
            raise ValueError("its first line is a header already; leave `header` out for it")
        names = [*header, _SURPLUS]  # a separator may end every row; a value there is one too many
        as_text = {name: str for name in header if name.strip() in texts}
        table = pd.read_csv(_opened(content), header=None, skiprows=0 if stated else 1, names=names, dtype=as_text, low_memory=False, **how)
    except (ValueError, OSError, OverflowError, RecursionError, MemoryError, csv.Error) as error:  # pandas raises kinds of ValueError
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Rejected("unreadable_imu", f"{source}: cannot be read as a table ({first})") from error
    surplus = table.pop(_SURPLUS).notna()
    if surplus.any():
        raise Rejected(
            "unreadable_imu",
            f"{source}: row {int(surplus.argmax()) + (1 if stated else 2)} has more values than its header has columns ({len(header)})",
        )
    table.columns = pd.Index([name.strip() for name in header])
    return table


def _first_row(content: Path | bytes, separator: str, below_header: bool) -> list[str]:
    """Cells of the first row (below the header) that is not empty."""
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
        if below_header:
            file.readline(_LINE_LIMIT)
        while line := file.readline(_LINE_LIMIT):
            if line.strip():
                return next(csv.reader([line.decode("utf-8-sig", "replace").rstrip("\r\n")], delimiter=separator), [])
    return []


def _opened(content: Path | bytes) -> Path | io.BytesIO:
    return content if isinstance(content, Path) else io.BytesIO(content)


def as_numbers(column: "pd.Series[Any]") -> NDArray[Any]:
    """The column as int64 or float64; what is no number becomes NaN. "9,81" is a number where commas stand in no other role in the column."""
    numeric = column if pd.api.types.is_numeric_dtype(column) else _parsed(column)
    others = pd.Series([_text(cell) for cell in column[numeric.isna() & column.notna()]], dtype=str)
    others = others[others.str.contains(",", regex=False)]
    if len(others) and others.str.fullmatch(_DECIMAL_COMMA).all():
        numeric = pd.to_numeric(pd.Series([_text(cell) for cell in column], dtype=str).str.replace(",", ".", regex=False), errors="coerce")
    values = numeric.to_numpy()
    if values.dtype.kind == "i":
        return values.astype(np.int64)
    if values.dtype.kind in "ub":
        return values.astype(np.float64)
    return np.asarray(numeric.to_numpy(dtype=np.float64, na_value=np.nan))


def as_texts(column: "pd.Series[Any]") -> NDArray[Any]:
    """The column as trimmed text (N,) object, empty where a cell is."""
    return np.array([_text(cell).strip() for cell in column.astype(object).where(column.notna(), "")], dtype=object)


def _parsed(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Cells of any kind as numbers, NaN where they are none."""
    try:
        return pd.to_numeric(column, errors="coerce")
    except (TypeError, ValueError, OverflowError):  # lists and the like of a Parquet file; whole numbers beyond any float
        return pd.to_numeric(pd.Series([_text(cell) for cell in column.astype(object)], dtype=object), errors="coerce")


def _text(cell: object) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
