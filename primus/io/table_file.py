"""One table file - CSV or Parquet - to the columns that matter, their units, and recordings of its rows."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.csv_columns import as_numbers, as_texts, has_no_header, no_header_words, read_csv_table
from primus.io.imu_rows import recording_from_rows, require_values
from primus.io.recording import NS_PER_UNIT, ImuRecording
from primus.io.table_guess import CannotTell, Columns, guess_accel_unit, guess_columns, guess_gyro_unit, guess_time_unit, listed, unit_in_name
from primus.io.units import ACCEL_UNITS, GYRO_UNITS, canonical_unit, factor, how_to_state

COLUMN_KEYS = ("time", "accel", "gyro", "label", "participant")
UNIT_KEYS = ("time", "accel", "gyro")
_SEPARATORS = ",;\t|"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Table:
    """The needed columns of one file, in its own units.

    Attributes:
        columns: their names.
        stamps: (N,) int64 or float64, NaN where a row has none.
        time_unit: unit of the stamps where the column's type tells it, else None.
        values: (N, 3) or (N, 6) accelerometer and gyroscope, NaN where a row lacks a value.
        labels, people: (N,) text, empty where a row has none; None without such a column.
    """

    columns: Columns
    stamps: NDArray[Any]
    time_unit: str | None
    values: NDArray[np.float64]
    labels: NDArray[Any] | None
    people: NDArray[Any] | None


def load_table(path: Path, source: str, known: dict[str, Any], header: Sequence[str] | None = None) -> Table:
    """Read the columns that `known` names, and guess the others. `header` names the columns of a CSV that has no header line.

    Raises:
        UserError: the table has no such columns, or they cannot be told.
        Rejected: `unreadable_imu` when the file is no CSV or Parquet; `no_imu` without rows; `missing_axis`.
    """
    if path.suffix.lower() == ".parquet":
        if header:
            raise UserError(f"{source}: a Parquet file names its columns itself; leave `header` out for it")
        try:
            names = [str(name) for name in pq.read_schema(path).names]
            columns = guess_columns(names, source, known)
            frame = pq.read_table(path, columns=_needed(columns, names, source)).to_pandas()
        except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
            raise Rejected(
                "unreadable_imu", f"{source}: cannot be read as Parquet ({str(error).splitlines()[0] if str(error) else error})"
            ) from error
    else:
        frame = read_csv_table(path, (), _separator(path, source, header), source, header)
        names = [str(name) for name in frame.columns]
        try:
            columns = guess_columns(names, source, known)
            _needed(columns, names, source)
        except UserError as error:
            if not has_no_header(names):
                raise
            raise CannotTell("unreadable_imu", f"{source}: {no_header_words(names)}") from error
    axes = [*columns.accel, *(columns.gyro or ())]
    stamps, unit = _stamps(frame[columns.time])
    values = np.stack([as_numbers(frame[axis]).astype(np.float64) for axis in axes], axis=1)
    require_values(np.isfinite(values), axes, source)  # before anybody guesses a unit from nothing
    return Table(columns, stamps, unit, values, *(as_texts(frame[name]) if name else None for name in (columns.label, columns.participant)))


def _separator(path: Path, source: str, header: Sequence[str] | None) -> str:
    """The one that occurs most often in the header line; where that is stated, the one that divides the first row into as many cells."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.readline(65536)
    except OSError as error:
        raise Rejected("unreadable_imu", f"{source}: cannot be read as a table ({error})") from error
    if header:  # commas last: they may be decimal ones
        fitting = [one for one in reversed(_SEPARATORS) if line.count(one) == len(header) - 1]
        return fitting[0] if fitting else max(_SEPARATORS, key=line.count)
    return max(_SEPARATORS, key=line.count)


def _needed(columns: Columns, names: Sequence[str], source: str) -> list[str]:
    needed = [columns.time, *columns.accel, *(columns.gyro or ()), *(name for name in (columns.label, columns.participant) if name)]
    missing = [name for name in needed if name not in names]
    if missing:
        raise UserError(f"{source}: no column {listed(missing)}; it has {listed(names)}")
    return list(dict.fromkeys(needed))


