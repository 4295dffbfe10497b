"""Names that other code relies on are what they say, however often and in whatever order they are asked for."""

import subprocess
import sys

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
