"""Damage of every kind, by what the file is: what disks, networks and careless exports do, and what somebody malicious would.

Everything is drawn from the generator given, so the n-th damaged input is the same in every run.
"""

import copy
import csv
import io
import json
import math
import os
import re
import shutil
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.fuzz import zips

Draw = np.random.Generator

_EVIL = (b"\x00" * 8, b"\xff" * 8, b"nan", b"-1", b"1e999", b'"', b"\n\n", b"[[[[", b"\xff\xff\xff\x7f", b"9" * 30, b"../../", b"%s%n", b"\r")
_HUGE = (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 62, 1 << 40, 1 << 33, 100_000_000, 0, 1)
_CELLS = (
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e300",
    "-1e300",
    "1e38",
    "-1",
    "0",
    "",
    " ",
    "null",
    "None",
    "9" * 400,
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e-320",
    "0x1F",
    "1_000",
    "1,5",
    "text",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "\0",
    "1657533977813.5",
    "4102444800000000000",
    "1e18",
    "\u202e\u0661",
    '"',
    "''",
    "2022-07-11T10:06:17Z",
    "-62135596800000",
)
_FACTORS = (1e300, 1e38, 1e9, 1e6, 1e3, 9.80665, 57.29577951308232, 1e-3, 1e-9, 1e-300, -1.0, 0.0)
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037", "utf-7")
_VALUES: tuple[Any, ...] = (
    None,
    {},
    [],
    "",
    -1,
    0,
    1,
    1e300,
    -1e300,
    10**400,
    2**63,
    -(2**63),
    2**31,
    math.nan,
    math.inf,
    True,
    False,
    "1e300",
    "nan",
    "text",
    "x" * 70_000,
    "\0",
    "../../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "a\\b",
    "<img src=x onerror=alert(1)>",
    "$(touch executed)",
    "{}",
    "\ud800",
    [[[[]]]],
    {"a": {"b": {}}},
    [None],
    [1, 2, 3],
    {"": None},
    "aria01",
    0.1,
    "2" * 5000,
)


_MARKS = {
    ".mp4": rb"moov|mvhd|trak|tkhd|mdhd|elst|stts|ctts|stsc|stsz|stco|co64|stss|avcC|stsd|hdlr|mdat"
    rb"|DEVC|STRM|ACCL|GYRO|STMP|TICK|SCAL|SIUN|TSMP|ORIN|MTRX",
    ".mkv": rb"\x1f\x43\xb6\x75|\x16\x54\xae\x6b|\xae|\x1c\x53\xbb\x6b|\x15\x49\xa9\x66|\xb0|\xba",
    ".vrs": rb"VisionRe|cordVRS|data_layout|DataPiece|offset|DL:Data|RF:Data|calib_json|device_type",
    ".h5": rb"\x89HDF|OHDR|TREE|HEAP|SNOD|GCOL|embedding|imu|key",
    ".pt": rb"PK\x01\x02|PK\x03\x04|PK\x05\x06|PK\x06\x06|data\.pkl|ctorch|_rebuild_tensor|FloatStorage|state_dict|cpu",
    ".parquet": rb"PAR1|schema|ARROW:schema|timestamp_ns|accel_x",
}
_MARKS |= {".insv": _MARKS[".mp4"], ".ckpt": _MARKS[".pt"], ".bin": _MARKS[".pt"]}


def damage_folder(sound: Path, out: Path, draw: Draw) -> str:
    """Copy the folder `sound` to `out` with one of its files damaged; returns what was done, for the report of a finding."""
    files = sorted(file for file in sound.rglob("*") if file.is_file())
    chosen = files[int(draw.integers(len(files)))]
    for file in files:
        target = out / file.relative_to(sound)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file != chosen:
            shutil.copyfile(file, target)
    target = out / chosen.relative_to(sound)
    data, suffix = chosen.read_bytes(), chosen.suffix.lower()
    if draw.random() < 0.01:
        target.write_bytes(b"")
        return f"{target.name}: empty"
    if draw.random() < 0.01 and suffix != ".entry":
        target.mkdir()
        return f"{target.name}: a folder"
    structured = _STRUCTURED.get(suffix)
    if structured is not None and draw.random() < 0.7:
        how = structured.__name__
        out_data = structured(data, draw)
        if draw.random() < 0.1:
            how, out_data = f"{how} and bytes", damage_bytes(out_data, draw, suffix)
    else:
        how, out_data = "bytes", damage_bytes(data, draw, suffix)
    target.write_bytes(out_data)
    return f"{target.name}: {how}"


