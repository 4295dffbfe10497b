"""Ego-Exo4D's map from the rows of a capture (30 a second) to the clock of the Aria glasses."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from primus.errors import Rejected

ROWS_PER_S = 30
_TOLERANCE_S = 1.0
_COLUMN = "{camera}_{stream}_capture_timestamp_ns"
_STREAMS = ("214-1", "1201-1", "1201-2", "211-1")  # RGB first: the frame-aligned video is of that stream


def take_start_ns(path: Path, camera: str | None, start_row: int, end_row: int) -> int:
    """Device time of a take's start, in ns: row `start_row` of its capture's `timesync.csv`.

    A row whose frame the glasses dropped is empty. Rows follow each other by 1/30 s, so an empty start is counted back from the first row
    of the take that has a stamp, rather than taking the stamp of an earlier frame.

    Args:
        path: the capture's `timesync.csv`.
        camera: id of the glasses ("aria01", "aria06", ...); None when unknown, then the file must hold those of one pair only.
        start_row, end_row: the take's rows, half-open.

    Raises:
        Rejected: `timesync_invalid` when no row of the take has a usable stamp, or stamps and rows disagree by more than a second.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        header = pd.read_csv(path, nrows=0).columns
        column = _column(list(header), camera, where)
        if not 0 <= start_row < end_row:
            raise Rejected("timesync_invalid", f"{where}: rows {start_row} to {end_row}; expected a range")
        earlier = lambda line: 0 < line <= start_row  # noqa: E731 - a range would be unrolled in memory, however long
        table = pd.read_csv(path, usecols=[column], skiprows=earlier, nrows=end_row - start_row, dtype=str, skip_blank_lines=False)
    except (OSError, ValueError, OverflowError, pd.errors.ParserError) as error:
        raise Rejected("timesync_invalid", f"{where}: cannot be read ({type(error).__name__}: {error})") from error
    stamps = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)  # exact: a device clock stays below 2^53 ns = 104 days
    rows = np.flatnonzero(np.isfinite(stamps))
    if not len(rows):
        raise Rejected("timesync_invalid", f"{where}: {column} has no stamp in rows {start_row} to {end_row} ({len(stamps)} read)")
    times = stamps[rows]
    steps, span = np.diff(times), (times[-1] - times[0]) * 1e-9
    if (steps < 0).any() or np.abs(times).max() >= 2**53 or abs(span - (rows[-1] - rows[0]) / ROWS_PER_S) > _TOLERANCE_S:
        raise Rejected(
            "timesync_invalid",
            f"{where}: {column} spans {span:.3f} s in {rows[-1] - rows[0]} rows; expected increasing stamps, {ROWS_PER_S} rows a second",
        )
    return int(times[0]) - int(rows[0]) * 1_000_000_000 // ROWS_PER_S


def _column(header: list[str], camera: str | None, where: str) -> str:
    for stream in _STREAMS:
        if camera is not None:
            matches = [name for name in header if name == _COLUMN.format(camera=camera, stream=stream)]
        else:
            matches = [name for name in header if re.fullmatch(_COLUMN.format(camera=r"aria\d+", stream=stream), name)]
        if len(matches) == 1:
            return matches[0]
    wanted = _COLUMN.format(camera=camera or "aria<NN>", stream=_STREAMS[0])
    raise Rejected("timesync_invalid", f"{where}: no column {wanted}; found {', '.join(header[:6])}, ...")
