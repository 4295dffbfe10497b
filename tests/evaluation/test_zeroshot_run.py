"""Zero-shot scores over methods, seeds and folds, without the stage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.encoders import Comparable, SavedEncoder
from primus.evaluation.feature_files import features_path
from primus.evaluation.prompts import load_prompts
from primus.evaluation.settings import FewShotParams, ZeroShotParams
from primus.evaluation.tasks import build_tasks
from primus.evaluation.zeroshot_results import zeroshot_metrics, zeroshot_tables
from primus.evaluation.zeroshot_run import BOUNDS, COLUMNS, SPREAD, reason_for_nothing, score_methods, usable_prompts
from primus.keyed_arrays import write_keyed
from primus.params import load
from primus.run_folder import run_name
from tests.evaluation.fewshot_project import build
from tests.evaluation.test_evaluation_stages import write_stores


@pytest.fixture
def fewshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FewShotParams:
    build(tmp_path)
    monkeypatch.chdir(tmp_path)
    return load(FewShotParams, "fewshot")


def test_folds_and_seeds_are_put_together(corpus: Callable[..., tuple[pd.DataFrame, pd.DataFrame]], tmp_path: Path, fewshot: FewShotParams) -> None:
    segments, splits = corpus(folds=2)
    tasks = build_tasks(segments, splits)
    prompts = load_prompts("egoexo4d")
    vectors = np.tile(np.eye(3), (len(prompts.wordings), 1, 1))
    right = vectors[0][[tasks[0].classes.index(label) for label in segments["label"]]].astype(np.float32)
    encoders = []
    for seed, projections in ((1, -right), (0, right)):
        for fold in range(2):
            folder = tmp_path / "models" / "primus" / run_name(seed, fold, 2)
            write_keyed(
                features_path(tmp_path / "features" / "primus", folder.name), segments["segment_id"].tolist(), {"multimodal": projections}, {}
            )
            encoders.append(SavedEncoder(folder, seed, fold, "multimodal", "", True))
    found = {"walks": score_methods(tmp_path, tasks, prompts, vectors, {"primus": encoders})}
    one = found["walks"]["primus"]
    assert list(one.seeds) == [0, 1]
    assert one.seeds[0].counts.sum() == sum(len(task.test) for task in tasks), "every fold is counted"
    tables = zeroshot_tables(found, fewshot)
    assert list(tables["scores"]) == [*COLUMNS, *BOUNDS, *SPREAD]
    assert tables["scores"].loc[0, "accuracy"] == pytest.approx(0.5), "one seed is always right, the other never"
    assert len(tables["wordings"]) == len(prompts.wordings)
    assert tables["predictions"]["count"].sum() == 2 * one.seeds[0].counts.sum()
    hits = tables["predictions"].query("label == predicted").groupby("seed")["count"].sum()
    assert hits.to_dict() == {0: one.seeds[0].counts.sum()}
    numbers = zeroshot_metrics(found, tables["scores"])["walks"]
    assert (numbers["classes"], numbers["folds"], numbers["chance"]) == (3, 2, pytest.approx(1 / 3))
    assert numbers["primus"]["accuracy"] == pytest.approx(0.5)


def test_nothing_found_leaves_empty_tables_of_the_same_columns(fewshot: FewShotParams) -> None:
    tables = zeroshot_tables({}, fewshot)
    assert all(table.empty and len(table.columns) > 0 for table in tables.values())
    assert zeroshot_metrics({}, tables["scores"]) == {}


def test_what_cannot_be_scored_has_a_reason(tmp_path: Path) -> None:
    prompts, without = usable_prompts(["egoexo4d", "unprompted"], ZeroShotParams())
    assert list(prompts) == ["egoexo4d"]
    assert without["unprompted"].startswith("no prompts; write primus/evaluation/class_prompts/unprompted.json")
    write_stores(tmp_path, ["a", "b"])
    someone = Comparable({"primus": []}, {})
    assert reason_for_nothing(tmp_path, someone, prompts) == ""
    assert reason_for_nothing(tmp_path, someone, {}) == "no data set has class prompts"
    assert reason_for_nothing(tmp_path, Comparable({}, {}), prompts) == "no method has a trained multimodal projection"
    write_stores(tmp_path, [])
    assert "neither narrations nor video" in reason_for_nothing(tmp_path, someone, prompts)
