"""Fields of annotation files, whatever their spelling: nulls, numbers as text, booleans as 1, "1" or "true"."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from primus.errors import UserError
from primus.io.files import FileSet

_TRUE, _FALSE = {"1", "true", "yes"}, {"0", "false", "no", ""}


def load_json(files: FileSet, name: str, remedy: str) -> Any:
    """The content of a JSON file of the set.

    Raises:
        UserError: it is missing or no JSON; `remedy` says how to get it.
    """
    if not files.has(name):
        raise UserError(f"{files.root} has no {name}; expected {remedy}")
    path = files.path(name)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({error}); expected {remedy}") from error


def as_bool(value: object) -> bool | None:
    """A boolean however it is spelled (true, 1, "1", "0", "False"); None for null and anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | str):
        word = str(value).strip().lower().removesuffix(".0")
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def as_seconds(value: object) -> float | None:
    """A finite number of seconds, from a number or its text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def as_whole(value: object) -> int | None:
    """A whole number, 7170, 7170.0 and "7170" alike; None for anything else."""
    number = as_seconds(value)
    return int(number) if number is not None and number == int(number) else None


def as_id(value: object) -> str | None:
    """An identifier as text, 657 and 657.0 alike as "657"; None for null and anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) else None
    return str(value).strip() or None


def as_text(value: object) -> str | None:
    """A text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def as_mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """A JSON list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def objects_of(value: object) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of a list, anything else left out; none where it is no list."""
    return (item for item in as_list(value) if isinstance(item, dict))
