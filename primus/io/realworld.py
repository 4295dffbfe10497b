"""RealWorld2016 (Sztyler and Stuckenschmidt, PerCom 2016): sensors of phones at seven body positions, straight from the published zip tree.

    proband4/data/acc_climbingup_csv.zip -> acc_climbingup_1_csv.zip -> acc_climbingup_head.csv       (nested for some probands)
    proband4/data/gyr_climbingup_csv.zip -> gyr_climbingup_csv.zip   -> Gyroscope_climbingup_head.csv

The whole tree may also still lie in the one archive it is published as, or be unpacked down to its CSV files. Members are told by name at any
depth and read into memory; archives of other sensors are not opened. What the release does differently from one file to the next, and what is done:

- archives in archives (probands 4, 7, 14 climbing): each part is a take of its own. Its number is the CSV's, else its archive's, else 1.
- single recordings numbered 2 (proband 4 walking and others): the number stays in the take's name; where accelerometer and gyroscope have one part
  each and number it differently, they belong together.
- a missing position (proband 2 climbingup forearm, proband 6 jumping thigh): that take is refused, `no_imu`.
- accelerometer and gyroscope start, end and count differently: they are joined on time by the rule of `primus.io.sensor_join`, over their common
  interval, never across a gap.
- stamps out of order by at most a second are sorted, and counted; more is a clock that ran backwards, `non_monotonic`. Equal stamps follow the one
  rule of `primus.io.recording`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.archives import MemberPath, list_members, read_member
from primus.io.csv_columns import read_csv_columns
from primus.io.files import FileSet
from primus.io.recording import build_recording, normalise_timestamps, stamps_to_ns
from primus.io.sensor_join import join_sensors
from primus.io.settings import one_of
from primus.io.takes import Take, TakeImu
from primus.io.units import MAX_ACCEL, MAX_GYRO, measurable, require_plausible_rotation
from primus.schema import Reject

ACTIVITIES = ("climbingdown", "climbingup", "jumping", "lying", "running", "sitting", "standing", "walking")
POSITIONS = ("chest", "forearm", "head", "shin", "thigh", "upperarm", "waist")
DISORDER_S = 1.0
RATES_HZ = (1.0, 1000.0)
"""Rates that stamps in milliseconds can give: outside them attr_time is in another unit."""

_COLUMNS = ("attr_time", "attr_x", "attr_y", "attr_z")
_JOINT = "::"
_SENSOR_ARCHIVE = re.compile(rf"(?i)^(acc|gyr)_({'|'.join(ACTIVITIES)})(?:_(\d+))?_csv\.zip$")
_OTHER_ARCHIVE = re.compile(r"(?i)^[a-z]+_[a-z]+(?:_\d+)?_(?:csv|sqlite)\.zip$")
_MEMBER = re.compile(rf"(?i)^(acc|gyroscope|gyr)_({'|'.join(ACTIVITIES)})(?:_(\d+))?_({'|'.join(POSITIONS)})\.csv$")
_PROBAND = re.compile(r"(?i)^proband_?(\d+)$")

Session = tuple[int, str]
"""Proband and activity."""


class _Place(NamedTuple):
    """Where one sensor's CSV lies: a file of the dataset, and the members that lead to it (none when it is the file itself)."""

    file: str
    member: MemberPath

    def __str__(self) -> str:
        return _JOINT.join((self.file, *self.member))


class _Found(NamedTuple):
    """What the name of a sensor's CSV tells."""

    session: Session
    sensor: str
    part: int
    position: str


