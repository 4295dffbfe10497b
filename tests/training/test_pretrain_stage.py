"""The stage as DVC runs it: what it writes, what it refuses, and that a kill -9 changes nothing."""

import contextlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from tests.synthetic_segments import write_corpus

ROOT = Path(__file__).resolve().parents[2]
PARAMS: dict[str, Any] = {
    "data": "tiny",
    "preset": "ours",
    "compute": {"threads": 1, "workers": 1},
    "profiles": {"tiny": {"corpus": "simulation", "pretrain": {"steps": 12, "batch_size": 16}}},
    "presets": {"ours": {"loss": {"nn": {"terms": "both", "exclude": "overlap"}}}},
    "loss": {"lambda_ss": 1.0, "lambda_mm": 1.0, "lambda_nn": 1.0, "nn": {"retrieval": "video", "terms": None, "exclude": None}},
    "pretrain": {"seeds": [0], "steps": None, "batch_size": None, "encoder": {"feature_dim": 16}},
    "baselines": {"simclr": {"lambda_ss": 1.0}, "multitask": {"objective": "multitask"}, "random": {"objective": "none"}},
    "methods": {
        "primus": {"section": "loss"},
        "simclr": {"section": "baselines.simclr"},
        "multitask": {"section": "baselines.multitask"},
        "random": {"section": "baselines.random"},
    },
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "data" / "tiny")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return tmp_path


def change(workspace: Path, **dotted: Any) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    for path, value in dotted.items():
        *parents, leaf = path.split("__")
        section = params
        for parent in parents:
            section = section[parent]
        section[leaf] = value
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))


def command(workspace: Path, method: str, cache: str = "cache") -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PRIMUS_CACHE": str(workspace / cache), "OMP_NUM_THREADS": "1"}
    return {"args": [sys.executable, "-m", "stages.pretrain", method], "cwd": workspace, "env": environment}


@dataclass(frozen=True)
class Done:
    returncode: int
    stderr: str


