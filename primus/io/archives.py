"""Members of zip archives, nested ones too, read into memory under limits. Nothing is ever written, and no member's name is ever used as a path."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from primus.errors import Rejected

MEMBER_LIMIT = 64 << 20  # bytes of one unpacked member; RealWorld2016's largest CSV has 2 MB
ARCHIVE_LIMIT = 128 << 20  # bytes of one archive inside another; the release's have 20 MB
RATIO_LIMIT = 200  # times its packed size; text of numbers packs tenfold, bombs a thousandfold
RATIO_FREE = 1 << 20  # bytes that are harmless whatever the ratio
MEMBERS_LIMIT = 20_000
DEPTH_LIMIT = 3
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, OverflowError, MemoryError)

MemberPath = tuple[str, ...]
"""Names from the outermost archive's member inwards: ("acc_climbingup_1_csv.zip", "acc_climbingup_head.csv")."""


def list_members(path: Path, wanted_archive: Callable[[str], bool], on_damage: Callable[[MemberPath, Rejected], None]) -> Iterator[MemberPath]:
    """All files in an archive and, where `wanted_archive` says so of their name, in the archives within, in stored order.

    Names that point outside (absolute, or with "..") and the resource forks of macOS are left out.

    Args:
        on_damage: told of each archive within that cannot be read, which is then left out.

    Raises:
        Rejected: `unreadable_imu` when the archive itself is damaged or beyond the limits.
    """
    with _opened(path) as archive:
        yield from _listed(archive, (), wanted_archive, on_damage, path.name)


def read_member(path: Path, member: MemberPath, limit: int = MEMBER_LIMIT) -> bytes:
    """One member's content.

    Raises:
        Rejected: `unreadable_imu` when it is absent, damaged, encrypted, or unpacks to more than `limit` bytes.
    """
    with _opened(path) as archive:
        return _read(archive, member, limit, path.name)


def _listed(
    archive: zipfile.ZipFile, parents: MemberPath, wanted: Callable[[str], bool], on_damage: Callable[[MemberPath, Rejected], None], source: str
) -> Iterator[MemberPath]:
    names = archive.namelist()
    if len(names) > MEMBERS_LIMIT:
        raise Rejected("unreadable_imu", f"{source}: {len(names)} members; no more than {MEMBERS_LIMIT} are read")
    for name in dict.fromkeys(names):
        if name.endswith("/") or not _inside(name):
            continue
        if not name.lower().endswith(".zip"):
            yield (*parents, name)
        elif wanted(name) and len(parents) + 1 < DEPTH_LIMIT:
            where = f"{source}::{name}"
            try:
                with _nested(_read(archive, (name,), ARCHIVE_LIMIT, source), where) as inner:
                    members = list(_listed(inner, (*parents, name), wanted, on_damage, where))
            except Rejected as rejected:
                on_damage((*parents, name), rejected)
                continue
            yield from members


def _read(archive: zipfile.ZipFile, member: MemberPath, limit: int, source: str) -> bytes:
    name, *rest = member
    allowed = ARCHIVE_LIMIT if rest else limit
    where = f"{source}::{name}"
    try:
        stated = archive.getinfo(name)
        sizes = f"({stated.compress_size} to {stated.file_size} bytes); no recording does"
        if stated.file_size > allowed:
            raise Rejected("unreadable_imu", f"{where} unpacks to more than {allowed >> 20} MiB {sizes}")
        if stated.file_size > max(RATIO_FREE, RATIO_LIMIT * stated.compress_size):
            raise Rejected("unreadable_imu", f"{where} unpacks to more than {RATIO_LIMIT} times its size {sizes}")
        with archive.open(stated) as content:
            data = content.read(allowed)  # zipfile ends at the stated size, and then compares the checksum
    except KeyError as error:
        raise Rejected("unreadable_imu", f"{where} is not in the archive") from error
    except _DAMAGE as error:
        raise Rejected("unreadable_imu", f"{where} cannot be unpacked ({type(error).__name__}: {error})") from error
    if not rest:
        return data
    with _nested(data, where) as inner:
        return _read(inner, tuple(rest), limit, where)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise Rejected("unreadable_imu", f"{path.name} is not a readable zip archive ({type(error).__name__}: {error})") from error
    with archive:
        yield archive


@contextmanager
def _nested(data: bytes, where: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGE as error:
        raise Rejected("unreadable_imu", f"{where} is not a readable zip archive ({type(error).__name__}: {error})") from error
    with archive:
        yield archive


def _inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts and "__MACOSX" not in path.parts and not path.name.startswith("._")
