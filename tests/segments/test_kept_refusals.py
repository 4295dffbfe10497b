"""A refusal is kept where the recording is at fault, and tried again where the system was."""

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from primus.errors import Rejected
from primus.io.files import FileSet
from primus.io.takes import Take, TakeImu
from primus.segments.kept import CachedSegmenter
from primus.segments.segmenter import TakeJob
from tests.segments.memory_dataset import MemoryDataset, settings_with

JOB = TakeJob(Take("d", "t", imu_path="t.csv"), "pretrain", "tile")


@dataclass
class Failing(MemoryDataset):
    """Its one recording cannot be read, for this cause."""

    cause: Exception | None = None
    reads: int = 0

    def read_imu(self, take: Take) -> TakeImu:
        self.reads += 1
        raise Rejected("unreadable_imu", "t.csv: cannot be read") from self.cause

    def files(self, take: Take) -> list[str]:
        return ["t.csv"]


@pytest.mark.parametrize(
    ("cause", "reads"),
    [
        (None, 1),
        (ValueError("no number"), 1),
        (OSError("thrift: invalid data"), 1),
        (OSError(errno.EIO, "Input/output error"), 2),
        (PermissionError(errno.EACCES, "Permission denied"), 2),
        (MemoryError(), 2),
    ],
    ids=repr,
)
def test_what_the_system_could_not_read_is_read_again(cause: Exception | None, reads: int, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x")
    segmenter = CachedSegmenter({"d": {"reader": "labelled_csv"}}, {"d": FileSet.scan(tmp_path)}, settings_with())
    dataset = segmenter._opened["d"] = Failing({}, cause=cause)
    for _ in range(2):
        with pytest.raises(Rejected, match=r"t\.csv: cannot be read"):
            segmenter(JOB)
    assert dataset.reads == reads
