"""Damage for fuzzing: what disks, networks and careless exports do to a file."""

import numpy as np

_EVIL = (b"\x00" * 8, b"\xff" * 8, b"nan", b"-1", b"1e999", b'"', b"\n\n", b"[[[[", b"\xff\xff\xff\x7f", b"9" * 30)


def mutate(data: bytes, draw: np.random.Generator) -> bytes:
    """One to four random injuries: bytes flipped, a stretch cut, doubled, swapped, zeroed or overwritten, the end lost."""
    out = bytearray(data)
    for _ in range(draw.integers(1, 5)):
        if not out:
            break
        # most files keep what matters in their first kilobytes
        reach = len(out) if draw.random() < 0.6 else min(len(out), int(draw.choice([100, 2000, 8000])))
        a, b = sorted(int(i) for i in draw.integers(0, reach + 1, 2))
        kind = draw.integers(8)
        if kind <= 1:
            for i in draw.integers(0, reach, draw.integers(1, 12)):
                out[i] ^= 1 << int(draw.integers(8))
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
        else:
            evil = _EVIL[draw.integers(len(_EVIL))]
            out[a : a + len(evil)] = evil
    return bytes(out)