def damage_bytes(data: bytes, draw: Draw, suffix: str = "") -> bytes:
    """One to four injuries: bytes flipped, a stretch cut, doubled, swapped, zeroed, overwritten or inserted, a number made huge, the end lost."""
    marks = _marks(data, suffix)
    out = bytearray(data)
    for _ in range(draw.integers(1, 5)):
        if not out:
            break
        a, b = _stretch(len(out), marks, draw)
        kind = draw.integers(10)
        if kind <= 1:
            for i in draw.integers(a, max(b, a + 1), draw.integers(1, 12)):
                out[min(int(i), len(out) - 1)] ^= 1 << int(draw.integers(8))
        elif kind == 2:
            del out[a:]
        elif kind == 3:
            del out[a:b]
        elif kind == 4:
            out[a:a] = out[a : min(b, a + 4096)]
        elif kind == 5:
            middle = (a + b) // 2
            out[a:b] = out[middle:b] + out[a:middle]
        elif kind == 6:
            out[a : min(b, a + 512)] = bytes(min(b, a + 512) - a)
        elif kind == 7:
            evil = _EVIL[draw.integers(len(_EVIL))]
            out[a : a + len(evil) * int(draw.integers(2))] = evil
        elif kind == 8:
            number, code = _HUGE[draw.integers(len(_HUGE))], ("<I", ">I", "<Q", ">Q")[draw.integers(4)]
            packed = struct.pack(code, number & ((1 << 8 * struct.calcsize(code)) - 1))
            out[a : a + len(packed)] = packed
        else:
            out[a:a] = draw.bytes(int(draw.integers(1, 64)))
    return bytes(out)


def _stretch(size: int, marks: tuple[int, ...], draw: Draw) -> tuple[int, int]:
    """A place to hurt: near a structure's mark, in the first or last kilobytes, or anywhere."""
    kind = draw.random()
    if marks and kind < 0.5:
        a = max(0, min(size - 1, marks[draw.integers(len(marks))] + int(draw.integers(-8, 40))))
        return a, min(size, a + int(draw.integers(1, 64)))
    if kind < 0.8:
        reach = min(size, int(draw.choice([100, 2000, 8000])))
        a, b = sorted(int(i) for i in draw.integers(0, reach + 1, 2))
        return (size - b, size - a) if draw.random() < 0.4 else (a, b)
    a, b = sorted(int(i) for i in draw.integers(0, size + 1, 2))
    return a, b


@lru_cache(maxsize=64)
def _marks(data: bytes, suffix: str) -> tuple[int, ...]:
    pattern = _MARKS.get(suffix)
    return tuple(match.start() for match in re.finditer(pattern, data))[:5000] if pattern else ()


def damage_csv(data: bytes, draw: Draw) -> bytes:
    """Cells, columns, rows, header, separators or encoding of a delimited text."""
    text = data.decode()
    separator = max(",;\t|", key=text.split("\n", 1)[0].count)
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    for _ in range(draw.integers(1, 4)):
        if len(rows) < 2 or not rows[0]:
            break
        rows = _hurt_rows(rows, draw)
    ending = ("\n", "\r\n", "\r", "\n\n")[draw.integers(4)] if draw.random() < 0.1 else "\n"
    joint = ",;\t| :"[draw.integers(6)] if draw.random() < 0.05 else separator
    out = ending.join(joint.join(row) for row in rows) + ("" if draw.random() < 0.1 else ending)
    if draw.random() < 0.06:
        return out.encode(_ENCODINGS[draw.integers(len(_ENCODINGS))], "replace")
    return out.encode("utf-8", "surrogatepass")


