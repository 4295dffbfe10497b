"""One take to segments: which interval holds which samples, what is refused, and what the cache keeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primus.errors import Rejected, UserError
from primus.io.files import FileSet
from primus.io.recording import ImuRecording
from primus.io.takes import Activity, Narration, Take, TakeImu
from primus.segments.plan import plan_takes, require_unique_takes
from primus.segments.segmenter import TakeJob, TakeSegments, segment_take
from tests.segments.memory_dataset import NO_FILES, MemoryDataset, settings_with
from tests.segments.signals import Tones, clock, sample

QUIET = Tones(np.array([[0.3], [0.4], [0.5], [0.6], [0.7], [0.8]]), np.zeros((6, 1)), np.array([0.0, 1.0, 9.81, 0.0, 0.1, 0.2]))
ORIGIN = 284_324_123_456


def recorded(begin_s: float, end_s: float, rate_hz: float = 1000.0) -> TakeImu:
    """IMU from `begin_s` to `end_s` of a take that starts at ORIGIN, its value known at every time of the take."""
    stamps = clock(rate_hz, end_s - begin_s, "walk", drift=0.0, start_ns=ORIGIN + round(begin_s * 1e9))
    return TakeImu(sample(QUIET, stamps, ORIGIN), ORIGIN, "timesync")


def run(take: Take, imu: TakeImu, policy: str = "narration", purpose: str = "pretrain", **changes: object) -> TakeSegments:
    job = TakeJob(take, purpose, policy)  # type: ignore[arg-type]
    return segment_take(MemoryDataset({take.take_uid: imu}), NO_FILES, job, settings_with(**changes))


def starts(result: TakeSegments) -> list[float]:
    return [interval.start_s for interval in result.intervals]


def assert_values(result: TakeSegments) -> None:
    for interval, imu in zip(result.intervals, result.imu, strict=True):
        np.testing.assert_allclose(imu, QUIET.at(interval.start_s + np.arange(250) / 50), atol=1e-3)


TAKE = Take("ego", "t", duration_s=30.0, label="cook", narrations=tuple(Narration(t, f"C {t}", "C") for t in (0.5, 9.1234, 9.15, 20.0, 29.9)))


def test_segments_hold_the_signal_of_their_own_time() -> None:
    result = run(TAKE, recorded(-0.3, 30.4))
    assert starts(result) == [0.0, 6.623, 17.5, 25.0]
    assert result.intervals[1].texts == ("C 9.1234", "C 9.15")
    assert {interval.label for interval in result.intervals} == {"cook"}
    assert_values(result)
    assert result.facts["merged"] == 1
    assert result.facts["narrations_used"] == 5
    assert result.facts["clock"] == "timesync"
    assert result.has_video == (False,) * 4
    assert result.rejects == ()


def test_ends_move_by_the_slack_at_most() -> None:
    result = run(TAKE, recorded(0.05, 29.93))
    assert starts(result) == pytest.approx([0.05, 6.623, 17.5, 24.93], abs=0.005)
    assert_values(result)
    result = run(TAKE, recorded(0.5, 28.0))
    assert starts(result) == [6.623, 17.5]
    assert [(reject.reason, reject.start_s, reject.segment_id) for reject in result.rejects] == [
        ("imu_short", 0.0, "t_0"),
        ("imu_short", 25.0, "t_25000"),
    ]


@pytest.mark.parametrize("duration_s", [3e300, 1e9])
def test_a_take_of_impossible_length_is_refused_before_its_intervals_are_listed(duration_s: float) -> None:
    with pytest.raises(Rejected, match="unreadable_metadata: it lasts"):
        run(replace(TAKE, duration_s=duration_s), recorded(-0.3, 30.4), policy="tile")


def test_a_gap_costs_the_segments_that_touch_it() -> None:
    whole = recorded(-0.3, 30.4)
    stamps = whole.recording.timestamps_ns
    keep = np.abs((stamps - ORIGIN) * 1e-9 - 10.0) > 0.3
    assert whole.recording.gyro is not None
    holed = ImuRecording(stamps[keep], whole.recording.accel[keep], whole.recording.gyro[keep], 1000.0, "holed")
    result = run(TAKE, replace(whole, recording=holed))
    assert starts(result) == [0.0, 17.5, 25.0]
    assert result.facts["narrations_used"] == 3
    assert [(reject.reason, reject.scope, reject.start_s, reject.end_s) for reject in result.rejects] == [("gap", "segment", 6.623, 11.623)]
    assert_values(result)


def test_narrations_of_others_are_left_out_and_counted() -> None:
    take = replace(TAKE, narrations=(Narration(5.0, "O walks by", "O"), Narration(6.0, "C sits", "C"), Narration(15.0, "turns", None)))
    result = run(take, recorded(0.0, 30.0))
    assert [interval.texts for interval in result.intervals] == [("C sits",), ("turns",)]
    assert [result.facts[f"narrations{what}"] for what in ("", "_other_subject", "_used")] == [3, 1, 2]
    assert len(run(take, recorded(0.0, 30.0), subjects=("C", "O", None)).intervals) == 3
    with pytest.raises(Rejected, match="no_text"):
        run(take, recorded(0.0, 30.0), subjects=("O'Neill",))


def test_tiles_and_labelled_activities() -> None:
    tiled = run(replace(TAKE, duration_s=None), recorded(-0.0005, 21.0), "tile", "probe")
    assert starts(tiled) == [0.0, 5.0, 10.0, 15.0]
    assert_values(tiled)
    activities = (Activity(0.0, 7.0, "walk"), Activity(7.0, 8.0, "turn"), Activity(8.0, 20.0, "sit"))
    labelled = run(replace(TAKE, activities=activities), recorded(0.0, 30.0), "labelled", "probe")
    assert [(interval.start_s, interval.label) for interval in labelled.intervals] == [(1.0, "walk"), (9.0, "sit"), (14.0, "sit")]
    assert [reject.reason for reject in labelled.rejects] == ["mixed_label"]


@pytest.mark.parametrize("policy", ["narration", "tile"])
def test_a_take_shorter_than_a_segment_is_refused(policy: str) -> None:
    with pytest.raises(Rejected, match=r"too_short: 4\.\d+ s for segments of 5 s"):
        run(replace(TAKE, duration_s=4.9), recorded(0.0, 6.0), policy)


@pytest.mark.parametrize(("policy", "change"), [("tile", {"label": None}), ("labelled", {"activities": ()})])
def test_a_probe_take_needs_a_label(policy: str, change: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="no_label"):
        run(replace(TAKE, **change), recorded(0.0, 30.0), policy, "probe")  # type: ignore[arg-type]


def test_a_missing_video_costs_the_video_only(tmp_path: Path) -> None:
    take = replace(TAKE, video_path="v.mp4")
    result = run(take, recorded(0.0, 30.0))
    assert len(result.intervals) == 4
    assert not any(result.has_video)
    assert [(reject.scope, reject.reason) for reject in result.rejects] == [("video", "unreadable_video")]
    (tmp_path / "v.mp4").write_bytes(b"not a video")
    dataset = MemoryDataset({"t": recorded(0.0, 30.0)})
    broken = segment_take(dataset, FileSet.scan(tmp_path), TakeJob(take, "pretrain", "narration"), settings_with())
    assert [(reject.scope, reject.reason) for reject in broken.rejects] == [("video", "unreadable_video")]


def test_takes_are_planned_by_purpose_and_split() -> None:
    def plan(config: dict[str, object], *takes: Take) -> list[tuple[str, str]]:
        return [(job.purpose, job.policy) for job in plan_takes("d", config, takes)]

    told, quiet = TAKE, replace(TAKE, narrations=())
    acted = replace(quiet, activities=(Activity(0.0, 5.0, "walk"),))
    assert plan({"purpose": ["pretrain"]}, told, quiet, acted) == [("pretrain", "narration"), ("pretrain", "tile"), ("pretrain", "tile")]
    assert plan({"purpose": "probe"}, told, acted) == [("probe", "tile"), ("probe", "labelled")]
    both = {"purpose": ["pretrain", "probe"]}
    official = [replace(told, official_split=split) for split in ("train", "val", "test")]
    assert plan(both, *official) == [("pretrain", "narration"), ("probe", "tile"), ("probe", "tile")]
    assert plan(both, told, replace(told, label=None)) == [("probe", "tile"), ("pretrain", "narration")]
    assert plan({"purpose": ["pretrain"], "policy": "tile"}, told) == [("pretrain", "tile")]
    assert plan(both | {"policy": {"probe": "narration"}}, *official[:2]) == [("pretrain", "narration"), ("probe", "narration")]


@pytest.mark.parametrize(
    ("config", "message"),
    [({}, "purpose is None"), ({"purpose": ["train"]}, "purpose is"), ({"purpose": "probe", "policy": "tiles"}, "policy is 'tiles'"),
     ({"purpose": "probe", "policy": {"prob": "tile"}}, "policy is")],
)  # fmt: skip
def test_wrong_plans_are_named(config: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_takes("d", config, [TAKE])


def test_two_takes_of_one_name_are_refused() -> None:
    jobs = [TakeJob(TAKE, "pretrain", "tile"), TakeJob(replace(TAKE, dataset="other"), "probe", "tile")]
    with pytest.raises(UserError, match="'t' occurs in the data sets ego and other"):
        require_unique_takes(jobs)
