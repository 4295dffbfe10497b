"""What every dataset reader hands on: takes with their people, labels and texts, and the IMU of a take on the take's own time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from primus.io.recording import ImuRecording
from primus.schema import Reject

Clock = Literal["timesync", "first_sample", "file"]


@dataclass(frozen=True)
class Narration:
    """A text said of one moment.

    Attributes:
        time_s: seconds from take start (a little below zero occurs).
        text: as written by the annotator, white space trimmed, never empty.
        subject: "C" the camera wearer, "O" someone or something else, None unknown.
        ego_visible: whether the ego camera shows it; None unknown.
        unsure: whether the annotator was unsure; None unknown.
    """

    time_s: float
    text: str
    subject: str | None = None
    ego_visible: bool | None = None
    unsure: bool | None = None


@dataclass(frozen=True)
class Activity:
    """A labelled interval [start_s, end_s) in seconds from take start."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Take:
    """One continuous recording event. Paths are names below the dataset's root; None stands for unknown or absent, never for a default.

    Attributes:
        dataset: name of the dataset in params.
        take_uid: unique within the dataset; part of every segment id.
        participant: "<population>/<id>", shared by the datasets of the same people.
        site: where it was recorded.
        device: what recorded the IMU.
        duration_s: length of the take in seconds.
        label: activity of the whole take.
        official_split: "train", "val" or "test" as the dataset's authors put it.
        imu_path, video_path: one file each; an archive member is written "archive.zip::member".
        video_frames: how many frames the dataset's own metadata give the video.
        narrations: ordered in time, all accepted annotator passes.
        activities: labelled intervals, ordered in time.
        source: whatever else the reader needs to read the take again, or to say why it cannot (`imu_missing`, `label_missing`).
    """

    dataset: str
    take_uid: str
    participant: str | None = None
    site: str | None = None
    device: str | None = None
    duration_s: float | None = None
    label: str | None = None
    official_split: str | None = None
    imu_path: str | None = None
    video_path: str | None = None
    video_frames: int | None = None
    narrations: tuple[Narration, ...] = ()
    activities: tuple[Activity, ...] = ()
    source: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class TakeImu:
    """The IMU of a take.

    Attributes:
        recording: samples on the device clock.
        origin_ns: device time of the take's start: a sample lies (t - origin_ns) * 1e-9 seconds into the take.
        clock: how `origin_ns` is known. "timesync": from the dataset's map of frames to device time; "first_sample": assumed, because that
            map is absent; "file": the file's own zero or first stamp is the take's start by definition.
    """

    recording: ImuRecording
    origin_ns: int
    clock: Clock


class Dataset(Protocol):
    """A dataset on disk. Readers only read: whether a signal is good enough is decided by `primus.segments`."""

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """Every take, ordered by take_uid, and what the annotations name but cannot be used."""

    def read_imu(self, take: Take) -> TakeImu:
        """The take's IMU.

        Raises:
            Rejected: the take has none, or its file cannot be trusted.
        """

    def files(self, take: Take) -> list[str]:
        """Names of the files `read_imu` opens for the take, for the identity of cached work."""
