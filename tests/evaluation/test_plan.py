"""Who is tested how often: data sets as they were split, site by site and person by person, over one fold and several."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.feature_files import read_feature_files
from primus.evaluation.fewshot_results import fewshot_metrics, results_of
from primus.evaluation.fewshot_run import described, run_fits, site_checks, sources_of
from primus.evaluation.plan import Plan, plan_tasks, size_of_tests
from primus.evaluation.robustness import MATCHED, SAME_ROWS, Shifted, blocks_of, choose_in_parts, choose_tests, partial_conditions
from primus.evaluation.settings import FewShotParams
from primus.evaluation.sweep import Sweep, plan_fits
from primus.evaluation.tasks import Task, build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.params import load
from primus.stage import StageLog
from tests.evaluation.fewshot_project import build, corpus

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def miniature(folds: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The miniature's segments, and its splits in `folds` folds; in the second, shots and test are exchanged."""
    segments, splits, _ = corpus()
    exchanged = splits.assign(fold=1, split=splits["split"].replace({"shots": "test", "test": "shots"}))
    return segments, pd.concat([splits, exchanged][:folds], ignore_index=True)


def times_tested(tasks: list[Task], dataset: str) -> pd.Series:
    """How often each labelled segment of a data set is tested."""
    return pd.concat([task.test["segment_id"] for task in tasks if task.dataset == dataset]).value_counts()


@pytest.mark.parametrize("folds", [1, 2])
def test_sites_are_tested_once_and_other_data_sets_in_every_fold(folds: int) -> None:
    segments, splits = miniature(folds)
    plan = plan_tasks(segments, splits, "leave_site_out")
    kitchen = segments[(segments["dataset"] == "kitchen") & (segments["purpose"] == "probe")]
    assert [task.part for task in plan.tasks if task.dataset == "kitchen"] == ["site0", "site1"]
    assert times_tested(plan.tasks, "kitchen").to_dict() == dict.fromkeys(kitchen["segment_id"], 1)
    street = [task for task in plan.tasks if task.dataset == "street"]
    assert [(task.fold, task.part) for task in street] == [(fold, "") for fold in range(folds)]
    assert (times_tested(plan.tasks, "street") == 1).all()
    expected = [(name, fold, "") for name in ("kitchen", "street") for fold in range(folds)]
    assert [(task.dataset, task.fold, task.part) for task in plan.as_split] == expected


@pytest.mark.parametrize("folds", [1, 2, 3])
def test_every_person_is_tested_once_with_shots_from_all_others(corpus: Corpus, folds: int) -> None:
    segments, splits = corpus(people=6, folds=folds)
    plan = plan_tasks(segments, splits, "ours", "leave_user_out")
    people = sorted(segments["participant"].unique())
    assert [task.part for task in plan.tasks] == people
    assert plan.folds == {0}, "the first fold's encoders, and no others"
    assert plan.left == {}
    group_of = segments.set_index("segment_id")["participant"]
    for task in plan.tasks:
        assert set(task.test["group"]) == {task.part}
        assert set(group_of[task.pool["segment_id"]]) == set(people) - {task.part}
        assert len(task.pool) + len(task.test) == len(segments)
        assert task.participants == tuple(people)
    assert times_tested(plan.tasks, "walks").to_dict() == dict.fromkeys(segments["segment_id"], 1)
    assert len(plan.as_split) == folds
    assert size_of_tests(plan.tasks) == {"test_participants": 6, "test_segments": len(segments), "folds": 1, "parts": 6}
    assert size_of_tests(plan.as_split)["folds"] == folds
    assert "parts" not in size_of_tests(plan.as_split)


def same(first: list[Task], second: list[Task]) -> bool:
    pairs = zip(first, second, strict=True)
    return all((a.dataset, a.fold, a.part) == (b.dataset, b.fold, b.part) and a.pool.equals(b.pool) and a.test.equals(b.test) for a, b in pairs)


@pytest.mark.parametrize(("people", "folds"), [(20, 1), (10, 2), (12, 3)])
def test_ten_tested_people_are_left_as_they_were_split(corpus: Corpus, people: int, folds: int) -> None:
    segments, splits = corpus(people=people, takes=1, folds=folds)
    plan = plan_tasks(segments, splits, "ours", "leave_user_out")
    assert same(plan.tasks, build_tasks(segments, splits))
    assert plan.left == {}


def test_as_split_is_as_before(corpus: Corpus) -> None:
    segments, splits = corpus()
    plan = plan_tasks(segments, splits, "ours")
    assert same(plan.tasks, build_tasks(segments, splits))
    assert plan == Plan(plan.tasks, plan.as_split, {})


def test_who_cannot_be_left_out_is_left_as_split_for_a_reason(corpus: Corpus) -> None:
    segments, splits = corpus()
    nameless = segments["take_uid"] == "walks-p5-t0"
    plan = plan_tasks(segments.assign(participant=segments["participant"].mask(nameless)), splits, "ours", "leave_user_out")
    assert {task.part for task in plan.tasks} == {""}
    assert plan.left == {"walks": "1 of its takes name no participant, so nobody can be left out for certain"}

    seen = pd.DataFrame([{"fold": 0, "dataset": "watches", "take_uid": "w", "participant": "pop/5", "split": "train"}])
    plan = plan_tasks(segments, pd.concat([splits, seen]), "ours", "leave_user_out")
    assert {task.part for task in plan.tasks} == {""}
    assert "pretrained on in another data set" in plan.left["walks"]

    plan = plan_tasks(*miniature(), "ours", "leave_user_out")
    assert {task.dataset for task in plan.tasks if task.part} == {"street"}
    assert set(plan.left) == {"kitchen"}, "it also gives pretraining segments"


