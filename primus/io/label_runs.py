"""Labels of single samples -> labelled intervals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from primus.io.takes import Activity

GAP_S = 0.5
"""Samples further apart than this do not belong to one interval."""


def label_runs(timestamps_ns: NDArray[np.int64], labels: Sequence[str] | NDArray[np.object_], period_s: float) -> tuple[Activity, ...]:
    """Runs of consecutive samples with one label, as intervals [start, end) in seconds from the first sample.

    A run ends where the next sample's label begins, or one period after its last sample where the recording stops or has a gap. Samples with an empty
    label belong to no interval.

    Args:
        timestamps_ns: (N,) strictly increasing.
        labels: (N,) text.
        period_s: usual time between samples.
    """
    if not len(timestamps_ns):
        return ()
    names = np.asarray(labels, dtype=object)
    seconds = (timestamps_ns - timestamps_ns[0]) * 1e-9
    gaps = np.diff(seconds) > max(GAP_S, 2 * period_s)
    breaks = np.flatnonzero((names[1:] != names[:-1]) | gaps) + 1
    first = np.concatenate(([0], breaks))
    last = np.append(breaks, len(names)) - 1
    ends = np.append(seconds[breaks], seconds[-1] + period_s)
    ends[:-1] = np.where(gaps[last[:-1]], seconds[last[:-1]] + period_s, ends[:-1])
    return tuple(
        Activity(round(float(seconds[i]), 9), round(float(end), 9), str(names[i]))
        for i, end in zip(first.tolist(), ends.tolist(), strict=True)
        if str(names[i])
    )
