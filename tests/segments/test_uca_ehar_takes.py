"""UCA-EHAR as published, in miniature, through the path of the segment stage: everybody, every label, and what its description leaves open."""

from pathlib import Path

import numpy as np
import pytest

from primus.errors import Rejected, UserError
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.io.takes import Dataset
from primus.segments.plan import plan_takes
from primus.segments.segmenter import TakeSegments, segment_take
from tests.segments.memory_dataset import settings_with

PEOPLE = [number for number in range(1, 22) if number != 11]
ACTIVITIES = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "RUNNING", "SITTING", "STANDING", "LYING", "DRINKING")
TRANSITIONS = ("SIT_TO_STAND", "STAND_TO_SIT", "SIT_TO_LIE", "LIE_TO_SIT")
CONFIG = {"reader": "labelled_csv", "spec": "uca-ehar", "purpose": ["probe"], "root": "unused"}
HERTZ = np.array([0.7, 1.1, 0.4, 0.6, 0.9, 1.3])
OFFSET = np.array([0.2, 9.7, 0.4, 0.0, 0.1, 0.0])


def signal(seconds: np.ndarray) -> np.ndarray:
    """(N, 6) accelerometer m/s^2 and gyroscope rad/s."""
    return OFFSET + np.sin(2 * np.pi * HERTZ * seconds[:, None] + np.arange(6))


def content(label: str, seconds: np.ndarray, gyro_scale: float = 1.0, accel_scale: float = 1.0) -> str:
    """Semicolons, milliseconds, the barometer in a column of its own, a label in every row."""
    rows = signal(seconds) * np.repeat([accel_scale, gyro_scale], 3)
    lines = [
        f"{time * 1000:.0f};{';'.join(f'{value:.6f}' for value in row)};1013.2;{label}" for time, row in zip(seconds + 300.93, rows, strict=True)
    ]
    return "\n".join(["T;Ax;Ay;Az;Gx;Gy;Gz;P;CLASS", *lines]) + "\n"


def opened(root: Path) -> tuple[Dataset, FileSet]:
    files = FileSet.scan(root)
    return open_dataset("uca", CONFIG, files), files


def cut_one(root: Path) -> TakeSegments:
    dataset, files = opened(root)
    (job,) = plan_takes("uca", CONFIG, dataset.takes()[0])
    return segment_take(dataset, files, job, settings_with())


def test_twenty_people_twelve_labels(tmp_path: Path) -> None:
    for person in PEOPLE:
        for label in (*ACTIVITIES, *TRANSITIONS):
            name = f"{label}_T{person}{'' if person % 2 else '_1'}.csv"
            (tmp_path / name).write_text(content(label, np.arange(50) * 0.04))
    takes, rejects = opened(tmp_path)[0].takes()
    assert {take.participant for take in takes} == {f"uca-ehar/T{person}" for person in PEOPLE}
    assert len(takes) == 20 * 12
    classes = {label.lower().replace("_", " ") for label in ACTIVITIES}
    assert {take.label for take in takes} == {*classes, None}
    assert {(reject.reason, reject.scope) for reject in rejects} == {("no_label", "annotation")}
    assert len(rejects) == 20 * len(TRANSITIONS)
    assert all(any(transition in reject.detail for transition in TRANSITIONS) for reject in rejects)


@pytest.mark.parametrize("rate_hz", [25.0, 26.0])
def test_either_rate_gives_the_same_signal(tmp_path: Path, rate_hz: float) -> None:
    """26 Hz is what the glasses are said to have, about 25 what the stamps give: stamps decide."""
    (tmp_path / "WALKING_T3.csv").write_text(content("WALKING", np.arange(0, 20, 1 / rate_hz)))
    result = cut_one(tmp_path)
    assert result.facts["rate_hz"] == pytest.approx(rate_hz, rel=2e-3)
    assert len(result.intervals) == 4, "20 s hold four windows of 5 s (or three and a rest)"
    for interval, imu in zip(result.intervals, result.imu, strict=True):
        assert interval.label == "walking"
        np.testing.assert_allclose(imu.T, signal(interval.start_s + np.arange(250) / 50), atol=0.03)  # stamps are whole milliseconds


def test_a_gap_of_five_steps_and_more_ends_an_interval(tmp_path: Path) -> None:
    seconds = np.arange(0, 30, 0.04)
    (tmp_path / "SITTING_T3.csv").write_text(content("SITTING", seconds[(seconds < 12) | (seconds >= 13)]))
    result = cut_one(tmp_path)
    assert [interval.start_s for interval in result.intervals] == pytest.approx([1.0, 6.0, 14.0, 19.0, 24.0], abs=0.03)
    assert result.rejects == ()


@pytest.mark.parametrize(
    ("scales", "reason", "words"),
    [((57.3, 1.0), "unreadable_imu", "is it deg/s?"), ((1.0, 1 / 9.80665), "implausible_gravity", "values in g?")],
)
def test_units_nobody_states_are_asserted(tmp_path: Path, scales: tuple[float, float], reason: str, words: str) -> None:
    """Unverified: that the gyroscope is in rad/s, and (of one reader only) the accelerometer in m/s^2."""
    (tmp_path / "RUNNING_T3.csv").write_text(content("RUNNING", np.arange(0, 20, 0.04), *scales))
    dataset, _ = opened(tmp_path)
    if reason == "unreadable_imu":
        with pytest.raises(UserError, match="is it deg/s"):
            dataset.takes()
        return
    with pytest.raises(Rejected) as caught:
        cut_one(tmp_path)
    assert (caught.value.reason, words in caught.value.detail) == (reason, True)
