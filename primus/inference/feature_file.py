"""Recordings to one Parquet file of features: streamed, resumable, and the same bytes whether it was interrupted or not.

All windows of all sources form one sequence, which is encoded in batches of a fixed size; so every batch, and with it every bit, is the same
however often the work was killed. Finished groups of batches wait in `.<name>.partial` beside the output, with the place in the sequence where the
work goes on; sources before that place are not read again.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from primus import __version__
from primus.errors import UserError
from primus.inference.contract import Model, open_encoder
from primus.inference.encoding import Encoded, encode_stream, projection_name
from primus.inference.partial_file import PartialFile, write_rejects
from primus.inference.sources import find_sources
from primus.inference.window_sequence import EncodeSettings, Tracker, WindowBatch, WindowSequence
from primus.models.digest import weights_digest
from primus.models.encoder import ImuEncoder
from primus.schema import Reject

GROUP_BATCHES = 8  # batches of a row group, after which progress is kept


@dataclass(frozen=True)
class EncodeReport:
    """What became of the sources.

    Attributes:
        sources: how many there were.
        windows: rows written.
        resumed_windows: of them, those an earlier run had finished.
        rejects: sources (scope "take") and windows (scope "segment") refused, with their reasons.
        notes: repair or policy -> number of sources it was applied to.
        seconds: this run took.
    """

    sources: int
    windows: int
    resumed_windows: int
    rejects: tuple[Reject, ...]
    notes: Mapping[str, int]
    seconds: float

    @property
    def refused_sources(self) -> tuple[Reject, ...]:
        """The sources that gave nothing because of what they are."""
        return tuple(reject for reject in self.rejects if reject.scope == "take")


def feature_schema(encoder: ImuEncoder, about: Mapping[str, Any]) -> pa.Schema:
    """Columns source, start_s, end_s (seconds on the source's own clock), feature and projection; `about` goes into the file's metadata."""
    vectors = [("feature", encoder.feature_dim), ("projection", encoder.projection_dim)]
    fields = [("source", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())]
    return pa.schema([*fields, *((name, pa.list_(pa.float32(), width)) for name, width in vectors)], {"primus": json.dumps(about, sort_keys=True)})


def encode_paths(
    paths: Sequence[str | Path],
    model: Model,
    out: str | Path,
    settings: EncodeSettings | None = None,
    threads: int = 1,
    track: Tracker | None = None,
) -> EncodeReport:
    """Encode every recording below some paths into one Parquet file.

    The file's metadata `primus` state the model, its contract, which head the projection is from, and the policies. `<out>.rejects.csv` lists what
    was refused, and is absent when nothing was. An interrupted run continues where it was when called again with the same arguments.

    Args:
        paths: see `find_sources`.
        model: see `open_encoder`.
        out: Parquet file to write, whole or not at all.
        settings: see `EncodeSettings`; by default short recordings are mirrored and a missing gyroscope is refused.
        threads: batches encoded, and sources read, at the same time; the result does not depend on it.
        track: wraps the iterator of sources, told how many there are, to show progress.

    Raises:
        UserError: a path or the model does not exist, no source gave a window, or one could not be read for another fault than its own.
    """
    began = time.monotonic()
    if Path(out).is_dir():
        raise UserError(f"{out} is a folder; give the Parquet file to write")
    settings, out, encoder = settings or EncodeSettings(), Path(out), open_encoder(model)
    rejects_path = out.with_suffix(".rejects.csv")
    sources, damaged = find_sources(paths, (out, rejects_path))
    about = {
        "format": "primus.features/1",
        "model": {"weights_sha256": weights_digest(encoder), "options": encoder.options(), "training": _plain(encoder.metadata)},
        "projection": projection_name(encoder),
        "policy": settings.policy.stated(),
        "settings": {"stream": settings.stream, "units": dict(settings.units), "batch": settings.batch},
    }
    identity = {"about": about, "sources": [asdict(source) for source in sources], "version": __version__}
    with PartialFile(out, feature_schema(encoder, about), identity) as partial:
        resumed = partial.progress.rows
        reading = WindowSequence(sources, encoder, settings, threads, partial.progress, track)
        group: list[Encoded[WindowBatch]] = []
        for encoded in encode_stream(encoder, ((batch, batch.imu) for batch in reading.batches()), threads):
            group.append(encoded)
            if len(group) == GROUP_BATCHES:
                partial.append(_table(group, partial.schema), reading.progress_at(encoded.tag))
                group = []
        if group:
            partial.append(_table(group, partial.schema), reading.progress_at(group[-1].tag))
        rejects = (*damaged, *reading.rejects())
        if not partial.progress.rows:
            write_rejects(rejects, rejects_path)
            first = f"; the first: {rejects[0].take_uid}: {rejects[0].reason}: {rejects[0].detail}; all: {rejects_path}" if rejects else ""
            raise UserError(f"none of {len(sources)} sources gave a window{first}")
        rows = partial.progress.rows
        partial.finish(rejects, rejects_path)
    return EncodeReport(len(sources), rows, resumed, rejects, reading.notes(), time.monotonic() - began)


def _table(group: Sequence[Encoded[WindowBatch]], schema: pa.Schema) -> pa.Table:
    """Rows of some batches."""
    names: list[str] = []
    times: list[NDArray[np.float64]] = []
    for encoded in group:
        for name, prepared, begin, end in encoded.tag.pieces:
            names += [name] * (end - begin)
            times.append(prepared.times_s(begin, end))
    start_s, end_s = np.concatenate(times, axis=1)
    feature = np.concatenate([encoded.feature for encoded in group])
    vectors = [pa.FixedSizeListArray.from_arrays(pa.array(feature.ravel()), type=schema.field("feature").type)]
    if group[0].projection is None:
        vectors.append(pa.nulls(len(feature), schema.field("projection").type))
    else:
        projection = np.concatenate([encoded.projection for encoded in group if encoded.projection is not None])
        vectors.append(pa.FixedSizeListArray.from_arrays(pa.array(projection.ravel()), type=schema.field("projection").type))
    return pa.Table.from_arrays([pa.array(names, pa.string()), pa.array(start_s), pa.array(end_s), *vectors], schema=schema)


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The single facts among what is known of the training."""
    return {key: value for key, value in metadata.items() if isinstance(value, str | int | float | bool)}
