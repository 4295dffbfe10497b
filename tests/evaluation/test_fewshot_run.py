"""What the few-shot stage is made of, without the stage: plans, order, and the numbers it reports."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from primus.embeddings.jobs import EncoderChoice
from primus.evaluation.feature_files import FeatureFile, read_feature_files
from primus.evaluation.fewshot_results import fewshot_metrics, plot_tables, results_of
from primus.evaluation.fewshot_run import described, prompt_weights, run_fits, site_checks, sources_of, starts_from_prompts
from primus.evaluation.probes.sgd import SgdSettings
from primus.evaluation.settings import FewShotParams
from primus.evaluation.sweep import Fit, Sweep, plan_fits
from primus.evaluation.tasks import build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.params import load
from primus.stage import StageLog
from tests.evaluation.fewshot_project import CLASSES, build, corpus


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FewShotParams:
    build(tmp_path, also=["finetune"], finetune={"steps": 1, "lr": [0.001]}, site_shots=1)
    monkeypatch.chdir(tmp_path)
    return load(FewShotParams, "fewshot")


def files(method: str) -> list[FeatureFile]:
    found = read_feature_files(Path("data") / "small", method)
    assert not isinstance(found, str)
    return found


def test_results_come_in_the_order_of_the_fits_though_probes_run_first(params: FewShotParams) -> None:
    segments, splits, _ = corpus()
    fits = list(plan_fits(build_tasks(segments, splits), sources_of(files("primus"), params), params))
    ran: list[list[Fit]] = []

    class Recording:
        def run(self, chosen: Sequence[Fit], description: str, threads: int) -> list[Fit]:
            ran.append(list(chosen))
            return list(chosen)

    found = run_fits(cast(Sweep, Recording()), fits, "few-shot", 1, StageLog("fewshot"))
    assert found == fits
    assert [{fit.head == "finetune" for fit in chosen} for chosen in ran] == [{False}, {True}]


def test_numbers_are_those_of_the_rows(params: FewShotParams) -> None:
    segments, splits, _ = corpus()
    tasks, sources = build_tasks(segments, splits), sources_of(files("statistics"), params)
    fits = list(plan_fits(tasks, sources, params))
    log = StageLog("fewshot")
    with KeyedArrays("data/small/segments/imu.h5") as imu:
        sweep = Sweep(params, imu, "imu", None)
        rows, counts, calibration = described(fits, run_fits(sweep, fits, "few-shot", 1, log))
        sites = site_checks(tasks, segments, splits, sources, sweep, 1, log)
    results = results_of(rows, counts, calibration, {"statistics": ("feature", "forest")}, params, [])
    numbers: dict[str, Any] = fewshot_metrics(tasks, results)
    assert sorted(numbers) == ["kitchen", "street"]
    assert numbers["kitchen"]["classes"] == len(CLASSES)
    at = rows[(rows["dataset"] == "kitchen") & (rows["shots"] == 4)]
    score = numbers["kitchen"]["statistics"]["k4"]
    assert score["accuracy"] == pytest.approx(at["accuracy"].mean())
    assert score["accuracy_lo"] <= score["accuracy"] <= score["accuracy_hi"]
    assert score["complete"] == int(at["complete"].all())
    assert "heads" not in numbers["kitchen"]["statistics"]
    plots = plot_tables(results.tables["scores"], results.probed)
    assert list(plots) == ["fewshot", "fewshot_heads"]
    pd.testing.assert_frame_equal(plots["fewshot"], plots["fewshot_heads"])
    assert set(sites["dataset"]) == {"kitchen"}


def test_prompts_start_only_heads_on_projections_trained_with_text(params: FewShotParams) -> None:
    prompted = replace(params, also=("sgd",), sgd=SgdSettings(start="prompts"))
    assert starts_from_prompts(sources_of(files("primus"), prompted), prompted)
    assert not starts_from_prompts(sources_of(files("standard"), prompted), prompted)
    assert not starts_from_prompts(sources_of(files("primus"), params), params)
    segments, splits, _ = corpus()
    choice = EncoderChoice("primus-demo", "fixed-random", "cpu")
    found, without = prompt_weights(build_tasks(segments, splits), choice, {"street": "absent"})
    assert found == {}
    assert without == {"kitchen": "kitchen", "street": "absent"}
