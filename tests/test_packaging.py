"""What a wheel and a source archive hold, and whether a wheel works away from the checkout."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

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
    assert {"pyproject.toml", "README.md", "LICENSE", "primus/__init__.py", "primus/py.typed"} <= names


def test_the_wheel_runs_away_from_the_checkout(built: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(next(built.glob("primus_imu-*.whl")))], check=True)
    assert "primus = primus.cli:main" in next(site.glob("primus_imu-*.dist-info/entry_points.txt")).read_text()
    program = "import primus.cli, sys; print(primus.__file__); sys.argv = ['primus', '--version']; primus.cli.main()"
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(str(site))
    asked = subprocess.run([sys.executable, "-m", "primus", "encode", "--help"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert asked.returncode == 0
