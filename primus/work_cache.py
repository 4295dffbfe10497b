"""Content-addressed cache of per-item work, outside every DVC out, so that a killed run continues where it was.

DVC deletes a stage's outs before running it; entries here survive that, and `dvc exp run --temp` and queue workers find them too because
DVC hands every stage the main repository's root as `DVC_ROOT`. A key names the inputs, the parameters and the code, so a changed input, a
changed parameter or a bug fix never meets an old entry.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from primus.artifacts import atomic_path
from primus.errors import UserError
from primus.provenance import code_digest


def cache_root() -> Path:
    """`$PRIMUS_CACHE` if set, else `.cache`; a relative one lies in the main repository (`$DVC_ROOT` in a stage, else the current folder)."""
    chosen = os.environ.get("PRIMUS_CACHE")
    return Path(os.environ.get("DVC_ROOT", ".")) / (chosen or ".cache")


@dataclass(frozen=True)
class Survey:
    """How the cache does, by a sample of its entries.

    Attributes:
        entries: how many there are.
        size: bytes of all, reckoned from the sample.
        read: size of the sample.
        corrupt: those of it that were damaged, and are removed.
        closed: those of it that may not be read.
        locked: folders of entries that may not be written.
    """

    entries: int
    size: float
    read: int
    corrupt: tuple[Path, ...]
    closed: tuple[Path, ...]
    locked: tuple[Path, ...]


def survey(root: Path, most: int) -> Survey:
    """Read up to about `most` entries of the cache at `root`, spread evenly; paths come relative to it."""
    entries = sorted(root.rglob("*.entry")) if root.exists() else []
    sample = entries[:: max(1, len(entries) // most)]
    size = sum(path.stat().st_size for path in sample) / max(1, len(sample)) * len(entries)
    corrupt, closed = [], []
    for path in sample:
        cache = WorkCache(str(path.parents[1].relative_to(root)), root)
        try:
            cache.load(path.stem)
        except OSError:
            closed.append(path.relative_to(root))
        if cache.corrupt:
            corrupt.append(path.relative_to(root))
    locked = sorted(path.relative_to(root) for path in {entry.parent for entry in entries} if not os.access(path, os.W_OK))
    return Survey(len(entries), size, len(sample), tuple(corrupt), tuple(closed), tuple(locked))


class WorkCache:
    """Entries of one kind of work. An entry is named arrays plus a JSON-serialisable `meta`, in one checksummed file.

    `corrupt` counts entries whose checksum failed; they are deleted and reported as absent, so they are computed again.
    """

    def __init__(self, namespace: str, root: Path | None = None) -> None:
        self.namespace = namespace
        self.root = (root or cache_root()) / namespace
        standing = next(path for path in (self.root, *self.root.parents) if path.exists())
        if not standing.is_dir():
            raise UserError(f"the work cache {self.root} cannot be used: {standing} is a file; set PRIMUS_CACHE to a folder")
        self.corrupt = 0

    def key(self, inputs: Sequence[str], params: Mapping[str, Any], module: str, without: frozenset[str] = frozenset()) -> str:
        """sha256 over input identities (`provenance.file_identity`), parameters, and the source of `module` and all it imports.

        Modules in `without` are no part of it: what is kept must not go through them (`provenance.code_digest`).
        """
        text = json.dumps({"inputs": list(inputs), "params": params, "code": code_digest(module, without)}, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _entry(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.entry"

    def load(self, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Arrays and meta stored under `key`, or None where there is no sound entry."""
        path = self._entry(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, _, payload = content[:64], content[64:65], content[65:]
        if hashlib.sha256(payload).hexdigest().encode() == checksum:
            try:
                length = int.from_bytes(payload[:8], "little")
                meta = json.loads(payload[8 : 8 + length])
                return load_safetensors(payload[8 + length :]), meta
            except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError):
                pass
        self.corrupt += 1
        path.unlink(missing_ok=True)
        return None

    def store(self, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Write an entry; it appears whole or not at all."""
        head = json.dumps(meta, sort_keys=True).encode()
        body = save_safetensors({name: np.asarray(array, order="C") for name, array in arrays.items()})
        payload = len(head).to_bytes(8, "little") + head + body
        with atomic_path(self._entry(key)) as temporary, open(temporary, "wb") as handle:
            handle.write(hashlib.sha256(payload).hexdigest().encode() + b"\n")
            handle.write(payload)

    def folder(self, key: str) -> Path:
        """A folder of its own for work that keeps several files (training state); its user writes atomically."""
        path = self.root / key[:2] / key
        path.mkdir(parents=True, exist_ok=True)
        return path
