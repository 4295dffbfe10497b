"""metrics/segment.json: what was cut, what was refused and why, and what the splits hold. Counts only, all of them nested numbers."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from primus.schema import Reject
from primus.segments.groups import group_of
from primus.segments.segmenter import TakeSegments
from primus.segments.splits import SplitRow

_COUNTED = ("merged", "narrations", "narrations_other_subject", "narrations_used")
_REPAIRS = ("duplicate_stamps", "invalid_samples", "missing_values")
"""Counted for every data set, also when zero, so that a difference between two runs shows."""


class TakeCounts:
    """What the takes' facts add up to, by data set."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._clocks: dict[str, Counter[str]] = defaultdict(Counter)
        self._repairs: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, dataset: str, result: TakeSegments) -> None:
        """Count one take that was not refused."""
        facts = result.facts
        self._counts[dataset].update({"takes": 1} | {name: facts[name] for name in _COUNTED})
        self._clocks[dataset][facts["clock"]] += 1
        self._repairs[dataset].update(facts["repairs"])

    def of(self, dataset: str) -> dict[str, Any]:
        """Nested counts of one data set."""
        repairs = Counter(dict.fromkeys(_REPAIRS, 0)) + self._repairs[dataset]
        return {
            **{name: self._counts[dataset][name] for name in ("takes", *_COUNTED)},
            "clock": dict(sorted(self._clocks[dataset].items())),
            "repairs": {name: repairs[name] for name in sorted({*_REPAIRS, *repairs})},
        }


def summarise(
    segments: pd.DataFrame,
    rejects: Sequence[Reject],
    counts: TakeCounts,
    datasets: Sequence[str],
    rows: Sequence[SplitRow],
    leakage: Mapping[str, Any],
) -> dict[str, Any]:
    """The metrics of the stage.

    Args:
        segments: segments.parquet.
        rejects: rejects.parquet's rows.
        counts: of the takes.
        datasets: names, also of data sets that gave nothing.
        rows: splits.parquet's rows.
        leakage: `leakage_report` of the splits.
    """
    per_dataset = {}
    for name in sorted(datasets):
        mine = segments[segments["dataset"] == name]
        refused = [reject for reject in rejects if reject.dataset == name]
        per_dataset[name] = {
            **counts.of(name),
            **_segment_counts(mine),
            "takes_of_unknown_people": int(mine.loc[mine["participant"].isna(), "take_uid"].nunique()),
            "purpose": _count(mine["purpose"]),
            "policy": _count(mine["policy"]),
            "classes": _count(mine["label"].dropna()),
            "rejects": {
                scope: dict(sorted(Counter(r.reason for r in refused if r.scope == scope).items())) for scope in sorted({r.scope for r in refused})
            },
        }
    return {
        "takes": sum(entry["takes"] for entry in per_dataset.values()),
        **_segment_counts(segments),
        "rejects": dict(sorted(Counter(reject.reason for reject in rejects).items())),
        "datasets": per_dataset,
        "splits": _split_counts(segments, rows),
        "leakage": dict(leakage),
    }


def _segment_counts(segments: pd.DataFrame) -> dict[str, int]:
    with_text = segments["texts"].map(len) > 0
    return {
        "segments": len(segments),
        "segments_with_video": int(segments["video_path"].notna().sum()),
        "segments_with_text": int(with_text.sum()),
        "texts": int(segments["texts"].map(len).sum()),
        "participants": int(segments["participant"].nunique()),
    }


def _count(values: pd.Series) -> dict[str, int]:
    return {str(key): int(number) for key, number in sorted(values.value_counts().items())}


def _split_counts(segments: pd.DataFrame, rows: Sequence[SplitRow]) -> dict[str, Any]:
    sizes = segments.groupby(["dataset", "take_uid"]).size().to_dict()
    report: dict[str, Any] = {"folds": len({row.fold for row in rows})}
    for fold in sorted({row.fold for row in rows}):
        entry: dict[str, dict[str, int]] = {}
        for split in ("train", "val", "shots", "test"):
            mine = [row for row in rows if row.fold == fold and row.split == split]
            entry[split] = {
                "takes": len(mine),
                "segments": int(sum(sizes.get((row.dataset, row.take_uid), 0) for row in mine)),
                "groups": len({group_of(row.dataset, row.take_uid, row.participant) for row in mine}),
            }
        report[f"fold{fold}"] = entry
    return report
