"""HDF5 files whose rows are found by key: the one format for dense arrays that pass between stages.

Layout: dataset `key` (N UTF-8 strings of one length, padded with zeros) and one contiguous dataset of N rows per array, plus file attributes.
Contiguous rows can be memory-mapped, so a reader's memory does not grow with the file. The metadata carry checksums (format of HDF5 1.10), and
nothing lies in HDF5's global heap, where a damaged file can hold the library for ever; what is stored elsewhere (links, external or virtual data),
packed, or larger than the file is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from primus.artifacts import atomic_path, scratch
from primus.errors import UserError

Attribute = str | int | float | bool


class KeyedWriter:
    """Write rows as they come, memory independent of their number; the file appears when the context closes without error.

    HDF5 can only grow chunked datasets, and only contiguous ones can be memory-mapped, so rows are spooled to raw files beside the
    target and copied once at the end. `shapes` maps a name to (row shape, dtype) and fixes the layout even when no row is written.
    """

    def __init__(self, path: str | Path, shapes: Mapping[str, tuple[tuple[int, ...], str]], attrs: Mapping[str, Attribute]) -> None:
        self.path = Path(path)
        self._shapes = {name: (tuple(shape), np.dtype(dtype)) for name, (shape, dtype) in shapes.items()}
        self._attrs = dict(attrs)
        self._keys: list[str] = []
        self._spools = {name: scratch(self.path, f"{name}.spool") for name in self._shapes}
        self._handles = {name: open(spool, "wb") for name, spool in self._spools.items()}  # noqa: SIM115 - closed in __exit__

    def append(self, keys: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
        """Add `len(keys)` rows; every array must have that many rows of the declared shape."""
        for name, (shape, dtype) in self._shapes.items():
            rows = np.ascontiguousarray(arrays[name], dtype=dtype)
            if rows.shape != (len(keys), *shape):
                raise ValueError(f"{self.path.name}: {name} has shape {rows.shape}, expected {(len(keys), *shape)}")
            rows.tofile(self._handles[name])
        self._keys.extend(keys)

    def __enter__(self) -> "KeyedWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            for handle in self._handles.values():
                handle.close()
            if kind is None:
                self._finish()
        finally:
            for spool in self._spools.values():
                spool.unlink(missing_ok=True)

    def _finish(self) -> None:
        if len(set(self._keys)) != len(self._keys):
            twice = next(key for key in self._keys if self._keys.count(key) > 1)
            raise ValueError(f"{self.path.name}: key {twice!r} occurs more than once")
        with atomic_path(self.path) as temporary, h5py.File(temporary, "w", libver="v110", track_order=False) as file:
            encoded = [key.encode() for key in self._keys]
            file.create_dataset("key", data=np.asarray(encoded, dtype=_text_type(encoded)), dtype=_text_type(encoded), track_times=False)
            for name, (shape, dtype) in self._shapes.items():
                rows = (len(self._keys), *shape)
                dataset = file.create_dataset(name, shape=rows, dtype=dtype, track_times=False)
                step = max(1, 2**24 // max(1, int(np.prod(shape)) * dtype.itemsize))
                with open(self._spools[name], "rb") as spool:
                    for start in range(0, rows[0], step):
                        count = min(step, rows[0] - start)
                        block = np.fromfile(spool, dtype=dtype, count=count * int(np.prod(shape)))
                        dataset[start : start + count] = block.reshape(count, *shape)
            for name in sorted(self._attrs):
                value = self._attrs[name]
                if isinstance(value, str):
                    file.attrs.create(name, value.encode(), dtype=_text_type([value.encode()]))
                else:
                    file.attrs[name] = value


def _text_type(texts: Sequence[bytes]) -> np.dtype:
    """Fixed-length UTF-8 that holds each of `texts`."""
    return h5py.string_dtype("utf-8", max((len(text) for text in texts), default=1) or 1)


def write_keyed(path: str | Path, keys: Sequence[str], arrays: Mapping[str, np.ndarray], attrs: Mapping[str, Attribute] | None = None) -> None:
    """Write arrays whose first axis is aligned with `keys`; the file appears whole or not at all."""
    shapes = {name: (array.shape[1:], array.dtype.str) for name, array in arrays.items()}
    with KeyedWriter(path, shapes, attrs or {}) as writer:
        writer.append(list(keys), arrays)


class KeyedArrays:
    """Read-only view of a file written by `write_keyed` or `KeyedWriter`.

    Attributes: `keys` (N,) array of str, `names` of the arrays, `attrs` of the file. Raises UserError where the file is missing or
    is not of this layout.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise UserError(f"{path} does not exist; run the stage that writes it (`dvc repro`)")
        try:
            self._file = h5py.File(self.path, "r")
            size = self.path.stat().st_size
            for name in self._file:
                _require_own_rows(self._file, name, size)
            self.keys = np.asarray(self._file["key"].asstr()[:], dtype=object)
            self.names = tuple(sorted(name for name in self._file if name != "key"))
            self.attrs: dict[str, Attribute] = {name: _attribute(self._file, name) for name in self._file.attrs}
            lengths = {name: self._file[name].shape[:1] for name in self.names}
        except (OSError, KeyError, TypeError, AttributeError, UnicodeDecodeError, RuntimeError, ValueError, OverflowError) as error:
            said = " ".join(str(error).split())[:300]
            raise UserError(f"{path} is not a keyed HDF5 file ({said}); delete it and rerun the stage that writes it") from None
        if any(length != (len(self.keys),) for length in lengths.values()):
            raise UserError(f"{path}: arrays {lengths} do not match its {len(self.keys)} keys; delete it and rerun the stage that writes it")
        self._rows: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: str) -> bool:
        return key in self._index()

    def __enter__(self) -> "KeyedArrays":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; memory maps already handed out stay valid."""
        self._file.close()

    def _index(self) -> dict[str, int]:
        if self._rows is None:
            self._rows = {key: row for row, key in enumerate(self.keys)}
        return self._rows

    def positions(self, keys: Sequence[str]) -> np.ndarray:
        """Row numbers (M,) int64 of `keys`; UserError names a key that is absent."""
        index = self._index()
        try:
            return np.fromiter((index[key] for key in keys), dtype=np.int64, count=len(keys))
        except KeyError as error:
            raise UserError(f"{self.path} has no row {error.args[0]!r}; it belongs to another run: rerun `dvc repro`") from None

    def rows(self, name: str, keys: Sequence[str] | None = None) -> np.ndarray:
        """Rows of array `name`: all of them, or those of `keys` in the order asked for (an absent key is a UserError)."""
        if name not in self.names:
            raise UserError(f"{self.path} has no array {name!r}; it holds {list(self.names)}")
        if keys is None:
            return self._file[name][:]
        positions = self.positions(keys)
        order = np.unique(positions)
        block = self._file[name][order] if len(order) else self._file[name][:0]
        return block[np.searchsorted(order, positions)]

    def memmap(self, name: str) -> np.ndarray:
        """The array `name` as a read-only memory map of the file (an empty array when it has no rows)."""
        if name not in self.names:
            raise UserError(f"{self.path} has no array {name!r}; it holds {list(self.names)}")
        dataset = self._file[name]
        if dataset.size == 0:
            return np.empty(dataset.shape, dataset.dtype)
        offset = dataset.id.get_offset()
        if offset is None:
            raise UserError(f"{self.path}: array {name!r} is not contiguous and cannot be memory-mapped; rerun the stage that writes it")
        return np.memmap(self.path, mode="r", dtype=dataset.dtype, shape=dataset.shape, offset=offset)


def _require_own_rows(file: h5py.File, name: str, size: int) -> None:
    """ValueError unless `name` is rows of plain numbers, or the keys, that lie in one piece within this file of `size` bytes."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link to somewhere else")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} is no array")
    if dataset.is_virtual or dataset.external is not None or dataset.chunks is not None:
        raise ValueError(f"{name} is not stored in one piece within the file")
    if not dataset.shape or dataset.dtype.kind not in ("S" if name == "key" else "fiub") or dataset.dtype.hasobject:
        raise ValueError(f"{name} holds {dataset.dtype} of shape {dataset.shape}")
    needed = dataset.dtype.itemsize
    for length in dataset.shape:
        needed *= int(length)
    offset = dataset.id.get_offset()
    if needed and (offset is None or offset + needed > size):
        raise ValueError(f"{name} claims {needed} bytes of a file of {size}")


def _attribute(file: h5py.File, name: str) -> Attribute:
    """A text, number or truth value; TypeError for anything else, so that no text of variable length is ever read."""
    kind = file.attrs.get_id(name)
    if kind.shape != () or kind.dtype.hasobject or kind.dtype.kind not in "Sfiub":
        raise TypeError(f"attribute {name} is {kind.dtype} of shape {kind.shape}")
    value: Any = file.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else value
