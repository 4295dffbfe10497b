"""Folders of VRS recordings to compact IMU files: which file becomes which, what a reader needs beside them, and what it all came to."""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from primus.artifacts import atomic_path
from primus.engine_call import Outcome
from primus.errors import UserError
from primus.io.extract import LABELS, Extraction, Job
from primus.io.files import FileSet
from primus.io.imu_parquet import SUFFIX
from primus.io.json_fields import as_mapping, as_seconds, load_json

TAKES = "takes.json"
_METADATA = (
    TAKES,
    "captures.json",
    "annotations/splits.json",
    "annotations/atomic_descriptions_train.json",
    "annotations/atomic_descriptions_val.json",
)
_TIMESYNC = "timesync.csv"


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: recordings to extract.
        copies: metadata that the reader of Ego-Exo4D opens, (from, to); none where the output folder is the source.
        done: compact files already in the output folder whose recordings are no longer there.
        take_seconds: duration of every take that a takes.json among the sources lists.
    """

    jobs: tuple[Job, ...]
    copies: tuple[tuple[Path, Path], ...]
    done: int
    take_seconds: tuple[float, ...]


def plan_extraction(sources: Sequence[Path], out: Path, streams: Sequence[str] = LABELS, delete_source: bool = False) -> Plan:
    """List the recordings of `sources`, files and folders; the output mirrors each folder, `<stem>.imu.parquet` in place of `<stem>.vrs`.

    Raises:
        UserError: a source is missing or no recording, there is nothing to do, or two recordings would become one file.
    """
    wrong = [label for label in streams if label not in LABELS]
    if wrong:
        raise UserError(f"IMU stream {wrong[0]!r} is unknown; expected one of {', '.join(LABELS)}")
    jobs: dict[Path, Job] = {}
    copies: dict[Path, Path] = {}
    seconds: list[float] = []
    for root in sources:
        names, copied, listed = _folder(root, out) if root.is_dir() else (_file(root), {}, [])
        seconds += listed
        for name in names:
            source = root / name if name else root
            target = (out / (name or root.name)).with_suffix(SUFFIX)
            if target in jobs:
                raise UserError(f"{jobs[target].source} and {source} would both become {target}; extract them into two folders")
            jobs[target] = Job(source, root, target, tuple(streams), delete_source)
        for target, source in copied.items():
            if copies.setdefault(target, source) != source:
                raise UserError(f"{copies[target]} and {source} would both become {target}; extract the two data sets into two folders")
    found = FileSet.scan(out).names(SUFFIX) if out.is_dir() else []
    done = sum(out / name not in jobs for name in found)
    if not jobs and not done:
        raise UserError(f"no .vrs file below {', '.join(map(str, sources))}; expected Aria recordings, such as egoexo --parts take_vrs_noimagestream")
    return Plan(tuple(jobs.values()), tuple((source, target) for target, source in copies.items()), done, tuple(seconds))


def _file(root: Path) -> list[str]:
    if not root.is_file():
        raise UserError(f"{root} does not exist; expected a .vrs file or a folder that holds some")
    if root.suffix.lower() != ".vrs":
        raise UserError(f"{root} is no .vrs file; expected an Aria recording")
    return [""]


def _folder(root: Path, out: Path) -> tuple[list[str], dict[Path, Path], list[float]]:
    """The folder's recordings, the metadata to copy (to -> from), and the durations of its takes."""
    files = FileSet.scan(root)
    names = files.names(".vrs")
    if not files.has(TAKES):
        return names, {}, []
    records = load_json(files, TAKES, "the release's list of takes")
    seconds = [as_seconds(as_mapping(record).get("duration_sec")) or 0.0 for record in records] if isinstance(records, list) else []
    if out.resolve() == root.resolve():
        return names, {}, seconds
    timesync = [name for name in files.names(_TIMESYNC, under="captures") if name.count("/") == 2 and name.endswith(f"/{_TIMESYNC}")]
    wanted = [name for name in _METADATA if files.has(name)] + timesync
    return names, {out / name: files.path(name) for name in wanted}, seconds


def copy_metadata(copies: Iterable[tuple[Path, Path]]) -> tuple[int, int]:
    """Copy what is not there yet, each file whole or not at all; returns the number and bytes of all of them.

    Raises:
        UserError: a file cannot be copied.
    """
    number = size = 0
    for source, target in copies:
        try:
            found = source.stat()
            there = target.stat() if target.is_file() else None
            if there is None or (there.st_size, there.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
                with atomic_path(target) as temporary:
                    shutil.copyfile(source, temporary)
                    os.utime(temporary, ns=(found.st_atime_ns, found.st_mtime_ns))
        except OSError as error:
            raise UserError(f"cannot copy {source} to {target} ({error.strerror}); mend that and rerun") from error
        number, size = number + 1, size + found.st_size
    return number, size


@dataclass
class Tally:
    """What the jobs came to so far."""

    done_before: int = 0
    take_seconds: Sequence[float] = ()
    metadata: tuple[int, int] = (0, 0)
    refused: list[dict[str, str]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    results: list[Extraction] = field(default_factory=list)

    def add(self, outcome: Outcome[Job, Extraction]) -> None:
        """Count one finished job."""
        if outcome.value is None:
            assert outcome.refused is not None
            self.refused.append({"source": str(outcome.item.source), "reason": outcome.refused.reason, "detail": outcome.refused.detail})
            return
        self.results.append(outcome.value)
        if outcome.value.kept_because:
            self.kept.append({"source": str(outcome.item.source), "detail": outcome.value.kept_because})

    def facts(self) -> dict[str, Any]:
        """Everything counted and measured. Sizes of anything not read are scaled from the recordings read here, and absent when there are none."""
        samples = sum(result.samples for result in self.results)
        seconds = sum(result.seconds for result in self.results)
        source_bytes = sum(result.source_bytes for result in self.results)
        out_bytes = sum(result.out_bytes for result in self.results)
        facts: dict[str, Any] = {
            "recordings": len(self.results) + len(self.refused),
            "extracted": sum(result.state == "extracted" for result in self.results),
            "skipped": sum(result.state == "skipped" for result in self.results),
            "extracted_earlier_source_gone": self.done_before,
            "refused": self.refused,
            "sources_deleted": sum(result.deleted for result in self.results),
            "sources_kept": self.kept,
            "samples": samples,
            "hours": round(seconds / 3600, 6),
            "source_bytes": source_bytes,
            "extracted_bytes": out_bytes,
            "metadata_files": self.metadata[0],
            "metadata_bytes": self.metadata[1],
        }
        if samples and source_bytes:
            facts["bytes_per_sample"] = round(out_bytes / samples, 2)
            facts["gb_left_of_1_tb"] = round(1000 * out_bytes / source_bytes, 2)
        if seconds and len(self.take_seconds) > len(self.results):
            facts["takes_listed"] = len(self.take_seconds)
            facts["gb_of_all_takes_listed"] = round(out_bytes / seconds * sum(self.take_seconds) * 1e-9, 3)
        return facts