class RealWorldDataset:
    """The dataset below one root; a take is one part of one activity of one proband, its label that activity.

    Config:
        position: body position of the phone, default "head".
        population: prefix of the participants, default "realworld2016".

    Raises:
        UserError: the position is unknown, or the root holds nothing of the data set.
    """

    def __init__(self, name: str, config: Mapping[str, Any], files: FileSet) -> None:
        self.name = name
        self.root_files = files
        self.position = one_of(name, config, "position", "head", POSITIONS)
        self.population = str(config.get("population") or "realworld2016")
        self.candidates = [file for file in files.names((".zip", ".csv")) if _may_hold(file)]
        if not self.candidates:
            raise UserError(f"dataset {name}: {files.root} has no RealWorld2016 archive; expected proband1/data/acc_walking_csv.zip and the like")

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """Every part of every activity that has both sensors at the position; the others are rejects."""
        found, damaged, rejects = self._index()
        takes = []
        for session in sorted({*found, *damaged}, key=lambda one: (one[0], one[1])):
            sensors, broken = found.get(session, {}), damaged.get(session, {})
            parts = _paired({sensor: sensors.get(sensor, {}).get(self.position, {}) for sensor in ("acc", "gyr")})
            everywhere = {part for positions in sensors.values() for numbers in positions.values() for part in numbers}
            for part in sorted({*parts, *(() if parts else everywhere or {1})}):
                uid = f"proband{session[0]}_{session[1]}_{part}"
                places = parts.get(part, {})
                missing = [sensor for sensor in ("acc", "gyr") if sensor not in places]
                if missing:
                    rejects.append(self._refused(uid, missing, sensors, broken))
                else:
                    takes.append(self._take(uid, session, places))
        return sorted(takes, key=lambda take: take.take_uid), rejects

    def read_imu(self, take: Take) -> TakeImu:
        """Both sensors on common timestamps; the take starts with the first of them.

        Raises:
            Rejected: `no_imu`, `unreadable_imu` (also where the numbers cannot be in rad/s or milliseconds), `missing_axis` or `non_monotonic`.
        """
        notes: dict[str, int] = {}
        accel_ns, accel = self._read_sensor(_place(take, "acc"), MAX_ACCEL, notes)
        gyro_ns, gyro = self._read_sensor(_place(take, "gyr"), MAX_GYRO, notes)
        require_plausible_rotation(gyro, take.take_uid)
        joined = join_sensors(accel_ns, accel, gyro_ns, gyro)
        if not len(joined.timestamps_ns):
            raise Rejected("no_imu", f"{take.take_uid}: accelerometer and gyroscope have no time in common")
        notes["unpaired_samples"] = joined.unpaired
        recording = build_recording(joined.timestamps_ns, joined.accel, joined.gyro, take.take_uid, notes)
        if recording.rate_hz and not RATES_HZ[0] <= recording.rate_hz <= RATES_HZ[1]:
            found = f"attr_time read as milliseconds gives {recording.rate_hz:.4g} Hz"
            raise Rejected("unreadable_imu", f"{take.take_uid}: {found}; expected about 50 Hz (is it in another unit?)")
        return TakeImu(recording, int(recording.timestamps_ns[0]), "file")

    def files(self, take: Take) -> list[str]:
        """The archives of both sensors."""
        return list(dict.fromkeys(_place(take, sensor).file for sensor in ("acc", "gyr")))

    def _index(self) -> tuple[dict[Session, dict[str, dict[str, dict[int, _Place]]]], dict[Session, dict[str, str]], list[Reject]]:
        """Session -> sensor -> position -> part -> place; session -> sensor -> what is wrong with its archive; other damaged archives."""
        found: dict[Session, dict[str, dict[str, dict[int, _Place]]]] = {}
        damaged: dict[Session, dict[str, str]] = {}
        unknown: list[Reject] = []

        def on_damage(names: MemberPath, rejected: Rejected) -> None:
            match, proband = _SENSOR_ARCHIVE.match(PurePosixPath(names[-1]).name), _proband_of(names)
            if match is None or proband is None:
                unknown.append(Reject(self.name, _JOINT.join(names), rejected.reason, rejected.detail))
            else:
                damaged.setdefault((proband, match[2].lower()), {})[match[1].lower()] = rejected.detail

        for file in self.candidates:
            for names in self._contents(file, on_damage):
                one = _told(names)
                if one is not None:
                    numbers = found.setdefault(one.session, {}).setdefault(one.sensor, {}).setdefault(one.position, {})
                    numbers.setdefault(one.part, _Place(file, names[1:]))
        return found, damaged, unknown

    def _contents(self, file: str, on_damage: Callable[[MemberPath, Rejected], None]) -> Iterator[MemberPath]:
        """Names that lead to each file a file of the dataset holds, beginning with its own; damaged archives are told to `on_damage`."""
        if file.lower().endswith(".csv"):
            yield (file,)
            return
        try:
            for member in list_members(self.root_files.path(file), _is_sensor_archive, lambda names, rejected: on_damage((file, *names), rejected)):
                if not any(_JOINT in name for name in member):
                    yield (file, *member)
        except Rejected as rejected:
            on_damage((file,), rejected)

    def _take(self, uid: str, session: Session, places: Mapping[str, _Place]) -> Take:
        return Take(
            self.name,
            uid,
            participant=f"{self.population}/proband{session[0]}",
            device=f"smartphone, {self.position}",
            label=session[1],
            imu_path=str(places["acc"]),
            source={sensor: str(place) for sensor, place in places.items()},
        )

    def _refused(self, uid: str, missing: list[str], sensors: Mapping[str, Any], broken: Mapping[str, str]) -> Reject:
        for sensor in missing:
            if sensor in broken:
                return Reject(self.name, uid, "unreadable_imu", broken[sensor])
        has = ", ".join(sorted({position for sensor in missing for position in sensors.get(sensor, {})})) or "none"
        words = " and no ".join({"acc": "accelerometer", "gyr": "gyroscope"}[sensor] for sensor in missing)
        return Reject(self.name, uid, "no_imu", f"no {words} at position {self.position}; positions it has: {has}")

    def _read_sensor(self, place: _Place, limit: float, notes: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Stamps (N,) strictly increasing and values (N, 3) of one CSV; repairs are added to `notes`."""
        if not self.root_files.has(place.file):
            raise Rejected("no_imu", f"{place.file}: not in the dataset")
        path = self.root_files.path(place.file)
        columns = read_csv_columns(read_member(path, place.member) if place.member else path, _COLUMNS, (), ",", str(place))
        values = np.stack([columns[name].astype(np.float64) for name in _COLUMNS[1:]], axis=1)
        keep = measurable(values, limit, str(place)).all(axis=1) & np.isfinite(columns["attr_time"])
        if not keep.any():
            raise Rejected("no_imu", f"{place}: none of its {len(keep)} rows is complete")
        stamps, values = stamps_to_ns(columns["attr_time"][keep], "ms", str(place)), values[keep]
        backwards = -np.minimum(np.diff(stamps), 0)
        if backwards.any() and backwards.max() <= DISORDER_S * 1e9:
            order = np.argsort(stamps, kind="stable")
            stamps, values = stamps[order], values[order]
            notes["sorted_stamps"] = notes.get("sorted_stamps", 0) + int((backwards > 0).sum())
        stamps, repeated = normalise_timestamps(stamps, str(place))
        for what, count in (("missing_values", int((~keep).sum())), ("duplicate_stamps", repeated)):
            notes[what] = notes.get(what, 0) + count
        return stamps, values


def _is_sensor_archive(name: str) -> bool:
    return _SENSOR_ARCHIVE.match(PurePosixPath(name).name) is not None


def _may_hold(file: str) -> bool:
    """Whether a file may be, or hold, accelerometer or gyroscope data, by its name."""
    name = PurePosixPath(file).name
    if name.lower().endswith(".csv"):
        return _MEMBER.match(name) is not None and _proband_of((file,)) is not None
    return _is_sensor_archive(name) or not _OTHER_ARCHIVE.match(name)


def _proband_of(names: tuple[str, ...]) -> int | None:
    """The number in the folder name "proband<N>" nearest to the end."""
    folders = [part for name in names for part in PurePosixPath(name).parts]
    return next((int(match[1]) for folder in reversed(folders) if (match := _PROBAND.match(folder))), None)


def _told(names: MemberPath) -> _Found | None:
    """What the names of a CSV and the archives around it tell; None for a file that is neither sensor's."""
    match, proband = _MEMBER.match(PurePosixPath(names[-1]).name), _proband_of(names)
    if match is None or proband is None:
        return None
    archive = _SENSOR_ARCHIVE.match(PurePosixPath(names[-2]).name) if len(names) > 1 else None
    part = int(match[3] or (archive[3] if archive else None) or 1)
    return _Found((proband, match[2].lower()), "acc" if match[1].lower() == "acc" else "gyr", part, match[4].lower())


def _paired(sensors: Mapping[str, Mapping[int, _Place]]) -> dict[int, dict[str, _Place]]:
    """Part -> sensor -> place; a single part of each sensor belongs together whatever the numbers, under the accelerometer's."""
    accel, gyro = sensors["acc"], sensors["gyr"]
    if len(accel) == 1 and len(gyro) == 1:
        gyro = dict(zip(accel, gyro.values(), strict=True))
    parts: dict[int, dict[str, _Place]] = {}
    for sensor, numbers in (("acc", accel), ("gyr", gyro)):
        for part, place in numbers.items():
            parts.setdefault(part, {})[sensor] = place
    return parts


def _place(take: Take, sensor: str) -> _Place:
    file, *member = str(take.source.get(sensor, "")).split(_JOINT)
    return _Place(file, tuple(member))