def _hurt_rows(rows: list[list[str]], draw: Draw) -> list[list[str]]:
    header, body = rows[0], [list(row) for row in rows[1:]]
    width = len(header)
    column, other = int(draw.integers(width)), int(draw.integers(width))
    row = int(draw.integers(len(body)))
    cell = _CELLS[draw.integers(len(_CELLS))]
    kind = draw.integers(22)

    def each(change: Callable[[str], str]) -> None:
        for line in body:
            if column < len(line):
                line[column] = change(line[column])

    if kind <= 3:
        for k in {row, *(int(i) for i in draw.integers(0, len(body), int(draw.choice([1, 1, 5, 100]))))}:
            if column < len(body[k]):
                body[k][column] = cell
    elif kind == 4:
        each(lambda _: cell)
    elif kind <= 6:
        factor = _FACTORS[draw.integers(len(_FACTORS))]
        each(lambda value: _scaled(value, factor))
    elif kind == 7:
        header = [header[other] if k == column else header[column] if k == other else name for k, name in enumerate(header)]
    elif kind == 8:
        for line in body:
            if max(column, other) < len(line):
                line[column], line[other] = line[other], line[column]
    elif kind == 9:
        each_other = [line[other] if other < len(line) else "" for line in body]
        for line, value in zip(body, each_other, strict=True):
            if column < len(line):
                line[column] = value
    elif kind == 10:
        body = body[::-1]
    elif kind == 11:
        body = [body[i] for i in draw.permutation(len(body))]
    elif kind == 12:
        cut = int(draw.integers(len(body)))
        body = body[cut:] + body[:cut]
    elif kind == 13:
        body = body[:row] + [body[row]] * int(draw.choice([2, 50, 2000])) + body[row:]
    elif kind == 14:
        stop = row + int(draw.integers(1, 200))
        body = body[:row] + body[stop:]
    elif kind == 15:
        header = header[:column] + header[column + 1 :]
        if draw.random() < 0.5:
            body = [line[:column] + line[column + 1 :] for line in body]
    elif kind == 16:
        header = [*header, header[column]]
        body = [[*line, cell] for line in body]
    elif kind == 17:
        body[row] = body[row] + [cell] * int(draw.choice([1, 3, 5000]))
    elif kind == 18:
        body[row] = body[row][: int(draw.integers(width))]
    elif kind == 19:
        header[column] = cell
    elif kind == 20:
        body[row] = ['"', *body[row][1:]]
    else:
        body = body[: int(draw.choice([0, 1, 2, 3]))]
    return [header, *body]


def _scaled(value: str, factor: float) -> str:
    try:
        return repr(float(value) * factor)
    except ValueError:
        return value


