"""Archives no honest program writes: members that point outside, bombs, headers that lie, archives in archives in archives."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

Draw = np.random.Generator
_NAMES = (
    "../escaped.csv",
    "../../../../../../tmp/primus_fuzz_escaped.csv",
    "/tmp/primus_fuzz_escaped.csv",
    "..\\escaped.csv",
    "C:\\escaped.csv",
    "a/../../b.csv",
    "\x00.csv",
    "",
    ".",
    "/",
    "a" * 3000 + ".csv",
    "__MACOSX/._acc_walking_head.csv",
    "con.csv",
    "acc_walking_head.csv\n",
    "::acc_walking_head.csv",
    "proband9/../../data/acc_walking_csv.zip",
    "$(touch executed).csv",
    "<b>.csv",
    "\u202eacc_walking_head.csv",
)


def members(data: bytes) -> dict[str, bytes]:
    """What a sound archive holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(content: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these members, doubles allowed."""
    sink = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(sink, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # doubled names
        for name, member in content:
            archive.writestr(zipfile.ZipInfo(name), member, method)
    return sink.getvalue()


def with_hurt_member(data: bytes, draw: Draw, hurt: Callable[[bytes, Draw], bytes]) -> bytes:
    """One CSV within hurt, at any depth, the archive around it sound."""
    content = members(data)
    chosen = _one([name for name in content if name.endswith((".csv", ".zip"))], draw)
    inner = content[chosen]
    content[chosen] = with_hurt_member(inner, draw, hurt) if chosen.endswith(".zip") else hurt(inner, draw)
    return pack(list(content.items()))


def _one(names: list[str], draw: Draw) -> str:
    return names[int(draw.integers(len(names)))]


def outside(data: bytes, draw: Draw) -> bytes:
    """Members renamed to, or joined by, names that point elsewhere."""
    content = list(members(data).items())
    name = _NAMES[int(draw.integers(len(_NAMES)))]
    if draw.random() < 0.5:
        k = int(draw.integers(len(content)))
        content[k] = (name, content[k][1])
    else:
        content.append((name, content[0][1]))
    return pack(content)


def link(data: bytes, draw: Draw) -> bytes:
    """A member that says it is a symbolic link to a file outside."""
    content = list(members(data).items())
    k = int(draw.integers(len(content)))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for i, (name, member) in enumerate(content):
            info = zipfile.ZipInfo(name)
            if i == k:
                info.create_system, info.external_attr = 3, 0o120777 << 16
                member = b"/etc/passwd"
            archive.writestr(info, member)
    return sink.getvalue()


def bomb(data: bytes, draw: Draw) -> bytes:
    """A member that unpacks to a thousand times its size."""
    content = list(members(data).items())
    k = int(draw.integers(len(content)))
    size = int(draw.choice([3 << 20, 80 << 20, 300 << 20]))
    content[k] = (content[k][0], _zeros(size) if not content[k][0].endswith(".zip") else pack([("acc_walking_head.csv", _zeros(size))]))
    return pack(content)


_cache: dict[int, bytes] = {}


def _zeros(size: int) -> bytes:
    if size > 100 << 20:
        return b"id,attr_time,attr_x,attr_y,attr_z\n" + bytes(size)
    return _cache.setdefault(size, b"id,attr_time,attr_x,attr_y,attr_z\n" + b"1,1,0,0,0\n" * (size // 10))


def lies(data: bytes, draw: Draw) -> bytes:
    """Sizes, offsets, checksums, methods or flags of the directory that are not true."""
    out = bytearray(data)
    places = [i for i in range(len(out) - 4) if out[i : i + 4] in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")]
    for _ in range(int(draw.integers(1, 4))):
        place = places[int(draw.integers(len(places)))]
        offset, code = (
            [(8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (30, "<H"), (32, "<H"), (42, "<I")]
            if out[place : place + 4] == b"PK\x01\x02"
            else [(6, "<H"), (8, "<H"), (14, "<I"), (18, "<I"), (22, "<I"), (26, "<H"), (28, "<H")]
            if out[place : place + 4] == b"PK\x03\x04"
            else [(8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<H")]
        )[int(draw.integers(5))]
        value = int(draw.choice([0, 1, 8, 9, 12, 14, 95, 99, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, int(draw.integers(1 << 32))]))
        width = struct.calcsize(code)
        if place + offset + width <= len(out):
            struct.pack_into(code, out, place + offset, value & ((1 << 8 * width) - 1))
    return bytes(out)


def nested(data: bytes, draw: Draw) -> bytes:
    """The archive in itself, many times over, under a sensor archive's name."""
    name = next((name for name in members(data) if name.endswith(".zip")), "acc_walking_csv.zip")
    for _ in range(int(draw.choice([1, 2, 3, 5, 40]))):
        data = pack([(name, data)])
    return data


def many(data: bytes, draw: Draw) -> bytes:
    """Far more members than a recording has."""
    count = int(draw.choice([500, 21_000]))
    return pack([*members(data).items(), *((f"x{i}", b"") for i in range(count))], zipfile.ZIP_STORED)


def doubled(data: bytes, draw: Draw) -> bytes:
    """Two members of one name with other contents."""
    content = list(members(data).items())
    k = int(draw.integers(len(content)))
    return pack([*content, (content[k][0], content[int(draw.integers(len(content)))][1])])


KINDS = (outside, outside, link, bomb, lies, lies, lies, lies, nested, doubled, doubled, many)
