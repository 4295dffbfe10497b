"""Stages compute with the same kernels of BLAS and NumPy on every x86 processor with AVX2, unless told otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy  # noqa: F401  its library is looked at
import pytest
from threadpoolctl import threadpool_info

import stages

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, stages, numpy, scipy.linalg, threadpoolctl
print(json.dumps([found.get("architecture") for found in threadpoolctl.threadpool_info() if found["internal_api"] == "openblas"]))
"""

FUNCTIONS = """
import json, math, stages, numpy
values = numpy.random.default_rng(0).uniform(0.1, 0.9, 5000)
named = {"exp": math.exp, "log": math.log, "log1p": math.log1p, "arcsin": math.asin, "arccos": math.acos}
print(json.dumps([name for name, one in named.items() if getattr(numpy, name)(values).tolist() != [one(value) for value in values.tolist()]]))
"""


def kernels(**given: str) -> list[str]:
    """Which kernels NumPy and SciPy load after the package of the stages."""
    environment = {name: value for name, value in os.environ.items() if name != stages.BLAS} | given
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not stages._has_avx2(), reason="OpenBLAS chooses by itself on a processor without AVX2")
def test_the_kernels_do_not_depend_on_the_processor() -> None:
    assert kernels()
    assert set(kernels()) == {"Haswell"}


def test_a_process_that_has_numpy_changes_nothing_for_its_workers() -> None:
    environment = {name: value for name, value in os.environ.items() if name != stages.BLAS}
    program = f"import os, numpy, stages; assert {stages.BLAS!r} not in os.environ"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


def test_this_process_of_tests_has_the_kernels_of_the_stages() -> None:
    mine = [found["architecture"] for found in threadpool_info() if found["internal_api"] == "openblas"]
    assert set(mine) == set(kernels(**({stages.BLAS: os.environ[stages.BLAS]} if stages.BLAS in os.environ else {})))


@pytest.mark.skipif(not stages._has_avx2(), reason="OpenBLAS chooses by itself on a processor without AVX2")
def test_what_a_person_chose_stays() -> None:
    assert set(kernels(OPENBLAS_CORETYPE="Sandybridge")) == {"Sandybridge"}


def otherwise_than_c(**given: str) -> list[str]:
    """Functions of NumPy that differ from the C library's in some last bit, in a process that has imported the package of the stages."""
    environment = {name: value for name, value in os.environ.items() if name != stages.WIDE} | given
    done = subprocess.run([sys.executable, "-W", "error", "-c", FUNCTIONS], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not stages._flags(), reason="the processor's instructions are read on Linux on x86")
def test_functions_of_numpy_do_not_depend_on_the_processor() -> None:
    assert otherwise_than_c() == []


@pytest.mark.skipif(not stages._has_avx512(), reason="NumPy has functions of its own where there is AVX-512")
def test_what_a_person_lets_numpy_use_it_uses() -> None:
    assert "exp" in otherwise_than_c(**{stages.WIDE: ""})


@pytest.mark.parametrize(
    ("release", "first"), [("2.0.2", "AVX512F"), ("2.3.5", "AVX512F"), ("2.4.6", "X86_V4"), ("2.10.0", "X86_V4"), ("3.0.0rc1", "X86_V4")]
)
def test_instructions_are_named_as_the_release_of_numpy_names_them(release: str, first: str) -> None:
    assert stages._wide_of(release).split()[0] == first
