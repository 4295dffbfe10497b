"""What an experiment sets: the `-S` arguments DVC is given, and the params.yaml it must have run with."""

import copy
from collections.abc import Mapping
from typing import Any

from primus.experiments.listing import Experiment

_BESIDE = ("report", "robustness", "retrieval")
"""Sections that nothing on the way to few-shot scores reads."""


def overrides(experiment: Experiment, params: Mapping[str, Any]) -> list[str]:
    """Values for `dvc exp run -S`: profile, methods added and left out, settings; what params.yaml says already is not repeated."""
    present = params["methods"]
    changed = [] if experiment.profile == params["data"] else [f"data={experiment.profile}"]
    changed += [f"+methods.{name}.section=baselines.{name}" for name in experiment.methods if name not in present]
    changed += [f"~methods.{name}" for name in present if name not in experiment.methods]
    return changed + [f"{key}={in_hydra(value)}" for key, value in experiment.settings.items()]


def in_hydra(value: Any) -> str:
    """A value in the override grammar that `-S` reads: `[{name:rotation},{name:noise}]`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{in_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(in_hydra, value)) + "]"
    return str(value)


def composed(experiment: Experiment, params: Mapping[str, Any]) -> dict[str, Any]:
    """params.yaml as the experiment changes it. Keys of the settings must exist."""
    result = copy.deepcopy(dict(params))
    result["data"] = experiment.profile
    result["methods"] = {name: params["methods"].get(name, {"section": f"baselines.{name}"}) for name in experiment.methods}
    for dotted, value in experiment.settings.items():
        *parents, leaf = dotted.split(".")
        section = result
        for parent in parents:
            section = section[parent]
        section[leaf] = copy.deepcopy(value)
    return result


def decisive(params: Mapping[str, Any], whole: bool = False) -> dict[str, Any]:
    """The part of a params.yaml that few-shot scores depend on (all outputs, with `whole`): of profiles and presets the chosen ones."""

    def kept(section: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in section.items() if whole or key not in _BESIDE}

    profile, preset = params["data"], params["preset"]
    own = kept({key: value for key, value in params.items() if key not in ("profiles", "presets", "baselines")})
    used = {section: params["baselines"].get(section) for section in _baselines(params)}
    return own | {"profile": kept(params["profiles"].get(profile) or {}), "preset": params["presets"].get(preset), "baselines": used}


def _baselines(params: Mapping[str, Any]) -> list[str]:
    sections = [str((entry or {}).get("section", "")) for entry in params["methods"].values()]
    return sorted(section.partition(".")[2] for section in sections if section.startswith("baselines."))
