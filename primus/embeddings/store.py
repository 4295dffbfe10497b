"""Segment embeddings in a file that says what they are; a reader that expected others refuses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from primus.errors import UserError
from primus.keyed_arrays import KeyedArrays, KeyedWriter

ARRAY = "embedding"
NOT_LOADED = "none: nothing to embed"
"""`weights_sha256` of an empty store: a profile without this modality needs no encoder."""
DIM_WITHOUT_ENCODER = 512


@dataclass(frozen=True)
class Provenance:
    """What determines an embedding besides its segment; stored as file attributes.

    Attributes:
        modality: "video" or "text".
        model: architecture of the encoder.
        weights_sha256: of its weights.
        preprocessing: of frames, or the cleaning rule and context length of texts.
        fps: grid frames per second; 0 for texts.
        pool: how the frames or texts of one segment became one vector.
        dim: length of a vector.
        corpus: the profile the segments belong to.
    """

    modality: str
    model: str
    weights_sha256: str
    preprocessing: str
    fps: float
    pool: str
    dim: int
    corpus: str


def write_embeddings(path: str | Path, provenance: Provenance) -> KeyedWriter:
    """A writer of rows "embedding" (dim,) float16, unit norm, by segment_id; the file appears when its context closes without error."""
    return KeyedWriter(path, {ARRAY: ((provenance.dim,), "<f2")}, asdict(provenance))


def read_embeddings(path: str | Path, expected: Mapping[str, Any] | None = None) -> KeyedArrays:
    """Open a file of embeddings.

    Args:
        path: written by `write_embeddings`.
        expected: attributes that must have these values, e.g. `{"model": "ViT-B-32-quickgelu", "pool": "clip4clip"}`.

    Raises:
        UserError: the file is absent, is none of ours, or has another provenance (both values are named).
    """
    arrays = KeyedArrays(path)
    missing = [name for name in Provenance.__dataclass_fields__ if name not in arrays.attrs]
    if missing or ARRAY not in arrays.names:
        arrays.close()
        raise UserError(f"{path} does not say what its embeddings are (no {', '.join(missing) or ARRAY}); delete it and run the stage that writes it")
    differing = [f"{name} is {arrays.attrs[name]!r}, expected {value!r}" for name, value in (expected or {}).items() if arrays.attrs[name] != value]
    if differing:
        arrays.close()
        raise UserError(f"{path} holds other embeddings than asked for: {'; '.join(differing)}; run `dvc repro` to make them anew, or ask for these")
    return arrays


def require_same_space(first: KeyedArrays, second: KeyedArrays) -> None:
    """Refuse two files whose vectors may not be compared: those of different encoders, or of different corpora. An empty file fits any.

    Raises:
        UserError: naming both files and both values.
    """
    if not len(first) or not len(second):
        return
    for name in ("model", "weights_sha256", "dim", "corpus"):
        if first.attrs[name] != second.attrs[name]:
            raise UserError(
                f"{first.path} and {second.path} do not belong together: {name} is {first.attrs[name]!r} in the one and {second.attrs[name]!r} "
                "in the other; run `dvc repro embed_video embed_text` with one encoder"
            )
