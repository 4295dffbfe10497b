"""A finished project in miniature: segments, two methods' encoders and their pretraining metrics, ready for features, fewshot and report."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from primus.artifacts import write_csv, write_json, write_table
from primus.keyed_arrays import write_keyed
from primus.models.encoder import ImuEncoder
from primus.seeds import generator

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("<climb> & rest", "cook", "dance")
PARAMS = {
    "data": "small",
    "preset": "ours",
    "profiles": {"small": {"corpus": "simulation", "embed": {"encoder": {"weights": "fixed-random"}}}},
    "embed": {"encoder": {"weights": None}},
    "presets": {"ours": {}},
    "compute": {"threads": 1, "workers": 1},
    "methods": {"primus": {"section": "loss"}, "imu2clip": {"section": "loss"}, "random": {"section": "loss"}},
    "fewshot": {
        "shots": [1, 2, 8],
        "shots_unit": "nonoverlapping",
        "protocol": "ours",
        "episodes": 3,
        "probe": "logistic",
        "c": 1.0,
        "neighbours": 5,
        "trees": 10,
        "standardise": "pool",
        "calibrate": True,
        "site_shots": 0,
        "bootstrap": 100,
        "margin": 0.02,
        "seed": 0,
    },
    "robustness": {"encoders": 1},
    "report": {"headline_shots": 2, "reference": "random", "lead_method": "primus", "lead_dataset": "kitchen"},
}


def segments_of(dataset: str, people: int) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Segments, splits of two folds, and IMU in which the class is a rhythm."""
    rng = generator(0, "miniature", dataset)
    rows, splits, windows = [], [], []
    time = np.arange(250) / 50
    for person in range(people):
        take = f"{dataset}-{person}"
        for fold in range(2):
            splits.append((fold, dataset, take, f"{dataset}/{person}", "test" if person % 2 == fold else "shots"))
        for index in range(12):
            label = index % 3
            where = (f"{take}_{index * 5000}", dataset, take, f"{dataset}/{person}", "probe", index * 5.0, index * 5.0 + 5)
            rows.append((*where, CLASSES[label], [], None, f"site {person % 2}"))
            wave = np.sin(2 * np.pi * (label + 1) * time + rng.uniform(0, 6, size=(6, 1)))
            windows.append(wave + rng.normal(size=(6, 250)) * 0.3 + np.array([9.81, 0, 0, 0, 0, 0])[:, None])
    names = ["segment_id", "dataset", "take_uid", "participant", "purpose", "start_s", "end_s", "label", "texts", "video_path", "site"]
    return (
        pd.DataFrame(rows, columns=names),
        pd.DataFrame(splits, columns=["fold", "dataset", "take_uid", "participant", "split"]),
        np.array(windows, dtype=np.float32),
    )


def build(root: Path) -> None:
    """Write the project's files below `root`."""
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    data = root / "data" / "small"
    parts = [segments_of("kitchen", 6), segments_of("street", 4)]
    segments, splits = (pd.concat([part[number] for part in parts], ignore_index=True) for number in (0, 1))
    write_table(data / "segments" / "segments.parquet", segments)
    write_table(data / "segments" / "splits.parquet", splits)
    imu = np.concatenate([part[2] for part in parts])
    write_keyed(data / "segments" / "imu.h5", segments["segment_id"].tolist(), {"imu": imu}, {"rate_hz": 50.0, "window_s": 5.0})
    for method in ("primus", "random"):
        for fold in range(2):
            torch.manual_seed(fold if method == "random" else 10 + fold)
            representation = "feature" if method == "random" else "multimodal"
            folder = data / "models" / method / f"seed0-fold{fold}"
            folder.mkdir(parents=True)
            ImuEncoder().save_pretrained(folder, representation=representation, seed=0, fold=fold)
    (data / "models" / "imu2clip").mkdir(parents=True)
    write_json(data / "models" / "imu2clip" / "skipped.json", {"reason": "no training segment has video or text"})
    health = {"health": {"multimodal": {"effective_rank": 41.2, "collapsed": 0.0}}}
    for method, found in (("primus", {"skipped": 0, "final": health}), ("random", {"skipped": 0}), ("imu2clip", {"skipped": 1})):
        write_json(root / "metrics" / "pretrain" / f"{method}.json", found)
        steps = [(step, step / 10, f"{part}/total", 5.0 - step / 100, 0, 0) for step in (0, 50, 100) for part in ("train", "val")]
        table = pd.DataFrame(steps if method == "primus" else [], columns=["step", "epoch", "term", "value", "seed", "fold"])
        write_csv(root / "metrics" / "plots" / f"pretrain_{method}.csv", table)
    write_json(root / "metrics" / "segment.json", {"datasets": {"kitchen": {"segments": 72, "rejects": {"segment": {"gap": 2}}}}})
    measured_beside(root)


