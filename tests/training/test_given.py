"""Methods in which nothing is trained: the released checkpoint and hand-made statistics, from the pretrain stage to features."""

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from primus.artifacts import read_table
from primus.evaluation.window_statistics import statistic_names, window_statistics
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder, InputContract
from primus.training.given import write_released
from tests.synthetic_segments import write_corpus

ROOT = Path(__file__).resolve().parents[2]
PARAMS: dict[str, Any] = {
    "data": "tiny",
    "preset": "ours",
    "compute": {"threads": 1, "workers": 1},
    "profiles": {"tiny": {"corpus": "simulation", "pretrain": {"steps": 2, "batch_size": 16}}},
    "presets": {"ours": {}},
    "pretrain": {"seeds": [0]},
    "fewshot": {"protocol": "ours"},
    "baselines": {
        "released": {"objective": "released", "checkpoint": "$PRIMUS_RELEASED"},
        "statistics": {"objective": "statistics", "probe": "forest"},
        "standard": {"objective": "none", "probe": "finetune"},
    },
    "methods": {name: {"section": f"baselines.{name}"} for name in ("released", "statistics", "standard")},
}


def run(root: Path, stage: str, method: str, **environment: str) -> str:
    """The stage in this process; what it said on stderr. An error fails the test."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), contextlib.chdir(root):
        patch.setenv("PRIMUS_CACHE", str(root / "cache"))
        patch.delenv("PRIMUS_RELEASED", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", [stage, method])
        patch.syspath_prepend(str(ROOT))
        try:
            runpy.run_module(f"stages.{stage}", run_name="__main__")
        except SystemExit as leaving:
            code = leaving.code
        else:
            code = 0
    assert not code, said.getvalue()
    return said.getvalue()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    write_corpus(tmp_path / "data" / "tiny", samples=250)
    return tmp_path


def metrics(root: Path, method: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "metrics" / "pretrain" / f"{method}.json").read_text())
    return found


def test_the_released_checkpoint_becomes_the_model_of_every_fold(project: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    encoder = ImuEncoder()
    torch.save({"state_dict": {f"imu_encoder.{name}": value for name, value in encoder.state_dict().items()}}, tmp_path / "authors.ckpt")
    run(project, "pretrain", "released", PRIMUS_RELEASED=str(tmp_path / "authors.ckpt"))
    folder = project / "data" / "tiny" / "models" / "released"
    assert sorted(path.name for path in folder.iterdir()) == ["seed0"]
    assert metrics(project, "released")["skipped"] == 0
    loaded = ImuEncoder.from_pretrained(folder / "seed0")
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in loaded.state_dict().items())
    write_released(tmp_path / "folds", str(tmp_path / "authors.ckpt"), [0, 1], InputContract(), {})
    assert sorted(path.name for path in (tmp_path / "folds").iterdir()) == ["seed0-fold0", "seed0-fold1"]
    assert ImuEncoder.from_pretrained(tmp_path / "folds" / "seed0-fold1").metadata["fold"] == 1
    run(project, "features", "released")
    with KeyedArrays(project / "data" / "tiny" / "features" / "released" / "seed0.h5") as features:
        assert features.attrs["representation"] == "multimodal"
        assert features.attrs["text_trained"]
        assert features.attrs["probe"] == ""


def test_without_the_file_or_on_other_windows_it_is_skipped_with_the_reason(project: Path, tmp_path: Path) -> None:
    said = run(project, "pretrain", "released")
    assert "PRIMUS_RELEASED is not set" in said
    assert metrics(project, "released") == {"skipped": 1}
    assert "is not a file" in run(project, "pretrain", "released", PRIMUS_RELEASED=str(tmp_path / "absent.ckpt"))
    torch.save({"state_dict": {f"imu_encoder.{name}": value for name, value in ImuEncoder().state_dict().items()}}, tmp_path / "authors.ckpt")
    write_corpus(project / "data" / "tiny", samples=130)
    said = run(project, "pretrain", "released", PRIMUS_RELEASED=str(tmp_path / "authors.ckpt"))
    assert "takes windows of 5 s at 50 Hz, the segments have 2.6 s at 50 Hz" in said
    run(project, "features", "released")
    assert json.loads((project / "data" / "tiny" / "features" / "released" / "skipped.json").read_text())["reason"] in said


def test_statistics_take_the_place_of_features(project: Path) -> None:
    run(project, "pretrain", "statistics")
    run(project, "features", "statistics")
    segments = read_table(project / "data" / "tiny" / "segments" / "segments.parquet")
    probe = segments.loc[segments["purpose"] == "probe", "segment_id"]
    with KeyedArrays(project / "data" / "tiny" / "features" / "statistics" / "seed0.h5") as features:
        assert features.attrs["probe"] == "forest"
        assert sorted(features.keys) == sorted(probe)
        assert features.rows("feature").shape == (len(probe), len(statistic_names()))


def test_supervised_from_scratch_is_an_untrained_encoder_with_a_head_of_its_own(project: Path) -> None:
    run(project, "pretrain", "standard")
    config = json.loads((project / "data" / "tiny" / "models" / "standard" / "seed0" / "config.json").read_text())
    assert config["training"]["objective"]["probe"] == "finetune"
    run(project, "features", "standard")
    with KeyedArrays(project / "data" / "tiny" / "features" / "standard" / "seed0.h5") as features:
        assert features.attrs["probe"] == "finetune"
        assert not features.attrs["text_trained"]


def test_statistics_of_known_signals() -> None:
    seconds = np.arange(250) / 50
    imu = np.zeros((2, 6, 250), dtype=np.float32)
    imu[0, 0] = 9.81 + 2 * np.sin(2 * np.pi * 3 * seconds)
    imu[0, 4] = np.sin(2 * np.pi * 3 * seconds)
    found = window_statistics(imu, 50.0)
    names = statistic_names()
    assert found.shape == (2, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(found).all()

    def value(name: str, row: int = 0) -> float:
        return float(found[row, names.index(name)])

    assert value("accel_x/mean") == pytest.approx(9.81, abs=1e-4)
    assert value("accel_x/deviation") == pytest.approx(2 / np.sqrt(2), abs=1e-3)
    assert value("accel_x/peak_hz") == pytest.approx(3.0)
    assert value("accel_norm/peak_hz") == pytest.approx(3.0)
    assert value("accel_x/band3") > 0.99, "2 to 4 Hz"
    assert value("accel_x/crossings") == pytest.approx(6, abs=0.3)
    assert value("gyro_y/mean") == pytest.approx(0, abs=1e-4)
    assert value("accel_y/peak_hz") == 0
    assert (found[1, [names.index(name) for name in names if name.endswith("correlation")]] == 0).all()
    doubled = window_statistics(imu * np.float32(2), 50.0)
    assert doubled[0, names.index("accel_x/mean")] == pytest.approx(2 * 9.81, abs=1e-3)
