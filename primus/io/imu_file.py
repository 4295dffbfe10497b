"""Any IMU file to a recording, by what the file is."""

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from primus.errors import Rejected, UserError
from primus.io.archives import read_member
from primus.io.recording import ImuRecording

TELEMETRY_SUFFIXES = (".mp4", ".mov", ".insv", ".360")
TABLE_SUFFIXES = (".csv", ".parquet")
_MEMBER_LIMIT = 1 << 30  # bytes unpacked: hours of 200 Hz text, or of video, and far from filling the memory


def read_imu(path: str | Path, stream: str | None = None, **hints: Any) -> ImuRecording:
    """Read the IMU of a file of any supported kind.

    Args:
        path: `.vrs` (Aria glasses); `.mp4`, `.mov`, `.insv`, `.360` (action cameras); `.csv`, `.parquet` (compact IMU files, Ego4D's
            CSV, or a table of one's own). A member of an archive is written "archive.zip::folder/member.csv", nested archives likewise.
        stream: "imu-right" or "imu-left" of glasses; None takes imu-right, or the only one there is.
        hints: passed to the reader of that kind: `calibrated` for glasses; columns, units and header for tables (see `primus.io.table`).

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
        return _read_member(file, member, stream, hints)
    return _read_file(file, stream, hints, file.name)


def _read_file(file: Path, stream: str | None, hints: dict[str, Any], name: str) -> ImuRecording:
    """Read a file that messages call `name`."""
    reader = _reader_of(file, stream, name)
    try:
        signature(reader).bind(file, **hints)
    except TypeError as error:
        raise UserError(f"{name}: {error}; expected hints of {signature(reader)}") from error
    return reader(file, **hints)


def _read_member(archive: Path, member: str, stream: str | None, hints: dict[str, Any]) -> ImuRecording:
    """Unpack one member to a temporary file whose name is ours, so that nothing in the archive chooses where it lands, and read it."""
    source = f"{archive.name}::{member}"
    data = read_member(archive, tuple(member.split("::")), _MEMBER_LIMIT)
    with TemporaryDirectory(prefix="primus-") as folder:
        file = Path(folder) / ("member" + PurePosixPath(member).suffix.lower())
        file.write_bytes(data)
        try:
            return replace(_read_file(file, stream, hints, source), source=source)
        except (Rejected, UserError) as error:
            said = error.detail if isinstance(error, Rejected) else str(error)
            if said.startswith(source):
                raise
            words = f"{source}: {said.removeprefix(f'{file.name}: ')}"  # the name of our temporary file says nothing to anybody
            raise (Rejected(error.reason, words) if isinstance(error, Rejected) else UserError(words)) from error


def _reader_of(file: Path, stream: str | None, name: str) -> Callable[..., ImuRecording]:
    suffix = file.suffix.lower()
    if suffix == ".vrs":
        from primus.io.vrs import read_imu_vrs

        return lambda path, calibrated=False: read_imu_vrs(path, stream, calibrated)
    if suffix == ".parquet":
        from primus.io.imu_parquet import is_imu_parquet, read_imu_parquet

        if is_imu_parquet(file):
            return lambda path, calibrated=False: read_imu_parquet(path, stream, calibrated)
    if stream is not None:
        raise UserError(f"{name} has no named streams, but stream {stream!r} was asked for; leave it out")
    if suffix in TABLE_SUFFIXES:
        from primus.io.ego4d_imu import STAMP_COLUMN, read_ego4d_csv

        if suffix == ".csv" and STAMP_COLUMN in _first_line(file):
            return read_ego4d_csv
        from primus.io.table import read_imu_table

        return lambda path, columns=None, units=None, header=None: read_imu_table(path, columns, units, header, name)
    if suffix in TELEMETRY_SUFFIXES:
        from primus.io.action_camera import read_imu_telemetry

        return read_imu_telemetry
    known = ", ".join((".vrs", *TELEMETRY_SUFFIXES, *TABLE_SUFFIXES))
    raise UserError(f"{name}: {suffix or 'no suffix'} is not a kind of IMU file; expected one of {known}, or archive.zip::member")


def _first_line(file: Path) -> str:
    with file.open("rb") as handle:
        return handle.readline(4096).decode("utf-8", "replace")
