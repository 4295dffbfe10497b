"""The RealWorld2016-shaped labelled set: a phone strapped to the head (and the waist), one zip archive per sensor and activity.

Quirks of the published archives are kept: gyroscope members are called "Gyroscope_", probands 4, 7 and 14 have nested archives for
climbing, some recordings are numbered "_2", and accelerometer and gyroscope do not start, end or count alike.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from primus.seeds import generator
from primus.simulate.activities import REALWORLD
from primus.simulate.config import CorpusConfig
from primus.simulate.imu import Sensor, clock, measure
from primus.simulate.people import draw_person, mounting_rotation
from primus.simulate.performance import perform

POPULATION: Final = "realworld"
MEMBER_PREFIX: Final = {"acc": "acc", "gyr": "Gyroscope"}
NESTED: Final = (4, 7, 14)
NUMBERED: Final = {(4, "walking"), (6, "sitting"), (7, "sitting"), (8, "standing"), (13, "walking")}
POSITIONS: Final = {
    "head": Sensor(50.0, 1.2e-3, ((0, 1, 0), (0, 0, 1), (1, 0, 0)), (-0.05, 0.09, 0.0), 0.08, 0.006, 0.2, 0.01),
    "waist": Sensor(50.0, 1.2e-3, ((0, 0, 1), (1, 0, 0), (0, 1, 0)), (0.0, 0.1, -0.6), 0.08, 0.006, 0.2, 0.01),
}
EPOCH_MS: Final = 1_435_993_000_000
ARCHIVE_DATE: Final = (2016, 1, 1, 0, 0, 0)
README: Final = "Simulated recordings in the form of RealWorld2016 (HAR).\n"


@dataclass(frozen=True)
class ActivityJob:
    """One proband doing one activity, in one or three parts."""

    proband: int
    activity: str
    seconds: float
    seed: int

    def cost(self) -> float:
        """Roughly proportional to run time."""
        return self.seconds * 0.3

    def run(self, root: Path, cache_root: Path | None) -> None:
        """Write the accelerometer and the gyroscope archive below `root`."""
        nested = self.proband in NESTED and self.activity.startswith("climbing")
        lengths = [self.seconds / 2, self.seconds / 4, self.seconds / 4] if nested else [self.seconds]
        parts = [self._part(number, length) for number, length in enumerate(lengths, start=1)]
        folder = root / f"proband{self.proband}" / "data"
        folder.mkdir(parents=True, exist_ok=True)
        for sensor in ("acc", "gyr"):
            name = f"{sensor}_{self.activity}_csv.zip"
            if nested:
                inner = {}
                for number, part in enumerate(parts, start=1):
                    # The published gyroscope archives leave the number of the first part out, the accelerometer's do not.
                    label = "" if number == 1 and sensor == "gyr" else f"_{number}"
                    inner[f"{sensor}_{self.activity}{label}_csv.zip"] = _archive(self._members(sensor, part, "" if number == 1 else f"_{number}"))
                content = _archive(inner)
            else:
                content = _archive(self._members(sensor, parts[0], "_2" if (self.proband, self.activity) in NUMBERED else ""))
            (folder / name).write_bytes(content)

    def _members(self, sensor: str, part: dict[str, bytes], suffix: str) -> dict[str, bytes]:
        files = {f"{MEMBER_PREFIX[sensor]}_{self.activity}{suffix}_{position}.csv": part[f"{sensor}:{position}"] for position in POSITIONS}
        return {**files, "readMe": README.encode()}

    def _part(self, number: int, seconds: float) -> dict[str, bytes]:
        """CSV bytes of one part, by "<sensor>:<position>"."""
        rng = generator(self.seed, "simulate", "realworld", self.proband, self.activity, number)
        activity = REALWORLD[self.activity]
        person = draw_person(self.seed, POPULATION, self.proband)
        performance = perform(activity, person, seconds, activity.things, rng)
        start_ms = EPOCH_MS + self.proband * 86_400_000 + sum(self.activity.encode()) * 600 + number * 180_000
        tables = {}
        for position, sensor in POSITIONS.items():
            worn = sensor.rotated(mounting_rotation(person, 2.0))
            for kind, column in (("acc", 0), ("gyr", 1)):
                begin, end = rng.uniform(-0.4, 0.0), seconds + rng.uniform(0.0, 0.4)
                times = clock(float(begin), float(end), worn.rate_hz * float(rng.uniform(0.99, 1.01)), worn.jitter_s, rng)
                values = measure(performance.trajectory, times * 1e-9, worn, rng)[column]
                tables[f"{kind}:{position}"] = _csv(start_ms + np.round(times * 1e-6).astype(np.int64), values.astype(float))
        return tables


def _csv(stamps_ms: np.ndarray, values: np.ndarray) -> bytes:
    sink = io.BytesIO()
    sink.write(b"id,attr_time,attr_x,attr_y,attr_z\n")
    columns = [np.arange(1, len(stamps_ms) + 1), stamps_ms, *np.round(values, 6).T]
    table = pa.table([pa.array(np.ascontiguousarray(column)) for column in columns], names=["id", "time", "x", "y", "z"])
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False))
    return sink.getvalue()


def _archive(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, ARCHIVE_DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, zipfile.ZIP_STORED if name.endswith(".zip") else zipfile.ZIP_DEFLATED, compresslevel=1)
    return sink.getvalue()


def jobs(config: CorpusConfig) -> list[ActivityJob]:
    """One job per proband and activity."""
    sizes = config.realworld
    activities: Sequence[str] = list(REALWORLD)[: sizes.classes]
    return [
        ActivityJob(proband, activity, sizes.activity_s * (2 / 3 if activity == "jumping" else 1.0), config.seed)
        for proband in range(1, sizes.probands + 1)
        for activity in activities
    ]
