"""What a wheel and a source archive hold, and whether a wheel works away from the checkout."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from primus.models.encoder import ImuEncoder
from tests.adapt.activities import activity, table

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive of the tracked files, built without a network."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "--outdir", str(out), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def test_the_wheel_holds_the_library_its_data_and_its_types(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("primus_imu-*.whl"))) as wheel:
        names = set(wheel.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "primus").rglob("*.py")}
    tracked = set(subprocess.run(["git", "ls-files", "primus"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert modules & tracked <= names
    assert "primus/py.typed" in names
    assert {name for name in tracked if name.endswith(".json")} <= names, "class prompts"
    assert not [name for name in names if name.startswith(("tests/", "stages/", "benchmarks/"))]


def test_the_source_archive_builds_the_same(built: Path) -> None:
    with tarfile.open(next(built.glob("primus_imu-*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert not {name for name in tracked if (ROOT / name).is_file()} - names, "what is tracked is in it: MANIFEST.in"


MODULES = {"vl-convert-python": "vl_convert", "mkdocs-material": "material", "build": "build"}
"""Distributions whose module is not called like them."""
NO_MODULE = ("pandas-stubs", "types-PyYAML", "types-tqdm", "ruff")
OF_DVC = ("ruamel.yaml",)  # which the base installs


def extras() -> set[str]:
    """Modules of everything that only an extra installs."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {re.split(r"[>=\[]", wanted)[0] for group in listed.values() for wanted in group} - {*NO_MODULE, *OF_DVC}
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the wheel and nothing of the checkout, and an environment in which no extra can be imported."""
    site, hidden = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("hidden")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(next(built.glob("primus_imu-*.whl")))], check=True)
    blocked = sorted(extras())
    assert {"projectaria_tools", "telemetry_parser", "onnxruntime", "ray", "executorch", "transformers"} <= set(blocked)
    (hidden / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({blocked!r}))\n")
    return site, os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(hidden))), "OMP_NUM_THREADS": "1"}


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_wheel_runs_away_from_the_checkout(installed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    site, environment = installed
    assert "primus = primus.cli:main" in next(site.glob("primus_imu-*.dist-info/entry_points.txt")).read_text()
    assert run([sys.executable, "-c", "import primus; print(primus.__file__)"], tmp_path, environment).startswith(str(site))
    script, module = [str(site / "bin" / "primus")], [sys.executable, "-m", "primus"]
    assert run([*script, "--version"], tmp_path, environment) == run([*module, "--version"], tmp_path, environment)
    assert "--model" in run([*module, "encode", "--help"], tmp_path, environment)


def test_the_wheel_encodes_without_any_extra(installed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    site, environment = installed
    ImuEncoder(feature_dim=24, projection_dim=8).save_pretrained(tmp_path / "model")
    table([("walk", activity("walk", 0, 8.0, 100.0))], rate_hz=100.0).to_csv(tmp_path / "walk.csv", index=False)
    with pytest.raises(AssertionError, match=r"ModuleNotFoundError.*telemetry_parser"):
        run([sys.executable, "-c", "import telemetry_parser"], tmp_path, environment)
    run([str(site / "bin" / "primus"), "encode", "walk.csv", "--model", "model", "--out", "features.parquet"], tmp_path, environment)
    assert pd.read_parquet(tmp_path / "features.parquet")["feature"].map(len).eq(24).all()
