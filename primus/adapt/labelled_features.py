"""A file of features from `primus encode`, with its labels: whose model they are from is checked, never assumed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primus.adapt.labelled import GroupKind, LabelledRows
from primus.errors import UserError
from primus.models.digest import weights_digest
from primus.models.encoder import ImuEncoder

NEEDED = ("source", "start_s", "end_s", "feature")
BLOCK = 8192  # rows read at a time


def is_feature_file(path: Path) -> bool:
    """Whether the file is a Parquet file with the columns that `primus encode` writes."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    try:
        return set(NEEDED) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError, ValueError):
        return False


def about_features(path: Path) -> Mapping[str, Any] | None:
    """What `primus encode` wrote about model and projection into the file; None where another program has rewritten it without."""
    try:
        found = (pq.read_schema(path).metadata or {}).get(b"primus")
        about = None if found is None else json.loads(found)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{path} is not a readable file of features ({' '.join(str(error).split())[:200]}); write it again with `primus encode`"
        ) from None
    return about if isinstance(about, Mapping) and isinstance(about.get("model"), Mapping) else None


def require_model(path: Path, encoder: ImuEncoder, name: str) -> list[str]:
    """Refuse features of another model than `encoder`, which the person calls `name`; says in words what could not be checked.

    Raises:
        UserError: the weights, or the width of the features, differ; both are named.
    """
    about = about_features(path)
    if about is not None:
        theirs, ours = str(about["model"].get("weights_sha256")), weights_digest(encoder)
        if theirs != ours:
            training = about["model"].get("training") or {}
            method = f" ({training['method']})" if isinstance(training, Mapping) and training.get("method") else ""
            raise UserError(
                f"{path} holds features of the model with weights {theirs[:12]}{method}, but {name} has weights {ours[:12]}; "
                "give that model, or encode the recordings again with this one"
            )
        return []
    width = pq.read_schema(path).field("feature").type
    found = width.list_size if pa.types.is_fixed_size_list(width) else None
    if found is not None and found != encoder.feature_dim:
        raise UserError(f"{path} holds features of {found} numbers, but those of {name} have {encoder.feature_dim}; encode again with this model")
    return [f"{path} does not say which model its features are from (another program has rewritten it), so this could not be checked"]


def feature_blocks(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of a file of features, in blocks of at most `BLOCK` rows, with the pages' checksums compared.

    Raises:
        UserError: the file is damaged, or a column is absent, of another kind, or has rows without a source or a time.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for name in columns:
                _require_kind(file.schema_arrow, name, path)
            for batch in file.iter_batches(BLOCK, columns=list(columns)):
                block = pa.Table.from_batches([batch])
                for name in ("start_s", "end_s"):
                    if name in columns and not np.isfinite(block.column(name).to_numpy()).all():
                        raise UserError(f"{path}: column {name} has rows without a time; write it again with `primus encode`")
                if "source" in columns and block.column("source").null_count:
                    raise UserError(f"{path}: column source has empty rows; write it again with `primus encode`")
                yield block
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise UserError(
            f"{path} is not a readable file of features ({' '.join(str(error).split())[:200]}); write it again with `primus encode`"
        ) from None


def _require_kind(schema: pa.Schema, name: str, path: Path) -> None:
    if schema.names.count(name) != 1:
        raise UserError(f"{path} has {schema.names.count(name)} columns {name}, expected one; write it again with `primus encode`")
    kind = schema.field(name).type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if name in ("feature", "projection"):
        sound, expected = lists and pa.types.is_floating(kind.value_type), "lists of floats"
    elif name in ("start_s", "end_s"):
        sound, expected = pa.types.is_floating(kind), "floats"
    elif name == "source":
        sound, expected = pa.types.is_string(kind) or pa.types.is_large_string(kind), "text"
    else:
        sound, expected = not pa.types.is_nested(kind) and not pa.types.is_binary(kind), "text"
    if not sound:
        raise UserError(f"{path}: column {name} holds {str(kind)[:80]}, expected {expected}; write it again with `primus encode`")


def vectors(table: pa.Table, column: str, width: int, path: Path) -> NDArray[np.float32]:
    """A column of lists as (N, width) float32.

    Raises:
        UserError: a row is missing, of another width, or not finite.
    """
    rows = table.column(column).combine_chunks()
    flat = rows.flatten() if not isinstance(rows, pa.ChunkedArray) else pa.concat_arrays([chunk.flatten() for chunk in rows.chunks])
    values = flat.to_numpy(zero_copy_only=False).astype(np.float32) if len(flat) else np.empty(0, np.float32)
    if rows.null_count or len(values) != len(table) * width:
        raise UserError(f"{path}: column {column} does not hold {width} numbers in every row; write it again with `primus encode`")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: column {column} holds values that are not finite; write it again with `primus encode`")
    return values.reshape(len(table), width)


def labelled_features(path: Path, encoder: ImuEncoder, name: str) -> LabelledRows:
    """Rows of a file of features whose column `label` is filled; a column `participant` says who must stay together, else the source does.

    Raises:
        UserError: the features are of another model, or nothing is labelled.
    """
    said = require_model(path, encoder, name)
    columns = set(pq.read_schema(path).names)
    if "label" not in columns:
        raise UserError(f"{path} has no column label; add one (text, empty where unknown), and a column participant if you know who it was")
    blocks = list(feature_blocks(path, [*NEEDED, "label", *(["participant"] if "participant" in columns else [])]))
    if not blocks:
        raise UserError(f"{path} has no rows; write it again with `primus encode`")
    table = pa.concat_tables(blocks)
    texts = {key: _texts(table, key) for key in ("label", "participant") if key in columns}
    kept = texts["label"] != ""
    if not kept.any():
        raise UserError(f"{path}: column label is empty in all {len(table)} rows; fill it for the windows whose activity you know")
    table = table.filter(pa.array(kept))
    people = texts["participant"][kept] if "participant" in texts else np.full(int(kept.sum()), "", dtype=object)
    kind: GroupKind = "participant" if (people != "").all() else "file"
    if kind == "file" and (people != "").any():
        said.append(f"participants are known for {int((people != '').sum())} of {len(people)} windows only, so sources are the groups")
    source = _texts(table, "source")
    return LabelledRows(
        None,
        vectors(table, "feature", encoder.feature_dim, path),
        source,
        table.column("start_s").to_numpy().astype(np.float64),
        table.column("end_s").to_numpy().astype(np.float64),
        texts["label"][kept],
        people if kind == "participant" else source,
        kind,
        {"no_label": int((~kept).sum())} if not kept.all() else {},
        ("labels are those of the file's own column", *said),
    )


def _texts(table: pa.Table, column: str) -> NDArray[np.object_]:
    """A column as trimmed text (N,), empty where there is none."""
    return np.array(["" if value is None else str(value).strip() for value in table.column(column).to_pylist()], dtype=object)
