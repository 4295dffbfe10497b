"""Damage to the structure of texts: delimited tables, JSON and YAML."""

import copy
import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.evil import CELLS, FACTORS, VALUES

Draw = np.random.Generator
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037", "utf-7")
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
    cell = CELLS[draw.integers(len(CELLS))]
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
        factor = FACTORS[draw.integers(len(FACTORS))]
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
    evil = copy.deepcopy(VALUES[draw.integers(len(VALUES))])
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
        factor = FACTORS[draw.integers(len(FACTORS))]
        parent[key] = value * factor if abs(value) < 1e300 else -value
    else:
        parent[key] = evil
    return content


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
        value = VALUES[draw.integers(len(VALUES))]
        lines[place] = f"{key}: {json.dumps(value)}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")
