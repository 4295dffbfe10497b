"""Labelled accelerometer and gyroscope recordings, one CSV each with a label in every row, read by specification."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.csv_columns import read_csv_columns
from primus.io.files import FileSet
from primus.io.imu_rows import recording_from_rows
from primus.io.label_runs import label_runs
from primus.io.recording import ImuRecording
from primus.io.specs import SPECS, CsvSpec, find_spec
from primus.io.takes import Take, TakeImu
from primus.io.units import ACCEL_UNITS, GYRO_UNITS, UnlikelyUnit, factor
from primus.schema import Reject

UNLIKELY_SHARE = 0.1


class LabelledCsvDataset:
    """The recordings below one root that a specification's file pattern matches; people are drawn from the folder.

    Config:
        spec: name of a specification (see `primus.io.specs`), or its fields.
        population: the people, default the specification's; data sets that share it share their participants.
        units: {accel: ..., gyro: ...} in place of the specification's, where a release differs.

    Raises:
        UserError: a setting is wrong, or no file matches.
    """

    def __init__(self, name: str, config: Mapping[str, Any], files: FileSet) -> None:
        self.name = name
        self.root_files = files
        self.spec: CsvSpec = find_spec(config.get("spec"), name)
        self.population = str(config.get("population") or self.spec.population)
        units = config.get("units") or {}
        if not isinstance(units, Mapping) or set(units) - {"accel", "gyro"}:
            raise UserError(f"dataset {name}: units is {units!r}; expected a mapping with accel and gyro")
        self.accel_factor = factor(str(units.get("accel") or self.spec.accel_unit), ACCEL_UNITS, f"dataset {name}: units.accel")
        self.gyro_factor = factor(str(units.get("gyro") or self.spec.gyro_unit), GYRO_UNITS, f"dataset {name}: units.gyro")
        pattern = re.compile(f"(?:^|/)(?:{self.spec.file})$")
        self.matches = {file: match for file in files.names() if (match := pattern.search(file))}
        self.unnamed = [file for file in files.names((PurePosixPath(next(iter(self.matches), ".csv")).suffix,)) if self._is_nobodys(file)]
        if not self.matches:
            raise UserError(f"dataset {name}: no file below {files.root} matches {self.spec.file} of specification {self.spec.name}")

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """One take per file, with its activities; a file that cannot be read is a reject.

        Raises:
            UserError: one recording in ten turns faster than any sensor measures. Their unit is that of all, and slower ones would pass 57 times off.
        """
        takes: dict[str, Take] = {}
        unlikely = 0
        expected = f"its name does not match {self.spec.file} of specification {self.spec.name}; rename it, or say what it is called in `spec`"
        rejects = [Reject(self.name, PurePosixPath(file).stem, "unreadable_metadata", f"{file}: {expected}") for file in self.unnamed]
        for file, match in sorted(self.matches.items()):
            uid = PurePosixPath(file).stem
            if uid in takes:
                rejects.append(Reject(self.name, uid, "unreadable_metadata", f"{file} has the name of {takes[uid].imu_path}; rename it"))
                continue
            try:
                recording, words = self._read(file)
            except Rejected as rejected:
                unlikely += isinstance(rejected, UnlikelyUnit)
                if unlikely > UNLIKELY_SHARE * len(self.matches):
                    raise UserError(f"dataset {self.name}: {rejected.detail} ({unlikely} such of {len(self.matches)} recordings)") from rejected
                rejects.append(Reject(self.name, uid, rejected.reason, rejected.detail))
                continue
            classes, unknown = self._classes(words)
            activities = label_runs(recording.timestamps_ns, classes, 1.0 / recording.rate_hz if recording.rate_hz else 0.0)
            if unknown:
                detail = ", ".join(f"{word or 'empty'} ({count} samples)" for word, count in sorted(unknown.items()))
                rejects.append(Reject(self.name, uid, "no_label", f"labels without a class: {detail}", "annotation"))
            found = {activity.label for activity in activities}
            takes[uid] = Take(
                self.name,
                uid,
                participant=f"{self.population}/{match['participant']}",
                device=self.spec.device or None,
                duration_s=recording.duration_s,
                label=found.pop() if len(found) == 1 else None,
                imu_path=file,
                activities=activities,
            )
        return [takes[uid] for uid in sorted(takes)], rejects

    def read_imu(self, take: Take) -> TakeImu:
        """The recording; the take starts with its first sample.

        Raises:
            Rejected: `no_imu`, `unreadable_imu`, `missing_axis` or `non_monotonic`.
        """
        if not self.root_files.has(take.imu_path):
            raise Rejected("no_imu", f"{take.imu_path}: not in the dataset")
        recording, _ = self._read(str(take.imu_path))
        return TakeImu(recording, int(recording.timestamps_ns[0]), "file")

    def files(self, take: Take) -> list[str]:
        """The CSV."""
        return [take.imu_path] if take.imu_path else []

    def _read(self, file: str) -> tuple[ImuRecording, NDArray[np.object_]]:
        """The recording and each sample's word."""
        spec = self.spec
        axes = [*spec.accel, *(spec.gyro or ())]
        columns = read_csv_columns(self.root_files.path(file), [spec.time, *axes], [spec.label], spec.separator, file, spec.header)
        values = np.stack([columns[axis].astype(np.float64) for axis in axes], axis=1)
        values[:, :3] *= self.accel_factor
        values[:, 3:] *= self.gyro_factor
        recording, kept = recording_from_rows(columns[spec.time], spec.time_unit, values, axes, file)
        return recording, columns[spec.label][kept]

    def _is_nobodys(self, file: str) -> bool:
        """Whether neither this specification nor one for another device of the same people knows a file of that name."""
        others = [spec.file for spec in SPECS.values() if spec.population == self.spec.population] + ([self.spec.tables] if self.spec.tables else [])
        return file not in self.matches and not any(re.search(f"(?:^|/)(?:{other})$", file) for other in others)

    def _classes(self, words: NDArray[np.object_]) -> tuple[NDArray[np.object_], Counter[str]]:
        """Each sample's class, empty where its word has none, and how often each such word occurs."""
        known = self.spec.labels
        class_of = {word: known.get(word, "") if known else word for word in set(words.tolist())}
        unknown = Counter(word for word in words.tolist() if not class_of[word])
        return np.array([class_of[word] for word in words.tolist()], dtype=object), unknown
