"""Typed values of parsed files: mappings become a frozen dataclass, with every complaint at once and the nearest valid name in each."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known word, else the list of known words."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(options)}"


def build(cls: type, where: str, layers: list[tuple[str, Mapping[str, Any]]], trouble: list[str]) -> Any:
    """The dataclass `cls`, each field from the first layer that has a value for it; None where something is wrong.

    Args:
        cls: its annotations say what is expected; a ValueError of its `__post_init__` is a complaint, too.
        where: the place of the value, for messages.
        layers: (name, mapping) in order of precedence.
        trouble: complaints, to which unknown, missing and badly typed keys are added.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name, layer in layers:
        for key in layer:
            if key not in fields:
                trouble.append(f"unknown key {name}.{key}{nearest(str(key), fields)}")
    found: dict[str, Any] = {}
    complete = True
    for name, field in fields.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            parts = []
            for layer_name, layer in layers:
                part = layer.get(name)
                if part is not None and not isinstance(part, Mapping):
                    trouble.append(f"{layer_name}.{name} must be a mapping, found {part!r}")
                    part = None
                parts.append((f"{layer_name}.{name}", part or {}))
            before = len(trouble)
            found[name] = build(typing.cast(type, hint), f"{where}.{name}", parts, trouble)
            complete = complete and len(trouble) == before
            continue
        value = next((layer[name] for _, layer in layers if layer.get(name) is not None), None)
        if value is None:
            if _allows_none(hint):
                found[name] = None
            elif field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING:
                continue
            else:
                elsewhere = " or ".join(other for other, _ in layers[1:])
                trouble.append(f"missing value for {where}.{name}: set it there" + (f", or in {elsewhere}" if elsewhere else ""))
                complete = False
            continue
        try:
            found[name] = _convert(value, hint, f"{where}.{name}")
        except ValueError as error:
            trouble.append(str(error))
            complete = False
    if not complete:
        return None
    try:
        return cls(**found)
    except ValueError as error:
        trouble.append(str(error))
        return None


def _allows_none(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)


def _convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the annotated type; ValueError says what was expected. Whole numbers pass for floats, nothing else is bent."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is typing.Literal:
        if value not in args:
            raise ValueError(f"{where} must be one of {', '.join(map(repr, args))}, found {value!r}{nearest(str(value), map(str, args))}")
        return value
    if origin in (typing.Union, types.UnionType):
        options = [option for option in args if option is not type(None)]
        if len(options) == 1 and typing.get_origin(options[0]) is not None and value is not None:
            return _convert(value, options[0], where)  # a list or mapping's complaint says which item is wrong
        for option in args:
            try:
                return _convert(value, option, where)
            except ValueError:
                continue
        raise ValueError(f"{where} must be {' or '.join(map(_name, args))}, found {value!r}")
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} must be a list, found {value!r}")
        if origin is tuple and args and args[-1] is not Ellipsis:
            if len(value) != len(args):
                raise ValueError(f"{where} must list {len(args)} values, found {value!r}")
            return tuple(_convert(item, inner, f"{where}[{index}]") for index, (item, inner) in enumerate(zip(value, args, strict=True)))
        inner = args[0] if args else Any
        items = [_convert(item, inner, f"{where}[{index}]") for index, item in enumerate(value)]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping) or hint is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a mapping, found {value!r}")
        inner = args[1] if args else Any
        return {str(key): _convert(item, inner, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a mapping, found {value!r}")
        trouble: list[str] = []
        built = build(typing.cast(type, hint), where, [(where, value)], trouble)
        if trouble:
            raise ValueError("; ".join(trouble))
        return built
    if hint is type(None):
        if value is not None:
            raise ValueError(f"{where} must be null, found {value!r}")
        return None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, float) and not float("-inf") < value < float("inf"):
        raise ValueError(f"{where} must be a finite number, found {value!r}")
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where} must be {_name(hint)}, found {value!r}")
    return value


def _name(hint: Any) -> str:
    words = {float: "a number", int: "a whole number", str: "a text", bool: "true or false", type(None): "null"}
    return words.get(hint, getattr(hint, "__name__", str(hint)))
