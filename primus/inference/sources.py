"""Which recordings a list of files and folders holds: files of the known kinds, members of archives included, in a fixed order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from primus.errors import Rejected, UserError
from primus.inference.reading import require_own_fault
from primus.io.archives import list_members
from primus.io.imu_file import TABLE_SUFFIXES, TELEMETRY_SUFFIXES
from primus.schema import Reject

SUFFIXES = (".vrs", *TELEMETRY_SUFFIXES, *TABLE_SUFFIXES)
ARCHIVE = ".zip"


@dataclass(frozen=True)
class Source:
    """A recording: its name as the caller wrote its path, "archive.zip::member" for a member, and the identity of the file that holds it."""

    name: str
    size_bytes: int
    mtime_ns: int


def find_sources(paths: Sequence[str | Path], leave_out: Iterable[Path] = ()) -> tuple[list[Source], list[Reject]]:
    """The recordings below some paths, and the archives that cannot be opened.

    Args:
        paths: files of any kind, "archive.zip::member", and folders, which are searched for files of the known kinds; hidden ones are left out.
        leave_out: files that are no recordings, as the output.

    Raises:
        UserError: a path does not exist, there is no recording at all, or an archive cannot be opened for another fault than its own.
    """
    absent = [str(path) for path in paths if not Path(str(path).partition("::")[0]).exists()]
    if absent:
        raise UserError(f"{', '.join(absent)}: no such file or folder")
    skipped = {path.resolve() for path in leave_out}
    found: dict[str, Source] = {}
    rejects: list[Reject] = []
    for path in paths:
        file = Path(str(path).partition("::")[0])
        for one in _files(file) if file.is_dir() else (file,):
            if one.resolve() in skipped:
                continue
            state = one.stat()
            names = [str(path)] if "::" in str(path) else [one.as_posix()]
            if "::" not in str(path) and one.suffix.lower() == ARCHIVE:
                names = _members(one, rejects)
            for name in names:
                found.setdefault(name, Source(name, state.st_size, state.st_mtime_ns))
    if not found and not rejects:
        raise UserError(f"{', '.join(map(str, paths))}: no recording; expected files ending in {', '.join(SUFFIXES)}, or archives of them")
    return list(found.values()), rejects


def _files(folder: Path) -> list[Path]:
    inside = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (*SUFFIXES, ARCHIVE) and path.is_file())
    return [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def _members(archive: Path, rejects: list[Reject]) -> list[str]:
    """Names of an archive's recordings, in order; what cannot be opened is a reject."""

    def damaged(member: tuple[str, ...], refused: Rejected) -> None:
        require_own_fault(archive, refused)
        rejects.append(Reject("", "::".join((archive.as_posix(), *member)), refused.reason, refused.detail))

    try:
        members = list(list_members(archive, lambda name: True, damaged))
    except Rejected as refused:
        damaged((), refused)
        return []
    return sorted("::".join((archive.as_posix(), *member)) for member in members if member[-1].lower().endswith(SUFFIXES))
