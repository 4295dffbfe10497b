"""What stands beside the few-shot sweep in a report: the other stages' measurements, Table I, the map of features, the ablations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from primus.artifacts import read_json, read_table
from primus.errors import UserError
from primus.evaluation.protocols import Protocol, apply_protocol
from primus.reporting.ablations import read_ablations
from primus.reporting.composition import composition
from primus.reporting.embedding_map import embedding_map

SITE_COLUMNS = ("dataset", "check", "method", "shots", "accuracy", "accuracy_lo", "accuracy_hi", "balanced_accuracy", "chance")
ABLATIONS = Path("metrics") / "ablations.csv"


@dataclass(frozen=True)
class LabelledSites:
    """Labelled segments of a data set, the people they are of, and the sites."""

    segments: int
    people: int
    sites: int


@dataclass(frozen=True)
class Beside:
    """Tables that may be empty: a corpus without narrations has nothing to retrieve.

    Attributes:
        composition: Table I (`composition.COLUMNS`).
        map: points of the map of features (`embedding_map.COLUMNS`).
        zeroshot: rows of metrics/plots/zeroshot.csv.
        wordings: number of prompt wordings by data set.
        retrieval: rows of metrics/plots/retrieval.csv.
        gallery: what the gallery consists of (metrics/retrieval.json); empty where there is none.
        robustness: rows of metrics/plots/robustness.csv.
        sites: leave-site-out accuracy and the site probe.
        labelled_sites: sizes of the labelled part of the data sets whose sites are known.
        tests: paired tests of methods.
        ablations: rows of metrics/ablations.csv of this profile.
        devices: accuracy by device (`evaluation.devices.COLUMNS`).
    """

    composition: pd.DataFrame
    map: pd.DataFrame
    zeroshot: pd.DataFrame
    wordings: Mapping[str, int]
    retrieval: pd.DataFrame
    gallery: Mapping[str, Any]
    robustness: pd.DataFrame
    sites: pd.DataFrame
    labelled_sites: Mapping[str, LabelledSites]
    tests: pd.DataFrame
    ablations: pd.DataFrame
    devices: pd.DataFrame = field(default_factory=pd.DataFrame)


def read_plot(name: str) -> pd.DataFrame:
    """metrics/plots/<name>.csv; a data set or method may be called `NA`."""
    path = Path("metrics") / "plots" / f"{name}.csv"
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run `dvc repro {name}`") from None


def asked_for(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of the few-shot stage that it writes only where its parameters ask for it."""
    return read_table(path) if path.exists() else pd.DataFrame(columns=list(columns))


def labelled_sites(segments: pd.DataFrame) -> dict[str, LabelledSites]:
    """Sizes by data set; `segments` has columns dataset, purpose, participant, take_uid, site (a take without a participant counts as a person)."""
    labelled = segments[(segments["purpose"] == "probe") & segments["site"].notna()]
    people = labelled["participant"].fillna(labelled["take_uid"])
    return {
        str(dataset): LabelledSites(len(rows), people[rows.index].nunique(), rows["site"].nunique())
        for dataset, rows in labelled.groupby("dataset", sort=True)
    }


def read_beside(root: Path, profile: str, mapped: Sequence[str], protocol: Protocol, seed: int) -> Beside:
    """Read everything below `root` (data/<profile>) and metrics/.

    Args:
        root: data/<profile>.
        profile: its name.
        mapped: the methods whose features are drawn.
        protocol: of the few-shot stage; Table I and the map of features show its splits.
        seed: of the few-shot stage, which the protocol `code` cuts by.
    """
    kept = ["segment_id", "dataset", "take_uid", "participant", "site", "purpose", "start_s", "end_s", "label", "texts", "video_path"]
    segments = read_table(root / "segments" / "segments.parquet", columns=kept)
    _, splits = apply_protocol(protocol, segments, read_table(root / "segments" / "splits.parquet"), seed)
    zeroshot = read_json("metrics/zeroshot.json")
    return Beside(
        composition=composition(segments, splits),
        map=embedding_map(root / "features", mapped, segments, splits),
        zeroshot=read_plot("zeroshot"),
        wordings={name: int(found["wordings"]) for name, found in zeroshot.items() if isinstance(found, Mapping) and "wordings" in found},
        retrieval=read_plot("retrieval"),
        gallery=read_json("metrics/retrieval.json").get("gallery", {}),
        robustness=read_plot("robustness"),
        sites=asked_for(root / "fewshot" / "sites.parquet", SITE_COLUMNS),
        labelled_sites=labelled_sites(segments),
        tests=read_table(root / "fewshot" / "tests.parquet"),
        ablations=read_ablations(ABLATIONS, profile),
        devices=asked_for(root / "fewshot" / "devices.parquet", ()),
    )
