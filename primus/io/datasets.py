"""From a dataset's `reader` setting to its reader."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from primus.errors import UserError
from primus.io.files import FileSet
from primus.io.takes import Dataset, Take, TakeImu
from primus.schema import Reject
from primus.typed import nearest

COMMON = ("reader", "root", "purpose", "policy", "prefix", "population")
"""Settings of every dataset: `prefix` stands before the names of its takes, for datasets whose recordings have equal names."""

READERS = {
    "egoexo4d": ("primus.io.egoexo4d", "EgoExo4DDataset", ("calibrated", "imu", "official_splits", "video")),
    "ego4d": ("primus.io.ego4d", "Ego4DDataset", ("video",)),
    "realworld": ("primus.io.realworld", "RealWorldDataset", ("position",)),
    "labelled_csv": ("primus.io.labelled_csv", "LabelledCsvDataset", ("spec", "units")),
    "action_camera": ("primus.io.action_camera", "ActionCameraDataset", ("narrations", "participants")),
    "table": ("primus.io.table", "TableDataset", ("columns", "device", "header", "labels", "narrations", "participants", "units")),
}


def open_dataset(name: str, config: Mapping[str, Any], files: FileSet) -> Dataset:
    """The dataset `name` as `config["reader"]` reads it; readers are imported by name, so one that is not used costs nothing.

    Args:
        name: name of the dataset in params; takes carry it.
        config: the dataset's section: the settings in `COMMON` and those that the reader's docstring lists.
        files: the dataset's files.

    Raises:
        UserError: the reader or a setting is unknown, or the reader refuses its config or files.
    """
    reader = str(config.get("reader"))
    if reader not in READERS:
        raise UserError(f"dataset {name}: reader {reader!r} is unknown{nearest(reader, READERS)}")
    module, class_name, settings = READERS[reader]
    known = (*COMMON, *settings)
    unknown = [f"unknown setting {key!r}{nearest(key, known)}" for key in map(str, config) if key not in known]
    if unknown:
        raise UserError(f"dataset {name}: {'; '.join(unknown)} (the reader {reader} takes {', '.join(known)})")
    dataset: Dataset = getattr(import_module(module), class_name)(name, config, files)
    prefix = config.get("prefix")
    return PrefixedDataset(dataset, str(prefix)) if prefix else dataset


def reader_module(config: Mapping[str, Any]) -> str:
    """Name of the module that reads a dataset with this `reader` setting."""
    return READERS[str(config.get("reader"))][0]


@dataclass(frozen=True)
class PrefixedDataset:
    """A dataset whose takes are called `prefix` and then what its reader calls them."""

    dataset: Dataset
    prefix: str

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """The reader's takes and rejects under their longer names."""
        takes, rejects = self.dataset.takes()
        return (
            [replace(take, take_uid=self.prefix + take.take_uid) for take in takes],
            [replace(reject, take_uid=self.prefix + reject.take_uid) for reject in rejects],
        )

    def read_imu(self, take: Take) -> TakeImu:
        """The take's IMU, as the reader gives it.

        Raises:
            Rejected: as the reader does.
        """
        return self.dataset.read_imu(self._own(take))

    def files(self, take: Take) -> list[str]:
        """The take's files, as the reader lists them."""
        return self.dataset.files(self._own(take))

    def _own(self, take: Take) -> Take:
        return replace(take, take_uid=take.take_uid.removeprefix(self.prefix))
