"""The DVC graph itself: dependencies cover imports, parameters exist, metrics are committed files, commands are module runs."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from primus.params import IN_PRESET, IN_PROFILE

ROOT = Path(__file__).resolve().parent.parent
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PROFILES = sorted(PARAMS["profiles"])
PRESETS = sorted(PARAMS["presets"])


def bodies() -> list[tuple[str, dict[str, Any]]]:
    return [(name, entry.get("do", entry)) for name, entry in STAGES.items()]


def fill(text: str, profile: str, preset: str, key: str, item: Any) -> str:
    values = {"data": profile, "preset": preset, "key": key} | {f"item.{k}": v for k, v in (item or {}).items()}
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(values[match.group(1)]), text)


def exists(dotted: str) -> bool:
    value: Any = PARAMS
    for part in dotted.split("."):
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


def test_code_dependencies_are_exactly_the_import_closure() -> None:
    done = subprocess.run([sys.executable, ".ci/sync_deps.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `make deps`:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("preset", PRESETS)
def test_params_exist_for_every_profile_and_preset(profile: str, preset: str) -> None:
    for name, body in bodies():
        items = PARAMS["methods"].items() if "foreach" in STAGES[name] else [("", {})]
        for key, item in items:
            for entry in body.get("params", []):
                assert exists(fill(entry, profile, preset, key, item)), f"{name}: params.yaml has no {entry} for {profile}/{preset}/{key}"


def test_metrics_and_plots_are_committed_files() -> None:
    for name, body in bodies():
        for kind in ("metrics", "plots"):
            for entry in body.get(kind, []):
                assert isinstance(entry, dict), f"{name}: {entry} must say cache: false"
                path, options = next(iter(entry.items()))
                assert path.startswith("metrics/"), f"{name}: {path} lies outside metrics/"
                assert options.get("cache") is False, f"{name}: {path} must say cache: false"


def test_every_stage_runs_as_a_module_so_that_an_experiment_imports_its_own_copy() -> None:
    for name, body in bodies():
        script = str(body["cmd"]).split()
        assert script[:2] == ["python", "-m"], name
        assert (ROOT / (script[2].replace(".", "/") + ".py")).exists(), name


def test_outputs_of_profiles_never_meet() -> None:
    for name, body in bodies():
        for entry in body.get("outs", []):
            path, options = next(iter(entry.items())) if isinstance(entry, dict) else (entry, {})
            committed = path.startswith("metrics/") and options.get("cache") is False
            assert committed or path.startswith("data/${data}/"), f"{name}: {path} is shared between profiles"


def test_profiles_with_roots_outside_are_looked_at_in_every_run() -> None:
    for profile, settings in PARAMS["profiles"].items():
        outside = any(str(config["root"]).startswith("$") for config in settings["datasets"].values())
        folder = ROOT / "data" / "roots" / profile
        sentence = f"a profile with a root of the form $VARIABLE, and no other, needs {folder.relative_to(ROOT)}/dvc.yaml, like that of `own`"
        assert (folder / "dvc.yaml").exists() == outside, sentence
        if outside:
            (stage,) = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values()
            assert stage["always_changed"] is True
            assert stage["cmd"] == f"python -m stages.roots {profile}"
        else:
            assert (folder / "roots.json").exists()


def test_sections_that_profiles_and_presets_fill_are_those_the_graph_lists() -> None:
    listed = {str(entry) for _, body in bodies() for entry in body.get("params", [])}
    for kind, name, allowed in (("profiles", "${data}", IN_PROFILE), ("presets", "${preset}", IN_PRESET)):
        sections = {entry.split(".")[2] for entry in listed if entry.startswith(f"{kind}.{name}.")}
        assert sections == set(allowed), kind


def test_loss_weights_touch_one_method_only() -> None:
    users = [name for name, body in bodies() if any(str(p).split(".")[0] == "loss" for p in body.get("params", []))]
    assert users == [], "only the item sections of the foreach may name `loss`"
    sections = [item["section"] for item in PARAMS["methods"].values()]
    assert sections.count("loss") == 1


def parameters_read(stage: str) -> set[str]:
    """Dotted names that the stage's own source passes to the functions that read params.yaml."""
    named = set()
    for node in ast.walk(ast.parse((ROOT / "stages" / f"{stage}.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("load", "load_value", "resolve"):
            named |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return {name for name in named if name.partition(".")[0] not in ("compute", "data")}


@pytest.mark.parametrize("name", sorted(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]))
def test_every_section_a_stage_reads_is_its_dependency_in_all_layers(name: str) -> None:
    body = dict(bodies())[name]
    listed = {str(entry) for entry in body.get("params", [])}
    read = parameters_read(name)
    for dotted in read:
        section = dotted.partition(".")[0]
        layers = ["", *(["profiles.${data}."] if section in IN_PROFILE else []), *(["presets.${preset}."] if section in IN_PRESET else [])]
        for layer in layers:
            parts = (layer + dotted).split(".")
            start = layer.count(".") + 1
            prefixes = {".".join(parts[:length]) for length in range(start, len(parts) + 1)}
            assert prefixes & listed, f"stage {name} reads {dotted}, but dvc.yaml does not list {layer}{section} as its parameter"


def test_the_check_of_parameters_sees_what_stages_read() -> None:
    assert {"fewshot", "zeroshot", "embed.encoder"} <= parameters_read("fewshot")
    assert "fewshot.protocol" in parameters_read("features")
    assert {"report", "fewshot.margin", "embed.encoder.weights"} <= parameters_read("report")


@pytest.mark.parametrize("name", ["fewshot", "zeroshot"])
def test_prompt_files_are_dependencies_of_the_stages_that_read_them(name: str) -> None:
    assert "primus/evaluation/class_prompts" in dict(bodies())[name]["deps"]