def pretrain(workspace: Path, method: str = "primus", cache: str = "cache") -> Done:
    """The stage in this process (a fresh one spends seconds on imports), as `python -m stages.pretrain` would run it."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), contextlib.chdir(workspace):
        patch.setenv("PRIMUS_CACHE", str(workspace / cache))
        patch.setattr(sys, "argv", ["pretrain", method])
        patch.syspath_prepend(str(ROOT))
        try:
            runpy.run_module("stages.pretrain", run_name="__main__")
        except SystemExit as leaving:
            return Done(int(leaving.code or 0), said.getvalue())
    return Done(0, said.getvalue())


@pytest.mark.parametrize(
    ("method", "representation"), [("primus", "multimodal"), ("simclr", "self_supervised"), ("multitask", "feature"), ("random", "feature")]
)
def test_writes_model_metrics_and_curves(workspace: Path, method: str, representation: str) -> None:
    done = pretrain(workspace, method)
    assert done.returncode == 0, done.stderr
    folder = workspace / "data" / "tiny" / "models" / method / "seed0"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "history.csv", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    with_text = {"text_encoder"} & set(config["training"])
    assert with_text == ({"text_encoder"} if representation == "multimodal" else set()), "words mean something to models trained with text only"
    if with_text:
        assert set(config["training"]["text_encoder"]) == {"model", "weights_sha256"}
    assert config["training"]["representation"] == representation
    assert config["training"]["method"] == method
    assert config["input"]["window_s"] == 2.6
    metrics = json.loads((workspace / "metrics" / "pretrain" / f"{method}.json").read_text())
    assert metrics["skipped"] == 0
    curve = pd.read_csv(workspace / "metrics" / "plots" / f"pretrain_{method}.csv")
    assert list(curve.columns) == ["step", "epoch", "term", "value", "seed", "fold"]
    if method == "primus":
        assert set(metrics["final"]["train"]) == {"ss", "mm_video", "mm_text", "nn_imu", "nn_video", "nn_text", "total"}
        assert set(metrics["final"]) >= {"tau_ss", "tau_mm", "val", "health", "neighbours"}
        assert "step 12/12" in done.stderr
        assert "segments/s" in done.stderr
        assert "s left" in done.stderr
    text = (workspace / "metrics" / "pretrain" / f"{method}.json").read_text()
    assert str(workspace) not in text


def test_same_params_same_bytes_and_state_survives_deleted_outputs(workspace: Path) -> None:
    def outputs() -> dict[str, bytes]:
        return {
            str(path.relative_to(workspace)): path.read_bytes()
            for path in [*workspace.glob("metrics/**/*.*"), *workspace.glob("data/tiny/models/**/*.*")]
        }

    assert pretrain(workspace, cache="one").returncode == 0
    first = outputs()
    assert pretrain(workspace, cache="two").returncode == 0
    assert outputs() == first
    recalled = pretrain(workspace, cache="one")
    assert outputs() == first
    assert "step" not in recalled.stderr, "a finished run was trained again"


def test_kill_9_and_rerun_is_the_uninterrupted_run(workspace: Path) -> None:
    change(workspace, profiles__tiny__pretrain__steps=150, pretrain__checkpoint_every_s=0.0)
    assert pretrain(workspace, cache="whole").returncode == 0
    model = workspace / "data" / "tiny" / "models" / "primus" / "seed0" / "model.safetensors"
    expected, metrics = load_file(model), (workspace / "metrics" / "pretrain" / "primus.json").read_bytes()
    model.unlink()
    (workspace / "metrics" / "pretrain" / "primus.json").unlink()
    killed = 0
    for wait in (0.3, 0.8, 1.4):
        process = subprocess.Popen(**command(workspace, "primus", "killed"), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not list((workspace / "killed").rglob("*.entry")) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        time.sleep(wait)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed >= 1
    assert not model.exists() or killed < 3
    assert pretrain(workspace, cache="killed").returncode == 0
    found = load_file(model)
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in expected)
    assert (workspace / "metrics" / "pretrain" / "primus.json").read_bytes() == metrics


@pytest.mark.slow
def test_two_processes_train_the_same_model_up_to_rounding(workspace: Path) -> None:
    assert pretrain(workspace).returncode == 0
    alone = json.loads((workspace / "metrics" / "pretrain" / "primus.json").read_text())
    change(workspace, pretrain__processes=2)
    done = subprocess.run(**command(workspace, "primus"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    together = json.loads((workspace / "metrics" / "pretrain" / "primus.json").read_text())
    assert together["final"]["train"]["total"] == pytest.approx(alone["final"]["train"]["total"], rel=1e-3)
    assert done.stderr.count("step 12/12") == 1, "only the first process reports"


def family(pid: int) -> list[int]:
    """The process and all that come from it."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return [pid, *(found for child in children for found in family(child))]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes end with the one that started them on Linux alone")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_of_two_processes_none_survives_the_stage(workspace: Path, number: signal.Signals) -> None:
    change(workspace, pretrain__processes=2, pretrain__checkpoint_every_s=0.0, profiles__tiny__pretrain__steps=100_000)
    process = subprocess.Popen(**command(workspace, "primus", "killed"), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((workspace / "killed").rglob("*.entry")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    everyone = family(process.pid)
    assert len(everyone) >= 4, "the stage, torchrun and two ranks"
    process.send_signal(number)
    process.wait()
    deadline = time.monotonic() + 10
    while (left := [pid for pid in everyone if lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, "a rank trains on, and would write over the next run"


def test_a_mistake_is_one_line_from_two_processes_too(workspace: Path) -> None:
    change(workspace, pretrain__processes=2, pretrain__optimiser={"lr": 1e30, "clip_norm": 0.0, "temperature_lr": 1e30})
    done = subprocess.run(**command(workspace, "primus"), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("error: pretrain: training stopped at step") == 1, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_folds_and_seeds(workspace: Path) -> None:
    write_corpus(workspace / "data" / "tiny", folds=2)
    change(workspace, pretrain__seeds=[0, 3], profiles__tiny__pretrain__steps=3)
    assert pretrain(workspace).returncode == 0
    folders = sorted(path.name for path in (workspace / "data" / "tiny" / "models" / "primus").iterdir())
    assert folders == ["seed0-fold0", "seed0-fold1", "seed3-fold0", "seed3-fold1"]
    metrics = json.loads((workspace / "metrics" / "pretrain" / "primus.json").read_text())
    assert metrics["runs"] == 4
    totals = [metrics[name]["final"]["train"]["total"] for name in ("seed0_fold0", "seed0_fold1", "seed3_fold0", "seed3_fold1")]
    assert metrics["final"]["train"]["total"] == pytest.approx(sum(totals) / 4, abs=1e-5)


def test_a_method_without_its_modality_is_skipped(workspace: Path) -> None:
    write_corpus(workspace / "data" / "tiny", imu_only=12)
    done = pretrain(workspace)
    assert done.returncode == 0
    assert "skipped, no training segment has text or video" in done.stderr
    assert json.loads((workspace / "metrics" / "pretrain" / "primus.json").read_text()) == {"skipped": 1}
    assert [path.name for path in (workspace / "data" / "tiny" / "models" / "primus").iterdir()] == ["skipped.json"]
    assert pretrain(workspace, "simclr").returncode == 0, "self-supervision needs no embeddings"


def test_changing_a_weight_changes_the_run(workspace: Path) -> None:
    assert pretrain(workspace).returncode == 0
    before = json.loads((workspace / "metrics" / "pretrain" / "primus.json").read_text())
    change(workspace, loss__lambda_nn=0.0)
    assert pretrain(workspace).returncode == 0
    after = json.loads((workspace / "metrics" / "pretrain" / "primus.json").read_text())
    assert "nn_video" in before["final"]["train"]
    assert "nn_video" not in after["final"]["train"]
    assert "neighbours" not in after["final"]
    assert before["final"]["train"]["total"] != after["final"]["train"]["total"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"loss__lambda_nn": -1.0}, "lambda_nn must be >= 0, found -1.0"),
        ({"loss__lambda_ss": 0.0, "loss__lambda_mm": 0.0, "loss__lambda_nn": 0.0}, "nothing would be trained"),
        ({"pretrain__seedz": [1]}, "seedz"),
        ({"pretrain__seeds": []}, "seeds"),
        ({"profiles__tiny__pretrain__steps": None}, "set pretrain.steps or pretrain.epochs"),
        ({"pretrain__augment": [{"name": "wobble"}]}, "unknown transformation 'wobble'"),
        ({"pretrain__temperature": {"start": 5.0}}, "temperature.start"),
        ({"pretrain__fraction_aligned": 0.0}, "fraction_aligned"),
        ({"pretrain__device": "cuda"}, "sees 0 GPU"),
        ({"methods__primus__section": "lost"}, "lost"),
    ],
)
def test_mistakes_are_one_clear_line(workspace: Path, edit: dict[str, Any], message: str) -> None:
    change(workspace, **edit)
    done = pretrain(workspace)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: pretrain: ")
    assert done.stderr.count("\n") == 1


def test_unknown_method(workspace: Path) -> None:
    done = pretrain(workspace, "primos")
    assert done.returncode == 1
    assert "did you mean 'primus'" in done.stderr
