"""Training data held ready: the stores the earlier stages wrote, in their files, in memory or on the device, read by row number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from primus.artifacts import read_table
from primus.embeddings.store import read_embeddings, require_same_space
from primus.errors import UserError
from primus.keyed_arrays import KeyedArrays
from primus.models.rows import UNKNOWN, Rows
from primus.seeds import generator
from primus.training.file_rows import FileRows

Store = np.ndarray | FileRows | Tensor
CPU = torch.device("cpu")
FINITE_ROWS = 65536  # embeddings looked at at once
AlignedBy = Literal["take", "segment"]


@dataclass(frozen=True)
class Batch:
    """B segments on one device: imu (B, 6, T) float32, embeddings (B, D) float32 by modality (zeros where absent), present (B,) bool."""

    imu: Tensor
    embeddings: Mapping[str, Tensor]
    present: Mapping[str, Tensor]
    rows: Rows

    def __len__(self) -> int:
        return len(self.imu)


def _store(file: KeyedArrays, name: str) -> Store:
    """An array of a file, left there (in memory where it is empty)."""
    mapped = file.memmap(name)
    return FileRows(mapped) if isinstance(mapped, np.memmap) else mapped


def _take(store: Store, index: np.ndarray) -> Tensor:
    """Rows of a store as float32, read from the file or gathered where they are."""
    if isinstance(store, Tensor):
        return store[torch.from_numpy(index).to(store.device)].float()
    return torch.from_numpy(np.asarray(store[index], dtype=np.float32))


@dataclass(frozen=True)
class ResidentSegments:
    """N segments by row number.

    Attributes:
        imu: (N, 6, T) float32.
        embeddings: by modality, (M, D) of any float type.
        position: by modality, (N,) int64 row of `embeddings`, -1 where the segment has none.
        rows: identities, on the CPU.
        device: where batches are put.
    """

    imu: Store
    embeddings: Mapping[str, Store]
    position: Mapping[str, np.ndarray]
    rows: Rows
    device: torch.device = CPU

    def __len__(self) -> int:
        return len(self.imu)

    def modalities_of(self, index: np.ndarray) -> tuple[str, ...]:
        """Modalities that at least one of the segments `index` (n,) has."""
        return tuple(name for name, position in self.position.items() if bool((position[index] >= 0).any()))

    @property
    def embedding_dim(self) -> int:
        """Width of the embeddings (0 without any)."""
        return max((int(store.shape[1]) for store in self.embeddings.values()), default=0)

    def batch(self, index: np.ndarray) -> Batch:
        """Segments `index` (B,) int64, in that order, on the device."""
        embeddings, present = {}, {}
        for name, store in self.embeddings.items():
            at = self.position[name][index]
            has = torch.from_numpy(at >= 0).to(self.device)
            if store.shape[0] == 0:
                embeddings[name] = torch.zeros(len(index), int(store.shape[1]), device=self.device)
            else:
                embeddings[name] = _take(store, np.maximum(at, 0)).to(self.device) * has[:, None]
            present[name] = has
        rows = self.rows[torch.from_numpy(index)]
        rows = Rows.unstacked(rows.stacked().to(self.device))
        return Batch(_take(self.imu, index).to(self.device), embeddings, present, rows)

    def to(self, device: torch.device) -> ResidentSegments:
        """The same data for batches on `device`; on an accelerator with room for it (half of what is free) the stores move there too."""
        imu, embeddings = self.imu, dict(self.embeddings)
        if device.type == "cuda":
            size = sum(int(store.nbytes) for store in (imu, *embeddings.values()))
            if size < torch.cuda.mem_get_info(device)[0] / 2:
                imu = torch.as_tensor(np.ascontiguousarray(imu)).to(device)
                embeddings = {name: torch.as_tensor(np.ascontiguousarray(store)).to(device) for name, store in embeddings.items()}
        return ResidentSegments(imu, embeddings, self.position, self.rows, device)


def _codes(values: pd.Series) -> Tensor:
    """Numbers of equal values, `UNKNOWN` where there is none."""
    return torch.from_numpy(pd.factorize(values, use_na_sentinel=True)[0].astype(np.int64))


def _words(texts: object) -> str | None:
    """A segment's narrations as one comparable string, None where there are none."""
    if texts is None or (isinstance(texts, float) and np.isnan(texts)):
        return None
    parts = sorted({" ".join(str(text).casefold().split()) for text in texts})  # type: ignore[attr-defined]
    return "\x1f".join(part for part in parts if part) or None


def identities(table: pd.DataFrame) -> Rows:
    """Identities of the rows of segments.parquet (columns as in `primus.schema.SEGMENTS`)."""
    take = table["dataset"].astype(str) + "\x1f" + table["take_uid"].astype(str)
    milliseconds = {name: torch.from_numpy((table[name].to_numpy(dtype=np.float64) * 1000).round().astype(np.int64)) for name in ("start_s", "end_s")}
    return Rows(
        segment=torch.arange(len(table)),
        take=_codes(take),
        start_ms=milliseconds["start_s"],
        end_ms=milliseconds["end_s"],
        text=_codes(table["texts"].map(_words)),
        participant=_codes(table["participant"]),
        label=_codes(table["label"]),
    )


