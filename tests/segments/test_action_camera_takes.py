"""Clips of action cameras through the path of the segment stage: video, narrations and IMU of one file, on one clock, to one sample."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primus.errors import Rejected
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.segments.plan import plan_takes
from primus.segments.segmenter import TakeSegments, segment_take
from tests.io.gpmf_file import device, with_telemetry
from tests.io.test_gopro_models import force, payloads, rotation
from tests.segments.memory_dataset import settings_with

pytest.importorskip("telemetry_parser", reason="the extra actioncam is not installed")

NARRATIONS = "take,timestamp_s,text\nwalk,3.0,C walks\nwalk,7.321,C turns\nwalk,99.0,C is long gone\n"
STARTS = [0.5, 4.821]


def cut(clip: Path, root: Path, made: list[bytes]) -> TakeSegments:
    with_telemetry(clip, root / "walk.mp4", made, b"HERO8 Black")
    (root / "narrations.csv").write_text(NARRATIONS)
    files = FileSet.scan(root)
    config: dict[str, Any] = {"reader": "action_camera", "purpose": ["pretrain"], "root": "unused"}
    dataset = open_dataset("clips", config, files)
    (job,) = plan_takes("clips", config, dataset.takes()[0])
    return segment_take(dataset, files, job, settings_with(subjects=(None,)))


@pytest.fixture(scope="module")
def clip(shared_dir: Path) -> Path:
    return shared_dir / "data" / "actioncam" / "karma.mp4"


@pytest.mark.parametrize("rates", [{"accel_hz": 200, "gyro_hz": 400}, {"accel_hz": 200, "gyro_hz": 3200}, {"accel_hz": 400, "gyro_hz": 200}])
@pytest.mark.parametrize("stamps", ["us", "ms", "none"])
def test_segments_hold_the_samples_of_their_time_to_one_sample(clip: Path, tmp_path: Path, rates: dict[str, int], stamps: str) -> None:
    result = cut(clip, tmp_path, payloads(stamps=stamps, **rates))
    assert [interval.start_s for interval in result.intervals] == STARTS
    assert [interval.texts for interval in result.intervals] == [("C walks",), ("C turns",)]
    assert result.has_video == (True, True)
    for interval, imu in zip(result.intervals, result.imu, strict=True):
        at = interval.start_s + np.arange(250) / 50
        np.testing.assert_allclose(imu.T, np.concatenate((force(at), rotation(at)), axis=1), atol=0.03)
        later = np.concatenate((force(at + 0.02), rotation(at + 0.02)), axis=1)
        assert (np.abs(imu.T - later).max(axis=0) > 0.04).all()
    assert [(reject.reason, reject.scope) for reject in result.rejects] == [("outside_take", "segment")]


def test_a_lost_payload_costs_the_segments_that_touch_it(clip: Path, tmp_path: Path) -> None:
    made = payloads(gyro_hz=200, stamps="us")
    made[7] = device()
    result = cut(clip, tmp_path, made)
    assert [interval.start_s for interval in result.intervals] == STARTS[:1]
    assert ("gap", STARTS[1]) in {(reject.reason, reject.start_s) for reject in result.rejects}


def test_a_camera_without_gyroscope_makes_no_segments(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"missing_axis: .*no gyroscope"):
        cut(clip, tmp_path, payloads(gyro_hz=None, stamps="us"))
