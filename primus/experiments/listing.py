"""The list of experiments (experiments.yaml) as values: which groups of variants there are, and what each sets."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from primus.errors import UserError
from primus.params import read_params
from primus.typed import nearest

LIST = "experiments.yaml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_IN_LIST = ("every", "on_profile", "groups", "figures")
_BY_PROFILE = ("methods", "set", "reference", "x", "variants")
_IN_GROUP = ("asks", "profiles", "on_profile", *_BY_PROFILE)
_IN_FIGURES = ("methods", "set", "on_profile")


@dataclass(frozen=True)
class Experiment:
    """One run of the pipeline.

    Attributes:
        name: of the DVC experiment.
        profile: value of `data`.
        methods: what is trained and measured.
        settings: dotted key -> value, on top of params.yaml.
    """

    name: str
    profile: str
    methods: tuple[str, ...]
    settings: Mapping[str, Any] = field(hash=False)

    @property
    def seeds(self) -> int:
        """Pretraining seeds, where the settings say."""
        return len(self.settings.get("pretrain.seeds", [0]))


@dataclass(frozen=True)
class Variant:
    """A point of a group: what it is called, where it stands on the group's axis (None: nowhere), and the experiment that measures it."""

    name: str
    x: float | None
    experiment: Experiment


@dataclass(frozen=True)
class Group:
    """Variants that answer one question; the others are compared with `reference`."""

    name: str
    asks: str
    reference: Variant
    variants: tuple[Variant, ...]

    @property
    def ordered(self) -> tuple[Variant, ...]:
        """The reference first."""
        return (self.reference, *(variant for variant in self.variants if variant is not self.reference))


def read_groups(profile: str, path: str | Path = LIST, params: str | Path = "params.yaml") -> list[Group]:
    """The groups that apply to `profile`, in the list's order.

    Raises:
        UserError: there is no such profile; the list is missing or malformed; a variant sets a key that params.yaml does not
            have. Everything wrong is named at once.
    """
    content, known = _read(path), read_params(params)
    _require_profile(profile, known, params)
    trouble: list[str] = []
    _only(content, _IN_LIST, str(path), trouble)
    every = {**_settings(content.get("every"), "every", known, trouble), **_by_profile(content, "", known, trouble).get(profile, {})}
    made: dict[tuple[Any, ...], Experiment] = {}
    groups = []
    for name, entry in _mapping(content.get("groups"), f"{path}: groups", trouble).items():
        entry = _as_on(profile, _mapping(entry, f"groups.{name}", trouble), f"groups.{name}", known, trouble)
        if profile in (entry.get("profiles") or [profile]):
            group = _group(str(name), entry, every, profile, known, made, trouble)
            groups += [group] if group else []
    if trouble:
        raise UserError(f"{path}: " + "; ".join(trouble))
    return groups


def read_figures(profile: str, path: str | Path = LIST, params: str | Path = "params.yaml") -> Experiment:
    """The experiment behind `make figures`. Raises UserError as `read_groups` does."""
    known = read_params(params)
    _require_profile(profile, known, params)
    trouble: list[str] = []
    entry = _mapping(_read(path).get("figures"), f"{path}: figures", trouble)
    _only(entry, _IN_FIGURES, "figures", trouble)
    methods = _methods(entry.get("methods"), known, "figures", trouble)
    settings = {**_settings(entry.get("set"), "figures.set", known, trouble), **_by_profile(entry, "figures", known, trouble).get(profile, {})}
    if trouble:
        raise UserError(f"{path}: " + "; ".join(trouble))
    return Experiment(_named(profile, known, "figures"), profile, methods, settings)


def experiments_of(groups: Iterable[Group]) -> list[Experiment]:
    """What has to run for these groups, each once: references first within their group."""
    return list({variant.experiment.name: variant.experiment for group in groups for variant in group.ordered}.values())