def load_segments(segments: Path, embeddings: Mapping[str, Path]) -> tuple[ResidentSegments, pd.DataFrame, dict[str, str | int | float]]:
    """Open what the segment and embed stages wrote.

    Args:
        segments: folder of segments.parquet and imu.h5.
        embeddings: HDF5 file of each modality.

    Returns:
        The data (left in their files), the table of segments (row order as in the data) and the attributes of imu.h5.

    Raises:
        UserError: files missing, not written by the same run, or with embeddings that are not finite.
    """
    table = read_table(segments / "segments.parquet")
    with KeyedArrays(segments / "imu.h5") as file:
        if list(file.keys) != table["segment_id"].tolist():
            raise UserError(f"{segments}/imu.h5 and segments.parquet hold other segments; rerun the segment stage (`dvc repro`)")
        imu, attributes = _store(file, "imu"), dict(file.attrs)
    stores: dict[str, Store] = {}
    position: dict[str, np.ndarray] = {}
    opened: list[KeyedArrays] = []
    for name, path in embeddings.items():
        with read_embeddings(path) as file:
            for other in opened:
                require_same_space(other, file)
            opened.append(file)
            stores[name] = _store(file, "embedding")
            _require_finite(stores[name], file.keys, path)
            row = {key: number for number, key in enumerate(file.keys)}
        position[name] = np.array([row.get(key, UNKNOWN) for key in table["segment_id"]], dtype=np.int64)
        unknown = row.keys() - set(table["segment_id"])
        if unknown:
            raise UserError(f"{path} holds {len(unknown)} segments that segments.parquet does not (first {min(unknown)!r}); rerun `dvc repro`")
    return ResidentSegments(imu, stores, position, identities(table)), table, attributes


def _require_finite(store: Store, keys: Sequence[str] | np.ndarray, path: Path) -> None:
    """Raise UserError where an embedding (M, D) holds a number that is not finite: no similarity with it would mean anything."""
    for start in range(0, len(store), FINITE_ROWS):
        rows = np.arange(start, min(start + FINITE_ROWS, len(store)))
        wrong = np.flatnonzero(~np.isfinite(_take(store, rows).numpy()).all(axis=1))
        if len(wrong):
            raise UserError(
                f"{path}: the embedding of {keys[start + int(wrong[0])]!r} holds numbers that are not finite; are the encoder's weights sound?"
                " Mend embed.encoder and rerun `dvc repro`"
            )


def split_rows(table: pd.DataFrame, splits: pd.DataFrame, fold: int) -> dict[str, np.ndarray]:
    """Row numbers of the pretraining segments of one fold: {"train": (n,) int64, "val": (m,) int64}."""
    chosen = splits[splits["fold"] == fold]
    split_of = {(dataset, take): split for dataset, take, split in zip(chosen["dataset"], chosen["take_uid"], chosen["split"], strict=True)}
    of_row = [split_of.get(pair) for pair in zip(table["dataset"], table["take_uid"], strict=True)]
    usable = (table["purpose"] == "pretrain").to_numpy()
    return {name: np.flatnonzero(usable & np.array([split == name for split in of_row], dtype=bool)) for name in ("train", "val")}


def thin_alignment(data: ResidentSegments, train: np.ndarray, fraction: float, by: AlignedBy, seed: int) -> ResidentSegments:
    """Leave video and text to a share of the training data and make the rest IMU-only (Fig. 6 of arXiv 2411.15127).

    Args:
        data: everything.
        train: (n,) int64 rows that are trained on; others keep what they have.
        fraction: share in (0, 1] of the takes (or segments) with any embedding that keep it; smaller shares are subsets of larger ones.
        by: unit of the draw.
        seed: of the draw.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction_aligned must lie in (0, 1], found {fraction}")
    if fraction == 1 or not data.position:
        return data
    aligned = np.zeros(len(data), dtype=bool)
    for position in data.position.values():
        aligned |= position >= 0
    candidates = train[aligned[train]]
    unit = data.rows.take.numpy()[candidates] if by == "take" else candidates
    drawn = generator(seed, "fraction_aligned", by).permutation(np.unique(unit))
    kept = drawn[: max(1, round(fraction * len(drawn)))]
    losing = candidates[~np.isin(unit, kept)]
    thinned = {name: column.copy() for name, column in data.position.items()}
    for column in thinned.values():
        column[losing] = UNKNOWN
    text = data.rows.text.clone()
    text[torch.from_numpy(losing)] = UNKNOWN  # what nobody was told cannot make two of them false negatives either
    return ResidentSegments(data.imu, data.embeddings, thinned, replace(data.rows, text=text), data.device)


class EpochOrder:
    """Which rows make up step s: a fresh seeded permutation per epoch, cut into near-equal batches of at most `batch_size`.

    Every row is seen once per epoch, and no batch is much smaller than the others. Nothing here has state: step s of a resumed run is
    step s of an uninterrupted one.
    """

    def __init__(self, rows: np.ndarray, batch_size: int, seed: int) -> None:
        if len(rows) < 2:
            raise ValueError(f"contrasting segments needs at least 2 of them, found {len(rows)}")
        self.rows, self.seed = rows, seed
        self.batch_size = min(batch_size, len(rows))
        self.steps_per_epoch = -(-len(rows) // self.batch_size)
        self._epoch = -1
        self._batches: list[np.ndarray] = []

    def batch(self, step: int) -> np.ndarray:
        """Rows (B,) int64 of step `step`, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            order = generator(self.seed, "order", epoch).permutation(self.rows)
            self._batches, self._epoch = np.array_split(order, self.steps_per_epoch), epoch
        return self._batches[place]
