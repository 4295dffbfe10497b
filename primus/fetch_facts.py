"""What there is to fetch: commands, their sizes as the data sets' own pages state them, and what goes wrong on the way. Facts, no code.

Nothing here was downloaded by this project: every fact names the public page it was read on (November 2026), sizes that no page states are unknown,
and GB are 10^9 bytes as on those pages.
"""

from dataclasses import dataclass
from typing import Literal

Modalities = Literal["imu+text", "imu+text+video"]
MODALITIES: tuple[Modalities, ...] = ("imu+text", "imu+text+video")

_EXO_DOCS = "https://docs.ego-exo4d-data.org"
_EXO_SIZES = f"{_EXO_DOCS}/download/"
_EXO_README = "https://github.com/facebookresearch/Ego4d/tree/main/ego4d/egoexo/download"
_DOWNLOADER = "https://github.com/facebookresearch/Ego4d/tree/main/ego4d/internal/download"
_EGO4D_START = "https://ego4d-data.org/docs/start-here/"
_EGO4D_CLI = "https://ego4d-data.org/docs/CLI/"
_EGO4D_IMU = "https://ego4d-data.org/docs/data/imu/"
_ISSUES = "https://github.com/facebookresearch/Ego4d/issues"
_REALWORLD = "http://sensor.informatik.uni-mannheim.de/index.html#dataset_realworld"
_REALWORLD_ZIP = "http://wifo5-14.informatik.uni-mannheim.de/sensor/dataset/realworld2016/realworld2016_dataset.zip"


@dataclass(frozen=True)
class Step:
    """A command to run.

    Attributes:
        command: with DIR for the folder of the data set.
        gb: what it downloads in 10^9 bytes, None where no page states it, 0.0 where it downloads nothing.
        why: what is needed of it.
        source: public page of the command and its size.
        video_only: needed only where videos are wanted.
        about: whether the page says "about".
    """

    command: str
    gb: float | None
    why: str
    source: str
    video_only: bool = False
    about: bool = False


@dataclass(frozen=True)
class Note:
    """A fact and the public page it was read on; an empty source is what this project itself does."""

    text: str
    source: str = ""


@dataclass(frozen=True)
class DatasetPlan:
    """How to get one data set.

    Attributes:
        name, title: short and full name.
        licence: what has to be agreed to.
        prepare: commands to run once, before the steps.
        steps: the downloads.
        traps: what is known to go wrong.
        afterwards: commands to run when everything is there.
        video_note: what videos mean for this data set, said when they are asked for.
    """

    name: str
    title: str
    licence: Note
    prepare: tuple[str, ...]
    steps: tuple[Step, ...]
    traps: tuple[Note, ...]
    afterwards: tuple[str, ...]
    video_note: Note | None = None

    def known_gb(self) -> float:
        """Sum of the sizes that are known."""
        return sum(step.gb for step in self.steps if step.gb is not None)

    def unknown(self) -> int:
        """How many steps have a size that no page states."""
        return sum(step.gb is None for step in self.steps)


_EGOEXO4D = DatasetPlan(
    name="egoexo4d",
    title="Ego-Exo4D (release v2: 5035 takes, 221 hours of glasses)",
    licence=Note(
        "A licence agreement, free of charge, about 48 hours to approval; AWS keys come by mail and expire after 14 days (ask again with the same "
        "form: they are re-activated at once). Request: https://ego4d.dev/request/ego-exo4d",
        f"{_EXO_DOCS}/getting-started/",
    ),
    prepare=("pip install 'ego4d>=1.7.1' awscli", "aws configure    # access key and secret key of the mail; Enter twice for region and format"),
    steps=(
        Step("egoexo -o DIR --parts metadata -y", 0.046, "takes.json, captures.json: takes, people, cameras, rows of the clock file", _EXO_SIZES),
        Step("egoexo -o DIR --parts annotations -y", 10.533, "atomic_descriptions_{train,val}.json (the texts) and splits.json", _EXO_SIZES),
        Step("egoexo -o DIR --parts captures -y", 43.618, "timesync.csv: the only map from video frames to the clock of the glasses", _EXO_SIZES),
        Step(
            "egoexo -o DIR --parts take_vrs_noimagestream -y",
            995.592,
            "the IMU (and seven channels of audio)",
            _EXO_SIZES,
        ),
        Step(
            "egoexo -o DIR --parts downscaled_takes/448 -y",
            438.556,
            "videos of all cameras at 448 pixels; only the glasses' *_214-1.mp4 are read",
            _EXO_SIZES,
            video_only=True,
        ),
    ),
    traps=(
        Note("Without --parts the command fetches its default set, 12 113 GB.", _EXO_SIZES),
        Note(
            "take_vrs (12 301 GB) is the same IMU with image streams; take_vrs_noimagestream is the part to ask for, although a page says that "
            "--parts takes (10 553 GB) brings these files.",
            f"{_EXO_DOCS}/data/takes/",
        ),
        Note(
            "--views ego does not shrink downscaled_takes/448: in the downloader's source its entries carry no view, and entries without one pass "
            "every filter. For the glasses alone, take the names that end in _214-1.mp4 from that part's manifest.json. Whether the published "
            "manifest is what that source writes has not been seen.",
            _DOWNLOADER,
        ),
        Note("--benchmarks, --splits and -u (universities) do shrink the recordings: --benchmarks keystep leaves 434 GiB of them.", f"{_ISSUES}/355"),
        Note(
            "With less disk, fetch and extract one university after another: egoexo ... -u cmu, then extract-imu --delete-source, and so on.",
            _EXO_SIZES,
        ),
        Note("--uids filters by take_uid and capture_uid alike; give both when parts of takes and of captures are fetched together.", _EXO_README),
        Note(
            "Files that are there are known by their size alone, so after extract-imu --delete-source the same egoexo command would fetch the "
            "recordings again; and its -d deletes whatever is not part of the download, the extracted files too.",
            _EXO_README,
        ),
        Note(
            "A take's recording keeps the clock of the glasses (284 s, say, not 0 at its start); captures/*/timesync.csv maps it.", f"{_ISSUES}/342"
        ),
        Note("Annotation files name takes that takes.json does not list; they are counted as not_in_takes.", f"{_ISSUES}/360"),
    ),
    afterwards=(
        "primus extract-imu DIR --out DIR --delete-source    # optional: keeps the IMU, deletes each recording once verified; says what is left",
        "export EGOEXO4D_ROOT=DIR    # the folder that holds takes.json",
    ),
)

