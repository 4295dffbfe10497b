"""Figures of the documentation that follow from committed ones are what follows from them."""

import json
import re
from typing import Any

import pytest

from benchmarks.run import APART, BENCHMARKS
from primus.evaluation.finetune import FinetuneSettings
from primus.experiments.composing import composed
from primus.experiments.duration import FINETUNED, _finetuned, trainings
from primus.experiments.listing import Experiment, experiments_of, read_figures, read_groups
from primus.params import layered, read_params
from tests.conftest import ROOT

PROFILE = "egoexo4d"
SEGMENTS, TEST_SEGMENTS = 250_000, 9_000  # published; of the benchmark
CLASSES = {"egoexo4d": 8, "ego4d": 10, "realworld": 8}  # published
FOLDS = {"egoexo4d": 1, "ego4d": 1, "realworld": 15}  # RealWorld2016 has fifteen people, each tested in turn (fewshot.few_people)


def result(name: str) -> dict[str, Any]:
    """What a benchmark printed."""
    return json.loads((ROOT / "docs" / "benchmarks.json").read_text())[name]["result"]


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(ROOT)
    return read_params()


def hours(experiments: list[Experiment], params: dict[str, Any]) -> tuple[int, float]:
    """Encoders that are trained, and how long that takes at the benchmark's rate."""
    step = result("pretrain-step")
    count = sum(trainings(experiment, params) for experiment in experiments)
    epochs = params["profiles"][PROFILE]["pretrain"]["epochs"]
    return count, count * epochs * SEGMENTS / (step["batch"] / (step["step_ms"] / 1000)) / 3600


def test_the_hours_of_the_papers_experiments(params: dict[str, Any]) -> None:
    rows = {
        cells[1].strip(" `"): cells for cells in (line.split("|")[1:-1] for line in (ROOT / "README.md").read_text().splitlines()) if len(cells) == 4
    }
    groups = {group.name: experiments_of([group]) for group in read_groups(PROFILE)}
    asked = {f"make ablations PROFILE={PROFILE} GROUP={name}": groups[name] for name in ("losses", "fraction_aligned")}
    asked |= {f"make ablations PROFILE={PROFILE}": experiments_of(read_groups(PROFILE)), f"make figures PROFILE={PROFILE}": [read_figures(PROFILE)]}
    for command, experiments in asked.items():
        count, took = hours(experiments, params)
        assert re.search(rf"\b{count}\b", rows[command][2]), (command, count)
        assert rows[command][3].split()[0].strip(",") == f"{took:.1f}", (command, took)


def test_the_hours_of_fine_tuning(params: dict[str, Any]) -> None:
    figures, step = read_figures(PROFILE), result("pretrain-step")
    own = composed(figures, params)
    tuning = FinetuneSettings(**layered(own, "fewshot.finetune") | {"lr": tuple(own["fewshot"]["finetune"]["lr"])})
    shots, fewer, others = (layered(own, f"fewshot.{key}") for key in ("shots", "also_finetuned.shots", "also_finetuned.methods"))
    drawn = [size for size in shots for _ in range(figures.seeds)] + [size for size in fewer for _ in others]
    assert len(drawn) == _finetuned(own, figures.seeds), "standard with every seed at every number of shots, others with one seed at some"
    fits = len(drawn) * own["fewshot"]["episodes"] * sum(FOLDS.values())
    steps = own["fewshot"]["episodes"] * sum(FOLDS[name] * tuning.budget(size * CLASSES[name]) for name in FOLDS for size in drawn)
    rows = steps * tuning.batch_size * (1 + tuning.trial_share * len(tuning.lr))
    trained = FINETUNED * rows / (step["batch"] / (step["step_ms"] / 1000)) / 3600
    sweep = result("fewshot")
    tested = len(drawn) * own["fewshot"]["episodes"] * len(FOLDS) * TEST_SEGMENTS
    scored = tested / (sweep["segments"] / sweep["features_s"]) / 3600
    text = (ROOT / "README.md").read_text()
    hours_said = (f"({trained:.1f} h;", f"({scored:.1f} h,", f"and {trained + scored:.1f} of fine-tuning")
    for said in (f"so {len(drawn)} ", f"= {fits:,} fits".replace(",", " "), *hours_said):
        assert said in text, said


def test_the_latencies_of_exported_models_are_the_benchmarks() -> None:
    table = [line.split(" | ") for line in (ROOT / "docs" / "inference.md").read_text().splitlines() if line.count(" | ") == 5]
    shown = {cells[0].strip("| "): cells[1:5] for cells in table}
    names = {"pytorch": "PyTorch", "onnx": "ONNX", "onnx_unrolled": "ONNX, unrolled", "onnx_int8": "ONNX, 8 bits"}
    for target in result("export")["targets"]:
        size, _, p50, p95 = shown[names[target["target"]]]
        assert (int(size), p50, p95) == (target["bytes"], f"{target['p50_ms']:.1f}", f"{target['p95_ms']:.1f}")


def test_every_benchmark_is_listed() -> None:
    scripts = {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"run.py", "processes.py", "scale_corpus.py"}
    assert {benchmark.script for benchmark in (*BENCHMARKS.values(), *APART.values())} == scripts
