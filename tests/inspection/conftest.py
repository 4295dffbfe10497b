"""A small corpus that the manifest and segment stages have been through, and simulated takes for the clock check."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import yaml

from primus.cli import main
from primus.inspection.optical import OpticalMotion, optical_motion
from primus.io.vrs import read_imu_vrs
from primus.simulate.config import CorpusConfig, Ego4DConfig, EgoExo4DConfig, RealWorldConfig
from primus.simulate.corpus import write_corpus
from primus.simulate.egoexo4d import jobs
from primus.simulate.egoexo4d_take import take_origin_ns, video_relative_path

ROOT = Path(__file__).resolve().parents[2]
PARAMS = {
    "data": "small",
    "preset": "ours",
    "compute": {"threads": 1, "workers": 1},
    "segment": {
        "rate_hz": 50, "window_s": 5.0, "stride_s": 5.0, "merge_s": 0.1, "label_share": 0.5, "narration_subjects": ["C", None], "slack_s": 0.1,
        "take_timeout_s": 120, "quality": {}, "splits": {"seed": 0, "folds": 1, "val_fraction": 0.1, "test_fraction": 0.5},
    },
    "profiles": {"small": {"datasets": {"egoexo4d": {"reader": "egoexo4d", "root": "data/small/raw/egoexo4d", "purpose": ["pretrain", "probe"]}}}},
    "presets": {"ours": {}},
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def primus(folder: Path, *arguments: str) -> Said:
    """Run the `primus` command in `folder`, in this process: starting one for each mistake would take longer than all the rest."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["primus", *arguments])
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Said(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose profile `small` has been segmented; tests add files to it and change none."""
    project = tmp_path_factory.mktemp("project")
    takes = EgoExo4DConfig(
        classes=2, sites=1, pretrain_participants=2, pretrain_takes=1, pretrain_take_s=14, probe_participants=2, probe_take_s=12,
        defects_per_kind=1, pixels=64,
    )  # fmt: skip
    least = CorpusConfig(
        egoexo4d=takes, ego4d=Ego4DConfig(1, 1, 10.0, 0), realworld=RealWorldConfig(classes=1, probands=1, activity_s=10.0)
    )  # fmt: skip
    write_corpus(project / "data" / "small" / "raw", least)
    (project / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    variables = os.environ | {"PYTHONPATH": str(ROOT), "PRIMUS_CACHE": str(project / ".cache")}
    for stage in ("manifest", "segment"):
        command = [sys.executable, "-m", f"stages.{stage}"]
        done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
    return project


@dataclass(frozen=True)
class Signals:
    """Motion of a take's picture, and its gyroscope (N, 3) at `times_s` (N,) of the same clock."""

    motion: OpticalMotion
    times_s: np.ndarray
    gyro: np.ndarray


def simulated(folder: Path, config: EgoExo4DConfig, seed: int, count: int) -> Iterator[Signals]:
    """Write `count` takes with video below `folder` and measure them."""
    chosen = [job for job in jobs(CorpusConfig(seed=seed, egoexo4d=config)) if job.plan.has_video and job.plan.defect is None]
    assert len(chosen) >= count
    for job in chosen[:count]:
        job.run(folder, None)
        take = folder / "takes" / job.plan.take_name
        recording = read_imu_vrs(next(take.glob("*.vrs")), "imu-right", False)
        assert recording.gyro is not None
        times_s = (recording.timestamps_ns - take_origin_ns(job.plan)) * 1e-9
        yield Signals(optical_motion(take / video_relative_path(job.plan), 300.0), times_s, recording.gyro)
