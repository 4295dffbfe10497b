"""Names that other code relies on are what they say, however often and in whatever order they are asked for."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = {
    "primus": "ImuEncoder ImuRecording InputContract Stream load_released_checkpoint preprocess read_imu",
    "primus.losses": "MultitaskObjective PrimusObjective Temperature info_nce",
    "primus.models": "EncoderOutput FeatureQueue ImuEncoder InputContract Neighbours Rows load_released_checkpoint",
    "primus.segments": "cut",
}
ASK = """
import importlib, sys, types
package = importlib.import_module(sys.argv[1])
names = sys.argv[2:]
found = {name: getattr(package, name) for name in names}
for name, value in found.items():
    assert callable(value), (name, value)
    assert getattr(package, name) is value, f"{name} is something else when it is asked for again"
"""


@pytest.mark.parametrize("package", NAMES)
def test_every_name_stays_what_it_is(package: str) -> None:
    names = NAMES[package].split()
    for order in (names, names[::-1]):
        done = subprocess.run([sys.executable, "-c", ASK, package, *order], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_packages_are_there_without_an_import_of_their_own() -> None:
    code = (
        "import primus; primus.losses.PrimusObjective; primus.losses.info_nce; assert callable(primus.losses.info_nce); primus.models.FeatureQueue(4)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", NAMES)
def test_lazy_names_have_types(package: str) -> None:
    """Type checkers see what a package imports for them; to them all that `__getattr__` alone gives is Any."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"]
    seen = {alias.asname or alias.name for block in blocks for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(NAMES[package].split()) <= seen


@pytest.mark.slow
def test_a_type_checker_knows_them(tmp_path: Path) -> None:
    program = tmp_path / "use.py"
    program.write_text("import primus\nreveal_type(primus.losses.info_nce)\nreveal_type(primus.models.FeatureQueue(4).capacity)\n")
    root = Path(__file__).resolve().parents[1]
    words = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), "--cache-dir", str(tmp_path), str(program)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=root)
    function, number = (line.partition("Revealed type is ")[2] for line in done.stdout.splitlines()[:2])
    assert "Any" not in function, done.stdout
    assert "Tensor" in function
    assert "int" in number
