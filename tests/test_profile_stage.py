"""What is said before anything runs: a profile that DVC could not follow, or whose reports would hide that it is simulated, is refused."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT


def stage(folder: Path, name: str, **profile: Any) -> str:
    """What `python -m stages.<name>` complains of where params.yaml has one more profile, `lab`, and chooses it; "" where it succeeds."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["profiles"]["lab"] = params["profiles"]["own"] | profile
    params["data"] = "lab"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for package in ("primus", "stages"):
        if not (folder / package).exists():
            (folder / package).symlink_to(ROOT / package)
    done = subprocess.run([sys.executable, "-m", f"stages.{name}"], cwd=folder, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stderr.strip()), done.stderr
    return done.stderr


def test_a_profile_of_recordings_needs_the_stage_that_looks_at_them(tmp_path: Path) -> None:
    said = stage(tmp_path, "profile")
    assert "data/roots/lab/dvc.yaml does not exist" in said
    assert "copy data/roots/own/dvc.yaml there and write lab for `own` in its three places" in said
    (tmp_path / "data" / "roots" / "lab").mkdir(parents=True)
    text = (ROOT / "data" / "roots" / "own" / "dvc.yaml").read_text()
    assert text.count("own") == 3
    (tmp_path / "data" / "roots" / "lab" / "dvc.yaml").write_text(text.replace("own", "lab"))
    assert stage(tmp_path, "profile") == ""
    assert (tmp_path / "data" / "lab" / "profile.json").exists()


def test_a_profile_that_reads_what_the_pipeline_makes_needs_a_file_too(tmp_path: Path) -> None:
    datasets = {"made": {"reader": "table", "root": "data/lab/raw", "purpose": ["pretrain"]}}
    assert "data/roots/lab/roots.json does not exist; copy data/roots/demo/roots.json there" in stage(tmp_path, "profile", datasets=datasets)
    shutil.copytree(ROOT / "data" / "roots" / "demo", tmp_path / "data" / "roots" / "lab")
    assert stage(tmp_path, "profile", datasets=datasets) == ""


@pytest.mark.parametrize("corpus", ["recordings", "simulation"])
def test_simulated_recordings_are_never_called_real(tmp_path: Path, corpus: str) -> None:
    tiny = yaml.safe_load((ROOT / "params.yaml").read_text())["profiles"]["tiny"]["simulate"]
    said = stage(tmp_path, "simulate", corpus=corpus, simulate=tiny | {"enabled": corpus == "recordings"})
    assert ("profiles.lab simulates recordings and calls its corpus one of recordings" in said) == (corpus == "recordings")
    assert (tmp_path / "data" / "lab" / "raw").exists() == (corpus == "simulation")


def test_git_ignores_what_every_run_of_a_new_profile_rewrites() -> None:
    names = ["data/roots/lab/roots.json", "data/roots/lab/dvc.yaml", "data/roots/demo/roots.json", "data/lab/profile.json"]
    done = subprocess.run(["git", "check-ignore", "--no-index", *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["data/roots/lab/roots.json", "data/lab/profile.json"]
