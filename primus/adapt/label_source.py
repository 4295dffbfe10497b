"""Where labels and people stand - a column, folder names, or a pattern of file names - and the recordings they belong to."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from primus.errors import Rejected, UserError
from primus.inference.reading import read_recording, reading
from primus.inference.sources import SUFFIXES
from primus.io.files import FileSet
from primus.io.imu_file import TABLE_SUFFIXES
from primus.io.people import person_pattern
from primus.io.recording import ImuRecording
from primus.io.table import TableDataset
from primus.io.takes import Activity
from primus.system_faults import system_fault

_FIRST_FOLDER = r"^(?P<{group}>[^/]+)/"


@dataclass(frozen=True)
class LabelSource:
    """Where labels and people stand.

    Attributes:
        labels: "column", "folder" (the first one below the given folder), a regular expression with a group `label` that is searched in the file's
            path below that folder, or None: a column where there is one, else folders.
        participants: "column", "folder", a regular expression with a group `participant`, or None: a column where there is one.
        match: only files in whose path below the folder this regular expression is found.
        units: of tables that do not state them; see `primus.io.table`.
        share: an activity that is shorter than a window must cover more than this share of the window centred on it.

    Raises:
        UserError: an expression is none, or lacks its group; the share is none.
    """

    labels: str | None = None
    participants: str | None = None
    match: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise UserError(f"share is {self.share}; expected a share of a window, at least 0 and below 1")
        for kind in ("label", "participant"):
            self.pattern(kind)
        if self.labels == "folder" and self.participants == "folder":
            raise UserError("labels and participants cannot both be the first folder; give --participants a regular expression")
        try:
            re.compile(self.match or "")
        except re.error as error:
            raise UserError(f"--match {self.match!r} is not a regular expression ({error})") from None

    def pattern(self, kind: str) -> re.Pattern[str] | None:
        """The expression for "label" or "participant"; None where a column (or nothing) is meant."""
        value = self.labels if kind == "label" else self.participants
        if value is None or value == "column":
            return None
        return person_pattern(f"--{kind}s", _FIRST_FOLDER.format(group=kind) if value == "folder" else value, kind)


@dataclass(frozen=True)
class LabelledRecording:
    """One recording with its label, or its labelled intervals in seconds from its first sample."""

    source: str
    recording: ImuRecording
    person: str | None
    label: str | None
    activities: Sequence[Activity] = ()


def labelled_recordings(path: Path, where: LabelSource, left_out: Counter[str]) -> tuple[str, Iterator[LabelledRecording]]:
    """How labels were found, in words, and the labelled recordings; those that are refused are counted in `left_out` by reason.

    Raises:
        UserError: there is no recording or no label, or a file cannot be read for another fault than its own.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    files = FileSet.scan(path) if path.is_dir() else FileSet(path.parent, {path.name: path.stat().st_size})
    wanted = {name: size for name, size in files.sizes.items() if re.search(where.match or "", name)}
    files = FileSet(files.root, wanted)
    if not files.names(SUFFIXES):
        matching = f" matching {where.match!r}" if where.match else ""
        raise UserError(f"{path}: no recording{matching}; expected files ending in {', '.join(SUFFIXES)}")
    if where.labels in (None, "column") and files.names(TABLE_SUFFIXES):
        takes = _from_columns(files, where, left_out)
        if takes:
            return "labels are those of the tables' own column", iter(takes)
        if where.labels == "column":
            raise UserError(f"{path}: no table has a column of labels (label, activity or class); give --labels folder, or a regular expression")
    chosen = where if where.labels not in (None, "column") else replace(where, labels="folder", participants=where.participants)
    pattern = chosen.pattern("label")
    assert pattern is not None
    names = [(name, match["label"]) for name in files.names(SUFFIXES) if (match := pattern.search(name)) and match["label"]]
    if not names:
        raise UserError(
            f"{path}: no labels; expected tables with a column label, one folder per class, or --labels with a regular expression such as "
            r"'(?P<label>[a-z]+)_\d+\.csv'"
        )
    left_out["no_label"] += len(files.names(SUFFIXES)) - len(names)
    said = "labels are the first folder below it" if chosen.labels == "folder" else "labels are from the files' names"
    return said, _from_names(files, names, where, left_out)


def _from_names(files: FileSet, names: Sequence[tuple[str, str]], where: LabelSource, left_out: Counter[str]) -> Iterator[LabelledRecording]:
    people = where.pattern("participant")
    for name, label in names:
        try:
            with reading(name):
                recording = read_recording(files.path(name), where.units)
        except Rejected as refused:
            left_out[refused.reason] += 1
            continue
        match = people.search(name) if people else None
        yield LabelledRecording(name, recording, match["participant"] if match else None, label)


def _from_columns(files: FileSet, where: LabelSource, left_out: Counter[str]) -> list[LabelledRecording]:
    """Recordings of tables that have a column of labels; none where no table has."""
    config = {"units": dict(where.units) or None, "participants": None}
    if where.participants not in (None, "column"):
        pattern = where.pattern("participant")
        config["participants"] = pattern.pattern if pattern else None  # type: ignore[assignment]
    dataset = TableDataset("labelled", {key: value for key, value in config.items() if value is not None}, files)
    try:
        takes, rejects = dataset.takes()
    except UserError as error:
        if where.labels == "column" or system_fault(error):
            raise
        return []
    labelled = [take for take in takes if take.activities]
    if not labelled:
        return []
    left_out.update(reject.reason for reject in rejects if reject.scope == "take")
    left_out["no_label"] += len(takes) - len(labelled)
    found = []
    for take in labelled:
        person = take.participant.partition("/")[2] if take.participant else None
        try:
            with reading(str(take.imu_path)):
                recording = dataset.read_imu(take).recording
        except Rejected as refused:  # it changed since it was listed
            left_out[refused.reason] += 1
            continue
        found.append(LabelledRecording(str(take.imu_path), recording, person, None, take.activities))
    return found
