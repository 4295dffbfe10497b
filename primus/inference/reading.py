"""One recording of a person's, read for a command: a recording at fault is refused and the command goes on, any other fault ends the command.

What is refused is remembered, beside the features and as finished work that is not done again. So only what the recording itself is at fault for may
be refused: not a lack of memory, a failing disk, a missing permission or a package that is not installed, with which it may read well next time.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from primus.errors import Rejected, UserError
from primus.io.imu_file import TABLE_SUFFIXES, read_imu
from primus.io.recording import ImuRecording
from primus.io.table_guess import CannotTell
from primus.system_faults import lacked_memory, system_fault

STREAMED = (".vrs", ".imu.parquet")  # kinds of file that hold more than one IMU
_SAID = 300  # characters of an error


def read_recording(name: str | Path, units: Mapping[str, str], stream: str | None = None) -> ImuRecording:
    """Read a file of any kind; `units` are those of tables, `stream` that of glasses, so other kinds are read without.

    Raises:
        UserError, Rejected: see `primus.io.imu_file.read_imu`.
    """
    kind = str(name).lower()
    if kind.endswith(STREAMED):
        return read_imu(name, stream)
    hints: dict[str, Any] = {"units": dict(units)} if units and kind.endswith(TABLE_SUFFIXES) else {}
    return read_imu(name, **hints)


@contextmanager
def reading(name: str | Path) -> Iterator[None]:
    """Around all that is done with the recording `name`: its own faults leave as `Rejected`, all others as `UserError`.

    Raises:
        Rejected: with the reason of its reader; `no_imu` where the file is no recording (a table of something else beside them), `unreadable_imu` or
            `implausible_gravity` where its columns or units cannot be told, `reader_crashed` where an error came that nobody foresaw.
        UserError: memory, disk or permission were wanting, or a package; the line names the file and what was said.
    """
    try:
        yield
    except Exception as error:
        require_own_fault(name, error)
        if isinstance(error, Rejected):
            raise
        if isinstance(error, UserError):
            raise Rejected(error.reason if isinstance(error, CannotTell) else "no_imu", str(error)) from error
        raise Rejected("reader_crashed", _words(error)) from error


def require_own_fault(name: str | Path, error: Exception) -> None:
    """Let an error pass for which the file `name` is to be refused, and say any other.

    Raises:
        UserError: see `reading`.
    """
    if lacked_memory(error):
        remedy = "free some and rerun, finished work is kept; a damaged file that asks for too much must be left out"
        raise UserError(f"{name}: not enough memory to read it ({_words(error)}); {remedy}") from error
    if system_fault(error):
        raise UserError(f"{name}: cannot be read ({_words(error)}); mend that and rerun, finished work is kept") from error
    if isinstance(error, UserError) and isinstance(error.__cause__, ImportError):
        raise UserError(f"{error}, or leave such files out") from error


def _words(error: Exception) -> str:
    """What was said, in one line."""
    said = error.detail if isinstance(error, Rejected) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:_SAID]
