"""The pipeline's commands, `python -m stages.<name>`. Importing this settles what must be settled before NumPy is loaded."""

import os
import platform
import sys
from pathlib import Path

BLAS = "OPENBLAS_CORETYPE"
"""Variable by which OpenBLAS, NumPy's and SciPy's, is told which processor's kernels to use."""


def _has_avx2() -> bool:
    if platform.machine() != "x86_64":
        return False
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return {"avx2", "fma"} <= set(flags.split())


# Left alone, OpenBLAS takes the newest kernels a processor has. They add in another order, a sample of the simulated corpus differs in its last bit,
# and every metric in its third digit: between two machines, or between two shells of one where somebody has set the variable. The kernels of 2013
# are on every processor with AVX2, and are no slower at the sizes met here.
# A process that has NumPy already keeps what it has, and so do its workers.
if BLAS not in os.environ and "numpy" not in sys.modules and _has_avx2():
    os.environ[BLAS] = "Haswell"
