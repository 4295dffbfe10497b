"""The system's faults are known in whatever words a library tells them; a lack of memory is one line where a stage meets it."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from primus.errors import Rejected
from primus.stage import stage
from primus.system_faults import lacked_memory, system_fault

MUCH = 1 << 60


def refused_by_torch() -> None:
    torch.empty(MUCH, dtype=torch.uint8)


def refused_by_numpy() -> None:
    np.empty(MUCH, dtype=np.uint8)


def hidden_in_another() -> None:
    try:
        refused_by_torch()
    except RuntimeError as error:
        raise ValueError("the batch could not be made") from error


@pytest.mark.parametrize("act", [refused_by_torch, refused_by_numpy, hidden_in_another])
def test_a_stage_without_memory_says_so_in_one_line(act, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        stage("greedy")(act)()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: greedy: out of memory (")
    assert said.count("\n") == 1
    assert "out of memory" in json.loads((tmp_path / "logs/greedy.jsonl").read_text().splitlines()[-1])["message"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to mmap 5506096 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
        ImportError("_upfirdn_apply.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_words_seen_in_the_wild(error: Exception) -> None:
    assert lacked_memory(error)


@pytest.mark.parametrize("error", [ValueError("out of memory"), RuntimeError("shapes differ"), ImportError("no module named x"), OSError(28, "full")])
def test_another_error_is_none(error: Exception, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    assert not lacked_memory(error)
    monkeypatch.chdir(tmp_path)

    def fails() -> None:
        raise error

    with pytest.raises(SystemExit if isinstance(error, OSError) else type(error)):
        stage("fails")(fails)()


def wrapped(error: Exception) -> Rejected:
    try:
        try:
            raise error
        except OSError:
            raise Rejected("unreadable_imu", "take: cannot be read") from None
    except Rejected as refused:
        return refused


class DecoderError(OSError):
    """Of a library's own kind."""


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE, errno.EMFILE, errno.ENOMEM])
def test_a_refusal_tells_that_the_system_was_at_fault(number: int) -> None:
    assert system_fault(wrapped(OSError(number, "said by the system")))


@pytest.mark.parametrize("error", [OSError("thrift: invalid data"), FileNotFoundError(errno.ENOENT, "none"), DecoderError(errno.EIO, "damaged")])
def test_a_refusal_for_damage_is_the_files_own(error: Exception) -> None:
    assert not system_fault(wrapped(error))
