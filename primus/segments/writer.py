"""Collect the takes' segments into the stage's tables and its HDF5 file, in the order they come; memory does not grow with the signal."""

from collections import Counter
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from primus.artifacts import write_table
from primus.errors import Rejected
from primus.keyed_arrays import Attribute, KeyedWriter
from primus.schema import CHANNELS, REJECTS, SEGMENTS, TAKES, UNITS, Reject, segment_id
from primus.segments.segmenter import SegmentSettings, TakeJob, TakeSegments
from primus.segments.splits import SplitTake


class SegmentWriter:
    """Writes imu.h5 as takes come, and takes, segments and rejects tables in `write_tables`.

    Attributes:
        split_takes: what `make_splits` needs of every take with a segment.
        segments, takes, rejects: rows so far.
    """

    def __init__(self, folder: Path, settings: SegmentSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.split_takes: list[SplitTake] = []
        self.takes: list[dict[str, Any]] = []
        self.rejects: list[Reject] = []
        self._tables: list[pa.Table] = []
        attributes: dict[str, Attribute] = {
            "rate_hz": settings.rate_hz,
            "window_s": settings.window_s,
            "units": UNITS,
            "channels": ",".join(CHANNELS),
            "resampling": settings.resampling,
        }
        self._imu = KeyedWriter(folder / "imu.h5", {"imu": ((len(CHANNELS), settings.samples), "<f4")}, attributes)

    def __enter__(self) -> "SegmentWriter":
        self._imu.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._imu.__exit__(kind, error, trace)

    def add(self, job: TakeJob, result: TakeSegments) -> None:
        """Append a take and its segments."""
        take, facts, window = job.take, result.facts, self.settings.window_s
        keys = [segment_id(take.take_uid, interval.start_s) for interval in result.intervals]
        self._imu.append(keys, {"imu": result.imu})
        rows = [
            {
                "segment_id": key,
                "dataset": take.dataset,
                "take_uid": take.take_uid,
                "participant": take.participant,
                "site": take.site,
                "device": take.device,
                "purpose": job.purpose,
                "policy": job.policy,
                "start_s": interval.start_s,
                "end_s": round(interval.start_s + window, 9),
                "label": interval.label,
                "texts": list(interval.texts),
                "video_path": take.video_path if shown else None,
            }
            for key, interval, shown in zip(keys, result.intervals, result.has_video, strict=True)
        ]
        self._tables.append(pa.Table.from_pylist(rows, schema=SEGMENTS))
        self.rejects += result.rejects
        named = ("dataset", "take_uid", "participant", "site", "device", "official_split", "label", "imu_path", "video_path")
        self.takes.append(
            {name: getattr(take, name) for name in named}
            | {"purpose": job.purpose}
            | {name: facts[name] for name in ("duration_s", "clock", "n_imu_samples", "rate_hz")}
        )
        if rows:
            labels = Counter(interval.label for interval in result.intervals)
            digests = frozenset(_digest(segment) for segment in result.imu)
            self.split_takes.append(SplitTake(take.dataset, take.take_uid, take.participant, job.purpose, labels, take.site, digests))

    def refuse(self, job: TakeJob, refused: Rejected) -> None:
        """Record a take that was refused as a whole."""
        self.rejects.append(Reject(job.take.dataset, job.take.take_uid, refused.reason, refused.detail))

    def segments(self) -> pa.Table:
        """All segments so far, one row each."""
        return pa.concat_tables(self._tables) if self._tables else SEGMENTS.empty_table()

    def write_tables(self) -> None:
        """Write takes.parquet, segments.parquet and rejects.parquet."""
        write_table(self.folder / "takes.parquet", pa.Table.from_pylist(self.takes, schema=TAKES))
        write_table(self.folder / "segments.parquet", self.segments())
        ordered = sorted(self.rejects, key=lambda row: (row.dataset, row.take_uid, row.scope, row.start_s or 0.0, row.reason, row.detail))
        rows = [{name: getattr(reject, name) for name in REJECTS.names} for reject in ordered]
        write_table(self.folder / "rejects.parquet", pa.Table.from_pylist(rows, schema=REJECTS))


def _digest(segment: NDArray[np.float32]) -> int:
    """A number that two segments share only when they hold the same samples."""
    return int.from_bytes(blake2b(segment.tobytes(), digest_size=8).digest(), "little")
