"""RealWorld2016 through the path of the segment stage: out of nested archives, both sensors joined on time, to one sample."""

from pathlib import Path

import numpy as np
import pytest

from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.segments.plan import plan_takes
from primus.segments.segmenter import TakeSegments, segment_take
from tests.io import realworld_tree as tree
from tests.segments.memory_dataset import settings_with

CONFIG = {"reader": "realworld", "purpose": ["probe"], "root": "unused"}


def cut(root: Path) -> dict[str, TakeSegments]:
    files = FileSet.scan(root)
    dataset = open_dataset("realworld", CONFIG, files)
    takes, rejects = dataset.takes()
    assert rejects == []
    return {job.take.take_uid: segment_take(dataset, files, job, settings_with()) for job in plan_takes("realworld", CONFIG, takes)}


def assert_exact(result: TakeSegments, begin_s: float) -> None:
    for interval, imu in zip(result.intervals, result.imu, strict=True):
        at = begin_s + interval.start_s + np.arange(250) / 50
        np.testing.assert_allclose(imu[:3].T, tree.acceleration(at), atol=0.03)
        np.testing.assert_allclose(imu[3:].T, tree.rotation(at), atol=0.03)
        assert np.abs(imu[0] - tree.acceleration(at + 0.02)[:, 0]).max() > 0.1  # one sample later is something else


def test_parts_in_nested_archives_are_takes_of_their_own(tmp_path: Path) -> None:
    tree.write_nested(tmp_path, 4, "climbingup")
    results = cut(tmp_path)
    assert {uid: len(result.intervals) for uid, result in results.items()} == {f"proband4_climbingup_{k}": 2 * k for k in (1, 2, 3)} | {
        "proband4_climbingup_1": 2
    }
    for part in (1, 2, 3):
        assert_exact(results[f"proband4_climbingup_{part}"], 100.0 * part)
        assert {interval.label for interval in results[f"proband4_climbingup_{part}"].intervals} == {"climbingup"}


@pytest.mark.parametrize(("acc_hz", "gyr_hz"), [(50.0, 50.0), (49.3, 68.7), (98.0, 51.0)])
def test_sensors_that_start_end_and_count_differently(tmp_path: Path, acc_hz: float, gyr_hz: float) -> None:
    """By row the gyroscope would lie seconds away; by time both are where they belong, over the time they have in common."""
    tree.write(tmp_path, 5, "acc", "running", {"acc_running_head.csv": tree.csv(tree.stamps(5.003, 40.0, acc_hz), tree.acceleration)})
    tree.write(tmp_path, 5, "gyr", "running", {"Gyroscope_running_head.csv": tree.csv(tree.stamps(0.0, 38.0, gyr_hz), tree.rotation)})
    (result,) = cut(tmp_path).values()
    assert len(result.intervals) == 6  # of 33 s in common
    slower = tree.stamps(5.003, 40.0, acc_hz) if acc_hz < gyr_hz * 1.25 else tree.stamps(0.0, 38.0, gyr_hz)
    first = slower[slower >= tree.EPOCH_MS + 5003][0]
    assert_exact(result, float(first - tree.EPOCH_MS) / 1000)


def test_a_hole_in_one_sensor_is_a_gap_of_both(tmp_path: Path) -> None:
    times = tree.stamps(0.0, 30.0)
    kept = (times < tree.EPOCH_MS + 11_000) | (times > tree.EPOCH_MS + 12_000)
    tree.write(tmp_path, 5, "acc", "walking", tree.members("acc", "walking", end_s=30.0))
    tree.write(tmp_path, 5, "gyr", "walking", {"Gyroscope_walking_head.csv": tree.csv(times[kept], tree.rotation)})
    (result,) = cut(tmp_path).values()
    assert [interval.start_s for interval in result.intervals] == [0.0, 5.0, 15.0, 20.0, 25.0]
    assert_exact(result, 0.0)
    assert [(reject.reason, reject.start_s) for reject in result.rejects] == [("gap", 10.0)]
