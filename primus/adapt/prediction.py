"""A head applied to recordings or to a file of features: one row per window, with its label and how probable each class is."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primus.adapt.head import Head
from primus.adapt.labelled_features import feature_blocks, is_feature_file, require_model, vectors
from primus.adapt.probe_training import require_head_model
from primus.artifacts import atomic_path
from primus.errors import UserError
from primus.inference.feature_file import EncodeReport, encode_paths
from primus.inference.window_sequence import EncodeSettings, Tracker
from primus.models.encoder import ImuEncoder


@dataclass(frozen=True)
class Predicted:
    """What became of the windows.

    Attributes:
        windows: rows written.
        labels: label -> number of windows.
        encoded: what encoding said; None where features were given.
        said: what could not be checked.
    """

    windows: int
    labels: dict[str, int]
    encoded: EncodeReport | None = None
    said: tuple[str, ...] = ()


def prediction_schema(classes: Sequence[str], about: dict[str, object]) -> pa.Schema:
    """Columns source, start_s, end_s, label, probability (of that label), and `probability_<class>` of every class."""
    each = [(f"probability_{name}", pa.float32()) for name in classes]
    fields = [
        ("source", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.string()),
        ("probability", pa.float32()),
        *each,
    ]
    return pa.schema(fields, {"primus": json.dumps(about, sort_keys=True)})


def predict(
    paths: Sequence[Path],
    head: Head,
    encoder: ImuEncoder,
    name: str,
    out: Path,
    settings: EncodeSettings | None = None,
    threads: int = 1,
    track: Tracker | None = None,
) -> Predicted:
    """Classify every window below some paths, or every row of one file of features, into one Parquet file.

    Recordings are encoded as `primus encode` does it: streamed, and where interrupted continued by the same call. What is refused is listed in `out`
    with the ending .rejects.csv.

    Raises:
        UserError: the head, or the features, are of another model; nothing gave a window; `out` cannot be written.
    """
    require_head_model(head, encoder, name)
    with features_of(paths, encoder, name, out, settings, threads, track) as found:
        return Predicted(*_classify(found.path, head, out), found.encoded, found.said)


@dataclass(frozen=True)
class FoundFeatures:
    """A file of features: the one given, or a temporary one that was just encoded; and what could not be checked."""

    path: Path
    encoded: EncodeReport | None = None
    said: tuple[str, ...] = ()


@contextmanager
def features_of(
    paths: Sequence[Path],
    encoder: ImuEncoder,
    name: str,
    out: Path,
    settings: EncodeSettings | None = None,
    threads: int = 1,
    track: Tracker | None = None,
) -> Iterator[FoundFeatures]:
    """Features of some recordings, encoded beside `out` and removed in the end, or of one file of features.

    Raises:
        UserError: see `predict`.
    """
    if out.is_dir():
        raise UserError(f"{out} is a folder; give the Parquet file to write")
    if any(is_feature_file(path) for path in paths):
        if len(paths) > 1:
            raise UserError(f"{len(paths)} paths, of which one is a file of features; give that file alone, or recordings")
        if out.resolve() == paths[0].resolve():
            raise UserError(f"{out} is the file that is read; give another one to write")
        yield FoundFeatures(paths[0], None, tuple(require_model(paths[0], encoder, name)))
        return
    features = out.with_name(f"{out.name}.features.parquet")
    rejects, listed = features.with_suffix(".rejects.csv"), out.with_suffix(".rejects.csv")
    try:
        report = encode_paths(paths, encoder, features, settings, threads, track)
    except UserError as error:  # which may name the list
        raise UserError(str(error).replace(str(rejects), str(listed))) from None
    finally:
        if rejects.exists():
            os.replace(rejects, listed)
    try:
        yield FoundFeatures(features, report)
    finally:
        features.unlink()


def _classify(features: Path, head: Head, out: Path) -> tuple[int, dict[str, int]]:
    model = head.about.get("model") or {}
    schema = prediction_schema(head.classes, {"format": "primus.predictions/1", "classes": list(head.classes), "model": model})
    counts: Counter[str] = Counter()
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as writer:
        for table in feature_blocks(features, ("source", "start_s", "end_s", "feature")):
            rows = predicted_rows(head, table, vectors(table, "feature", len(head.mean), features), schema)
            counts.update(rows.column("label").to_pylist())
            writer.write_table(rows)
    return sum(counts.values()), dict(sorted(counts.items()))


def predicted_rows(head: Head, table: pa.Table, feature: NDArray[np.float32], schema: pa.Schema) -> pa.Table:
    """Rows of the predictions' file for rows (source, start_s, end_s) with features (n, D)."""
    probability = head.probabilities(feature)
    best = probability.argmax(axis=1)
    labels = pa.array(np.array(head.classes, dtype=object)[best], pa.string())
    columns = [*(table.column(name) for name in ("source", "start_s", "end_s")), labels, pa.array(probability.max(axis=1).astype(np.float32))]
    return pa.Table.from_arrays(
        [*columns, *(pa.array(probability[:, place].astype(np.float32)) for place in range(len(head.classes)))], schema=schema
    )
