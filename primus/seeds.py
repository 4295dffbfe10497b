"""Random generators derived from one seed and a path of names, so that no two uses share a stream and none is global."""

import hashlib

import numpy as np


def derived_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed that depends on `seed` and on every name, equal on every machine and Python version."""
    text = "\x1f".join([str(int(seed)), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator of its own for the purpose that `names` spells."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, *names)))