def _stamps(column: "pd.Series[Any]") -> tuple[NDArray[Any], str | None]:
    """Stamps as numbers, and their unit where the column's type tells it."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        numbers = as_numbers(column)
        if not len(numbers) or np.isfinite(numbers).any():
            return numbers, None
        column = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    if getattr(column.dt, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    ns = column.to_numpy(dtype="datetime64[ns]")
    known = ~np.isnat(ns)
    return (ns.astype(np.int64), "ns") if known.all() else (np.where(known, ns.astype(np.int64).astype(np.float64), np.nan), "ns")


def table_units(table: Table, given: Mapping[str, str], source: str, quiet: bool = False) -> tuple[dict[str, str], dict[str, int]]:
    """Unit of each quantity of the table - given, stated by its column's type or name, else guessed - and a note for each guess."""
    units = dict(given)
    guesses: dict[str, str] = {}
    if "time" not in units:
        stated = table.time_unit or unit_in_name(table.columns.time, time=True)
        units["time"] = stated or guesses.setdefault("time", guess_time_unit(table.stamps, source))
    if "accel" not in units:
        stated = unit_in_name(table.columns.accel[0])
        known = stated if stated in ACCEL_UNITS else None
        units["accel"] = known or guesses.setdefault("accel", guess_accel_unit(table.values[:, :3], source))
    if "gyro" not in units and table.columns.gyro:
        stated = unit_in_name(table.columns.gyro[0])
        known = stated if stated in GYRO_UNITS else None
        units["gyro"] = known or guesses.setdefault("gyro", guess_gyro_unit(table.values[:, 3:]))
    if guesses and not quiet:
        said = ", ".join(f"{key} {unit}" for key, unit in sorted(guesses.items()))
        log.warning("%s: units guessed: %s; %s", source, said, how_to_state(*sorted(guesses)))
    return units, {guess_note(key, unit): 1 for key, unit in guesses.items()}


def guess_note(key: str, unit: str) -> str:
    """The note that a unit was guessed."""
    return f"guessed_{key}_{re.sub('[^a-z0-9]+', '_', unit)}"


def table_recording(
    table: Table, rows: NDArray[np.bool_], units: Mapping[str, str], source: str, notes: dict[str, int]
) -> tuple[ImuRecording, NDArray[np.intp]]:
    """The recording of some rows, and the numbers of the rows it kept.

    Args:
        rows: (N,) which rows of the table.
        units: of time (unless the table knows it), accel and gyro.
        notes: to state in the recording.

    Raises:
        UserError: a unit is missing.
        Rejected: see `primus.io.imu_rows`.
    """
    needed = [*(() if table.time_unit else ("time",)), "accel", *(("gyro",) if table.columns.gyro else ())]
    missing = [key for key in needed if key not in units]
    if missing:
        raise UserError(f"{source}: the unit of {', '.join(missing)} cannot be told; {how_to_state(*missing)}")
    values = table.values[rows].copy()
    values[:, :3] *= factor(units["accel"], ACCEL_UNITS, source)
    if table.columns.gyro:
        values[:, 3:] *= factor(units["gyro"], GYRO_UNITS, source)
    axes = [*table.columns.accel, *(table.columns.gyro or ())]
    recording, kept = recording_from_rows(table.stamps[rows], table.time_unit or units["time"], values, axes, source, notes)
    return recording, np.flatnonzero(rows)[kept]


def checked_columns(columns: Any, source: str) -> dict[str, Any]:
    """A `columns` setting, or a UserError that names what is wrong with it."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or set(columns) - set(COLUMN_KEYS):
        raise UserError(f"{source}: columns is {columns!r}; expected a mapping with {', '.join(COLUMN_KEYS)}")
    for key, value in columns.items():
        three = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3 and all(isinstance(name, str) for name in value)
        fits = (
            three or (key == "gyro" and value is None)
            if key in ("accel", "gyro")
            else isinstance(value, str) or (key in COLUMN_KEYS[3:] and value is None)
        )
        if not fits:
            raise UserError(f"{source}: columns.{key} is {value!r}; expected {'three names, x y z' if key in ('accel', 'gyro') else 'a name'}")
    return dict(columns)


def checked_units(units: Any, source: str) -> dict[str, str]:
    """A `units` setting in canonical spelling, or a UserError that names what is wrong with it."""
    if units is None:
        return {}
    if not isinstance(units, Mapping) or set(units) - set(UNIT_KEYS):
        raise UserError(f"{source}: units is {units!r}; expected a mapping with {', '.join(UNIT_KEYS)}")
    known = {"time": dict.fromkeys(NS_PER_UNIT, 1.0), "accel": ACCEL_UNITS, "gyro": GYRO_UNITS}
    for key, unit in units.items():
        factor(str(unit), known[key], f"{source}: units.{key}")
    return {key: canonical_unit(str(unit)) for key, unit in units.items()}
