"""One take to its segments: choose the intervals, read and check the IMU, cut, check the video.

A function of the take's files and the settings alone, so that its results can be kept (`primus.segments.kept`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.io.files import FileSet
from primus.io.takes import Dataset, Narration, Take, TakeImu
from primus.io.video import probe
from primus.schema import CHANNELS, Reject, segment_id
from primus.segments.grid import Grid, Interval, labelled_intervals, narration_intervals, tile_intervals
from primus.segments.imu import Resampler, Resampling
from primus.segments.quality import SegmentChecks, Thresholds, check_recording
from primus.system_faults import system_fault

Policy = Literal["narration", "tile", "labelled"]
POLICIES: tuple[Policy, ...] = ("narration", "tile", "labelled")

FRAMES_SLACK = 2
"""A video may have this many frames more or less than its metadata give it: readers of the published takes differ by up to two."""

LONGEST_TAKE_S = 31 * 86_400
"""No take lasts longer: a duration or a stamp that says so is damage, and would ask for intervals without end."""

VIDEO_SLACK_S = 0.2
"""A video may end this much before a segment does: published takes and their videos differ by a few frames."""


@dataclass(frozen=True)
class SegmentSettings:
    """How takes are cut.

    Attributes:
        rate_hz, window_s: rate and length of a segment's IMU.
        stride_s: distance between tiles.
        merge_s: intervals that start within this of one another are one.
        label_share: a labelled interval is kept when its label covers more than this share of it.
        subjects: narrations used, by their subject: "C" the wearer, "O" others, None unknown.
        slack_s: an interval at an end of the take is moved by at most this much where the IMU begins later or ends earlier than the take.
        thresholds: of the quality checks.
        resampling: "recording", or "window": each window by itself, as the released code does (`primus.segments.alone`).
    """

    rate_hz: float
    window_s: float
    stride_s: float
    merge_s: float
    label_share: float
    subjects: tuple[str | None, ...]
    slack_s: float
    thresholds: Thresholds
    resampling: Resampling = "recording"

    @property
    def samples(self) -> int:
        """Samples of a segment."""
        return round(self.window_s * self.rate_hz)


@dataclass(frozen=True)
class TakeJob:
    """A take with what is to be done with it."""

    take: Take
    purpose: str
    policy: Policy


@dataclass(frozen=True)
class TakeSegments:
    """What one take gave.

    Attributes:
        intervals: of the segments, ordered by start.
        has_video: per segment, whether the take's video shows it.
        imu: (N, 6, T) float32, row i belongs to intervals[i].
        rejects: intervals and videos refused.
        facts: `clock`, `n_imu_samples`, `rate_hz`, `duration_s` of the take; counts of its narrations, of those that are about somebody else
            (`narrations_other_subject`) and of those in segments (`narrations_used`); of intervals merged into others (`merged`); and, under
            `repairs`, of what the reader mended.
    """

    intervals: tuple[Interval, ...]
    has_video: tuple[bool, ...]
    imu: NDArray[np.float32]
    rejects: tuple[Reject, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def segment_take(dataset: Dataset, files: FileSet, job: TakeJob, settings: SegmentSettings) -> TakeSegments:
    """Cut one take.

    Raises:
        Rejected: the take as a whole is refused: its IMU cannot be read or trusted, or it is too short, or it lacks the text or the label that
            its policy needs.
    """
    take, rejects = job.take, []
    narrations = [narration for narration in take.narrations if narration.subject in settings.subjects]
    if job.policy == "narration" and not narrations:
        raise Rejected("no_text", f"none of its {len(take.narrations)} narrations has a subject in {list(settings.subjects)}")
    if job.policy == "labelled" and not take.activities:
        raise Rejected("no_label", "it has no labelled activity")
    if job.policy != "labelled" and job.purpose == "probe" and take.label is None:
        raise Rejected("no_label", str(take.source.get("label_missing", "its class is unknown")))
    read = dataset.read_imu(take)
    check_recording(read.recording, settings.thresholds)
    resampler = Resampler(read.recording, settings.rate_hz, settings.thresholds.gap_s, settings.resampling)
    checks = SegmentChecks(read.recording, settings.thresholds)
    begin_s, end_s = _bounds(take, read, resampler, settings.slack_s)
    if end_s - begin_s > LONGEST_TAKE_S:
        raise Rejected("unreadable_metadata", f"it lasts {end_s - begin_s:.3g} s by its metadata or stamps; expected at most {LONGEST_TAKE_S} s")
    if end_s - begin_s < settings.window_s - 1e-9:
        raise Rejected("too_short", f"{end_s - begin_s:.3f} s for segments of {settings.window_s:g} s")
    grid = _grid(job, narrations, begin_s, end_s, settings)
    kept: list[Interval] = []
    imu = np.empty((len(grid.intervals), len(CHANNELS), settings.samples), np.float32)
    for interval in grid.intervals:
        start_ns = read.origin_ns + round(interval.start_s * 1000) * 1_000_000
        end_ns = start_ns + round(settings.window_s * 1e9)
        refused = resampler.refusal(start_ns, settings.window_s) or checks.refusal(start_ns, end_ns)
        if refused is None:
            imu[len(kept)] = resampler.window(start_ns, settings.samples)
            kept.append(interval)
        else:
            rejects.append(_reject(take, interval.start_s, round(interval.start_s + settings.window_s, 9), *refused))
    rejects += [_reject(take, item.start_s, item.end_s, item.reason, item.detail) for item in grid.refused]
    has_video, refused_video = _video(take, files, kept, settings.window_s)
    recording = read.recording
    facts = {
        "clock": read.clock,
        "n_imu_samples": len(recording.timestamps_ns),
        "rate_hz": recording.rate_hz,
        "duration_s": end_s if take.duration_s is None else take.duration_s,
        "narrations": len(take.narrations),
        "narrations_other_subject": len(take.narrations) - len(narrations),
        "narrations_used": sum(interval.members for interval in kept) if job.policy == "narration" else 0,
        "merged": grid.merged,
        "repairs": dict(recording.notes),
    }
    return TakeSegments(tuple(kept), has_video, imu[: len(kept)], (*rejects, *refused_video), facts)


def _bounds(take: Take, read: TakeImu, resampler: Resampler, slack_s: float) -> tuple[float, float]:
    """Seconds of the take that intervals may lie in: the take, drawn in by up to `slack_s` to what the IMU covers."""
    first = (int(read.recording.timestamps_ns[0]) - read.origin_ns) * 1e-9
    last = (int(read.recording.timestamps_ns[-1]) - read.origin_ns + resampler.after_ns) * 1e-9
    late = first > resampler.slack_ns * 1e-9 and (take.duration_s is None or first <= slack_s)
    begin = first if late else 0.0
    if take.duration_s is None:
        return begin, last
    return begin, last if 0 < take.duration_s - last <= slack_s else take.duration_s


def _grid(job: TakeJob, narrations: list[Narration], begin_s: float, end_s: float, settings: SegmentSettings) -> Grid:
    if job.policy == "narration":
        grid = narration_intervals(narrations, settings.window_s, begin_s, end_s, settings.merge_s)
        return replace(grid, intervals=tuple(replace(interval, label=job.take.label) for interval in grid.intervals))
    if job.policy == "labelled":
        return labelled_intervals(job.take.activities, settings.window_s, begin_s, end_s, settings.merge_s, settings.label_share)
    return tile_intervals(settings.window_s, settings.stride_s, begin_s, end_s, job.take.label)


def _reject(take: Take, start_s: float, end_s: float, reason: str, detail: str) -> Reject:
    return Reject(take.dataset, take.take_uid, reason, detail, "segment", segment_id(take.take_uid, start_s), start_s, end_s)


def _video(take: Take, files: FileSet, kept: list[Interval], window_s: float) -> tuple[tuple[bool, ...], list[Reject]]:
    """Which segments the take's video shows, and why not."""
    if take.video_path is None or not kept:
        return (False,) * len(kept), []
    try:
        if not files.has(take.video_path):
            raise Rejected("unreadable_video", f"{take.video_path}: there is no such file")
        video = probe(files.path(take.video_path))
        duration_s = video.duration_s
        if take.video_frames is not None and abs(video.n_frames - take.video_frames) > FRAMES_SLACK:
            raise Rejected(
                "unreadable_video",
                f"{take.video_path} has {video.n_frames} frames, but the take {take.video_frames} rows at one a frame; expected as many",
            )
    except Rejected as refused:
        if system_fault(refused):
            raise  # the video may be well
        return (False,) * len(kept), [Reject(take.dataset, take.take_uid, refused.reason, refused.detail, "video")]
    shown = tuple(item.start_s + window_s <= duration_s + VIDEO_SLACK_S for item in kept)
    late = [item for item, there in zip(kept, shown, strict=True) if not there]
    if not late:
        return shown, []
    detail = f"{take.video_path} ends at {duration_s:.3f} s, before {len(late)} of {len(kept)} segments do"
    return shown, [Reject(take.dataset, take.take_uid, "unreadable_video", detail, "video", None, late[0].start_s, late[-1].start_s + window_s)]