def measured_beside(root: Path) -> None:
    """What the zero-shot, retrieval and robustness stages would have left."""
    bounds = {f"{name}{end}": value for name in ("accuracy", "macro_f1") for end, value in (("", 0.4), ("_lo", 0.3), ("_hi", 0.5))}
    spread = {f"accuracy_wording_{kind}": 0.1 for kind in ("sd", "min", "max")}
    zeroshot = [{"dataset": "kitchen", "method": "primus", "representation": "multimodal", "shots": 0, "complete": 1} | bounds | spread]
    write_csv(root / "metrics" / "plots" / "zeroshot.csv", pd.DataFrame(zeroshot))
    write_json(root / "metrics" / "zeroshot.json", {"skipped": 0, "kitchen": {"wordings": 6}})
    found = [
        ("primus", direction, metric, 0.5, 0.4, 0.6, 0.1)
        for direction in ("imu_to_video", "video_to_imu")
        for metric in ("r1", "r5", "r10", "median_rank", "mrr")
    ]
    columns = ["method", "direction", "metric", "value", "lo", "hi", "chance"]
    write_csv(root / "metrics" / "plots" / "retrieval.csv", pd.DataFrame(found, columns=columns))
    write_json(root / "metrics" / "retrieval.json", {"gallery": {"segments": 10, "folds": 2, "queries": 20, "participants": 4}})
    degraded = [
        {"dataset": dataset, "method": method, "condition": name, "kind": kind, "severity": severity, "shots": 2, "test_segments": 20}
        | {"retention": kept, "retention_lo": kept - 0.3, "retention_hi": kept + 0.6}
        for dataset in ("kitchen", "street")
        for method in ("primus", "random")
        for name, kind, severity, kept in (("matched", "matched", None, 1.0), ("rate_10", "rate", 10.0, 0.9), ("gyro_lost", "gyro_lost", None, 0.5))
    ]
    write_csv(root / "metrics" / "plots" / "robustness.csv", pd.DataFrame(degraded))


RunStage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_stage() -> RunStage:
    """`run_stage(root, "stages.fewshot")` runs a stage of this checkout in the project `root`."""
    return start


def start(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """(project after features, fewshot and report, standard output of each command)."""
    root = tmp_path_factory.mktemp("project")
    build(root)
    said = {}
    for command in (
        ("stages.features", "primus"),
        ("stages.features", "imu2clip"),
        ("stages.features", "random"),
        ("stages.fewshot",),
        ("stages.report",),
    ):
        done = start(root, *command)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        said[" ".join(command)] = done.stdout
    return root, said


@pytest.fixture
def copy_of(finished: tuple[Path, dict[str, str]], tmp_path: Path) -> Callable[[], Path]:
    """A fresh copy of the finished project that a test may damage."""
    import shutil

    def make() -> Path:
        target = tmp_path / "copy"
        shutil.copytree(finished[0], target)
        return target

    return make
