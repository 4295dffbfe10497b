"""Strict parameters: a section of params.yaml becomes a frozen dataclass, or one error that lists everything wrong with it.

A key's value is looked up in the section itself; where it is null there, in `profiles.<data>.<section>`; then in
`presets.<preset>.<section>`. So a value in the section (also one given with `dvc exp run -S`) always wins, and params.yaml shows where each
value comes from.
"""

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from primus.errors import UserError
from primus.typed import build, nearest

T = TypeVar("T")
PARAMS = "params.yaml"

IN_PROFILE = ("corpus", "datasets", "simulate", "segment", "embed", "pretrain", "fewshot", "zeroshot", "retrieval", "robustness", "report")
IN_PRESET = ("segment", "embed", "pretrain", "loss", "fewshot")
_DEEPEST, _MOST = 50, 100_000
AT_TOP = ("data", "preset", "compute", "methods", "baselines", "loss", "presets", "profiles", *IN_PROFILE[2:])
"""The sections there are, and which of them a profile or a preset may fill: dvc.yaml lists exactly these as parameters of the stages."""


@dataclasses.dataclass(frozen=True)
class Compute:
    """Section `compute`: threads of the numeric libraries, and processes that read and decode."""

    threads: int
    workers: int

    def __post_init__(self) -> None:
        for name in ("threads", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"compute.{name} must be >= 1, found {getattr(self, name)}")


def read_params(path: str | Path = PARAMS) -> dict[str, Any]:
    """The whole parameter file as nested dicts (safe YAML)."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found in {Path.cwd().name}/; run the command from the repository's root") from None
    except RecursionError:
        raise UserError(f"{path} nests deeper than {_DEEPEST} levels; parameters are a few levels deep") from None
    except (yaml.YAMLError, OSError, ValueError) as error:  # ValueError: no UTF-8, or a date or number that does not exist
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())[:400]}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a mapping, found {type(content).__name__}")
    _require_plain(content, path)
    return content


def _require_plain(content: Any, path: str | Path) -> None:
    """Refuse trees that aliases make endless, or so large that even a message about them would fill the memory."""
    places = [(content, 0)]
    for count, (value, depth) in enumerate(_walked(places)):
        if depth > _DEEPEST or count > _MOST:
            raise UserError(f"{path} holds more than {_MOST} values or {_DEEPEST} levels; parameters need neither: remove its anchors and aliases")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
        places.extend((item, depth + 1) for item in inner)


def _walked(places: list[tuple[Any, int]]) -> typing.Iterator[tuple[Any, int]]:
    while places:
        yield places.pop()


def load_value(dotted: str, path: str | Path = PARAMS) -> Any:
    """The value at `a.b.c`, or a UserError naming the nearest key."""
    value: Any = read_params(path)
    walked: list[str] = []
    for part in dotted.split("."):
        if not isinstance(value, Mapping) or part not in value:
            known = value.keys() if isinstance(value, Mapping) else []
            raise UserError(f"{path}: no key {'.'.join([*walked, part])!r}{nearest(part, map(str, known))}")
        value = value[part]
        walked.append(part)
    return value


def layered(params: Mapping[str, Any], dotted: str) -> Any:
    """The value at `dotted` as every reader of parameters sees it: the section's own, where that is null the chosen profile's, then the preset's.

    None where all three are null or absent.
    """
    for layer in ("", f"profiles.{params['data']}.", f"presets.{params['preset']}."):
        value: Any = params
        for part in (layer + dotted).split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def resolve(dotted: str, path: str | Path = PARAMS) -> Any:
    """One value that `load` would find for a dataclass with this key (see `layered`): what a stage needs of another stage's section.

    Raises UserError where the section has no such key, or no value.
    """
    params = read_params(path)
    _chosen(params, "data", "profiles", path), _chosen(params, "preset", "presets", path)
    value = layered(params, dotted)
    if value is None:
        load_value(dotted, path)
        raise UserError(f"{path}: missing value for {dotted}: set it there, or in the profile or the preset")
    return value


def profile_name(path: str | Path = PARAMS) -> str:
    """The chosen profile (`data`), which must be one of `profiles`."""
    return _chosen(read_params(path), "data", "profiles", path)


def _chosen(params: Mapping[str, Any], key: str, table: str, path: str | Path) -> str:
    name, known = params.get(key), params.get(table) or {}
    if not isinstance(known, Mapping):
        raise UserError(f"{path}: {table} must be a mapping of names to settings, found {type(known).__name__}")
    if not isinstance(name, str) or name not in known:
        raise UserError(f"{path}: {key}={name!r} is not one of the {table}{nearest(str(name), map(str, known))}")
    return str(name)


def _unknown_sections(params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the names of sections, at the top and inside profiles and presets."""
    places: list[tuple[str, Any, tuple[str, ...]]] = [("", params, AT_TOP)]
    for table, allowed in (("profiles", IN_PROFILE), ("presets", IN_PRESET)):
        entries = params.get(table) or {}
        places += [(f"{table}.{name}.", entry or {}, allowed) for name, entry in (entries.items() if isinstance(entries, Mapping) else ())]
    return [
        f"unknown section {where}{key}{nearest(str(key), allowed)}"
        for where, entry, allowed in places
        if isinstance(entry, Mapping)
        for key in entry
        if key not in allowed
    ]


def load_datasets(path: str | Path = PARAMS) -> dict[str, dict[str, Any]]:
    """The profile's data sets: name -> settings, each a mapping with a `root`."""
    profile = profile_name(path)
    where = f"{path}: profiles.{profile}.datasets"
    found = load_value(f"profiles.{profile}.datasets", path)
    if not isinstance(found, Mapping) or not found:
        raise UserError(f"{where} must map names to settings of data sets, found {found!r}")
    for name, config in found.items():
        if not isinstance(config, Mapping):
            raise UserError(f"{where}.{name} must be a mapping with reader, root and purpose, found {config!r}")
        if not config.get("root"):
            raise UserError(f"{where}.{name} has no root; expected a folder, or $VARIABLE naming one")
    return {str(name): dict(config) for name, config in found.items()}


def _descend(params: Mapping[str, Any], dotted: str, trouble: list[str]) -> Mapping[str, Any]:
    value: Any = params
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        trouble.append(f"{dotted} must be a mapping, found {value!r}")
        return {}
    return value


def load(cls: type[T], section: str, path: str | Path = PARAMS) -> T:
    """Build the dataclass `cls` from `section` (dotted names allowed), its profile and its preset.

    Raises UserError listing every unknown, missing or badly typed key at once, each with the nearest valid one; a ValueError raised by
    `cls.__post_init__` (a value out of range) is reported the same way.
    """
    params = read_params(path)
    profile, preset = _chosen(params, "data", "profiles", path), _chosen(params, "preset", "presets", path)
    trouble = _unknown_sections(params)
    names = [section, f"profiles.{profile}.{section}", f"presets.{preset}.{section}"]
    layers = [(name, _descend(params, name, trouble)) for name in names]
    if not any(part in params for part in [section.split(".")[0]]):
        trouble.append(f"no section {section!r}{nearest(section, map(str, params))}")
    value = build(cls, section, layers, trouble)
    if trouble:
        raise UserError(f"{path}: " + "; ".join(trouble))
    return typing.cast(T, value)