def test_encoders_that_have_seen_someone_are_passed_over(corpus: Corpus) -> None:
    segments, splits = corpus(folds=2)
    seen = pd.DataFrame([{"fold": 0, "dataset": "watches", "take_uid": "w", "participant": "pop/1", "split": "train"}])
    plan = plan_tasks(segments, pd.concat([splits, seen]), "ours", "leave_user_out")
    assert plan.folds == {1}
    assert len(plan.tasks) == 6


def test_known_sites_come_before_single_people() -> None:
    segments, splits = miniature()
    plan = plan_tasks(segments, splits, "leave_site_out", "leave_user_out")
    assert {(task.dataset, task.part) for task in plan.tasks} == {
        *(("kitchen", f"site{number}") for number in range(2)),
        *(("street", f"street/{number}") for number in range(4)),
    }


def test_scores_predictions_and_counts_hold_each_person_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, also=[], few_people="leave_user_out", site_shots=1)
    monkeypatch.chdir(tmp_path)
    params = load(FewShotParams, "fewshot")
    segments, splits = miniature()
    plan = plan_tasks(segments, splits, params.protocol, params.few_people)
    files = read_feature_files(Path("data") / "small", "primus")
    assert not isinstance(files, str)
    sources, log = sources_of(files, params), StageLog("fewshot")
    fits = list(plan_fits(plan.tasks, sources, params))
    with KeyedArrays("data/small/segments/imu.h5") as imu:
        sweep = Sweep(params, imu, "imu", None)
        rows, counts, calibration = described(fits, run_fits(sweep, fits, "few-shot", 1, log))
        sites = site_checks(plan.as_split, segments, splits, sources, sweep, 1, log)
    street = segments[segments["dataset"] == "street"]
    mine = counts[counts["dataset"] == "street"]
    of_person = mine.groupby(["representation", "head", "episode", "shots", "participant"])["count"].sum().unstack("participant")
    expected = street["participant"].value_counts()
    assert (of_person == expected[of_person.columns]).all().all()
    assert list(of_person.columns) == sorted(expected.index)
    results = results_of(rows, counts, calibration, {"primus": ("multimodal", "logistic")}, params, [])
    numbers = fewshot_metrics(plan.tasks, results)["street"]
    assert (numbers["test_participants"], numbers["test_segments"], numbers["folds"], numbers["parts"]) == (4, len(street), 1, 4)
    at = mine[(mine["shots"] == 4) & (mine["representation"] == "multimodal")]
    right = at.loc[at["label"] == at["predicted"], "count"].sum() / at["count"].sum()
    assert numbers["primus"]["k4"]["accuracy"] == pytest.approx(right)
    assert set(rows.loc[rows["dataset"] == "street", "part"]) == set(street["participant"])
    assert (rows.loc[rows["dataset"] == "street", "n_participants"] == 1).all()
    assert set(sites["check"]) == {"class_from_site", "leave_site_out", "site_probe"}


def test_the_bound_on_degraded_windows_holds_for_the_parts_together(corpus: Corpus) -> None:
    segments, splits = corpus(people=6)
    parts = plan_tasks(segments, splits, "ours", "leave_user_out").tasks
    chosen = choose_in_parts(parts, 30, seed=0)
    assert sum(len(task.test) for task in chosen) == 30
    assert pd.concat([task.test for task in chosen])["label"].value_counts().tolist() == [10, 10, 10]
    assert all(set(task.test["group"]) == {task.part} for task in chosen)
    assert len(choose_in_parts(parts, 2, seed=0)) <= 2, "a person of whom nothing was drawn is not tested"
    (whole,) = build_tasks(segments, splits)
    assert same(choose_in_parts([whole], 30, seed=0), [choose_tests(whole, 30, seed=0)])


def test_a_condition_that_one_part_allows_and_another_does_not_is_compared_on_the_same_rows(corpus: Corpus) -> None:
    segments, splits = corpus(people=4)
    first, second = (
        replace(task, test=task.test.iloc[:3].reset_index(drop=True)) for task in plan_tasks(segments, splits, "ours", "leave_user_out").tasks[:2]
    )
    whole = np.zeros((3, 6, 10), np.float32)
    tests = [[Shifted("gain", np.arange(3), whole), Shifted("window_10", np.arange(3), whole)], [Shifted("gain", np.arange(3), whole)]]
    partial = partial_conditions([first, second], tests)
    assert partial == {"window_10"}
    features = [np.zeros((len(test.rows), 4), np.float32) for test in tests[0]]
    blocks = blocks_of(np.zeros((3, 4), np.float32), tests[0], features, partial)
    assert [block.condition for block in blocks] == [MATCHED, "gain", "window_10", SAME_ROWS + "window_10"]
    assert partial_conditions([first], tests[:1]) == set()
