"""A data set in memory: takes whose IMU is given, for tests of what is done with takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from primus.errors import Rejected
from primus.io.files import FileSet
from primus.io.takes import Take, TakeImu
from primus.schema import Reject
from primus.segments.quality import Thresholds
from primus.segments.segmenter import SegmentSettings

NO_FILES = FileSet(Path("."), {})


@dataclass
class MemoryDataset:
    """Takes by uid with their recordings; a missing recording is a take without IMU."""

    imu: Mapping[str, TakeImu]
    list_of_takes: list[Take] = field(default_factory=list)

    def takes(self) -> tuple[list[Take], list[Reject]]:
        return self.list_of_takes, []

    def read_imu(self, take: Take) -> TakeImu:
        if take.take_uid not in self.imu:
            raise Rejected("no_imu", "not recorded")
        return self.imu[take.take_uid]

    def files(self, take: Take) -> list[str]:
        return []


def settings_with(**changes: object) -> SegmentSettings:
    """Settings of a 5 s segment at 50 Hz, changed as asked."""
    usual: dict[str, object] = {
        "rate_hz": 50.0, "window_s": 5.0, "stride_s": 5.0, "merge_s": 0.1, "label_share": 0.5, "subjects": ("C", None), "slack_s": 0.1,
        "thresholds": Thresholds(),
    }  # fmt: skip
    return SegmentSettings(**(usual | changes))  # type: ignore[arg-type]
