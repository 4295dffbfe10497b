"""The pipeline's commands, `python -m stages.<name>`. Importing this settles what must be settled before NumPy is loaded."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

BLAS = "OPENBLAS_CORETYPE"
"""Variable by which OpenBLAS, NumPy's and SciPy's, is told which processor's kernels to use."""

WIDE = "NPY_DISABLE_CPU_FEATURES"
"""Variable by which NumPy is told which of a processor's instructions to leave alone."""


def _flags() -> set[str]:
    """What an x86 processor has; nothing where that cannot be read."""
    if platform.machine() != "x86_64":
        return set()
    try:
        return set(next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return set()


def _has_avx2() -> bool:
    return {"avx2", "fma"} <= _flags()


def _has_avx512() -> bool:
    return {"avx2", "fma", "avx512f"} <= _flags()


def _wide_of(numpy_version: str) -> str:
    """All that NumPy has functions of its own for beyond AVX2; from 2.4 on levels of the architecture stand for groups of instructions."""
    after = tuple(int(part) for part in numpy_version.split(".")[:2]) >= (2, 4)
    return "X86_V4 AVX512_ICL AVX512_SPR" if after else "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"


# Left alone, OpenBLAS takes the newest kernels a processor has, and NumPy takes exp, log, powers and inverse functions from another library where it
# finds AVX-512. Either way a sample of the simulated corpus differs in its last bit, and every metric in its third digit: between two machines, or
# between two shells of one where somebody has set the variable. What there is since 2013 is on every processor with AVX2, and is no slower at the
# sizes met here.
# A process that has NumPy already keeps what it has, and so do its workers.
if "numpy" not in sys.modules:
    if BLAS not in os.environ and _has_avx2():
        os.environ[BLAS] = "Haswell"
    if WIDE not in os.environ and _has_avx512():
        os.environ[WIDE] = _wide_of(version("numpy"))