def damage_json(data: bytes, draw: Draw) -> bytes:
    """Values of a JSON file replaced, removed, doubled or nested; or its text made something no parser should follow."""
    kind = draw.random()
    if kind < 0.04:
        deep = int(draw.choice([500, 5_000, 200_000]))
        opening = ("[", '{"a":', '[{"b":')[draw.integers(3)]
        return (opening * deep + ("" if draw.random() < 0.5 else "0" + {"[": "]", '{"a":': "}", '[{"b":': "}]"}[opening] * deep)).encode()
    if kind < 0.06:
        return data.decode().encode(_ENCODINGS[draw.integers(len(_ENCODINGS))], "replace")
    content = json.loads(data)
    for _ in range(draw.integers(1, 4)):
        content = _hurt_value(content, draw)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _hurt_value(content: Any, draw: Draw) -> Any:
    """One place of a tree of lists and dicts replaced, removed or doubled."""
    parent, key, value = None, None, content
    while isinstance(value, dict | list) and value and (parent is None or draw.random() < 0.8):
        keys = sorted(value) if isinstance(value, dict) else range(len(value))
        parent, key = value, keys[int(draw.integers(len(keys)))]
        value = parent[key]
    evil = copy.deepcopy(_VALUES[draw.integers(len(_VALUES))])
    if parent is None or draw.random() < 0.02:
        return evil
    kind = draw.integers(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        parent.append(copy.deepcopy(value))
    elif kind == 2:
        parent[key] = [value]
    elif kind == 3 and isinstance(parent, dict):
        parent[evil if isinstance(evil, str) else "x"] = parent.pop(key)
    elif kind == 4 and isinstance(value, int | float) and not isinstance(value, bool):
        factor = _FACTORS[draw.integers(len(_FACTORS))]
        parent[key] = value * factor if abs(value) < 1e300 else -value
    else:
        parent[key] = evil
    return content


def damage_safetensors(data: bytes, draw: Draw) -> bytes:
    """The header: its length, names, kinds, shapes and offsets, the numbers behind it untouched."""
    length = int.from_bytes(data[:8], "little")
    if draw.random() < 0.15:
        return struct.pack("<Q", _HUGE[draw.integers(len(_HUGE))]) + data[8:]
    header = damage_json(data[8 : 8 + length], draw)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def damage_yaml(data: bytes, draw: Draw) -> bytes:
    """Lines, indentation, tags, anchors and aliases of a YAML file."""
    lines = data.decode().split("\n")
    kind = draw.integers(10)
    at = int(draw.integers(len(lines)))
    keyed = [i for i, line in enumerate(lines) if re.match(r"\s*[\w$]+:", line)]
    place = keyed[int(draw.integers(len(keyed)))]
    key = lines[place].split(":")[0]
    if kind == 0:
        del lines[at : at + int(draw.integers(1, 20))]
    elif kind == 1:
        lines[at] = " " * int(draw.integers(1, 5)) + lines[at]
    elif kind == 2:
        lines[place] = key + ": " + str(_TAGGED[draw.integers(len(_TAGGED))])
    elif kind == 3:
        bomb = ["bomb0: &b0 [x, x, x, x, x, x, x, x, x]"] + [f"bomb{k}: &b{k} [{', '.join([f'*b{k - 1}'] * 9)}]" for k in range(1, 12)]
        lines = [*bomb, *lines] if draw.random() < 0.3 else [*(["q: ", *(f"  {line}" for line in bomb)]), *lines]
        lines = [line if i != place + len(lines) - len(data.decode().split("\n")) else f"{key}: *b11" for i, line in enumerate(lines)]
    elif kind == 4:
        lines[place] = f"{key}: &self [*self]"
    elif kind == 5:
        lines[place] = f"{key}: " + "[" * int(draw.choice([100, 3000, 20000]))
    elif kind == 6:
        other = lines[keyed[int(draw.integers(len(keyed)))]]
        lines.insert(at, other)
    else:
        value = _VALUES[draw.integers(len(_VALUES))]
        lines[place] = f"{key}: {json.dumps(value)}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


_TAGGED = (
    "!!python/object/apply:os.system ['touch executed']",
    "!!python/name:os.system",
    "!!timestamp 2024-99-99",
    "!!int 0x",
    "!!binary '~~~'",
    "!!set {a, b}",
    "!!omap [a]",
    "{[1]: 2}",
    "{? {a: b} : c}",
    "<<: 3",
    "*unknown",
    "2024-01-01",
    "1:30:00",
    "0o777",
    ".nan",
    ".inf",
    "-.inf",
    "1e999",
    "0b",
    "~",
    "'\\ud800'",
    '"\\x00"',
    "@a",
    "`b`",
    "%TAG",
    "- - - -",
    "? ",
    "|2\n x",
    "!<tag:yaml.org,2002:python/none> x",
    "9" * 5000,
)


def damage_zip(data: bytes, draw: Draw) -> bytes:
    """The archive built anew around hurt members, or with names, sizes and depths that an archive should not have."""
    kind = draw.integers(12)
    if kind <= 4:
        return zips.with_hurt_member(data, draw, damage_csv)
    return zips.KINDS[int(draw.integers(len(zips.KINDS)))](data, draw)


def damage_parquet(data: bytes, draw: Draw) -> bytes:
    """The table written anew with hurt values or other types, its metadata kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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
        names = [str(_VALUES[draw.integers(len(_VALUES))])[:50] if draw.random() < 0.2 else name for name in table.column_names]
        table = table.rename_columns([name.encode("utf-8", "replace").decode() for name in names])
    else:
        repeats = int(draw.choice([0, 1, 1, 2000]))
        table = pa.concat_tables([table.slice(0, 1000)] * repeats) if repeats else table.slice(0, 0)
    pq.write_table(table, sink, compression=("zstd", "snappy", "gzip", "none")[draw.integers(4)])
    return sink.getvalue()


def _hurt_column(column: Any, draw: Draw) -> Any:
    import pyarrow as pa

    n = len(column)
    kind = draw.integers(10)
    if kind == 0:
        return pa.nulls(n)
    if kind == 1:
        return pa.array([_CELLS[int(i)] for i in draw.integers(0, len(_CELLS), n)])
    if kind == 2:
        return pa.array([[1.0, 2.0]] * n)
    if kind == 3:
        return pa.array([{"a": 1}] * n)
    if kind == 4:
        return pa.array(draw.integers(-(2**62), 2**62, n))
    if kind == 5:
        return pa.array([b"\xff\xfe"] * n, pa.binary())
    if kind == 6:
        return pa.array(np.full(n, _FACTORS[draw.integers(len(_FACTORS))]))
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
        return pa.array(floats * _FACTORS[draw.integers(len(_FACTORS))])


_STRUCTURED: dict[str, Callable[[bytes, Draw], bytes]] = {
    ".csv": damage_csv,
    ".json": damage_json,
    ".yaml": damage_yaml,
    ".zip": damage_zip,
    ".parquet": damage_parquet,
    ".safetensors": damage_safetensors,
    ".lock": damage_yaml,
}


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same content."""
    mine, theirs = ({os.fspath(f.relative_to(root)): f for f in root.rglob("*") if f.is_file()} for root in (one, other))
    return mine.keys() == theirs.keys() and all(mine[name].read_bytes() == theirs[name].read_bytes() for name in mine)
