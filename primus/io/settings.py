"""Settings of a dataset that name one of a few choices, or switch something on."""

from collections.abc import Mapping, Sequence
from typing import Any

from primus.errors import UserError


def one_of(dataset: str, config: Mapping[str, Any], key: str, default: str, known: Sequence[str]) -> str:
    """config[key], or the default where it is absent or null.

    Raises:
        UserError: it is not one of `known`.
    """
    value = default if config.get(key) is None else config[key]
    if value not in known:
        raise UserError(f"dataset {dataset}: {key} is {value!r}; expected one of {', '.join(known)}")
    return str(value)


def flag(dataset: str, config: Mapping[str, Any], key: str) -> bool:
    """config[key], or False where it is absent or null.

    Raises:
        UserError: it is neither true nor false.
    """
    value = config.get(key)
    if not isinstance(value, bool | None):
        raise UserError(f"dataset {dataset}: {key} is {value!r}; expected true or false")
    return bool(value)
