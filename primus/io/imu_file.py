"""Any IMU file to a recording, by what the file is."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from primus.errors import Rejected, UserError
from primus.io.recording import ImuRecording

TELEMETRY_SUFFIXES = (".mp4", ".mov", ".insv", ".360", ".lrv")
TABLE_SUFFIXES = (".csv", ".parquet")
_MEMBER_LIMIT = 1 << 31  # bytes unpacked: half a day of 200 Hz text, and far from filling a disk
_CHUNK = 1 << 20


def read_imu(path: str | Path, stream: str | None = None, **hints: Any) -> ImuRecording:
    """Read the IMU of a file of any supported kind.

    Args:
        path: `.vrs` (Aria glasses); `.mp4`, `.mov`, `.insv`, `.360`, `.lrv` (action cameras); `.csv`, `.parquet` (compact IMU files, Ego4D's
            CSV, or a table of one's own). A member of an archive is written "archive.zip::folder/member.csv", nested archives likewise.
        stream: "imu-right" or "imu-left" of glasses; None takes imu-right, or the only one there is.
        hints: passed to the reader of that kind: `calibrated` for glasses; columns and units for tables (see `primus.io.table`).

    Returns:
        Samples in m/s^2 and rad/s on the file's own clock.

    Raises:
        UserError: the file is missing, of an unknown kind, or a hint does not fit it.
        Rejected: the file holds no IMU that can be trusted; the reason says why.
    """
    archive, separator, member = str(path).partition("::")
    file = Path(archive)
    if not file.is_file():
        raise UserError(f"{file} is not a file; expected an IMU recording")
    if separator:
        with _unpacked(file, member) as (unpacked, rest):
            try:
                recording = read_imu(f"{unpacked}::{rest}" if rest else unpacked, stream, **hints)
            except Rejected as rejected:
                raise Rejected(rejected.reason, f"{file.name}::{member}: {rejected.detail}") from rejected
            return replace(recording, source=f"{file.name}::{member}")
    reader = _reader_of(file, stream)
    try:
        signature(reader).bind(file, **hints)
    except TypeError as error:
        raise UserError(f"{file.name}: {error}; expected hints of {signature(reader)}") from error
    return reader(file, **hints)


def _reader_of(file: Path, stream: str | None) -> Callable[..., ImuRecording]:
    suffix = file.suffix.lower()
    if suffix == ".vrs":
        from primus.io.vrs import read_imu_vrs

        return lambda path, calibrated=False: read_imu_vrs(path, stream, calibrated)
    if suffix == ".parquet":
        from primus.io.imu_parquet import is_imu_parquet, read_imu_parquet

        if is_imu_parquet(file):
            return lambda path, calibrated=False: read_imu_parquet(path, stream, calibrated)
    if stream is not None:
        raise UserError(f"{file.name} has no named streams, but stream {stream!r} was asked for; leave it out")
    if suffix in TABLE_SUFFIXES:
        from primus.io.ego4d_imu import STAMP_COLUMN, read_ego4d_csv

        if suffix == ".csv" and STAMP_COLUMN in _first_line(file):
            return read_ego4d_csv
        from primus.io.table import read_imu_table

        return read_imu_table
    if suffix in TELEMETRY_SUFFIXES:
        from primus.io.action_camera import read_imu_telemetry

        return read_imu_telemetry
    known = ", ".join((".vrs", *TELEMETRY_SUFFIXES, *TABLE_SUFFIXES))
    raise UserError(f"{file.name}: {suffix or 'no suffix'} is not a kind of IMU file; expected one of {known}, or archive.zip::member")


def _first_line(file: Path) -> str:
    with file.open("rb") as handle:
        return handle.readline(4096).decode("utf-8", "replace")


@contextmanager
def _unpacked(archive: Path, member: str) -> Iterator[tuple[Path, str]]:
    """One member in a temporary folder, under a name of our own so that nothing in the archive chooses where it lands, and the rest of `member`."""
    name, _, rest = member.partition("::")
    with TemporaryDirectory(prefix="primus-") as folder:
        target = Path(folder) / ("member" + PurePosixPath(name).suffix.lower())
        try:
            with zipfile.ZipFile(archive) as packed:
                if name not in packed.namelist():
                    raise UserError(f"{archive.name} has no member {name!r}; it holds {', '.join(packed.namelist()[:8]) or 'nothing'}")
                with packed.open(name) as source, target.open("wb") as sink:
                    written = 0
                    while chunk := source.read(_CHUNK):
                        written += len(chunk)
                        if written > _MEMBER_LIMIT:
                            raise Rejected("unreadable_imu", f"{archive.name}::{name} unpacks to more than {_MEMBER_LIMIT >> 30} GiB")
                        sink.write(chunk)
        except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise Rejected("unreadable_imu", f"{archive.name}::{name} cannot be unpacked ({type(error).__name__}: {error})") from error
        yield target, rest
