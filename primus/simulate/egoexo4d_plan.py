"""Who does what, where and when in the Ego-Exo4D-shaped corpus: every take as plain data, before anything is simulated."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from primus.seeds import generator
from primus.simulate.activities import EGOEXO4D, TASKS, Task
from primus.simulate.config import EGOEXO4D_DEFECTS, SITES, EgoExo4DConfig
from primus.simulate.narrations import identifier

FPS: Final = 30
LEAD_ROWS: Final = 45
"""Rows of timesync.csv before, between and after a capture's takes."""

OTHER_ARIA: Final = 0.2
"""Share of captures whose wearer has a device other than aria01."""

DEFECT_TAKE_S: Final = 18.0
WITH_VIDEO: Final = frozenset({"gap", "unreadable_video"})
OF_TRAIN: Final = WITH_VIDEO | {"not_in_takes"}
"""Defects injected into the official train split; the others cost a take of the probe's pool, which has no video to render."""


@dataclass(frozen=True)
class TakePlan:
    """One take. Rows are of the capture's timesync.csv; `origin_ns` is the device time of its first row; `defect` names what is wrong."""

    take_uid: str
    take_name: str
    take_idx: int
    capture_uid: str
    capture_name: str
    site: str
    participant: int
    label: str
    task: Task
    split: str
    aria_id: str
    start_row: int
    n_frames: int
    origin_ns: int
    has_video: bool
    defect: str | None

    @property
    def duration_s(self) -> float:
        """Length of the take: a whole number of frames."""
        return self.n_frames / FPS


@dataclass(frozen=True)
class _Slot:
    """What one participant is asked to do once."""

    participant: int
    site: str
    label: str
    split: str
    seconds: float
    defect: str | None = None


def plan_takes(config: EgoExo4DConfig, seed: int) -> list[TakePlan]:
    """All takes in order of capture. Depends on `config` and `seed` only."""
    rng = generator(seed, "simulate", "egoexo4d", "plan")
    takes: list[TakePlan] = []
    numbers: dict[tuple[str, str], int] = {}
    for slot in _slots(config, rng):
        task = TASKS[slot.label][int(rng.integers(len(TASKS[slot.label])))]
        number = numbers[slot.site, task.slug] = numbers.get((slot.site, task.slug), 0) + 1
        capture_name = f"{slot.site}_{task.slug}{number:02d}" if slot.site == "cmu" else f"{slot.site}_{task.slug}_{number}"
        take_idx = int(rng.integers(1, 9))
        aria = f"aria{rng.integers(2, 7):02d}" if rng.random() < OTHER_ARIA else "aria01"
        takes.append(
            TakePlan(
                take_uid=identifier(rng),
                take_name=f"{capture_name}_{take_idx}",
                take_idx=take_idx,
                capture_uid=identifier(rng),
                capture_name=capture_name,
                site=slot.site,
                participant=slot.participant,
                label=slot.label,
                task=task,
                split=slot.split,
                aria_id=aria,
                start_row=LEAD_ROWS + int(rng.integers(0, 300)),
                n_frames=round(slot.seconds * FPS),
                origin_ns=int(rng.integers(120_000_000_000, 1_900_000_000_000)),
                has_video=slot.split == "train" and (slot.defect is None or slot.defect in WITH_VIDEO),
                defect=slot.defect,
            )
        )
    return takes


def _slots(config: EgoExo4DConfig, rng: np.random.Generator) -> list[_Slot]:
    labels = list(EGOEXO4D)[: config.classes]
    sites = SITES[: config.sites]
    slots: list[_Slot] = []
    # Within a site people take consecutive activities of one order, so that a site hosts every activity equally often; sites start apart.
    ranks = -(-config.pretrain_participants // config.sites)
    rounds: dict[int, list[str]] = {}
    for person in range(config.pretrain_participants):
        rank, site = divmod(person, config.sites)
        for turn in range(config.pretrain_takes):
            cycle, place = divmod(rank * config.pretrain_takes + turn, config.classes)
            order = rounds.setdefault(cycle, [str(label) for label in rng.permutation(labels)])
            label = order[(place + site * ranks * config.pretrain_takes) % config.classes]
            slots.append(_Slot(100 + person, sites[site], label, "train", _length(config.pretrain_take_s, rng)))
    for person in range(config.probe_participants):
        for label in labels:
            slots.append(_Slot(500 + person, sites[person % config.sites], label, "val", _length(config.probe_take_s, rng)))
    defects = [defect for defect in EGOEXO4D_DEFECTS for _ in range(config.defects_per_kind)]
    for number, defect in enumerate(defects):
        split = "train" if defect in OF_TRAIN else "val"
        people, first = (config.pretrain_participants, 100) if split == "train" else (config.probe_participants, 500)
        label = labels[(number * 3 + number // config.classes) % config.classes]
        slots.append(_Slot(first + number % people, sites[number % people % config.sites], label, split, DEFECT_TAKE_S, defect))
    return slots


def _length(mean_s: float, rng: np.random.Generator) -> float:
    return mean_s + float(rng.uniform(-0.06, 0.06)) * mean_s
