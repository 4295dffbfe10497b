"""Write-then-rename for everything a stage leaves behind: a file or folder appears whole or not at all."""

import glob
import json
import math
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primus.errors import UserError

DECIMALS = 6


def scratch(path: Path, ending: str = "tmp") -> Path:
    """A name beside `path` for work in progress; what killed processes left there is removed first.

    Raises UserError when the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot create the folder {path.parent}: {error.strerror}; make it writable or free the name") from None
    _remove_leftovers(path)
    return path.with_name(f".{path.name}.{_process()}.{ending}")


def _process() -> str:
    """Host and process, so that two runs on shared storage never write the same temporary file."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _remove_leftovers(path: Path) -> None:
    """Remove temporaries of `path` that a killed process of this host left behind; a living process keeps its own."""
    prefix = f".{path.name}.{socket.gethostname()}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        number = left.name[len(prefix) :].partition(".")[0]
        if not number.isdigit() or int(number) == os.getpid():
            continue
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        except PermissionError:
            continue


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed, on failure removed.

    Raises UserError when the target's folder cannot be written.
    """
    path = Path(path)
    temporary = scratch(path)
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; free space or make the folder writable, then rerun") from error
    finally:
        with suppress(OSError):  # a name too long, a disk gone read-only: what was said of it counts
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `path` on success and vanishes on failure."""
    path = Path(path)
    temporary = scratch(path)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        old = scratch(path, "old")
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
        shutil.rmtree(old, ignore_errors=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"cannot write the folder {path}: {error.strerror or error}; free space or make it writable, then rerun") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _plain(value: Any, where: str) -> Any:
    """Nested dicts, lists, strings, ints, bools and finite floats rounded to `DECIMALS`; anything else is a programming error."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: JSON artifacts hold finite numbers only")
        rounded = round(value, DECIMALS)
        return 0.0 if rounded == 0 else rounded
    raise TypeError(f"{where} has type {type(value).__name__}, which JSON artifacts do not hold")


def write_json(path: str | Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Write JSON with sorted keys and floats rounded to six decimals, so that equal results are equal bytes."""
    text = json.dumps(_plain(value, Path(path).name), indent=1, sort_keys=True, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON artifact; a missing or broken file is a UserError naming it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run the stage that writes it (`dvc repro`)") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, or a number of thousands of digits
        raise UserError(f"{path} is not valid JSON ({_said(error)}); delete it and rerun the stage that writes it") from None


def write_table(path: str | Path, table: pd.DataFrame | pa.Table, schema: pa.Schema | None = None) -> None:
    """Write Parquet. With a `schema`, columns are put in its order and cast to its types; a missing column is an error."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
    elif schema is not None:
        table = table.select(schema.names).cast(schema)
    table = table.replace_schema_metadata(None)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_table(path: str | Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet artifact into a DataFrame, its pages' checksums compared; a missing or broken file is a UserError naming it."""
    try:
        return pq.read_table(path, columns=columns, page_checksum_verification=True).to_pandas()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run the stage that writes it (`dvc repro`)") from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:  # ValueError: text that is no UTF-8
        raise UserError(f"{path} is not a readable Parquet file ({_said(error)}); delete it and rerun the stage that writes it") from None


def _said(error: Exception) -> str:
    """What a library said, on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write CSV with floats at six decimals and Unix line ends, so that equal results are equal bytes."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
