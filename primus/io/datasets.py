"""From a dataset's `reader` setting to its reader."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from primus.errors import UserError
from primus.io.files import FileSet
from primus.io.takes import Dataset

READERS = {
    "egoexo4d": ("primus.io.egoexo4d", "EgoExo4DDataset"),
    "ego4d": ("primus.io.ego4d", "Ego4DDataset"),
    "realworld": ("primus.io.realworld", "RealWorldDataset"),
    "labelled_csv": ("primus.io.labelled_csv", "LabelledCsvDataset"),
    "action_camera": ("primus.io.action_camera", "ActionCameraDataset"),
    "table": ("primus.io.table", "TableDataset"),
}


def open_dataset(name: str, config: Mapping[str, Any], files: FileSet) -> Dataset:
    """The dataset `name` as `config["reader"]` reads it; readers are imported by name, so one that is not used costs nothing.

    Args:
        name: name of the dataset in params; takes carry it.
        config: the dataset's section; each reader's docstring lists the keys it takes.
        files: the dataset's files.

    Raises:
        UserError: the reader is unknown, or the reader refuses its config or files.
    """
    reader = str(config.get("reader"))
    if reader not in READERS:
        close = get_close_matches(reader, READERS, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise UserError(f"dataset {name}: reader {reader!r} is unknown{hint}; expected one of {', '.join(READERS)}")
    module, class_name = READERS[reader]
    dataset: Dataset = getattr(import_module(module), class_name)(name, config, files)
    return dataset
