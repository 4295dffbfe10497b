"""Every size of the simulated corpus."""

from dataclasses import dataclass, field
from typing import Final, Literal

from primus.simulate.activities import EGO4D, EGOEXO4D, REALWORLD

Link = Literal["natural", "none"]

SITES: Final = ("cmu", "iiith", "nus", "uniandes", "unc", "sfu", "indiana", "minnesota", "utokyo", "georgiatech", "upenn", "fair")
"""Recording sites by the names that begin take names."""

EGOEXO4D_DEFECTS: Final = (
    "no_imu",
    "imu_short",
    "gap",
    "duplicate_axis",
    "unreadable_video",
    "timesync_invalid",
    "not_in_takes",
)
SHORTEST_S: Final = 10.0
"""No take is shorter: several actions and a gap with sound segments on both sides must fit."""

EGO4D_DEFECTS: Final = ("missing_axis", "duplicate_axis", "gap")


def _at_least(where: str, least: float, **values: float) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{where}.{name} must be >= {least:g}, found {value}")


def _at_most(where: str, name: str, value: int, limit: int) -> None:
    if not 0 <= value <= limit:
        raise ValueError(f"{where}.{name} must be in 0..{limit}, found {value}")


@dataclass(frozen=True)
class EgoExo4DConfig:
    """The Ego-Exo4D-shaped part. Official train takes are for pretraining and have video; official val takes are the probe's pool.

    Attributes:
        classes: how many of the eight activities, in the paper's order.
        sites: recording sites; every site hosts every activity.
        pretrain_participants, pretrain_takes: people of the official train split and takes of each.
        pretrain_take_s: mean length of such a take, seconds.
        probe_participants: people of the official val split; each does every activity once.
        probe_take_s: mean length of such a take, seconds.
        defects_per_kind: extra takes for each kind of injected defect.
        pixels: width and height of the video.
    """

    classes: int = 8
    sites: int = 4
    pretrain_participants: int = 16
    pretrain_takes: int = 4
    pretrain_take_s: float = 34.0
    probe_participants: int = 12
    probe_take_s: float = 52.0
    defects_per_kind: int = 2
    pixels: int = 96

    def __post_init__(self) -> None:
        _at_most("egoexo4d", "classes", self.classes, len(EGOEXO4D))
        _at_least("egoexo4d", 1, classes=self.classes, sites=self.sites, pretrain_takes=self.pretrain_takes)
        _at_least("egoexo4d", 1, pretrain_participants=self.pretrain_participants, probe_participants=self.probe_participants)
        _at_least("egoexo4d", SHORTEST_S, pretrain_take_s=self.pretrain_take_s, probe_take_s=self.probe_take_s)
        _at_most("egoexo4d", "sites", self.sites, len(SITES))
        _at_most("egoexo4d", "defects_per_kind", self.defects_per_kind, 50)
        if self.pixels < 32 or self.pixels % 2:
            raise ValueError(f"egoexo4d.pixels must be even and >= 32, found {self.pixels}")


@dataclass(frozen=True)
class Ego4DConfig:
    """The Ego4D-shaped part: one single-scenario video per class and participant, IMU only. Lengths in seconds."""

    classes: int = 10
    participants: int = 12
    video_s: float = 48.0
    defects_per_kind: int = 1

    def __post_init__(self) -> None:
        _at_most("ego4d", "classes", self.classes, len(EGO4D))
        _at_least("ego4d", 1, classes=self.classes, participants=self.participants)
        _at_least("ego4d", SHORTEST_S, video_s=self.video_s)
        _at_most("ego4d", "defects_per_kind", self.defects_per_kind, 50)


@dataclass(frozen=True)
class RealWorldConfig:
    """The RealWorld2016-shaped part: probands 1..n doing every activity for `activity_s` seconds (jumping: two thirds of it)."""

    classes: int = 8
    probands: int = 15
    activity_s: float = 40.0

    def __post_init__(self) -> None:
        _at_most("realworld", "classes", self.classes, len(REALWORLD))
        _at_most("realworld", "probands", self.probands, 15)
        _at_least("realworld", SHORTEST_S, activity_s=self.activity_s)


@dataclass(frozen=True)
class CorpusConfig:
    """The whole corpus. `link`: whether what is seen and said goes with the motion ("natural") or is drawn independently of it ("none")."""

    seed: int = 0
    link: Link = "natural"
    egoexo4d: EgoExo4DConfig = field(default_factory=EgoExo4DConfig)
    ego4d: Ego4DConfig = field(default_factory=Ego4DConfig)
    realworld: RealWorldConfig = field(default_factory=RealWorldConfig)

    def __post_init__(self) -> None:
        if self.link not in ("natural", "none"):
            raise ValueError(f"link must be 'natural' or 'none', found {self.link!r}")


TINY: Final = CorpusConfig(
    egoexo4d=EgoExo4DConfig(
        classes=3,
        sites=2,
        pretrain_participants=3,
        pretrain_takes=1,
        pretrain_take_s=14.0,
        probe_participants=4,
        probe_take_s=16.0,
        defects_per_kind=1,
        pixels=64,
    ),
    ego4d=Ego4DConfig(classes=2, participants=4, video_s=16.0, defects_per_kind=1),
    realworld=RealWorldConfig(classes=2, probands=4, activity_s=24.0),
)
"""The smallest corpus with everything in it: the fixture of tests and the `tiny` profile."""
