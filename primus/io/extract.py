"""One VRS recording to its compact IMU file, verified, and the recording deleted where that was asked for.

What was extracted is told by the file itself: it names the identity of its source (content, or size and modification time beyond 64 MiB) and the
checksum of its samples. So a file that is whole and of the same source is left alone, and any other is made anew; there is no list to keep in step.
"""

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from primus.artifacts import scratch
from primus.errors import Rejected, UserError
from primus.io.aria_calibration import calibration_text
from primus.io.imu_parquet import ImuFile, read_imu_file, write_imu_parquet
from primus.io.vrs import STREAMS, read_raw_vrs
from primus.provenance import file_identity

LABELS = tuple(STREAMS["Aria"])


@dataclass(frozen=True)
class Job:
    """A recording to extract.

    Attributes:
        source: the VRS file.
        root: the file or folder the person named; deletion never leaves it and never passes a symbolic link below it.
        out: the compact file to write.
        streams: labels to keep, of those the recording has.
        delete_source: delete `source` when every sample of `out` was compared with it.
    """

    source: Path
    root: Path
    out: Path
    streams: tuple[str, ...] = LABELS
    delete_source: bool = False


@dataclass(frozen=True)
class Extraction:
    """What became of a job.

    Attributes:
        state: "extracted", or "skipped" where the compact file was there, whole and of this source.
        samples: of all streams together.
        seconds: from the first sample to the last.
        source_bytes, out_bytes: sizes of the two files.
        deleted: whether the source was deleted.
        kept_because: why it was not, where that was asked for.
    """

    state: Literal["extracted", "skipped"]
    samples: int
    seconds: float
    source_bytes: int
    out_bytes: int
    deleted: bool = False
    kept_because: str = ""


def extract(job: Job) -> Extraction:
    """Do one job. Killed at any point, it can be done again.

    Raises:
        Rejected: the recording cannot be read, or changed meanwhile; nothing is written or deleted.
        UserError: the compact file cannot be written, or does not read back as it was written.
    """
    scratch(job.out)  # what killed runs left beside it goes, also where nothing is to be written any more
    identity, source_bytes = _identity(job.source)
    held = _still_good(job, identity)
    state: Literal["extracted", "skipped"] = "extracted" if held is None else "skipped"
    differs = False
    if held is None:
        held = _read_source(job.source, job.streams)
        _require_unchanged(job.source, identity)
        origin = {"identity": identity, "streams": list(job.streams), "samples_sha256": _checksum(held)}
        write_imu_parquet(job.out, held.streams, held.calibration, json.dumps(origin, sort_keys=True))
        _forget_cached_pages(job.out)
        if not _same(_read_back(job.out), held):
            job.out.unlink()
            raise UserError(f"{job.out} does not read back as it was written; it was removed, its source kept: check the disk, then rerun")
    elif job.delete_source:
        original = _read_source(job.source, json.loads(held.origin or "{}")["streams"])
        _require_unchanged(job.source, identity)
        differs = not _same(held, original)
    spans = [stamps for samples in held.streams.values() if len(stamps := samples.timestamps_ns)]
    seconds = max((float(stamps[-1] - stamps[0]) * 1e-9 for stamps in spans), default=0.0)
    kept = ""
    if differs:
        kept = f"its samples are not those of {job.out}; delete that file and rerun"
    elif job.delete_source:
        kept = _delete(job, identity)
    return Extraction(state, sum(map(len, spans)), seconds, source_bytes, job.out.stat().st_size, job.delete_source and not kept, kept_because=kept)


def _identity(source: Path) -> tuple[str, int]:
    try:
        return file_identity(source, source.name), source.stat().st_size
    except OSError as error:
        raise Rejected("unreadable_imu", f"{source.name}: cannot be read ({error.strerror})") from error


def _require_unchanged(source: Path, identity: str) -> None:
    if _identity(source)[0] != identity:
        raise Rejected("unreadable_imu", f"{source.name}: it changed while it was read; rerun when nothing writes to it")


def _still_good(job: Job, identity: str) -> ImuFile | None:
    """What an earlier run extracted, when it is whole, of this very source, and has the streams asked for."""
    if not job.out.is_file():
        return None
    try:
        held = read_imu_file(job.out)
        origin: Any = json.loads(held.origin or "null")
        same_source = origin["identity"] == identity and set(job.streams) <= set(origin["streams"])
        return held if same_source and origin["samples_sha256"] == _checksum(held) else None
    except (Rejected, ValueError, KeyError, TypeError):
        return None


def _read_source(source: Path, labels: Sequence[str]) -> ImuFile:
    """The asked-for streams that the recording has; a stream without any sample is absent, any other fault refuses the whole recording."""
    streams, absent = {}, None
    try:
        for label in labels:
            try:
                streams[label] = read_raw_vrs(source, label)
            except Rejected as refused:
                if refused.reason != "no_imu":
                    raise
                absent = refused
        if absent is not None and not streams:
            raise absent
        return ImuFile(streams, calibration_text(source))
    except (UserError, OSError) as error:
        raise Rejected("unreadable_imu", str(error)) from error


def _read_back(out: Path) -> ImuFile:
    try:
        return read_imu_file(out)
    except Rejected:
        return ImuFile({})


def _same(one: ImuFile, other: ImuFile) -> bool:
    """Whether both hold the same streams, every sample equal bit for bit, and the same calibration."""
    if set(one.streams) != set(other.streams) or one.calibration != other.calibration:
        return False
    return all(one.streams[label].equals(other.streams[label]) for label in one.streams)


def _checksum(held: ImuFile) -> str:
    digest = hashlib.sha256((held.calibration or "").encode())
    for label, samples in sorted(held.streams.items()):
        digest.update(f"{label}|{len(samples.timestamps_ns)}|{json.dumps(dict(samples.notes), sort_keys=True)}".encode())
        for values in (samples.timestamps_ns, samples.accel, samples.gyro):
            digest.update(values.tobytes())
    return digest.hexdigest()


def _forget_cached_pages(path: Path) -> None:
    """Have the next reading come from the disk, where the system lets us ask for that."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _delete(job: Job, identity: str) -> str:
    """Delete the source; why it was kept instead, or "" when it is gone."""
    below = job.source.relative_to(job.root).parts
    for depth in range(len(below) + 1):
        step = job.root.joinpath(*below[:depth])
        if step.is_symlink() and (depth or not below):  # a folder given by a link was meant; a link met below it, or to a file, was not
            return f"{step} is a symbolic link; delete what it points to yourself"
    try:
        if not stat.S_ISREG(job.source.lstat().st_mode):
            return "it is not a regular file"
        _require_unchanged(job.source, identity)
        job.source.unlink()
    except Rejected as changed:
        return changed.detail
    except OSError as error:
        return f"it cannot be deleted ({error.strerror})"
    return ""
