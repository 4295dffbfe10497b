"""Recordings with labels - a column, folder names, or a pattern of file names - to labelled windows under a model's input contract."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.inference.policy import Policy
from primus.inference.recording_windows import REFLECTED, PreparedRecording
from primus.inference.sources import SUFFIXES
from primus.io.files import FileSet
from primus.io.imu_file import TABLE_SUFFIXES, read_imu
from primus.io.people import person_pattern
from primus.io.recording import ImuRecording
from primus.io.table import TableDataset
from primus.io.takes import Activity
from primus.models.encoder import InputContract
from primus.segments.grid import labelled_intervals, tile_intervals

GroupKind = Literal["participant", "file"]

GRID_S = 0.1
"""Windows around activities start on this grid, counted from the recording's first sample."""

_FIRST_FOLDER = r"^(?P<{group}>[^/]+)/"


@dataclass(frozen=True)
class LabelledRows:
    """Labelled windows, or the features of such windows.

    Attributes:
        imu: (N, 6, T) float32 as the contract declares; None where only features are known.
        feature: (N, D) float32; None where they are yet to be computed.
        source: (N,) text, the file of each.
        start_s, end_s: (N,) float64, on the file's own clock.
        label: (N,) text.
        group: (N,) text, who or what must not be on both sides of a test.
        group_kind: what `group` is.
        left_out: reason -> number of files or activities without a window.
        said: what was assumed, in words.
    """

    imu: NDArray[np.float32] | None
    feature: NDArray[np.float32] | None
    source: NDArray[np.object_]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    label: NDArray[np.object_]
    group: NDArray[np.object_]
    group_kind: GroupKind
    left_out: Mapping[str, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted(set(self.label.tolist()))

    def numbers(self) -> NDArray[np.int64]:
        """(N,) place of each label among `classes`."""
        return np.searchsorted(np.array(self.classes, dtype=str), self.label.astype(str)).astype(np.int64)


@dataclass(frozen=True)
class LabelSource:
    """Where labels and people stand.

    Attributes:
        labels: "column", "folder" (the first one below the given folder), a regular expression with a group `label` that is searched in the file's
            path below that folder, or None: a column where there is one, else folders.
        participants: "column", "folder", a regular expression with a group `participant`, or None: a column where there is one.
        match: only files in whose path below the folder this regular expression is found.
        units: of tables that do not state them; see `primus.io.table`.
        stream: sensor stream of glasses.
        share: an activity that is shorter than a window must cover more than this share of the window centred on it.

    Raises:
        UserError: an expression is none, or lacks its group; the share is none.
    """

    labels: str | None = None
    participants: str | None = None
    match: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    stream: str | None = None
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
class _Labelled:
    """One recording with its label, or its labelled intervals in seconds from its first sample."""

    source: str
    recording: ImuRecording
    person: str | None
    label: str | None
    activities: Sequence[Activity] = ()


def read_labelled(path: Path, contract: InputContract, where: LabelSource, policy: Policy) -> LabelledRows:
    """Labelled windows of a file or folder.

    An activity at least as long as a window is tiled (`policy.hop_s`); of a shorter one the window centred on it is taken if the activity covers
    more than `where.share` of it. A file with one label is tiled as a whole.

    Raises:
        UserError: nothing is there, nothing is labelled, or nothing gave a window.
    """
    left_out: Counter[str] = Counter()
    parts: list[tuple[_Labelled, NDArray[np.float32], NDArray[np.float64], list[str]]] = []
    how, found = _recordings(path, where, left_out)
    named: set[str] = set()
    for one in found:
        named |= {one.label} if one.label is not None else {activity.label for activity in one.activities}
        try:
            windows, times, labels = _windows(one, contract, policy, where.share, left_out)
        except Rejected as refused:
            left_out[refused.reason] += 1
            continue
        if labels:
            parts.append((one, windows, times, labels))
    left_out = +left_out
    if not parts:
        raise UserError(f"{path}: no labelled window{_why(left_out)}")
    known = [one.person is not None for one, *_ in parts]
    kind: GroupKind = "participant" if all(known) else "file"
    said = [how]
    if lost := sorted(named - {label for *_, labels in parts for label in labels}):
        said.append(
            f"no window of {', '.join(lost)}: what they cover is too short for windows of {contract.window_s:g} s, or was refused; "
            "take a model with shorter windows, or a smaller --share"
        )
    if any(known) and not all(known):
        said.append(f"participants are known for {sum(known)} of {len(known)} recordings only, so files are the groups")

    def column(values: Iterator[tuple[str, int]]) -> NDArray[np.object_]:
        return np.array([value for value, count in values for _ in range(count)], dtype=object)

    times = np.concatenate([times for _, _, times, _ in parts], axis=1)
    return LabelledRows(
        np.concatenate([windows for _, windows, _, _ in parts]),
        None,
        column((one.source, len(labels)) for one, _, _, labels in parts),
        times[0],
        times[1],
        np.array([label for _, _, _, labels in parts for label in labels], dtype=object),
        column((str(one.person) if kind == "participant" else one.source, len(labels)) for one, _, _, labels in parts),
        kind,
        dict(sorted(left_out.items())),
        tuple(said),
    )


def _why(left_out: Mapping[str, int]) -> str:
    counts = ", ".join(f"{reason} {count}" for reason, count in sorted(left_out.items()))
    return f" ({counts})" if counts else ""


def _recordings(path: Path, where: LabelSource, left_out: Counter[str]) -> tuple[str, Iterator[_Labelled]]:
    """How labels were found, in words, and the labelled recordings."""
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
    said = "labels are the first folder below it" if chosen.labels == "folder" else "labels are from the files' names"
    return said, _from_names(files, names, where, left_out)


def _from_names(files: FileSet, names: Sequence[tuple[str, str]], where: LabelSource, left_out: Counter[str]) -> Iterator[_Labelled]:
    people = where.pattern("participant")
    for name, label in names:
        hints = {"units": dict(where.units)} if where.units and name.lower().endswith(TABLE_SUFFIXES) else {}
        stream = where.stream if name.lower().endswith(".vrs") else None
        try:
            recording = read_imu(files.path(name), stream, **hints)
        except Rejected as refused:
            left_out[refused.reason] += 1
            continue
        except UserError:  # a table of something else beside the recordings
            left_out["no_imu"] += 1
            continue
        match = people.search(name) if people else None
        yield _Labelled(name, recording, match["participant"] if match else None, label)


def _from_columns(files: FileSet, where: LabelSource, left_out: Counter[str]) -> list[_Labelled]:
    """Recordings of tables that have a column of labels; none where no table has."""
    config = {"units": dict(where.units) or None, "participants": None}
    if where.participants not in (None, "column"):
        pattern = where.pattern("participant")
        config["participants"] = pattern.pattern if pattern else None  # type: ignore[assignment]
    dataset = TableDataset("labelled", {key: value for key, value in config.items() if value is not None}, files)
    try:
        takes, rejects = dataset.takes()
    except UserError:
        if where.labels == "column":
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
        found.append(_Labelled(str(take.imu_path), dataset.read_imu(take).recording, person, None, take.activities))
    return found


def _windows(
    one: _Labelled, contract: InputContract, policy: Policy, share: float, left_out: Counter[str]
) -> tuple[NDArray[np.float32], NDArray[np.float64], list[str]]:
    """Windows (N, 6, T), their start and end (2, N), and their labels."""
    if one.label is not None:
        prepared = PreparedRecording(one.recording, contract, policy)
        left_out.update(reject.reason for reject in prepared.rejects)
        return prepared.windows().imu, prepared.times_s(), [one.label] * len(prepared)
    prepared = PreparedRecording(one.recording, contract, replace(policy, hop_s=GRID_S))
    first_ns = int(one.recording.timestamps_ns[0])
    length = contract.window_s
    end_s = one.recording.duration_s + (1 / one.recording.rate_hz if one.recording.rate_hz else 0.0)
    if prepared.notes[REFLECTED]:
        length = end_s  # of the one window there is, what is the recording's own
    wanted = _wanted(one.activities, length, length if policy.hop_s is None else policy.hop_s, end_s, share, left_out)
    places: list[int] = []
    labels: list[str] = []
    for start_s, label in wanted:
        start_ns = first_ns + round(start_s * 1e9)
        place = int(np.abs(prepared.starts_ns - start_ns).argmin()) if len(prepared) else -1
        if place < 0 or abs(int(prepared.starts_ns[place]) - start_ns) > GRID_S * 1e9:
            left_out["window_refused"] += 1
        elif place not in places[-1:]:
            places.append(place)
            labels.append(label)
    if not places:
        return np.empty((0, 6, contract.samples), np.float32), np.empty((2, 0)), []
    imu = np.concatenate([prepared.windows(place, place + 1).imu for place in places])
    return imu, np.concatenate([prepared.times_s(place, place + 1) for place in places], axis=1), labels


def _wanted(activities: Sequence[Activity], length: float, hop: float, end_s: float, share: float, left_out: Counter[str]) -> list[tuple[float, str]]:
    """Starts of windows, in seconds from the first sample, with their labels."""
    long = [one for one in activities if one.end_s - one.start_s >= length - GRID_S]
    found: list[tuple[float, str]] = []
    for one in long:
        tiles = tile_intervals(length, hop, one.start_s, max(min(one.end_s, end_s), one.start_s + length))
        found += [(tile.start_s, one.label) for tile in tiles.intervals]
    tiled = {(one.start_s, one.label) for one in long}
    for one in activities:
        if (one.start_s, one.label) in tiled:
            continue
        grid = labelled_intervals([one], length, 0.0, end_s, 0.0, share)
        found += [(interval.start_s, one.label) for interval in grid.intervals]
        left_out.update(refused.reason for refused in grid.refused)
    return sorted(found)
