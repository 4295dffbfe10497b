"""The tutorials are scripts: their blocks run one after the other, in a folder that holds what the tutorial says is there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from primus.io.units import STANDARD_GRAVITY
from primus.models.encoder import ImuEncoder
from tests.adapt.activities import activity, table

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^(?:<!-- not run here: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
RATE_HZ = 100.0
NEEDS = {"primus export": "onnxruntime"}


class Block(NamedTuple):
    """A block of code, and why it is not run, where it is not."""

    language: str
    code: str
    reason: str | None


def blocks(file: Path) -> Iterator[Block]:
    for match in BLOCK.finditer(file.read_text(encoding="utf-8")):
        yield Block(match["language"], match["code"], match["reason"])


def write_model(folder: Path) -> None:
    torch.manual_seed(0)
    ImuEncoder(feature_dim=24, projection_dim=8).save_pretrained(folder / "model", method="primus", representation="multimodal")


def walks(folder: Path, shared: Callable[[], Path]) -> None:
    write_model(folder)
    for person, name in enumerate(("anna", "ben", "cora")):
        for number in range(2):
            parts = [(kind, activity(kind, 10 * person + number, 10.0, RATE_HZ)) for kind in ("rest", "walk")]
            frame = table(parts, rate_hz=RATE_HZ).rename(columns={"label": "activity"})
            (folder / "walks" / name).mkdir(parents=True, exist_ok=True)
            frame.to_csv(folder / "walks" / name / f"{number}.csv", index=False)


def clip(folder: Path, shared: Callable[[], Path]) -> None:
    pytest.importorskip("telemetry_parser", reason="the extra `actioncam` is not installed")
    shutil.copy(shared() / "data" / "actioncam" / "karma.mp4", folder / "clip.mp4")
    write_model(folder)


def lab(folder: Path, shared: Callable[[], Path]) -> None:
    files = [f"labelled/{name}_run{run}" for name in ("anna", "ben") for run in (1, 2)] + ["unlabelled/cora_day1", "unlabelled/anna_day1"]
    for number, file in enumerate(files):
        frame = table([(kind, activity(kind, number, 8.0, RATE_HZ)) for kind in ("rest", "walk")], rate_hz=RATE_HZ)
        frame.columns = ["t", "ax", "ay", "az", "gx", "gy", "gz", "activity"]
        frame["t"] //= 1000
        frame[["ax", "ay", "az"]] /= STANDARD_GRAVITY
        frame[["gx", "gy", "gz"]] *= 180 / np.pi
        path = folder / "lab" / f"{file}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.drop(columns=[] if "unlabelled" not in file else "activity").to_csv(path, index=False)
    (profile,) = (block.code for block in blocks(ROOT / "docs" / "tutorials" / "add-a-data-set.md") if block.language == "yaml")
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text() + profile)


def nothing(folder: Path, shared: Callable[[], Path]) -> None:
    """The tutorial brings what it needs."""


WORLDS = {"your-own-csv": walks, "your-own-gopro": clip, "the-papers-setting": nothing, "add-a-data-set": lab, "add-a-loss": nothing}


def test_every_tutorial_is_tested() -> None:
    assert {path.stem for path in (ROOT / "docs" / "tutorials").glob("*.md")} == set(WORLDS)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", WORLDS)
def test_the_tutorial_runs(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    WORLDS[name](tmp_path, lambda: request.getfixturevalue("shared_dir"))
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(places), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = 0
    for block in blocks(ROOT / "docs" / "tutorials" / f"{name}.md"):
        missing = [module for command, module in NEEDS.items() if command in block.code and not _has(module)]
        if block.reason or missing or block.language not in ("bash", "python"):
            continue
        command = ["bash", "-euc", block.code] if block.language == "bash" else [sys.executable, "-c", block.code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.code}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr
        ran += 1
    assert ran


@pytest.mark.timeout(600)
def test_the_tutorials_profile_is_read_as_far_as_its_segments(tmp_path: Path) -> None:
    lab(tmp_path, lambda: tmp_path)
    chosen = (tmp_path / "params.yaml").read_text().replace("\ndata: demo", "\ndata: lab", 1)
    (tmp_path / "params.yaml").write_text(chosen)
    for package in ("primus", "stages"):
        (tmp_path / package).symlink_to(ROOT / package)
    shutil.copytree(ROOT / "data" / "roots" / "own", tmp_path / "data" / "roots" / "own")
    (copied,) = (block.code for block in blocks(ROOT / "docs" / "tutorials" / "add-a-data-set.md") if "mkdir" in block.code)
    subprocess.run(["bash", "-euc", copied.splitlines()[0]], cwd=tmp_path, check=True)
    assert (tmp_path / "data" / "roots" / "lab" / "dvc.yaml").read_text().count("lab") == 3
    environment = os.environ | {"MY_DATA": str(tmp_path / "lab")}
    for stage in (["profile"], ["simulate"], ["roots", "lab"], ["manifest"], ["segment"]):
        command = [sys.executable, "-m", f"stages.{stage[0]}", *stage[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    counted = json.loads((tmp_path / "metrics" / "segment.json").read_text())
    assert not counted["rejects"]
    assert {name: found["takes"] for name, found in counted["datasets"].items()} == {"mine": 4, "own_pretrain": 2}
    assert min(found["segments"] for found in counted["datasets"].values()) >= 4
    splits = pd.read_parquet(tmp_path / "data" / "lab" / "segments" / "splits.parquet")
    people = splits.groupby("participant")["split"].agg(set)
    assert set(people.index) == {"lab/anna", "lab/ben", "lab/cora"}, "one population"


def test_the_readmes_specification_is_the_tutorials() -> None:
    profile, readme = (
        next(block.code for block in blocks(file) if block.language == "yaml")
        for file in (ROOT / "docs" / "tutorials" / "add-a-data-set.md", ROOT / "README.md")
    )
    assert yaml.safe_load(readme)["mine"] == yaml.safe_load(profile)["lab"]["datasets"]["mine"]


@pytest.mark.timeout(600)
def test_the_readmes_python_runs(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    clip(tmp_path, lambda: request.getfixturevalue("shared_dir"))
    shown = run_python(ROOT / "README.md", tmp_path)
    assert "Warning" not in shown


@pytest.mark.timeout(600)
def test_the_python_of_the_api_page_runs(tmp_path: Path) -> None:
    shown = run_python(ROOT / "docs" / "api.md", tmp_path)
    assert [line.split()[:2] for line in shown.splitlines()] == [["0", "0"], ["1", "4"], ["2", "4"]], "no neighbour in an empty queue, then one each"
    assert "'nn_text'" in shown
    assert "Warning" not in shown


def run_python(page: Path, folder: Path) -> str:
    """What the page's Python prints, all its blocks as one program."""
    code = "".join(block.code for block in blocks(page) if block.language == "python")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None
