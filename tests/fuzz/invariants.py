"""What must hold of whatever a reader gives out of a damaged file: nothing that its checks could have known to be wrong."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from primus.io.recording import ImuRecording
from primus.io.takes import Take, TakeImu
from primus.io.units import MAX_ACCEL, MAX_GYRO
from primus.schema import Reject
from primus.segments.segmenter import SegmentSettings, TakeSegments

LONGEST_STEP_S = 0.31
"""A segment whose raw samples lie further apart than this lies over a gap."""


def check_recording(recording: ImuRecording) -> None:
    """Strictly increasing stamps of this age, finite values a sensor can measure, one shape, counts that are counts."""
    stamps, n = recording.timestamps_ns, len(recording.timestamps_ns)
    assert n > 0, "a recording without samples"
    assert stamps.dtype == np.int64
    assert (np.diff(stamps) > 0).all(), "stamps that do not increase"
    assert abs(stamps).max() <= 2**62, "stamps no clock gives"
    for values, limit in ((recording.accel, MAX_ACCEL), (recording.gyro, MAX_GYRO)):
        if values is not None:
            assert values.shape == (n, 3)
            assert np.isfinite(values).all(), "values that are not finite"
            assert np.abs(values).max() <= limit, f"values beyond any sensor ({np.abs(values).max():.3g})"
    assert math.isfinite(recording.rate_hz)
    assert recording.rate_hz > 0 or n == 1
    assert all(type(count) is int and count >= 0 for count in recording.notes.values()), f"notes {dict(recording.notes)}"


def check_take(take: Take) -> None:
    """Texts that are texts, times that are numbers, in order."""
    assert isinstance(take.take_uid, str)
    assert take.take_uid
    assert take.duration_s is None or (math.isfinite(take.duration_s) and take.duration_s >= 0), f"duration {take.duration_s}"
    assert all(isinstance(one.text, str) and one.text.strip() and math.isfinite(one.time_s) for one in take.narrations)
    times = [one.time_s for one in take.narrations]
    assert times == sorted(times)
    assert all(math.isfinite(one.start_s) and one.start_s <= one.end_s and one.label for one in take.activities)
    for text in (take.take_uid, take.participant, take.label, take.site):
        assert text is None or isinstance(text, str)


def check_rejects(rejects: list[Reject]) -> None:
    """Rejects that Parquet and a terminal can hold."""
    for reject in rejects:
        assert isinstance(reject.take_uid, str)
        assert isinstance(reject.detail, str)
        assert len(reject.detail) < 20_000, f"a detail of {len(reject.detail)} characters"


def check_segments(found: TakeSegments, imu: TakeImu, settings: SegmentSettings) -> None:
    """Segments of the stated shape, finite, made of the recording's own samples without a gap, within its range."""
    count = len(found.intervals)
    assert found.imu.shape == (count, 6, settings.samples)
    assert found.imu.dtype == np.float32
    assert np.isfinite(found.imu).all(), "a segment that is not finite"
    assert len(found.has_video) == count
    recording = imu.recording
    stamps = recording.timestamps_ns
    assert recording.gyro is not None
    for interval, window in zip(found.intervals, found.imu, strict=True):
        start = imu.origin_ns + round(interval.start_s * 1000) * 1_000_000
        end = start + round(settings.window_s * 1e9)
        first, last = np.searchsorted(stamps, [start - 400_000_000, end + 400_000_000])
        inside = stamps[first:last]
        near = np.concatenate(([start], inside[(inside >= start) & (inside < end)], [end]))
        assert np.diff(near).max() * 1e-9 <= LONGEST_STEP_S, f"a segment over a gap of {np.diff(near).max() * 1e-9:.2f} s"
        around = slice(max(0, first - 100), last + 100)
        for rows, values in ((window[:3], recording.accel[around]), (window[3:], recording.gyro[around])):
            assert np.abs(rows).max() <= 10 * max(1.0, float(np.abs(values).max())), "a segment far beyond the samples it was made of"
    for narration in (text for interval in found.intervals for text in interval.texts):
        assert narration.strip()


def check_only_cells(recording: ImuRecording, content: bytes, factors: tuple[float, float] = (1.0, 1.0)) -> None:
    """Every sample's six values stand in one row of the CSV, as an independent parser reads it."""
    rows = []
    for row in csv.reader(io.StringIO(content.decode("utf-8-sig", "replace").replace("\0", ""), newline=""), delimiter=","):
        rows.append({_key(cell) for cell in row})
    by_value: dict[str, list[set[str | None]]] = {}
    for row in rows:
        for value in row:
            if value is not None:
                by_value.setdefault(value, []).append(row)
    values = recording.accel / factors[0]
    if recording.gyro is not None:
        values = np.concatenate([values, recording.gyro / factors[1]], axis=1)
    for sample in values.tolist():
        wanted = {_key(repr(value)) for value in sample}
        assert any(wanted <= row for row in by_value.get(_key(repr(sample[0])) or "", [])), f"a sample {sample} that no row holds"


def _key(cell: str) -> str | None:
    try:
        return f"{float(cell) + 0.0:.9g}"
    except ValueError:
        return None


def check_only_bytes(recording: ImuRecording, path: Path) -> None:
    """Every sample's accelerometer and gyroscope stand in the file, byte for byte."""
    data = path.read_bytes()
    assert recording.gyro is not None
    for values in (recording.accel, recording.gyro):
        for row in values[:: max(1, len(values) // 50)]:
            assert np.ascontiguousarray(row).tobytes() in data, f"a sample {row.tolist()} that the file does not hold"
