"""Accuracy by device: people and devices counted apart in one sweep, everything else as without devices."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.devices import COLUMNS, SEPARATOR, apart, device_counts, device_table, hits, together
from primus.evaluation.feature_files import read_feature_files
from primus.evaluation.fewshot import Scored
from primus.evaluation.fewshot_run import described, run_fits, sources_of
from primus.evaluation.settings import FewShotParams
from primus.evaluation.sweep import Fit, Sweep, plan_fits
from primus.evaluation.tasks import Task, build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.params import load
from primus.stage import StageLog
from tests.evaluation.fewshot_project import build, corpus

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]
PROBED = {"primus": ("multimodal", "logistic"), "statistics": ("feature", "forest")}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FewShotParams:
    build(tmp_path, also=["knn"], shots=[2, 4], site_shots=0)
    monkeypatch.chdir(tmp_path)
    return load(FewShotParams, "fewshot")


def with_devices(segments: pd.DataFrame) -> pd.DataFrame:
    """In "kitchen" people have a device each (number 4 and 5 tested: "cam" and "band"), number 8 both, by take; "street" has one."""
    number = segments["participant"].str.partition("/")[2].astype(int)
    device = np.where(number % 2 == 0, "cam", "band")
    device = np.where((number == 8) & segments["take_uid"].str.endswith("-1"), "band", device)
    return segments.assign(device=np.where(segments["dataset"] == "kitchen", device, "phone"))


def sweep_of(tasks: list[Task], params: FewShotParams) -> tuple[list[Fit], list[Scored]]:
    sources = []
    for method in PROBED:
        files = read_feature_files(Path("data") / "small", method)
        assert not isinstance(files, str)
        sources += sources_of(files, params)
    fits = list(plan_fits(tasks, sources, params))
    with KeyedArrays("data/small/segments/imu.h5") as imu:
        return fits, run_fits(Sweep(params, imu, "imu", None), fits, "few-shot", 1, StageLog("fewshot"))


def test_devices_are_counted_beside_people_and_change_nothing_else(params: FewShotParams) -> None:
    segments, splits, _ = corpus()
    segments = with_devices(segments)
    tasks = build_tasks(segments, splits)
    split = apart(tasks, segments)
    assert [SEPARATOR in "".join(task.participants) for task in split] == [True, False], "street was recorded with one device"
    assert split[1] is tasks[1]
    fits, scored = sweep_of(split, params)
    plain = described(*sweep_of(tasks, params))
    rows, counts, calibration = described(fits, scored)
    pd.testing.assert_frame_equal(rows, plain[0])
    pd.testing.assert_frame_equal(counts, plain[1])
    pd.testing.assert_frame_equal(calibration, plain[2])

    by_device = device_counts(fits, scored)
    assert set(by_device["dataset"]) == {"kitchen"}
    table = device_table(by_device, PROBED, params)
    assert list(table) == COLUMNS
    assert table.groupby(["dataset", "method", "device", "shots"]).ngroups == len(table) == 2 * 2 * 2
    (kitchen,) = (task for task in tasks if task.dataset == "kitchen")
    device_of = segments.set_index("segment_id")["device"]
    tested = kitchen.test.assign(device=device_of[kitchen.test["segment_id"]].to_numpy())
    sizes = tested.groupby("device").agg(people=("group", "nunique"), segments=("segment_id", "size"))
    for row in table.to_dict("records"):
        assert row["participants"] == sizes.loc[row["device"], "people"]
        assert row["segments"] == sizes.loc[row["device"], "segments"]
        assert row["seeds"] == 1
        assert row["accuracy_lo"] <= row["accuracy"] <= row["accuracy_hi"]
    assert sizes["people"].sum() == kitchen.test["group"].nunique() + 1, "one person used both"

    at = rows[(rows["dataset"] == "kitchen") & (rows["method"] == "primus") & (rows["representation"] == "multimodal")]
    at = at[(at["head"] == "logistic") & (at["shots"] == 4)]
    mine = table[(table["method"] == "primus") & (table["shots"] == 4)]
    assert np.average(mine["accuracy"], weights=mine["segments"]) == pytest.approx(at["accuracy"].mean())


def test_each_device_has_the_accuracy_of_its_own_segments(params: FewShotParams) -> None:
    """Fits whose predictions are known: right on one device, wrong on the other."""
    segments, splits, _ = corpus()
    segments = with_devices(segments)
    (task,) = (task for task in apart(build_tasks(segments, splits), segments) if task.dataset == "kitchen")
    fits, scored = sweep_of([task], params)
    known = []
    for result in scored:
        truth = result.confusion.sum(axis=3)
        confusion = np.zeros_like(result.confusion)
        for unit, name in enumerate(task.participants):
            for label in range(3):
                confusion[:, unit, label, label if name.endswith("cam") else (label + 1) % 3] = truth[:, unit, label]
        known.append(Scored(result.shots, result.episodes, result.n_train, result.short, confusion, result.calibration))
    table = device_table(device_counts(fits, known), PROBED, params)
    assert table.groupby("device")["accuracy"].unique().map(list).to_dict() == {"band": [0.0], "cam": [1.0]}
    whole, summed = together(fits[0].task, known[0])
    assert whole.participants == tuple(sorted(set(whole.test["group"])))
    assert summed.confusion.sum() == known[0].confusion.sum()


def test_folds_and_parts_have_one_list_of_units(corpus: Corpus) -> None:
    segments, splits = corpus(people=6, folds=3)
    named = segments.assign(device=np.where(segments["take_uid"].str.endswith("t0"), "a", None))
    assert [task.participants for task in apart(build_tasks(named, splits), named)] == [build_tasks(named, splits)[0].participants] * 3, "one known"
    named = segments.assign(device=segments["take_uid"].str.slice(-2).where(segments["participant"] != "pop/3"))
    tasks = apart(build_tasks(named, splits), named)
    assert len({task.participants for task in tasks}) == 1
    units = {*(f"pop/{person}{SEPARATOR}{take}" for person in (0, 1, 2, 4, 5) for take in ("t0", "t1")), f"pop/3{SEPARATOR}unknown"}
    assert tasks[0].participants == tuple(sorted(units))
    for task in tasks:
        assert [task.participants[number] for number in task.testees()] == task.test["group"].tolist()


def test_a_table_without_devices_leaves_everybody_whole(corpus: Corpus, params: FewShotParams) -> None:
    segments, splits = corpus()
    tasks = build_tasks(segments, splits)
    assert apart(tasks, segments) == tasks
    empty = device_table(device_counts([], []), PROBED, params)
    assert list(empty) == COLUMNS
    assert empty.empty


def test_hits_put_folds_together() -> None:
    rows = [(0, 0, "p", 2, 3), (0, 0, "p", 1, 1), (0, 1, "p", 0, 4), (0, 0, "q", 5, 5), (0, 1, "q", 4, 5)]
    tensor = hits(pd.DataFrame(rows, columns=["seed", "episode", "participant", "right", "count"]))
    assert tensor.shape == (1, 2, 2, 2, 2)
    assert tensor[0, :, :, 0].tolist() == [[[3, 1], [5, 0]], [[0, 4], [4, 1]]]
    assert not tensor[..., 1, :].any()
