"""A Parquet file in the making: finished row groups and the place where the work goes on, in a folder beside the file until it is whole.

A Parquet file without its footer cannot be continued, so every row group is kept by itself as well; the file grows beside them, and finishing costs
no more than its footer.
"""

import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primus.artifacts import atomic_path, write_csv
from primus.errors import UserError
from primus.schema import Reject

_STATE, _GROWING = "state", "growing.parquet"
REJECT_COLUMNS = ["source", "scope", "start_s", "end_s", "reason", "detail"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """A place in the sequence of windows: the next source and its next window; with what finished sources had to say.

    Attributes:
        source, offset: where to go on.
        groups, rows: written so far.
        rejects, notes: of the sources before `source`.
    """

    source: int = 0
    offset: int = 0
    groups: int = 0
    rows: int = 0
    rejects: Sequence[Reject] = ()
    notes: Mapping[str, int] = field(default_factory=dict)


class PartialFile:
    """Collects row groups for `out`; a context manager that holds a lock, so that two runs never write the same file.

    Args:
        out: the file to be.
        schema: of its rows.
        identity: JSON values that everything depends on; progress under another identity is thrown away, and that is said.

    Attributes:
        schema: as given.
        progress: where the work goes on.

    Raises:
        UserError: another process is writing this file, or the folder cannot be written.
    """

    def __init__(self, out: Path, schema: pa.Schema, identity: Mapping[str, Any]) -> None:
        self.schema = schema
        self._out = out
        self._identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._folder = out.with_name(f".{out.name}.partial")
        self._lock: IO[str] | None = None
        self._writer: pq.ParquetWriter | None = None
        self._checksums: list[int] = []
        self.progress = Progress()

    def __enter__(self) -> "PartialFile":
        if self._out.is_dir():
            raise UserError(f"{self._out} is a folder; give the Parquet file to write")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(self._folder / "lock", "w")
        except OSError as error:
            raise UserError(f"cannot write beside {self._out}: {error.strerror}; make the folder writable") from None
        _hold(self._lock, self._out)
        self.progress = self._found()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._lock is not None:
            self._lock.close()
        if self._folder.exists() and not self.progress.groups:
            shutil.rmtree(self._folder)  # nothing worth keeping

    def append(self, table: pa.Table, progress: Progress) -> None:
        """Keep a row group, then the place after it."""
        number = self.progress.groups
        with atomic_path(self._group(number)) as temporary, pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, self.schema) as writer:
            writer.write_table(table)
        self._checksums.append(_checksum(self._group(number)))
        reached = replace(progress, groups=number + 1, rows=self.progress.rows + len(table))
        with atomic_path(self._folder / _STATE) as temporary:
            text = json.dumps({"identity": self._identity, "progress": asdict(reached), "checksums": self._checksums})
            temporary.write_text(f"{zlib.crc32(text.encode())}\n{text}", encoding="utf-8")
        self._growing().write_table(table, row_group_size=len(table))
        self.progress = reached

    def finish(self, rejects: Sequence[Reject], rejects_path: Path) -> None:
        """Write the whole file and the list of what was refused, then remove the folder."""
        self._growing().close()
        with atomic_path(self._out) as temporary:
            os.replace(self._folder / _GROWING, temporary)
        write_rejects(rejects, rejects_path)
        shutil.rmtree(self._folder)
        self.progress = Progress()

    def _growing(self) -> pq.ParquetWriter:
        """The file so far; an interrupted run's is begun again from the groups it kept."""
        if self._writer is None:
            if (self._folder / _GROWING).is_dir():
                _remove(self._folder / _GROWING)
            vectors = [f"{name}.list.element" for name in ("feature", "projection")]
            compression = dict.fromkeys(("source", "start_s", "end_s"), "zstd") | dict.fromkeys(vectors, "none")
            options = {"compression": compression, "use_dictionary": ["source"], "write_statistics": ["source"]}
            self._writer = pq.ParquetWriter(self._folder / _GROWING, self.schema, **options)
            for number in range(self.progress.groups):
                with pa.memory_map(str(self._group(number))) as file:
                    table = pa.ipc.open_file(file).read_all()
                    self._writer.write_table(table, row_group_size=len(table))
        return self._writer

    def _group(self, number: int) -> Path:
        return self._folder / f"{number:06d}.arrow"

    def _found(self) -> Progress:
        """The progress an earlier run left, if it was about the same thing."""
        try:
            stated, _, text = (self._folder / _STATE).read_text(encoding="utf-8").partition("\n")
            if int(stated) != zlib.crc32(text.encode()):
                raise ValueError("the state is not what was written")
            state = json.loads(text)
            kept = dict(state["progress"])
            progress = Progress(**kept | {"rejects": [Reject(**reject) for reject in kept["rejects"]]})
            self._checksums = list(state["checksums"])
            same = state["identity"] == self._identity and self._checksums == [_checksum(self._group(n)) for n in range(progress.groups)]
        except FileNotFoundError as error:
            if error.filename == str(self._folder / _STATE):
                return Progress()
            same = False
        except (OSError, ValueError, KeyError, TypeError):
            same = False  # damaged, or another version's
        if same:
            return progress
        log.warning("%s: recordings, model or options are not those of the interrupted run, or what it kept is damaged; starting anew", self._out)
        self._checksums = []
        for path in self._folder.iterdir():
            if path.name != "lock":
                _remove(path)
        return Progress()


def write_rejects(rejects: Sequence[Reject], path: Path) -> None:
    """The list of what was refused; no file where nothing was."""
    path.unlink(missing_ok=True)
    if rejects:
        rows = [[r.take_uid, r.scope, r.start_s, r.end_s, r.reason, r.detail] for r in rejects]
        write_csv(path, pd.DataFrame(rows, columns=REJECT_COLUMNS))


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _checksum(path: Path) -> int:
    """CRC-32 of a file, read in pieces."""
    value = 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            value = zlib.crc32(piece, value)
    return value


def _hold(lock: IO[str], out: Path) -> None:
    """Lock the file for this process, where the platform can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise UserError(f"another process is writing {out}; wait for it, or give another file") from None
