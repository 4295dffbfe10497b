"""What each reason of `primus.schema.REASONS` means and what can be done about it, for reports, pages of takes and docs/errors.md.

The names are apart from these sentences: code that refuses checks a name, so a better sentence changes no work cache's key.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Explanation:
    """A reason in words: its meaning (plain text), and what to do (Markdown: names of parameters and commands are code)."""

    meaning: str
    remedy: str


EXPLANATIONS: Final[dict[str, Explanation]] = {
    "no_imu": Explanation(
        "there is no IMU file, no sample in it, or not the stream or the table's columns that were asked for",
        "fetch the file; for Aria, or choose the other sensor (`imu: imu-left` of the data set); for a table, state its `columns` and `units`",
    ),
    "unreadable_imu": Explanation(
        "the IMU file is damaged, cut short or of an unknown layout, or its stamps or values are beyond what any clock or sensor gives",
        "`primus inspect FILE` says where reading stopped; fetch it again, or state the right unit",
    ),
    "imu_short": Explanation(
        "the IMU does not cover the interval, or the take, from start to end",
        "nothing, if the device stopped early; `segment.slack_s` is what is tolerated at either end of a take (Ego-Exo4D: also 0.1 s in its reader)",
    ),
    "gap": Explanation(
        "samples are missing within the interval for longer than the limit",
        "nothing: a window across a hole would be invented; `segment.quality.gap_s` is the limit",
    ),
    "non_monotonic": Explanation(
        "time runs backwards or stands still in the IMU recording",
        "the clock was reset or files were joined: split the file there; or its stamps are too coarse",
    ),
    "non_finite": Explanation(
        "samples of the interval hold NaN or infinite values, or fewer than two samples of the recording hold none",
        "look at the sensor's driver; such an interval cannot be used",
    ),
    "saturated": Explanation(
        "too many samples of the interval sit at the recording's extreme value, the sensor's limit",
        "choose a larger range when recording; `segment.quality.saturated_share` is the limit",
    ),
    "flat_axis": Explanation(
        "an axis repeats one value for too long within the interval",
        "a dead axis or a frozen driver; `segment.quality.flat_s` is the limit",
    ),
    "missing_axis": Explanation(
        "an axis has no column or no value, or there is no gyroscope at all",
        "check the column names; without a gyroscope a recording cannot be cut into segments, and `primus encode --missing-gyro zeros` takes zeros",
    ),
    "duplicate_axis": Explanation(
        "two axes of one sensor are equal, or opposite, in nearly all samples",
        "the export is broken (known of some Ego4D files); `segment.quality.duplicate_share` is the limit",
    ),
    "implausible_gravity": Explanation(
        "the median length of the specific force, about 9.81 m/s² where gravity is included, is out of range",
        "wrong unit, or gravity was removed: state the unit; `segment.quality.gravity_min` and `gravity_max` are the range",
    ),
    "low_rate": Explanation(
        "the recording's median sampling rate is below the least usable one",
        "record faster; `segment.quality.min_rate_hz` is the limit",
    ),
    "outside_take": Explanation(
        "a narration lies outside the take by more than half a segment",
        "annotations of another version: fetch them and the metadata of one release",
    ),
    "mixed_label": Explanation(
        "the activity it was cut for does not cover enough of the interval",
        "choose a shorter window; `segment.label_share` is the share it must exceed",
    ),
    "no_text": Explanation(
        "a narration is empty, or none of the take's narrations is about somebody whose narrations are used",
        "nothing for an empty one; for a take, add to `segment.narration_subjects`, or state another `policy` of the data set",
    ),
    "no_label": Explanation(
        "a take for the probe, or some samples' label, names none of the known classes, or the take has no labelled activity to cut",
        "nothing, if it shows something else; else correct the labels",
    ),
    "too_short": Explanation(
        "the take or recording is shorter than one segment",
        "choose a shorter window; `primus encode --short reflect` mirrors it",
    ),
    "unreadable_video": Explanation(
        "the video is missing, damaged or without decodable frame, has another number of frames than its take, or ends before some segments",
        "fetch it again; the segments stay, those it does not show without video",
    ),
    "timesync_invalid": Explanation(
        "timesync.csv cannot be read, has no usable device time in the take's rows, or its rows are not as long as the take",
        "fetch `timesync` again",
    ),
    "not_in_takes": Explanation(
        "annotations refer to a take or recording that the data set does not list",
        "fetch metadata and annotations of the same release; correct the name in a file of your own narrations",
    ),
    "unreadable_metadata": Explanation(
        "metadata or annotations are damaged or incomplete: no id, a name used twice, a time that is no number, a length beyond 31 days",
        "the detail says which: fetch them again, or rename the file",
    ),
    "reader_crashed": Explanation(
        "reading failed unexpectedly, or the process that read died or exceeded its time limit",
        "`primus inspect` on the file alone; `segment.take_timeout_s` is the limit",
    ),
}
"""One entry for every reason, in the order of the closed list."""


def meaning(reason: str) -> str:
    """What a reason means; "" for one that this version does not know (a table written by another)."""
    return EXPLANATIONS[reason].meaning if reason in EXPLANATIONS else ""
