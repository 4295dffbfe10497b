"""The manifest and segment stages on the tiny corpus: every defect accounted for, same bytes again, one line for each mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from primus.keyed_arrays import KeyedArrays
from primus.simulate.corpus import TINY, write_corpus

ROOT = Path(__file__).resolve().parents[2]
PARAMS: dict[str, Any] = {
    "data": "tiny",
    "preset": "ours",
    "compute": {"threads": 1, "workers": 1},
    "segment": {
        "rate_hz": 50, "window_s": 5.0, "stride_s": 5.0, "merge_s": 0.1, "label_share": 0.5, "narration_subjects": ["C", None], "slack_s": 0.1,
        "take_timeout_s": 120, "quality": {}, "splits": {"seed": 0, "folds": 1, "val_fraction": 0.1, "test_fraction": 0.5},
    },
    "profiles": {
        "tiny": {
            "datasets": {
                "egoexo4d": {"reader": "egoexo4d", "root": "data/tiny/raw/egoexo4d", "purpose": ["pretrain", "probe"]},
                "ego4d": {"reader": "ego4d", "root": "data/tiny/raw/ego4d", "purpose": ["probe"]},
                "realworld": {"reader": "realworld", "root": "data/tiny/raw/realworld2016", "purpose": ["probe"]},
            }
        }
    },
    "presets": {"ours": {}},
}  # fmt: skip


def stage(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"PYTHONPATH": str(ROOT), "PRIMUS_CACHE": str(folder / ".cache")} | environment
    return subprocess.run(
        [sys.executable, "-m", f"stages.{name}"], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=200
    )


def run_both(folder: Path) -> subprocess.CompletedProcess[str]:
    done = stage("manifest", folder)
    return stage("segment", folder) if done.returncode == 0 else done


def write_params(folder: Path, change: dict[str, Any] | None = None) -> None:
    params = json.loads(json.dumps(PARAMS))
    for dotted, value in (change or {}).items():
        *parents, last = dotted.split(".")
        place = params
        for parent in parents:
            place = place[parent]
        place[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder / "raw", TINY)
    return folder / "raw"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "data" / "tiny").mkdir(parents=True)
    (folder / "data" / "tiny" / "raw").symlink_to(corpus)
    write_params(folder)
    done = run_both(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def workplace(tmp_path: Path, corpus: Path) -> Path:
    (tmp_path / "data" / "tiny").mkdir(parents=True)
    (tmp_path / "data" / "tiny" / "raw").symlink_to(corpus)
    write_params(tmp_path)
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    names = sorted((folder / "data/tiny/segments").iterdir())
    return {path.name: path.read_bytes() for path in [*names, folder / "metrics/segment.json"]}


def test_tables_and_signal_agree(finished: Path) -> None:
    segments = pd.read_parquet(finished / "data/tiny/segments/segments.parquet")
    takes = pd.read_parquet(finished / "data/tiny/segments/takes.parquet")
    splits = pd.read_parquet(finished / "data/tiny/segments/splits.parquet")
    with KeyedArrays(finished / "data/tiny/segments/imu.h5") as file:
        assert list(file.keys) == list(segments["segment_id"])
        imu = file.rows("imu")
        assert file.attrs["rate_hz"] == 50
        assert file.attrs["window_s"] == 5
        assert file.attrs["channels"] == "accel_x,accel_y,accel_z,gyro_x,gyro_y,gyro_z"
    assert imu.shape == (len(segments), 6, 250)
    assert np.isfinite(imu).all()
    force = np.linalg.norm(imu[:, :3].mean(axis=2), axis=1)
    assert ((force > 5) & (force < 11)).all()
    assert set(segments["take_uid"]) <= set(takes["take_uid"])
    assert set(splits["take_uid"]) <= set(segments["take_uid"])
    narrated = segments[segments["policy"] == "narration"]
    assert (narrated["texts"].map(len) > 0).all()
    assert narrated["video_path"].notna().any()
    assert not any(str(path).startswith("/") for path in [*takes["imu_path"].dropna(), *takes["video_path"].dropna()])
    assert set(splits["split"]) == {"train", "val", "shots", "test"}


def test_every_injected_defect_is_found_and_nothing_else(finished: Path) -> None:
    injected = json.loads((finished / "data/tiny/raw/injected.json").read_text())
    rejects = pd.read_parquet(finished / "data/tiny/segments/rejects.parquet")
    rejects = rejects[rejects["reason"] != "too_short"]  # parts of a climb that are shorter than a segment are no defect
    found = {(row.dataset, row.take_uid, row.scope, row.reason) for row in rejects.itertuples()}
    assert found == {(defect["dataset"], defect["take_uid"], defect["scope"], defect["reason"]) for defect in injected}
    for defect in injected:
        if defect["reason"] == "gap":
            mine = rejects[rejects["take_uid"] == defect["take_uid"]]
            assert ((mine["start_s"] < defect["end_s"]) & (mine["end_s"] > defect["start_s"])).all()
    metrics = json.loads((finished / "metrics/segment.json").read_text())
    for reason, count in rejects["reason"].value_counts().items():
        assert metrics["rejects"][reason] == count
    assert metrics["leakage"]["participants_shots_test"] == 0


def test_workers_and_the_cache_change_no_byte(finished: Path, workplace: Path) -> None:
    for workers in (2, 1):
        write_params(workplace, {"compute.workers": workers})
        done = run_both(workplace)
        assert done.returncode == 0, done.stderr
        assert outputs(workplace) == outputs(finished)
    assert list((workplace / ".cache" / "segments").rglob("*.entry"))


def test_windows_resampled_by_themselves_are_the_same_windows_of_other_values(finished: Path, workplace: Path) -> None:
    write_params(workplace, {"segment.resampling": "window"})
    done = run_both(workplace)
    assert done.returncode == 0, done.stderr
    for name in ("segments", "takes", "rejects", "splits"):
        path = f"data/tiny/segments/{name}.parquet"
        assert (workplace / path).read_bytes() == (finished / path).read_bytes()
    with KeyedArrays(workplace / "data/tiny/segments/imu.h5") as alone, KeyedArrays(finished / "data/tiny/segments/imu.h5") as usual:
        assert (alone.attrs["resampling"], usual.attrs["resampling"]) == ("window", "recording")
        mine, theirs = alone.rows("imu"), usual.rows("imu")
    gravity = np.median(np.linalg.norm(mine[:, :3], axis=1), axis=0)  # of most windows, at each sample
    assert gravity[0] < 0.7 * gravity[125]
    apart = np.median(np.abs(mine - theirs)[:, 2], axis=0)  # a rate that is cut to an integer shifts the end of some windows by more than a sample
    assert 0 < apart[25:100].max() < 0.2 * apart[0]


def test_a_corrupt_take_costs_that_take(finished: Path, workplace: Path, corpus: Path) -> None:
    (workplace / "data/tiny/raw").unlink()
    shutil.copytree(corpus, workplace / "data/tiny/raw")
    recording = sorted((workplace / "data/tiny/raw/egoexo4d").rglob("*.vrs"))[0]
    recording.write_bytes(recording.read_bytes()[:5000] + b"\xff" * 5000)
    done = run_both(workplace)
    assert done.returncode == 0, done.stderr
    before = pd.read_parquet(finished / "data/tiny/segments/takes.parquet")
    after = pd.read_parquet(workplace / "data/tiny/segments/takes.parquet")
    lost = set(before["take_uid"]) - set(after["take_uid"])
    assert len(lost) <= 1
    rejects = pd.read_parquet(workplace / "data/tiny/segments/rejects.parquet")
    assert lost <= set(rejects["take_uid"])


@pytest.mark.parametrize(
    ("change", "environment", "message"),
    [
        ({"profiles.tiny.datasets.ego4d.root": "$PRIMUS_TEST_ROOT"}, {}, "environment variable PRIMUS_TEST_ROOT is not set"),
        ({"profiles.tiny.datasets.ego4d.root": "data/tiny/none"}, {}, "data/tiny/none is not a folder"),
        ({"profiles.tiny.datasets.ego4d.root": None}, {}, "ego4d has no root"),
        ({"data": "tinny"}, {}, "did you mean 'tiny'?"),
        ({"segment.windows_s": 5.0}, {}, "unknown key segment.windows_s; did you mean 'window_s'?"),
        ({"segment.stride_s": -1.0}, {}, "segment.stride_s must be positive, found -1.0"),
        ({"segment.window_s": 0.013}, {}, "must be a whole number of samples"),
        ({"segment.resampling": "windows"}, {}, "segment.resampling"),
        ({"segment.resampling": "window", "segment.rate_hz": 62.4}, {}, "needs a whole number of hertz, found segment.rate_hz 62.4"),
        ({"segment.splits.folds": 0}, {}, "segment.splits.folds must be at least 1, found 0"),
        ({"segment.quality.min_rate_hz": 5000.0}, {}, "takes were refused, no segment is left (low_rate"),
        ({"profiles.tiny.datasets.ego4d.purpose": ["probing"]}, {}, "data set ego4d: purpose is ['probing']"),
    ],
)
def test_mistakes_are_one_line(workplace: Path, change: dict[str, Any], environment: dict[str, str], message: str) -> None:
    write_params(workplace, change)
    done = run_both(workplace)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert message in lines[0]
    assert "Traceback" not in done.stderr
    assert not (workplace / "metrics").exists()
    assert not list((workplace / "data/tiny").glob("segments/*.parquet"))
