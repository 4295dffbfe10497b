"""Damage to the structure of binary files, written anew around it: safetensors, archives and Parquet."""

import io
import struct
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz import zips
from tests.fuzz.damage_text import damage_csv, damage_json
from tests.fuzz.evil import CELLS, FACTORS, HUGE, VALUES

Draw = np.random.Generator


def damage_safetensors(data: bytes, draw: Draw) -> bytes:
    """The header: its length, names, kinds, shapes and offsets, the numbers behind it untouched."""
    length = int.from_bytes(data[:8], "little")
    if draw.random() < 0.15:
        return struct.pack("<Q", HUGE[draw.integers(len(HUGE))]) + data[8:]
    header = damage_json(data[8 : 8 + length], draw)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def damage_zip(data: bytes, draw: Draw) -> bytes:
    """The archive built anew around hurt members, or with names, sizes and depths that an archive should not have."""
    kind = draw.integers(12)
    if kind <= 4:
        return zips.with_hurt_member(data, draw, damage_csv)
    return zips.KINDS[int(draw.integers(len(zips.KINDS)))](data, draw)


def damage_parquet(data: bytes, draw: Draw) -> bytes:
    """The table written anew with hurt values or other types, its metadata kept."""
    table = pq.read_table(io.BytesIO(data))
    sink = io.BytesIO()
    kind = draw.integers(6)
    if kind <= 2:
        names = table.column_names
        columns = {name: table[name] for name in names}
        name = names[int(draw.integers(len(names)))]
        columns[name] = _hurt_column(table[name], draw)
        if draw.random() < 0.2:
            other = names[int(draw.integers(len(names)))]
            columns[name], columns[other] = columns[other], columns[name]
        table = pa.table(columns).replace_schema_metadata(table.schema.metadata)
    elif kind == 3:
        table = table.take(pa.array(draw.permutation(table.num_rows) if draw.random() < 0.5 else np.arange(table.num_rows)[::-1].copy()))
    elif kind == 4:
        names = [str(VALUES[draw.integers(len(VALUES))])[:50] if draw.random() < 0.2 else name for name in table.column_names]
        table = table.rename_columns([name.encode("utf-8", "replace").decode() for name in names])
    else:
        repeats = int(draw.choice([0, 1, 1, 2000]))
        table = pa.concat_tables([table.slice(0, 1000)] * repeats) if repeats else table.slice(0, 0)
    pq.write_table(table, sink, compression=("zstd", "snappy", "gzip", "none")[draw.integers(4)])
    return sink.getvalue()


def _hurt_column(column: Any, draw: Draw) -> Any:
    n = len(column)
    kind = draw.integers(10)
    if kind == 0:
        return pa.nulls(n)
    if kind == 1:
        return pa.array([CELLS[int(i)] for i in draw.integers(0, len(CELLS), n)])
    if kind == 2:
        return pa.array([[1.0, 2.0]] * n)
    if kind == 3:
        return pa.array([{"a": 1}] * n)
    if kind == 4:
        return pa.array(draw.integers(-(2**62), 2**62, n))
    if kind == 5:
        return pa.array([b"\xff\xfe"] * n, pa.binary())
    if kind == 6:
        return pa.array(np.full(n, FACTORS[draw.integers(len(FACTORS))]))
    if kind == 7:
        return pa.array(pd.to_datetime(draw.integers(-(2**60), 2**60, n)))
    values = pd.Series(column.to_pandas())
    if not pd.api.types.is_numeric_dtype(values):
        return pa.array([None if draw.random() < 0.3 else value for value in column.to_pylist()])
    floats = values.to_numpy(np.float64).copy()
    if n and kind == 8:
        floats[draw.integers(0, n, int(draw.choice([1, 5, 100])))] = draw.choice([np.nan, np.inf, 1e300, -1e38, 0.0, -1.0])
        return pa.array(floats)
    with np.errstate(all="ignore"):
        return pa.array(floats * FACTORS[draw.integers(len(FACTORS))])
