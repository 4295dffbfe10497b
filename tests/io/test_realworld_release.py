"""RealWorld2016 as published, in miniature: all fifteen probands with every documented quirk in one tree, at every position."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primus.errors import Rejected
from primus.io.files import FileSet
from primus.io.realworld import ACTIVITIES, POSITIONS, RealWorldDataset
from tests.io import realworld_tree as tree

NESTED = {(proband, activity) for proband in (4, 7, 14) for activity in ("climbingup", "climbingdown")}
NUMBERED_TWO = {(4, "walking"), (6, "sitting"), (7, "sitting"), (8, "standing"), (13, "walking")}
MISSING = {(2, "climbingup"): "forearm", (6, "jumping"): "thigh"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """15 probands, 8 activities, 7 positions; seven CSVs an archive, short ones."""
    root = tmp_path_factory.mktemp("realworld") / "realworld2016_dataset"
    for proband in range(1, 16):
        for activity in ACTIVITIES:
            if (proband, activity) in NESTED:
                tree.write_nested(root, proband, activity, positions=POSITIONS, second_s=1.0)
                continue
            number = 2 if (proband, activity) in NUMBERED_TWO else None
            positions = [position for position in POSITIONS if MISSING.get((proband, activity)) != position]
            for sensor, end_s in (("acc", 1.0), ("gyr", 1.1), ("mag", 0.2)):
                members = tree.members(sensor, activity, number, positions, end_s=end_s)
                tree.write(root, proband, sensor, activity, members)
    return root.parent


def read(root: Path, position: str) -> tuple[list[Any], list[Any], RealWorldDataset]:
    reader = RealWorldDataset("realworld", {"position": position}, FileSet.scan(root))
    return *reader.takes(), reader


@pytest.mark.parametrize("position", POSITIONS)
def test_all_fifteen_probands_all_activities_every_part(release: Path, position: str) -> None:
    takes, rejects, _ = read(release, position)
    sessions = {(proband, activity) for proband in range(1, 16) for activity in ACTIVITIES}
    expected = {f"proband{p}_{a}_{part}" for p, a in NESTED for part in (1, 2, 3)}
    expected |= {f"proband{p}_{a}_{2 if (p, a) in NUMBERED_TWO else 1}" for p, a in sessions - NESTED}
    missing = {f"proband{p}_{a}_1" for (p, a), where in MISSING.items() if where == position}
    assert len(expected) == 15 * 8 + 2 * 6
    assert {take.take_uid for take in takes} == expected - missing
    assert {reject.take_uid for reject in rejects} == missing
    assert {reject.reason for reject in rejects} <= {"no_imu"}
    assert {take.participant for take in takes} == {f"realworld2016/proband{k}" for k in range(1, 16)}
    assert {take.label for take in takes} == set(ACTIVITIES)


def test_every_take_at_the_head_reads(release: Path) -> None:
    """No reader reports a missing head file, and the head is what is read by default."""
    takes, rejects, reader = read(release, "head")
    assert rejects == []
    for take in takes:
        recording = reader.read_imu(take).recording
        assert recording.gyro is not None
        seconds = recording.timestamps_ns * 1e-9 - tree.EPOCH_MS / 1000
        np.testing.assert_allclose(recording.accel, tree.acceleration(seconds), atol=1e-5)
        np.testing.assert_allclose(recording.gyro, tree.rotation(seconds), atol=1e-5)


@pytest.mark.parametrize(("factor", "rate"), [(1e-3, "5e+04 Hz"), (1e3, "0.05 Hz")])
def test_stamps_that_are_not_milliseconds_are_named(tmp_path: Path, factor: float, rate: str) -> None:
    """That attr_time is epoch milliseconds is what readers say; stamps in seconds or microseconds would give an absurd rate."""
    for sensor in ("acc", "gyr"):
        times = tree.stamps(0.0, 10.0) - tree.EPOCH_MS
        name = f"{tree.PREFIX[sensor]}_walking_head.csv"
        lines = [f"{k},{time * factor!r},0.1,9.8,0.{k % 7}" for k, time in enumerate(times.tolist())]
        tree.write(tmp_path, 1, sensor, "walking", {name: ("id,attr_time,attr_x,attr_y,attr_z\n" + "\n".join(lines) + "\n").encode()})
    (take,), _, reader = read(tmp_path, "head")
    with pytest.raises(Rejected) as caught:
        reader.read_imu(take)
    assert caught.value.reason == "unreadable_imu"
    assert f"read as milliseconds gives {rate}; expected about 50 Hz" in caught.value.detail


def test_degrees_taken_for_radians_are_named(tmp_path: Path) -> None:
    tree.write(tmp_path, 1, "acc", "running", tree.members("acc", "running"))
    fast = {"Gyroscope_running_head.csv": tree.csv(tree.stamps(0.0, 12.0), lambda seconds: np.rad2deg(3 * tree.rotation(seconds)))}
    tree.write(tmp_path, 1, "gyr", "running", fast)
    (take,), _, reader = read(tmp_path, "head")
    with pytest.raises(Rejected, match="is it deg/s"):
        reader.read_imu(take)
