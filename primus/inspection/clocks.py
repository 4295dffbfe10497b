"""The clock check of one take: read its gyroscope and its video, estimate the lag, and say what to make of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from primus.errors import UserError
from primus.inspection.optical import Frame, optical_motion
from primus.inspection.sync import Sync, estimate_lag
from primus.inspection.takes import InspectedTake
from primus.stage import progress

LONGEST_S = 180.0
"""How much of a video is looked at: enough for any take that moves, and a minute's work for a large picture."""


def check_clocks(take: InspectedTake, video: Path | None = None) -> dict[str, Any]:
    """What `primus inspect --sync` says, in order.

    Args:
        take: with a gyroscope.
        video: its video where the take knows none, or another one.

    Raises:
        UserError: there is no gyroscope or no video, or the two have too little time in common.
        Rejected: the video cannot be read.
    """
    if take.recording is None:
        raise UserError(f"{take.name} has no IMU to compare with a video: {take.trouble}")
    if take.recording.gyro is None:
        raise UserError(f"{take.name} has no gyroscope; only turning shows alike in IMU and video")
    path = video or take.video
    if path is None:
        raise UserError(f"{take.name} has no video; name one with --video FILE")
    if not path.is_file():
        raise UserError(f"{path} is not a file; expected the video of {take.name}")
    motion = optical_motion(path, LONGEST_S, _watch)
    sync = estimate_lag(take.times_s, take.recording.gyro, motion)
    return {
        "name": take.name,
        "video": path.name,
        "clock": take.clock,
        "lag_ms": round(1000 * sync.lag_s, 1),
        "sure": sync.sure,
        "moves": sync.moves,
        "z": round(sync.z, 1),
        "peak_to_second": round(sync.ratio, 2),
        "correlation": round(sync.correlation, 3),
        "gyroscope_rms_deg_s": round(float(np.degrees(sync.turn_rms)), 2),
        "picture_rms_per_s": round(sync.picture_rms, 4),
        "compared_s": round(sync.used_s, 1),
        "verdict": verdict(sync),
    }


def verdict(sync: Sync) -> str:
    """The result in one sentence."""
    if not sync.moves:
        return "the take moves too little to tell; choose one in which the camera turns"
    if not sync.sure:
        why = (
            "the best lag is the largest looked at"
            if sync.at_edge
            else "no lag stands out: the video may be stabilised, of little texture, or of another take"
        )
        return f"not sure; {why}"
    side = "later" if sync.lag_s > 0 else "earlier"
    size = abs(1000 * sync.lag_s)
    mend = "subtract lag_ms from the IMU's times to mend it"
    return f"the IMU shows events {size:.0f} ms {side} than the video" + (f"; {mend}" if size > 40 else ": within 40 ms, nothing to mend")


def _watch(frames: Iterator[Frame], count: int) -> Iterator[Frame]:
    return progress(frames, "inspect", total=count, unit="frames")
