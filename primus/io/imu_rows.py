"""Rows of a table - a stamp, an accelerometer, perhaps a gyroscope - to a recording, and which rows it kept."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.io.recording import ImuRecording, build_recording, stamps_to_ns
from primus.io.units import MAX_ACCEL, MAX_GYRO, measurable, require_plausible_rotation


def recording_from_rows(
    stamps: NDArray[Any], time_unit: str, values: NDArray[np.float64], axes: Sequence[str], source: str, notes: dict[str, int] | None = None
) -> tuple[ImuRecording, NDArray[np.bool_]]:
    """Build a recording, dropping incomplete rows.

    Args:
        stamps: (N,) numbers in `time_unit`, NaN where a row has none.
        values: (N, 3) or (N, 6) m/s^2 and rad/s, NaN where a row lacks a value; what no sensor measures counts as lacking.
        axes: names of the columns of `values`, for messages.
        source: for messages.
        notes: what the caller has to state of the recording.

    Returns:
        The recording, and (N,) the rows it kept. `notes` count `rows_without_imu` (no sensor value at all, as in files that interleave other
        sensors) and `missing_values` (other incomplete rows).

    Raises:
        Rejected: `no_imu`, `missing_axis`, `non_monotonic`; `unreadable_imu` for stamps no clock gives or rotation no sensor measures.
    """
    finite = measurable(values[:, :3], MAX_ACCEL, source)
    if values.shape[1] == 6:
        finite = np.concatenate((finite, measurable(values[:, 3:], MAX_GYRO, source)), axis=1)
    require_values(finite, axes, source)
    other = ~finite.any(axis=1)
    keep = finite.all(axis=1) & np.isfinite(stamps)
    counts = {"rows_without_imu": int(other.sum()), "missing_values": int((~keep & ~other).sum()), **(notes or {})}
    gyro = values[keep, 3:] if values.shape[1] == 6 else None
    if gyro is not None:
        require_plausible_rotation(gyro, source)
    return build_recording(stamps_to_ns(stamps[keep], time_unit, source), values[keep, :3], gyro, source, counts), keep


def require_values(present: NDArray[np.bool_], axes: Sequence[str], source: str) -> None:
    """Refuse a table without rows, or an axis without a single value.

    Args:
        present: (N, 3) or (N, 6), which values there are.
        axes: names of its columns, for messages.
        source: for messages.

    Raises:
        Rejected: `no_imu` or `missing_axis`.
    """
    if not len(present):
        raise Rejected("no_imu", f"{source}: no row below its header")
    empty = [axis for k, axis in enumerate(axes) if not present[:, k].any()]
    if empty:
        raise Rejected("missing_axis", f"{source}: {', '.join(empty)} has no value in {len(present)} rows")