def _group(
    name: str,
    entry: Mapping[str, Any],
    every: Mapping[str, Any],
    profile: str,
    known: Mapping[str, Any],
    made: dict[tuple[Any, ...], Experiment],
    trouble: list[str],
) -> Group | None:
    where = f"groups.{name}"
    _only(entry, _IN_GROUP, where, trouble)
    methods = _methods(entry.get("methods"), known, where, trouble)
    places = _mapping(entry.get("x"), f"{where}.x", trouble)
    listed = _mapping(entry.get("variants"), f"{where}.variants", trouble)
    shared = {**every, **_settings(entry.get("set"), f"{where}.set", known, trouble)}
    reference = str(entry.get("reference"))
    trouble += [f"{where}.x names {key!r}, which is no variant of it" for key in places if key not in listed]
    if reference not in listed:
        trouble.append(f"{where}.reference is {reference!r}{nearest(reference, map(str, listed))}")
        return None
    variants = []
    for variant, own in listed.items():
        here = f"{where}.variants.{variant}"
        settings = {**shared, **_settings(own, here, known, trouble)}
        for part in (name, str(variant)):
            if not _NAME.fullmatch(part):
                trouble.append(f"{here}: {part!r} must be made of small letters, digits, '.', '_' and '-'")
        identity = (methods, tuple(sorted((key, repr(value)) for key, value in settings.items())))
        fresh = Experiment(_named(profile, known, f"ablation-{name}-{variant}"), profile, methods, settings)
        x = places.get(variant)
        variants.append(Variant(str(variant), None if x is None else float(x), made.setdefault(identity, fresh)))
    return Group(name, str(entry.get("asks", "")), next(v for v in variants if v.name == reference), tuple(variants))


def _require_profile(profile: str, params: Mapping[str, Any], path: str | Path) -> None:
    profiles = params.get("profiles") or {}
    if profile not in profiles:
        raise UserError(f"{path} has no profile {profile!r}{nearest(profile, map(str, profiles))}")


def _named(profile: str, params: Mapping[str, Any], name: str) -> str:
    """Experiments on another profile than the one params.yaml chooses carry its name."""
    return name if profile == params["data"] else f"{profile}-{name}"


def _read(path: str | Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found; run the command from the repository's root") from None
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())[:400]}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a mapping, found {type(content).__name__}")
    return content


def _mapping(value: Any, where: str, trouble: list[str]) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        trouble.append(f"{where} must be a mapping, found {value!r}")
        return {}
    return value


def _only(entry: Mapping[str, Any], allowed: Iterable[str], where: str, trouble: list[str]) -> None:
    trouble += [f"unknown key {key!r} in {where}{nearest(str(key), allowed)}" for key in entry if key not in allowed]


def _methods(value: Any, params: Mapping[str, Any], where: str, trouble: list[str]) -> tuple[str, ...]:
    known = sorted({*params.get("methods", {}), *params.get("baselines", {})})
    if not isinstance(value, list) or not value:
        trouble.append(f"{where}.methods must list methods, found {value!r}; known: {', '.join(known)}")
        return ()
    trouble += [f"{where}.methods names {name!r}{nearest(str(name), known)}" for name in value if name not in known]
    return tuple(map(str, value))


def _on_profile(entry: Mapping[str, Any], where: str, params: Mapping[str, Any], trouble: list[str]) -> dict[str, Any]:
    """The entry's `on_profile`: profile -> what differs there. Every profile it names must exist."""
    here = f"{where}.on_profile".lstrip(".")
    found = {str(name): value for name, value in _mapping(entry.get("on_profile"), here, trouble).items()}
    trouble += [f"{here} names {name!r}{nearest(name, params['profiles'])}" for name in found if name not in params["profiles"]]
    return found


def _by_profile(entry: Mapping[str, Any], where: str, params: Mapping[str, Any], trouble: list[str]) -> dict[str, Mapping[str, Any]]:
    """What the entry's `on_profile` sets beside its own settings: profile -> dotted keys with values."""
    here = f"{where}.on_profile".lstrip(".")
    return {name: _settings(value, f"{here}.{name}", params, trouble) for name, value in _on_profile(entry, where, params, trouble).items()}


def _as_on(profile: str, entry: Mapping[str, Any], where: str, params: Mapping[str, Any], trouble: list[str]) -> Mapping[str, Any]:
    """A group with the keys replaced that it has otherwise on the profile."""
    replaced = {name: _mapping(value, f"{where}.on_profile.{name}", trouble) for name, value in _on_profile(entry, where, params, trouble).items()}
    for name, value in replaced.items():
        _only(value, _BY_PROFILE, f"{where}.on_profile.{name}", trouble)
    return {**entry, **replaced.get(profile, {})}


def _settings(value: Any, where: str, params: Mapping[str, Any], trouble: list[str]) -> Mapping[str, Any]:
    """Dotted keys with values; every key must be one of params.yaml."""
    settings = _mapping(value, where, trouble)
    for dotted in settings:
        place: Any = params
        for part in str(dotted).split("."):
            if not isinstance(place, Mapping) or part not in place:
                options = [str(key) for key in place] if isinstance(place, Mapping) else []
                trouble.append(f"{where} sets {dotted!r}: params.yaml has no {part!r} there{nearest(part, options)}")
                break
            place = place[part]
    return settings
