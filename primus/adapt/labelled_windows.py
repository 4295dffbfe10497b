"""Windows of one labelled recording under a model's input contract."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from primus.adapt.label_source import LabelledRecording
from primus.inference.policy import Policy
from primus.inference.recording_windows import REFLECTED, PreparedRecording
from primus.io.takes import Activity
from primus.models.encoder import InputContract
from primus.segments.grid import labelled_intervals, tile_intervals

GRID_S = 0.1
"""Windows around activities start on this grid, counted from the recording's first sample."""


def labelled_windows(
    one: LabelledRecording, contract: InputContract, policy: Policy, share: float, left_out: Counter[str]
) -> tuple[NDArray[np.float32], NDArray[np.float64], list[str]]:
    """Windows (N, 6, T), their start and end (2, N), and their labels; every other wanted window is counted in `left_out`, by its reason.

    Raises:
        Rejected: the recording as a whole cannot be used.
    """
    if one.label is not None:
        prepared = PreparedRecording(one.recording, contract, policy)
        left_out.update(reject.reason for reject in prepared.rejects)
        return prepared.windows().imu, prepared.times_s(), [one.label] * len(prepared)
    prepared = PreparedRecording(one.recording, contract, replace(policy, hop_s=GRID_S))
    first_ns = int(one.recording.timestamps_ns[0])
    length = contract.window_s
    end_s = one.recording.duration_s + (1 / one.recording.rate_hz if one.recording.rate_hz else 0.0)
    if prepared.notes[REFLECTED]:
        length = end_s  # of the one window there is, what is the recording's own
    wanted = _wanted(one.activities, length, length if policy.hop_s is None else policy.hop_s, end_s, share, left_out)
    places: list[int] = []
    labels: list[str] = []
    for start_s, label in wanted:
        start_ns = first_ns + round(start_s * 1e9)
        place = int(np.abs(prepared.starts_ns - start_ns).argmin()) if len(prepared) else -1
        if place < 0 or abs(int(prepared.starts_ns[place]) - start_ns) > GRID_S * 1e9:
            left_out[_reason_at(start_ns, prepared)] += 1
        elif place not in places[-1:]:
            places.append(place)
            labels.append(label)
    if not places:
        return np.empty((0, 6, contract.samples), np.float32), np.empty((2, 0)), []
    imu = np.concatenate([prepared.windows(place, place + 1).imu for place in places])
    return imu, np.concatenate([prepared.times_s(place, place + 1) for place in places], axis=1), labels


def _reason_at(start_ns: int, prepared: PreparedRecording) -> str:
    """Why there is no window at a place of the grid."""
    distances = {abs(round((reject.start_s or 0.0) * 1e9) - start_ns): reject.reason for reject in reversed(prepared.rejects)}
    nearest = min(distances, default=None)
    return "imu_short" if nearest is None or nearest > GRID_S * 1e9 else distances[nearest]  # beyond the last window that samples could fill


def _wanted(activities: Sequence[Activity], length: float, hop: float, end_s: float, share: float, left_out: Counter[str]) -> list[tuple[float, str]]:
    """Starts of windows, in seconds from the first sample, with their labels."""
    long = [one for one in activities if one.end_s - one.start_s >= length - GRID_S]
    found: list[tuple[float, str]] = []
    for one in long:
        tiles = tile_intervals(length, hop, one.start_s, max(min(one.end_s, end_s), one.start_s + length))
        found += [(tile.start_s, one.label) for tile in tiles.intervals]
    tiled = {(one.start_s, one.label) for one in long}
    for one in activities:
        if (one.start_s, one.label) in tiled:
            continue
        grid = labelled_intervals([one], length, 0.0, end_s, 0.0, share)
        found += [(interval.start_s, one.label) for interval in grid.intervals]
        left_out.update(refused.reason for refused in grid.refused)
    return sorted(found)
