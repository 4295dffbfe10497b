"""Tables of one's own: CSV or Parquet with a time column and three axes of acceleration, perhaps of rotation.

What is not stated is guessed: columns by their names, units by name or size (`primus.io.table_guess`). Every guess is logged, and counted in the
recording's notes as `guessed_<what>_<unit>`. State `columns` and `units` to have nothing guessed.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.csv_columns import checked_header
from primus.io.files import FileSet
from primus.io.label_runs import label_runs
from primus.io.narrations_csv import read_narrations_csv
from primus.io.people import person_in, person_pattern
from primus.io.recording import ImuRecording
from primus.io.table_file import UNIT_KEYS, Table, checked_columns, checked_units, guess_note, load_table, table_recording, table_units
from primus.io.table_guess import CannotTell
from primus.io.takes import Activity, Take, TakeImu
from primus.io.units import how_to_state
from primus.schema import Reject
from primus.system_faults import system_fault

SUFFIXES = (".csv", ".parquet")
log = logging.getLogger(__name__)


def read_imu_table(
    path: Path,
    columns: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    header: Sequence[str] | None = None,
    source: str | None = None,
) -> ImuRecording:
    """Read a CSV (comma, semicolon, tab or bar) or a Parquet file.

    Args:
        columns: {"time": name, "accel": [x, y, z], "gyro": [x, y, z] or None for accelerometer only}; what is left out is guessed.
        units: {"time": "s" | "ms" | "us" | "ns", "accel": "m/s^2" | "g" | "mg", "gyro": "rad/s" | "deg/s"}; what is left out is guessed. Columns of a
            timestamp type, and text in ISO 8601, need no unit.
        header: names of all columns of a CSV without a header line.
        source: what messages call it, where that is not the file's name.

    Returns:
        Samples in m/s^2 (with gravity, as given) and rad/s on the table's own clock; `gyro` is None for an accelerometer alone. `notes` count
        incomplete rows, equal stamps, and each guess as 1.

    Raises:
        UserError: the table has no such columns, or they or their units cannot be told.
        Rejected: `unreadable_imu`, `no_imu`, `missing_axis` or `non_monotonic`.
    """
    name = source or path.name
    table = load_table(path, name, checked_columns(columns, name), checked_header(header, name))
    chosen, notes = table_units(table, checked_units(units, name), name)
    return table_recording(table, np.ones(len(table.stamps), bool), chosen, name, notes)[0]


class TableDataset:
    """Tables below one root, one take each; or one for each person where a column of participants names several.

    A take is called as its file, without the suffix and with the folders joined by "_": `anna/walk 1.csv` is the take `anna_walk 1`.

    Config:
        columns, units: as for `read_imu_table`, with columns.label and columns.participant besides; guessed where left out. Units are told from
            all files together and are the same for all.
        header: names of all columns, in order, where the files are CSV without a header line.
        participants: regular expression with a group `participant`, searched in the file's name, where no column has it.
        labels: regular expression with a group `label`, likewise.
        population: prefix of the participants, default the dataset's name.
        device: what recorded it, default unknown.
        narrations: name of a CSV with take (as above), timestamp_s (from its first sample), text; default narrations.csv, used where it exists.

    Raises:
        UserError: a setting is wrong, or the root has no table; from `takes`, that the columns or units of no table can be told, or that one could
            not be read for want of memory, disk or permission.
    """

    def __init__(self, name: str, config: Mapping[str, Any], files: FileSet) -> None:
        self.name = name
        self.root_files = files
        self.columns = checked_columns(config.get("columns"), f"dataset {name}")
        self.units = checked_units(config.get("units"), f"dataset {name}")
        self.header = checked_header(config.get("header"), f"dataset {name}")
        self.participants = person_pattern(f"dataset {name}", config.get("participants"))
        self.labels = person_pattern(f"dataset {name}", config.get("labels"), "label")
        self.population = str(config.get("population") or name)
        self.device = str(config["device"]) if config.get("device") else None
        self.narrations = str(config.get("narrations") or "narrations.csv")
        if config.get("narrations") and not files.has(self.narrations):
            raise UserError(f"dataset {name}: {files.root} has no {self.narrations}; expected the narrations there")
        self.tables = [file for file in files.names(SUFFIXES) if file != self.narrations]
        if not self.tables:
            raise UserError(f"dataset {name}: {files.root} has no table; expected files ending in {', '.join(SUFFIXES)}")

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """Every person's recording in every table, with its labelled intervals and narrations."""
        rejects: list[Reject] = []
        units, notes = self._common_units()
        takes: dict[str, Take] = {}
        problem: UserError | None = None
        for file in self.tables:
            try:
                table = self._load(file)
            except Rejected as rejected:
                if system_fault(rejected):
                    raise UserError(f"dataset {self.name}: {rejected.detail}; mend that and rerun") from rejected
                rejects.append(Reject(self.name, _name(file), rejected.reason, rejected.detail))
                continue
            except UserError as error:  # a table of something else beside the recordings
                rejects.append(_refused(self.name, _name(file), error))
                problem = problem or error
                continue
            for uid, person, rows in _people_in(table, file):
                if uid in takes:
                    rejects.append(Reject(self.name, uid, "unreadable_metadata", f"{file} has the name of {takes[uid].imu_path}; rename it"))
                    continue
                try:
                    takes[uid] = self._take(file, table, uid, person, rows, units, notes)
                except Rejected as rejected:
                    rejects.append(Reject(self.name, uid, rejected.reason, rejected.detail))
                except UserError as error:
                    rejects.append(_refused(self.name, uid, error))
                    problem = problem or error
        if problem is not None and not takes:
            raise problem
        if self.root_files.has(self.narrations):
            found, refused = read_narrations_csv(self.root_files.path(self.narrations), self.name, takes)
            takes |= {uid: replace(takes[uid], narrations=narrations) for uid, narrations in found.items()}
            rejects += refused
        return [takes[uid] for uid in sorted(takes)], rejects

    def read_imu(self, take: Take) -> TakeImu:
        """The take's rows of its table; it starts with its first sample.

        Raises:
            Rejected: see `read_imu_table`.
        """
        if not self.root_files.has(take.imu_path):
            raise Rejected("no_imu", f"{take.imu_path}: not in the dataset")
        file = str(take.imu_path)
        units = {key: str(take.source[key]) for key in UNIT_KEYS if key in take.source}
        notes = {key: int(value) for key, value in take.source.items() if key.startswith("guessed_")}
        table = self._load(file)
        rows = next((rows for uid, _, rows in _people_in(table, file) if uid == take.take_uid), None)
        if rows is None:
            raise Rejected("no_imu", f"{file}: no row of {take.take_uid}")
        recording, _ = table_recording(table, rows, units, file, notes)
        return TakeImu(recording, int(recording.timestamps_ns[0]), "file")

    def files(self, take: Take) -> list[str]:
        """The table."""
        return [take.imu_path] if take.imu_path else []

    def _load(self, file: str) -> Table:
        return load_table(self.root_files.path(file), file, self.columns, self.header)

    def _common_units(self) -> tuple[dict[str, str], dict[str, int]]:
        """Units for all files: those of the file whose sensors tell most, so that a recording at rest does not choose its own."""
        told: dict[str, list[str]] = {key: [] for key in UNIT_KEYS}
        guessed: dict[str, int] = {}
        problem: UserError | None = None
        for file in self.tables if set(self.units) != set(UNIT_KEYS) else ():
            try:
                units, notes = table_units(self._load(file), self.units, file, quiet=True)
            except Rejected:
                continue  # takes() says so
            except UserError as error:
                problem = problem or error
                continue
            for key, unit in units.items():
                told[key].append(unit)
            guessed |= notes
        if problem is not None and not (told["time"] and told["accel"]):
            raise problem
        chosen = dict(self.units)
        for key in UNIT_KEYS:
            if key not in chosen and told[key]:
                chosen[key] = "deg/s" if key == "gyro" and "deg/s" in told[key] else max(sorted(set(told[key])), key=told[key].count)
        notes = {note: 1 for note in guessed if any(note == guess_note(key, unit) for key, unit in chosen.items())}
        if notes:
            said = ", ".join(f"{key} {unit}" for key, unit in sorted(chosen.items()))
            log.warning("dataset %s: units guessed: %s; %s", self.name, said, how_to_state(*sorted(chosen)))
        return chosen, notes

    def _take(
        self, file: str, table: Table, uid: str, person: str | None, rows: NDArray[np.bool_], units: Mapping[str, str], notes: Mapping[str, int]
    ) -> Take:
        recording, kept = table_recording(table, rows, units, file, dict(notes))
        named = self.labels.search(file) if self.labels else None
        label = named["label"] if named else None
        activities: tuple[Activity, ...] = ()
        if table.labels is not None:
            activities = label_runs(recording.timestamps_ns, table.labels[kept], 1.0 / recording.rate_hz if recording.rate_hz else 0.0)
            found = {activity.label for activity in activities}
            label = found.pop() if len(found) == 1 else label
        return Take(
            self.name,
            uid,
            participant=f"{self.population}/{person}" if person else person_in(file, self.participants, self.population),
            device=self.device,
            duration_s=recording.duration_s,
            label=label,
            imu_path=file,
            activities=activities,
            source={**units, **notes},
        )


def _refused(dataset: str, uid: str, error: UserError) -> Reject:
    """A table whose columns or units cannot be told, or that holds something else."""
    return Reject(dataset, uid, error.reason if isinstance(error, CannotTell) else "no_imu", str(error))


def _name(file: str) -> str:
    return "_".join(PurePosixPath(file).with_suffix("").parts)


def _people_in(table: Table, file: str) -> Iterator[tuple[str, str | None, NDArray[np.bool_]]]:
    """Take name, person and rows of each person of a table."""
    stem = _name(file)
    if table.people is None:
        yield stem, None, np.ones(len(table.stamps), bool)
        return
    people = sorted(set(table.people.tolist()))
    for person in people:
        yield (stem if len(people) == 1 else f"{stem}_{person or 'unknown'}"), person or None, table.people == person
