"""Damaged inputs, as many as CI has time for: every outcome is segments, arrays or a named refusal; and the harness sees what it should.

PRIMUS_FUZZ_CASES sets how many inputs are tried (default 300); `make fuzz` tries tens of thousands.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from primus.io.datasets import READERS
from tests.fuzz.case import TARGETS, Result, _ended_after, _Guard
from tests.fuzz.damage import damage_folder, same_files
from tests.fuzz.readers import CONFIGS
from tests.fuzz.run import fuzz, planned, prepare, results

CASES = int(os.environ.get("PRIMUS_FUZZ_CASES", "300"))


@pytest.mark.parametrize("name", TARGETS)
def test_sound_inputs_are_read(name: str, tmp_path: Path) -> None:
    if not prepare([name], tmp_path):
        pytest.skip("what reads it is an extra that is not installed")
    for variant in sorted((tmp_path / name).iterdir()):
        assert TARGETS[name].read(variant) > 0, variant.name


def test_every_reader_of_data_sets_is_tried() -> None:
    assert {config["reader"] for config in CONFIGS.values()} == set(READERS), "give a new reader small sound inputs in tests/fuzz/readers.py"
    assert set(CONFIGS) <= set(TARGETS)


@pytest.mark.timeout(max(300, CASES))
def test_damaged_inputs_are_read_or_refused(tmp_path: Path) -> None:
    report = fuzz(list(TARGETS), CASES, 2, tmp_path)
    assert not report.findings, "\n" + report.table()
    tallies = report.tallies.values()
    assert sum(tally.cases for tally in tallies) == CASES
    read, refused = sum(tally.read for tally in tallies), sum(tally.refused.total() for tally in tallies)
    assert min(read, refused) > CASES // 10, "neither everything nor nothing survives"


def test_a_number_gives_the_same_input_every_time(tmp_path: Path) -> None:
    prepare(["labelled_csv"], tmp_path / "sound")
    variant = tmp_path / "sound/labelled_csv/one"
    told = [damage_folder(variant, tmp_path / name, np.random.default_rng(5)) for name in ("a", "b")]
    assert told[0] == told[1]
    assert same_files(tmp_path / "a", tmp_path / "b")
    assert not same_files(tmp_path / "a", variant)


def test_cases_are_shared_by_weight() -> None:
    cases = planned(list(TARGETS), 2000)
    assert len(set(cases)) == 2000
    readers = sum(TARGETS[name].kind == "reader" for name, _ in cases)
    assert readers == pytest.approx(1400, abs=10)
    assert set(planned(["vrs"], 3)) == {("vrs", 0), ("vrs", 1), ("vrs", 2)}


class Dies:
    """A runner whose every third case takes its process with it."""

    def __call__(self, item: tuple[str, int]) -> Result:
        if item[1] % 3 == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(0.01)
        return Result("read", "read", "", 0.0, 0.0)


def test_a_crash_costs_one_case_and_is_counted() -> None:
    found = [(number, result.kind) for _, number, result in results(Dies(), [("vrs", k) for k in range(5)], 2)]  # type: ignore[arg-type]
    assert found == [(0, "read"), (1, "crash"), (2, "read"), (3, "read"), (4, "crash")]


class Spins:
    """A runner whose second case never ends."""

    def __call__(self, item: tuple[str, int]) -> Result:
        with _ended_after(0.5):
            while item[1] == 1:
                pass
        return Result("read", "read", "", 0.0, 0.0)


def test_a_case_without_end_is_ended_by_its_processor_time() -> None:
    found = [(number, result.kind) for _, number, result in results(Spins(), [("vrs", k) for k in range(3)], 1)]  # type: ignore[arg-type]
    assert found == [(0, "read"), (1, "hang"), (2, "read")]


def test_waiting_is_no_hang() -> None:
    began = time.monotonic()
    with _ended_after(0.2):
        time.sleep(0.5)
    assert time.monotonic() - began >= 0.5, "it was not ended"
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0), "and the next case starts with a clock of its own"


def test_the_guard_sees_what_leaves_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.txt"
    inside.mkdir()
    with _Guard().watching(inside) as seen:
        (inside / "fine.txt").write_text("")
        outside.write_text("")
        os.system("true")
    assert [entry.split()[0] for entry in seen] == ["open", "os.system"]
