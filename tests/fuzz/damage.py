"""Damage of every kind, by what the file is: what disks, networks and careless exports do, and what somebody malicious would.

Everything is drawn from the generator given, so the n-th damaged input is the same in every run.
"""

import os
import re
import shutil
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from tests.fuzz.damage_binary import damage_parquet, damage_safetensors, damage_zip
from tests.fuzz.damage_text import damage_csv, damage_json, damage_yaml
from tests.fuzz.evil import EVIL, HUGE

Draw = np.random.Generator

_MARKS = {
    ".mp4": rb"moov|mvhd|trak|tkhd|mdhd|elst|stts|ctts|stsc|stsz|stco|co64|stss|avcC|stsd|hdlr|mdat"
    rb"|DEVC|STRM|ACCL|GYRO|STMP|TICK|SCAL|SIUN|TSMP|ORIN|MTRX",
    ".mkv": rb"\x1f\x43\xb6\x75|\x16\x54\xae\x6b|\xae|\x1c\x53\xbb\x6b|\x15\x49\xa9\x66|\xb0|\xba",
    ".vrs": rb"VisionRe|cordVRS|data_layout|DataPiece|offset|DL:Data|RF:Data|calib_json|device_type",
    ".h5": rb"\x89HDF|OHDR|TREE|HEAP|SNOD|GCOL|embedding|imu|key",
    ".pt": rb"PK\x01\x02|PK\x03\x04|PK\x05\x06|PK\x06\x06|data\.pkl|ctorch|_rebuild_tensor|FloatStorage|state_dict|cpu",
    ".parquet": rb"PAR1|schema|ARROW:schema|timestamp_ns|accel_x",
}
_MARKS |= {".insv": _MARKS[".mp4"], ".ckpt": _MARKS[".pt"], ".bin": _MARKS[".pt"]}


def damage_folder(sound: Path, out: Path, draw: Draw) -> str:
    """Copy the folder `sound` to `out` with one of its files damaged; returns what was done, for the report of a finding."""
    files = sorted(file for file in sound.rglob("*") if file.is_file())
    chosen = files[int(draw.integers(len(files)))]
    for file in files:
        target = out / file.relative_to(sound)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file != chosen:
            shutil.copyfile(file, target)
    target = out / chosen.relative_to(sound)
    data, suffix = chosen.read_bytes(), chosen.suffix.lower()
    if draw.random() < 0.01:
        target.write_bytes(b"")
        return f"{target.name}: empty"
    if draw.random() < 0.01 and suffix != ".entry":
        target.mkdir()
        return f"{target.name}: a folder"
    structured = _STRUCTURED.get(suffix)
    if structured is not None and draw.random() < 0.7:
        how = structured.__name__
        out_data = structured(data, draw)
        if draw.random() < 0.1:
            how, out_data = f"{how} and bytes", damage_bytes(out_data, draw, suffix)
    else:
        how, out_data = "bytes", damage_bytes(data, draw, suffix)
    target.write_bytes(out_data)
    return f"{target.name}: {how}"


def damage_bytes(data: bytes, draw: Draw, suffix: str = "") -> bytes:
    """One to four injuries: bytes flipped, a stretch cut, doubled, swapped, zeroed, overwritten or inserted, a number made huge, the end lost."""
    marks = _marks(data, suffix)
    out = bytearray(data)
    for _ in range(draw.integers(1, 5)):
        if not out:
            break
        a, b = _stretch(len(out), marks, draw)
        kind = draw.integers(10)
        if kind <= 1:
            for i in draw.integers(a, max(b, a + 1), draw.integers(1, 12)):
                out[min(int(i), len(out) - 1)] ^= 1 << int(draw.integers(8))
        elif kind == 2:
            del out[a:]
        elif kind == 3:
            del out[a:b]
        elif kind == 4:
            out[a:a] = out[a : min(b, a + 4096)]
        elif kind == 5:
            middle = (a + b) // 2
            out[a:b] = out[middle:b] + out[a:middle]
        elif kind == 6:
            out[a : min(b, a + 512)] = bytes(min(b, a + 512) - a)
        elif kind == 7:
            evil = EVIL[draw.integers(len(EVIL))]
            out[a : a + len(evil) * int(draw.integers(2))] = evil
        elif kind == 8:
            number, code = HUGE[draw.integers(len(HUGE))], ("<I", ">I", "<Q", ">Q")[draw.integers(4)]
            packed = struct.pack(code, number & ((1 << 8 * struct.calcsize(code)) - 1))
            out[a : a + len(packed)] = packed
        else:
            out[a:a] = draw.bytes(int(draw.integers(1, 64)))
    return bytes(out)


def _stretch(size: int, marks: tuple[int, ...], draw: Draw) -> tuple[int, int]:
    """A place to hurt: near a structure's mark, in the first or last kilobytes, or anywhere."""
    kind = draw.random()
    if marks and kind < 0.5:
        a = max(0, min(size - 1, marks[draw.integers(len(marks))] + int(draw.integers(-8, 40))))
        return a, min(size, a + int(draw.integers(1, 64)))
    if kind < 0.8:
        reach = min(size, int(draw.choice([100, 2000, 8000])))
        a, b = sorted(int(i) for i in draw.integers(0, reach + 1, 2))
        return (size - b, size - a) if draw.random() < 0.4 else (a, b)
    a, b = sorted(int(i) for i in draw.integers(0, size + 1, 2))
    return a, b


@lru_cache(maxsize=64)
def _marks(data: bytes, suffix: str) -> tuple[int, ...]:
    pattern = _MARKS.get(suffix)
    return tuple(match.start() for match in re.finditer(pattern, data))[:5000] if pattern else ()


_STRUCTURED: dict[str, Callable[[bytes, Draw], bytes]] = {
    ".csv": damage_csv,
    ".json": damage_json,
    ".yaml": damage_yaml,
    ".zip": damage_zip,
    ".parquet": damage_parquet,
    ".safetensors": damage_safetensors,
    ".lock": damage_yaml,
}


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same content."""
    mine, theirs = ({os.fspath(f.relative_to(root)): f for f in root.rglob("*") if f.is_file()} for root in (one, other))
    return mine.keys() == theirs.keys() and all(mine[name].read_bytes() == theirs[name].read_bytes() for name in mine)
