"""Whether every file that can be seen is whole: looked at again and again while something goes wrong."""

import csv
import json
import os
from collections.abc import Collection
from pathlib import Path

import h5py
import pyarrow.parquet as pq
from safetensors import safe_open


class Watch:
    """Reads each visible file below some folders when it has changed; `torn` lists those that did not parse.

    Names that begin with a dot are work in progress, which no reader looks at; files of `but` are left out. A file that is replaced or
    removed while it is read is looked at again in the next round.
    """

    def __init__(self, folders: list[Path], but: Collection[Path] = ()) -> None:
        self.folders, self.but = folders, but
        self.torn: list[str] = []
        self._seen: dict[Path, tuple[int, int, int]] = {}

    def look(self) -> None:
        """One round."""
        for folder in self.folders:
            for parent, folders, files in os.walk(folder):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(files):
                    if not name.startswith("."):
                        self._look_at(Path(parent, name))

    def _look_at(self, path: Path) -> None:
        try:
            before = path.stat()
            state = (before.st_ino, before.st_mtime_ns, before.st_size)
            if path in self.but or not path.is_file() or self._seen.get(path) == state:
                return
            why = unsound(path)
            after = path.stat()
        except OSError:
            return
        if (after.st_ino, after.st_mtime_ns, after.st_size) != state and before.st_ino != after.st_ino:
            return
        self._seen[path] = state
        if why:
            self.torn.append(f"{path}: {why}")


def unsound(path: Path) -> str:
    """Why a file of the pipeline is not whole, or ""."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".parquet":
            pq.read_table(path, page_checksum_verification=True, use_threads=False)  # the watching process forks: it starts no threads
        elif path.suffix == ".h5":
            with h5py.File(path, "r") as file:
                sizes = [len(file[name]) for name in file]
            assert len(set(sizes)) == 1, f"arrays of {sizes} rows"
        elif path.suffix == ".safetensors":
            with safe_open(path, "np") as file:
                for name in file.keys():  # noqa: SIM118 (it is no mapping)
                    file.get_tensor(name)
        elif path.suffix == ".csv":
            text = path.read_text(encoding="utf-8")
            assert text.endswith("\n"), "no end of line"
            widths = {len(row) for row in csv.reader(text.splitlines())}
            assert len(widths) == 1, f"rows of {sorted(widths)} cells"
        elif path.stat().st_size == 0:
            return "empty"
    except FileNotFoundError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""
