"""Raw recordings to segments: intervals, IMU, quality, splits."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import typer

from primus.artifacts import atomic_path, read_table, write_json, write_table
from primus.engine import engine_name, map_takes
from primus.engine_call import Needs
from primus.errors import UserError
from primus.io.files import FileSet, resolve_root
from primus.params import Compute, load, load_datasets, profile_name
from primus.schema import SPLITS, Reject
from primus.segments.imu import Resampling
from primus.segments.kept import CachedSegmenter
from primus.segments.leakage import leakage_text
from primus.segments.plan import plan_takes, require_unique_takes
from primus.segments.quality import Thresholds
from primus.segments.segmenter import SegmentSettings
from primus.segments.splits import leakage_report, make_splits
from primus.segments.summary import TakeCounts, summarise
from primus.segments.writer import SegmentWriter
from primus.stage import StageLog, progress, stage


@dataclass(frozen=True)
class SplitParams:
    """Section `segment.splits`: see `primus.segments.splits`."""

    seed: int
    folds: int
    val_fraction: float
    test_fraction: float

    def __post_init__(self) -> None:
        if self.folds < 1:
            raise ValueError(f"segment.splits.folds must be at least 1, found {self.folds}")
        if not 0 <= self.val_fraction < 1:
            raise ValueError(f"segment.splits.val_fraction must be at least 0 and below 1, found {self.val_fraction}")
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"segment.splits.test_fraction must be above 0 and below 1, found {self.test_fraction}")


@dataclass(frozen=True)
class SegmentParams:
    """Section `segment`: see `primus.segments.segmenter.SegmentSettings`; `take_timeout_s` ends a take that hangs."""

    rate_hz: float
    window_s: float
    stride_s: float
    merge_s: float
    label_share: float
    narration_subjects: tuple[str | None, ...]
    slack_s: float
    take_timeout_s: float
    quality: Thresholds
    splits: SplitParams
    resampling: Resampling = "recording"

    def __post_init__(self) -> None:
        for name in ("rate_hz", "window_s", "stride_s", "take_timeout_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"segment.{name} must be positive, found {getattr(self, name)}")
        for name in ("merge_s", "slack_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"segment.{name} must not be negative, found {getattr(self, name)}")
        if not 0 <= self.label_share < 1:
            raise ValueError(f"segment.label_share must be at least 0 and below 1, found {self.label_share}")
        if abs(self.window_s * self.rate_hz - round(self.window_s * self.rate_hz)) > 1e-6:
            raise ValueError(f"segment.window_s times segment.rate_hz must be a whole number of samples, found {self.window_s * self.rate_hz:g}")
        if self.resampling == "window" and self.rate_hz != round(self.rate_hz):
            raise ValueError(f"segment.resampling: window needs a whole number of hertz, found segment.rate_hz {self.rate_hz:g}")

    def settings(self) -> SegmentSettings:
        """What the library needs of the section."""
        return SegmentSettings(
            self.rate_hz,
            self.window_s,
            self.stride_s,
            self.merge_s,
            self.label_share,
            self.narration_subjects,
            self.slack_s,
            self.quality,
            self.resampling,
        )


def _files(profile: str, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, FileSet]:
    """Each data set's files as the manifest lists them."""
    manifest = read_table(Path("data") / profile / "manifest.parquet")
    files = {}
    for name in sorted(configs):
        root = resolve_root(str(configs[name]["root"]), Path(os.environ.get("DVC_ROOT", ".")))
        mine = manifest[manifest["dataset"] == name]
        files[name] = FileSet(root, dict(zip(mine["path"], mine["size_bytes"].tolist(), strict=True)))
    return files


@stage("segment")
def main() -> None:
    """Write data/<profile>/segments/{takes,segments,rejects,splits}.parquet and imu.h5, and metrics/segment.json."""
    profile = profile_name()
    params = load(SegmentParams, "segment")
    configs = load_datasets()
    log = StageLog("segment")
    segmenter = CachedSegmenter(configs, _files(profile, configs), params.settings())
    folder, counts, jobs, listed = Path("data") / profile / "segments", TakeCounts(), [], []
    for name in segmenter.files:
        takes, refused = segmenter.dataset(name).takes()
        listed += refused
        jobs += plan_takes(name, configs[name], takes)
    require_unique_takes(jobs)

    with SegmentWriter(folder, params.settings()) as writer:
        writer.rejects += listed
        outcomes = map_takes(segmenter, jobs, load(Compute, "compute").workers, params.take_timeout_s, Needs())
        for outcome in progress(outcomes, "segment", total=len(jobs), unit="take"):
            if outcome.value is None:
                assert outcome.refused is not None
                writer.refuse(outcome.item, outcome.refused)
                log.event("refused", dataset=outcome.item.take.dataset, take=outcome.item.take.take_uid, reason=str(outcome.refused))
            else:
                writer.add(outcome.item, outcome.value)
                counts.add(outcome.item.take.dataset, outcome.value)
        segments = writer.segments().to_pandas()
        _require_segments(segments, writer, len(jobs))
    rows = make_splits(writer.split_takes, **asdict(params.splits))
    writer.write_tables()
    write_table(folder / "splits.parquet", pa.Table.from_pylist([asdict(row) for row in rows], schema=SPLITS))
    with atomic_path(folder / "leakage.txt") as path:
        path.write_text(leakage_text(writer.split_takes, rows), encoding="utf-8")
    leakage = leakage_report(writer.split_takes, rows)
    summary = summarise(segments, writer.rejects, counts, list(segmenter.files), rows, leakage)
    for name, entry in summary["datasets"].items():
        print(_told(name, entry, [reject for reject in writer.rejects if reject.dataset == name]))
    write_json("metrics/segment.json", summary)
    done: dict[str, Any] = {name: summary[name] for name in ("takes", "segments", "rejects")}
    log.event("segmented", engine=engine_name(), takes_per_s=log.rate(len(jobs)), segments_per_s=log.rate(len(segments)), **done)


def _told(name: str, entry: Mapping[str, Any], rejects: list[Reject]) -> str:
    """A line about one data set, with one refusal of the commonest kind; a second line where its takes name nobody."""
    line = f"{name}: {entry['segments']} segments of {entry['takes']} takes"
    if rejects:
        counts = Counter(reject.reason for reject in rejects).most_common()
        first = next(reject for reject in rejects if reject.reason == counts[0][0])
        example = f"; for example {first.take_uid}: {first.detail}" if first.detail else ""
        line += f"; refused: {', '.join(f'{reason} {count}' for reason, count in counts)}{example}"
    if not entry["segments"]:
        line = f"WARNING: {line}. Nothing of this data set is used: mend its settings or its files"
    if entry["takes_of_unknown_people"]:
        line += f"\n{name}: takes that name nobody: {entry['takes_of_unknown_people']}; split by take, so one person may be in several splits"
    return line


def _require_segments(segments: pd.DataFrame, writer: SegmentWriter, takes: int) -> None:
    if len(segments):
        return
    if not takes and not writer.rejects:
        raise UserError("the data sets hold no take; check their roots and options in params.yaml")
    reasons = ", ".join(f"{reason} {count}" for reason, count in Counter(reject.reason for reject in writer.rejects).most_common())
    example = next((f"; for example {r.take_uid}: {r.detail}" for r in writer.rejects if r.detail), "")
    raise UserError(f"all {takes} takes were refused, no segment is left ({reasons}){example}; mend the data, or the thresholds in segment.quality")


if __name__ == "__main__":
    typer.run(main)
