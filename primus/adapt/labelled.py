"""Recordings with labels - a column, folder names, or a pattern of file names - to labelled windows under a model's input contract."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from primus.adapt.label_source import LabelledRecording, LabelSource, labelled_recordings
from primus.adapt.labelled_windows import labelled_windows
from primus.errors import Rejected, UserError
from primus.inference.policy import Policy
from primus.inference.recording_windows import summed_words
from primus.models.encoder import InputContract

GroupKind = Literal["participant", "file"]
_EXPRESSION = "give an expression that is found in these paths"
_PEOPLE = {
    "folder": "put each person's recordings in a folder of their own, right below it",
    "column": "tables need a column participant, subject or person, beside their column of labels",
}


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


def read_labelled(path: Path, contract: InputContract, where: LabelSource, policy: Policy) -> LabelledRows:
    """Labelled windows of a file or folder.

    An activity at least as long as a window is tiled (`policy.hop_s`); of a shorter one the window centred on it is taken if the activity covers
    more than `where.share` of it. A file with one label is tiled as a whole.

    Raises:
        UserError: nothing is there, nothing is labelled, nothing gave a window, or `where.participants` was stated and finds nobody.
    """
    left_out: Counter[str] = Counter()
    parts: list[tuple[LabelledRecording, NDArray[np.float32], NDArray[np.float64], list[str]]] = []
    how, found = labelled_recordings(path, where, left_out)
    named: set[str] = set()
    for one in found:
        named |= {one.label} if one.label is not None else {activity.label for activity in one.activities}
        try:
            windows, times, labels = labelled_windows(one, contract, policy, where.share, left_out)
        except Rejected as refused:
            left_out[refused.reason] += 1
            continue
        if labels:
            parts.append((one, windows, times, labels))
    left_out = +left_out
    if not parts:
        raise UserError(f"{path}: no labelled window{_why(left_out)}")
    known = [one.person is not None for one, *_ in parts]
    if where.participants is not None and not any(known):
        raise UserError(
            f"--participants {where.participants} finds nobody in {len(parts)} recordings (the first is {parts[0][0].source}, below {path}); "
            f"{_PEOPLE.get(where.participants, _EXPRESSION)}, or leave the option out to tell files apart"
        )
    kind: GroupKind = "participant" if all(known) else "file"
    guessed = Counter(note for one, *_ in parts for note in one.recording.notes if note.startswith("guessed_"))
    said = [how, *summed_words(dict(sorted(guessed.items())), len(parts), "recordings")]
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
