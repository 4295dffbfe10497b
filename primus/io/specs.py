"""Labelled CSV data sets, each declared and none coded: adding one is adding a `CsvSpec` here, or spelling its fields out in params.

What such a data set must be: one delimited text file with a header per recording, time, accelerometer, optionally gyroscope, and a label in each
row; the person in the file's name.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from primus.errors import UserError
from primus.io.people import person_pattern
from primus.io.recording import NS_PER_UNIT
from primus.io.units import ACCEL_UNITS, GYRO_UNITS, factor

Axes = tuple[str, str, str]
TimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True)
class CsvSpec:
    """How to read one labelled CSV data set.

    Attributes:
        name: what a dataset's `spec` setting says.
        reference: paper or record, and licence.
        file: regular expression matched to the end of a file's path below the root; group `participant` is the person.
        population: the people; data sets that share it share their participants.
        device: what recorded it.
        time, time_unit: column of the stamps, and "s", "ms", "us" or "ns".
        accel, accel_unit: columns x, y, z with gravity, and "m/s^2" or "g".
        gyro, gyro_unit: columns x, y, z, and "rad/s" or "deg/s"; None for accelerometer only.
        label: column of the activity.
        labels: the file's word -> class; empty keeps the words as they are, otherwise words not listed have no class.
        separator: between columns.
        tables: regular expression of files of that kind that are no recordings, such as a table of the people; any other file whose name `file` does
            not match is reported.

    Raises:
        UserError: a unit is unknown, or `file` is no regular expression with a group `participant`.
    """

    name: str
    reference: str
    file: str
    population: str
    device: str
    time: str
    time_unit: TimeUnit
    accel: Axes
    gyro: Axes | None
    label: str
    accel_unit: str = "m/s^2"
    gyro_unit: str = "rad/s"
    labels: Mapping[str, str] = field(default_factory=dict)
    separator: str = ","
    tables: str | None = None

    def __post_init__(self) -> None:
        if self.time_unit not in NS_PER_UNIT:
            raise UserError(f"specification {self.name}: time_unit {self.time_unit!r} is unknown; expected one of {', '.join(NS_PER_UNIT)}")
        person_pattern(self.name, self.file)
        factor(self.accel_unit, ACCEL_UNITS, f"specification {self.name}: accel_unit")
        factor(self.gyro_unit, GYRO_UNITS, f"specification {self.name}: gyro_unit")


_SP_SW_HAR_TABLES = r"[a-z]+_info\.csv"
_SP_SW_HAR = "Matey-Sanz, Casteleyn, Granell 2023, doi:10.1016/j.dib.2023.109809, CC BY 4.0"

SP_SW_HAR_PHONE = CsvSpec(
    name="sp-sw-har-phone",
    reference=_SP_SW_HAR,
    file=r"(?P<participant>[A-Za-z0-9-]+)_\d+_sp\.csv",
    population="sp-sw-har",
    device="smartphone in the pocket",
    time="timestamp",
    time_unit="ms",
    accel=("x_acc", "y_acc", "z_acc"),
    gyro=("x_gyro", "y_gyro", "z_gyro"),
    label="label",
    tables=_SP_SW_HAR_TABLES,
)

SP_SW_HAR_WATCH = CsvSpec(
    name="sp-sw-har-watch",
    reference=_SP_SW_HAR,
    file=r"(?P<participant>[A-Za-z0-9-]+)_\d+_sw\.csv",
    population="sp-sw-har",
    device="smartwatch",
    time="timestamp",
    time_unit="ms",
    accel=("x_acc", "y_acc", "z_acc"),
    gyro=("x_gyro", "y_gyro", "z_gyro"),
    label="label",
    tables=_SP_SW_HAR_TABLES,
)

UCA_EHAR = CsvSpec(
    name="uca-ehar",
    reference="Novac, Pegatoquet, Miramond, Caquineau 2022, doi:10.3390/app12083849, zenodo 5659336, CC BY 4.0",
    file=r"[A-Z_]+_(?P<participant>T\d+)(?:_\d+)?\.csv",
    population="uca-ehar",
    device="smart glasses",
    time="T",
    time_unit="ms",
    accel=("Ax", "Ay", "Az"),
    gyro=("Gx", "Gy", "Gz"),
    label="CLASS",
    labels={  # the four transitions between postures are usually left out, and are here
        name: name.lower().replace("_", " ")
        for name in ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "RUNNING", "SITTING", "STANDING", "LYING", "DRINKING")
    },
    separator=";",
)

SPECS: Mapping[str, CsvSpec] = {spec.name: spec for spec in (SP_SW_HAR_PHONE, SP_SW_HAR_WATCH, UCA_EHAR)}


def find_spec(setting: Any, dataset: str) -> CsvSpec:
    """The specification a dataset's `spec` setting names, or spells out as a mapping of `CsvSpec`'s fields.

    Raises:
        UserError: there is none of that name, or the mapping lacks, misspells or mistypes a field.
    """
    if not isinstance(setting, Mapping):
        if setting not in SPECS:
            raise UserError(f"dataset {dataset}: spec {setting!r} is unknown; expected one of {', '.join(sorted(SPECS))}, or the fields of one")
        return SPECS[setting]
    values: dict[str, Any] = {str(key): tuple(value) if isinstance(value, list) else value for key, value in setting.items()}
    known = {one.name: one for one in fields(CsvSpec)}
    needed = [name for name, one in known.items() if one.default is MISSING and one.default_factory is MISSING]
    values = {"name": dataset, "reference": "", "population": dataset, "device": ""} | values
    wrong = [f"{name} is no field" for name in values if name not in known] + [f"{name} is missing" for name in needed if name not in values]
    wrong += [f"{name} needs the three columns x, y, z" for name in ("accel", "gyro") if not _is_axes(values.get(name), name == "gyro")]
    if wrong:
        raise UserError(f"dataset {dataset}: spec: {'; '.join(wrong)}; expected the fields {', '.join(known)}")
    return CsvSpec(**values)


def _is_axes(value: Any, optional: bool) -> bool:
    return (optional and value is None) or (isinstance(value, tuple) and len(value) == 3 and all(isinstance(name, str) for name in value))
