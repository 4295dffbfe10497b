"""The house's layers hold: imports point only up the list, and heavy or optional packages stay where they belong."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = {
    "primus.schema": 0, "primus.errors": 0, "primus.artifacts": 0, "primus.keyed_arrays": 0, "primus.params": 0, "primus.provenance": 0,
    "primus.work_cache": 0, "primus.stage": 0, "primus.run_folder": 0, "primus.system_faults": 0, "primus.seeds": 0, "primus.typed": 0,
    "primus.io": 1, "primus.simulate": 1, "primus.engine": 1, "primus.engine_ray": 1,
    "primus.segments": 2,
    "primus.embeddings": 3,
    "primus.augment": 4, "primus.models": 4, "primus.losses": 4,
    "primus.training": 5,
    "primus.evaluation": 6, "primus.inference": 6,
    "primus.reasons": 7, "primus.reporting": 7,
    "primus.adapt": 8, "primus.inspection": 8, "primus.experiments": 8,
    "primus.deploy": 9, "primus.sklearn": 9,
    "primus.cli": 10, "primus.commands": 10, "primus.doctor": 10, "primus.mend": 10, "stages": 10,
}  # fmt: skip
OPTIONAL = {"projectaria_tools", "telemetry_parser", "ray", "onnx", "onnxruntime", "onnxscript", "vl_convert", "transformers"}
MODULES = sorted([*(ROOT / "primus").rglob("*.py"), *(ROOT / "stages").rglob("*.py")])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> int | None:
    parts = module.split(".")
    return next((LAYERS[".".join(parts[:n])] for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in LAYERS), None)


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import; imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_up(path: Path) -> None:
    here = layer(module_name(path))
    if module_name(path) in ("primus", "primus.__main__"):
        return  # lazy re-exports only: nothing below is imported until it is asked for
    assert here is not None, f"{module_name(path)} has no layer: add it to the table here and to the docs"
    for name in imports(path):
        there = layer(name)
        if name.startswith("primus") and there is not None:
            assert there <= here, f"{module_name(path)} (layer {here}) imports {name} (layer {there})"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_optional_packages_are_imported_where_they_are_used(path: Path) -> None:
    heavy = {name.split(".")[0] for name in imports(path, top_level_only=True)} & OPTIONAL
    assert not heavy, f"{path.name} imports the extra {heavy} at the top; import it inside the function that needs it"


def test_evaluation_never_imports_training() -> None:
    for path in (ROOT / "primus" / "evaluation").rglob("*.py"):
        assert not any(name.startswith("primus.training") for name in imports(path)), path


def test_pure_torch_layer_reads_no_files_and_no_params() -> None:
    forbidden = ("primus.params", "primus.artifacts", "primus.keyed_arrays", "primus.io", "primus.work_cache")
    for folder in ("losses", "models"):
        for path in (ROOT / "primus" / folder).rglob("*.py"):
            assert not any(name.startswith(forbidden) for name in imports(path)), path


def test_stages_are_run_never_imported() -> None:
    for path in MODULES:
        assert not any(name.split(".")[0] == "stages" for name in imports(path)), path


def test_importing_the_package_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import primus, sys; print([m for m in ('torch', 'pandas', 'h5py', 'open_clip') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_contributors_page_shows_these_layers() -> None:
    page = (ROOT / "docs" / "contributing.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", page, flags=re.M)
    shown = {name.removesuffix("/"): int(number) for number, cell in rows for name in re.findall(r"`([a-z_/]+)`", cell)}
    assert shown == {name.removeprefix("primus."): number for name, number in LAYERS.items()}
