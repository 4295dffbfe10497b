"""Labelled CSV data sets, each declared and none coded: adding one is adding a `CsvSpec` here, or spelling its fields out in params.

What such a data set must be: one delimited text file per recording, with a header line (or its names stated in `header`),
with time, accelerometer, optionally gyroscope, and a label in each row; the person in the file's name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from primus.errors import UserError
from primus.io.csv_columns import checked_header
from primus.io.people import person_pattern
from primus.io.units import ACCEL_UNITS, GYRO_UNITS, factor
from primus.typed import build

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
        separator: between columns, one character.
        header: names of all columns, in order, of files without a header line; None where each file has one.
        tables: regular expression of files of that kind that are no recordings, such as a table of the people; any other file whose name `file` does
            not match is reported.

    Raises:
        UserError: a unit is unknown, `file` is no regular expression with a group `participant`, `tables` none at all, `separator` no character that
            separates, or `header` does not name the columns that are read, each once.
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
    header: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        person_pattern(self.name, self.file)
        if self.tables is not None:
            try:
                re.compile(self.tables)
            except re.error as error:
                raise UserError(f"specification {self.name}: tables {self.tables!r} is not a regular expression ({error})") from error
        if len(self.separator) != 1 or self.separator in '"\r\n':
            raise UserError(f"specification {self.name}: separator is {self.separator!r}; expected one character, such as ',' or ';'")
        if self.header is not None:
            checked_header(self.header, f"specification {self.name}")
            lacking = [name for name in (self.time, *self.accel, *(self.gyro or ()), self.label) if name not in self.header]
            if lacking:
                raise UserError(f"specification {self.name}: header lacks {', '.join(lacking)}, to be read; it names {', '.join(self.header)}")
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
        if not isinstance(setting, str) or setting not in SPECS:
            raise UserError(f"dataset {dataset}: spec {setting!r} is unknown; expected one of {', '.join(sorted(SPECS))}, or the fields of one")
        return SPECS[setting]
    where, trouble = f"dataset {dataset}: spec", list[str]()
    if "gyro" not in setting:  # null says that there is none; a forgotten field must not
        trouble.append(f"missing value for {where}.gyro: set it there, to null where there is only an accelerometer")
    unstated = {"name": dataset, "reference": "", "population": dataset, "device": ""}
    values = unstated | {str(key): value for key, value in setting.items() if value is not None or key not in unstated}
    spec = build(CsvSpec, where, [(where, values)], trouble)
    if trouble:
        raise UserError("; ".join(trouble))
    assert isinstance(spec, CsvSpec)
    return spec