_EGO4D = DatasetPlan(
    name="ego4d",
    title="Ego4D (v2; here a labelled set for the few-shot probe)",
    licence=Note(
        "A licence agreement with each of the 13 universities in one form, about 48 hours to approval; AWS keys expire after 14 days. "
        "Request: https://ego4ddataset.com/",
        _EGO4D_START,
    ),
    prepare=("pip install 'ego4d>=1.7.1' awscli", "aws configure    # access key and secret key of the mail"),
    steps=(
        Step(
            "ego4d --output_directory DIR --datasets annotations --metadata -y",
            2.0,
            "ego4d.json (scenarios, people, which videos have IMU) and narration.json",
            _EGO4D_START,
            about=True,
        ),
        Step("ego4d --output_directory DIR --datasets imu --metadata -y", None, "one CSV of IMU a video", _EGO4D_IMU),
        Step(
            """python -c "import json; all = json.load(open('DIR/v2/ego4d.json'))['videos']; """
            """print(*(v['video_uid'] for v in all if v['has_imu']))" > uids.txt""",
            0.0,
            "the videos that have IMU",
            f"{_ISSUES}/341",
            video_only=True,
        ),
        Step(
            "ego4d --output_directory DIR --datasets video_540ss --video_uid_file uids.txt -y",
            None,
            "videos of the uids listed; all videos at full scale are about 5 TB",
            _EGO4D_CLI,
            video_only=True,
        ),
    ),
    traps=(
        Note(
            "The IMU part is the normalised CSVs; the 114.8 GB of components/imu are unprocessed files that are not read.",
            "https://ego4d-data.org/docs/data/unprocessed_data/",
        ),
        Note("Only videos whose has_imu is true in ego4d.json have a CSV; fetch videos by their uids, or everything comes.", f"{_ISSUES}/341"),
        Note(
            "canonical_timestamp_ms may be NULL, and in the published sample accl_y equals accl_z: such rows are dropped, such files refused.",
            _EGO4D_IMU,
        ),
        Note("IMU and video were found apart by half a second to a second in about half of the clips someone inspected.", f"{_ISSUES}/158"),
        Note("403 Forbidden mostly means that the 14 days are over.", "https://github.com/facebookresearch/Ego4d/blob/main/ego4d/cli/README.md"),
    ),
    afterwards=("export EGO4D_ROOT=DIR    # the folder that holds v2/ego4d.json",),
    video_note=Note("The probe reads IMU and labels only: these videos serve pretraining on Ego4D too, if you set that up."),
)

_REALWORLD_PLAN = DatasetPlan(
    name="realworld",
    title="RealWorld2016 (15 people, 8 activities, 7 positions; here a labelled set for the few-shot probe)",
    licence=Note("Terms of use are unknown here: read the page before use.", _REALWORLD),
    prepare=(),
    steps=(Step(f"wget -c -P DIR {_REALWORLD_ZIP}", None, "accelerometer and gyroscope of all positions", _REALWORLD),),
    traps=(
        Note("Nothing is to be unpacked: the archive, and the archives within, are read as published."),
        Note("It has neither texts nor videos that are used; it is the same for every modality."),
    ),
    afterwards=("export REALWORLD_ROOT=DIR",),
)

DATASETS = {plan.name: plan for plan in (_EGOEXO4D, _EGO4D, _REALWORLD_PLAN)}
