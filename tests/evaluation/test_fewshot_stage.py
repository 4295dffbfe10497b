"""The few-shot stage as a whole: what it writes, that its bytes repeat, that a kill costs nothing finished, and what each protocol tests on whom."""

import contextlib
import io
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
import pytest
import yaml

from primus.artifacts import read_table, write_table
from primus.provenance import import_closure
from primus.schema import SEGMENTS
from primus.work_cache import WorkCache
from tests.evaluation.fewshot_project import PARAMS, build, corpus

ROOT = Path(__file__).resolve().parents[2]


def fewshot(root: Path, cache: str = "cache") -> str:
    """The stage in this process, as `python -m stages.fewshot` would run it; returns the error, "" where there was none."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said), contextlib.chdir(root):
        patch.setenv("PRIMUS_CACHE", str(root / cache))
        patch.setattr(sys, "argv", ["fewshot"])
        patch.syspath_prepend(str(ROOT))
        try:
            runpy.run_module("stages.fewshot", run_name="__main__")
        except SystemExit as leaving:
            return said.getvalue() if leaving.code else ""
    return ""


def outputs(root: Path) -> dict[str, bytes]:
    files = [*root.glob("metrics/**/*.*"), *root.glob("data/small/fewshot/*")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fewshot")
    build(root)
    assert fewshot(root) == ""
    return root


def table(root: Path, name: str) -> pd.DataFrame:
    return read_table(root / "data" / "small" / "fewshot" / f"{name}.parquet")


def test_every_method_has_its_heads_and_one_curve_it_is_judged_by(done: Path) -> None:
    scores = table(done, "scores")
    heads = scores.groupby("method")["head"].agg(lambda names: sorted(set(names))).to_dict()
    assert heads == {"primus": ["knn", "logistic", "sgd"], "standard": ["finetune"], "statistics": ["forest"]}
    judged = scores[scores["probed"]][["dataset", "method", "representation", "head"]].drop_duplicates()
    assert sorted(map(tuple, judged.to_numpy())) == [
        (dataset, *judge)
        for dataset in ("kitchen", "street")
        for judge in (("primus", "multimodal", "logistic"), ("standard", "feature", "finetune"), ("statistics", "feature", "forest"))
    ]
    rows = table(done, "rows")
    assert not rows.duplicated(["dataset", "method", "representation", "head", "fold", "seed", "episode", "shots"]).any()
    per_curve = rows.groupby(["dataset", "method", "representation", "head"]).size()
    assert (per_curve == 3 * 2).all(), "three sizes, two episodes; fine-tuning too, though its episodes are worked on one by one"
    assert set(rows[rows["head"] == "finetune"]["episode"]) == {0, 1}


def test_calibration_is_measured_and_scaled_where_there_are_two_shots(done: Path) -> None:
    rows = table(done, "rows")
    logistic = rows[rows["head"] == "logistic"]
    assert logistic[logistic["shots"] == 1]["temperature"].isna().all()
    assert logistic[logistic["shots"] > 1][["temperature", "nll_scaled", "ece_scaled"]].notna().all().all()
    assert rows["nll"].gt(0).all()
    assert rows["ece"].between(0, 1).all()
    sums = table(done, "calibration")
    plain = sums[~sums["scaled"]].groupby(["dataset", "method", "representation", "head", "episode", "shots"])
    sizes = rows.groupby(["dataset", "method", "representation", "head", "episode", "shots"])["n_test"].first()
    pd.testing.assert_series_equal(plain["count"].sum(), sizes.astype(float), check_names=False)


def test_metrics_hold_the_probed_curve_and_other_heads_below_it(done: Path) -> None:
    metrics = json.loads((done / "metrics" / "fewshot.json").read_text())
    assert metrics["protocol"] == "ours"
    assert metrics["skipped"] == {}
    primus = metrics["kitchen"]["primus"]
    assert set(primus["heads"]) == {"knn", "sgd"}
    assert {"accuracy", "accuracy_lo", "accuracy_hi", "ece", "nll"} <= set(primus["k4"])
    assert "heads" not in metrics["kitchen"]["standard"]
    assert "shared_participants" not in metrics["kitchen"]
    sites = metrics["kitchen"]["sites"]
    assert set(sites) == {"class_from_site", "leave_site_out", "site_probe"}
    assert sites["class_from_site"] == pytest.approx(1 / 3)
    assert sites["leave_site_out"]["shots"] == 2
    assert set(sites["leave_site_out"]) == {"chance", "shots", "primus", "statistics"}, "fine-tuned methods are left out"
    assert "sites" not in metrics["street"]


def test_areas_and_tests_compare_each_pair(done: Path) -> None:
    areas, tests = table(done, "areas"), table(done, "tests")
    assert set(areas["metric"]) == {"accuracy", "balanced_accuracy", "macro_f1"}
    assert (areas["lo"] <= areas["area"]).all()
    assert (areas["shots_from"] == 1).all()
    assert (areas["shots_to"] == 4).all()
    assert len(tests) == 2 * 3 * 3, "data sets, sizes, pairs"
    assert set(zip(tests["method"], tests["other"], strict=True)) == {("primus", "standard"), ("primus", "statistics"), ("standard", "statistics")}
    assert (tests["family"] == 3).all()
    assert tests.groupby("dataset")["n"].first().to_dict() == {"kitchen": 4, "street": 2}
    assert tests.groupby("dataset")["least_p"].first().to_dict() == {"kitchen": 0.375, "street": 1.0}
    assert (tests["p_holm"] >= tests["p"]).all()
    assert tests["p_equivalent"].between(0, 1).all()


def test_one_device_has_no_table_of_its_own_and_two_have_one(done: Path, tmp_path: Path) -> None:
    assert table(done, "devices").empty
    build(tmp_path, also=[], site_shots=0, shots=[2])
    path = tmp_path / "data" / "small" / "segments" / "segments.parquet"
    segments = read_table(path)
    two = segments["device"].where(segments["dataset"] != "street", "headset " + segments["participant"].str[-1])
    write_table(path, segments.assign(device=two), SEGMENTS)
    assert fewshot(tmp_path) == ""
    found = table(tmp_path, "devices")
    assert set(found["dataset"]) == {"street"}
    assert set(found["method"]) == {"primus", "standard", "statistics"}
    assert set(found["device"]) == {"headset 0", "headset 1"}, "those of the two tested people"
    assert (found["participants"] == 1).all()
    predictions = table(tmp_path, "predictions")
    assert set(predictions.query("dataset == 'street'")["participant"]) == {"street/0", "street/1"}
    metrics = json.loads((tmp_path / "metrics" / "fewshot.json").read_text())
    assert metrics["street"]["test_participants"] == 2


def test_equal_bytes_whatever_the_threads_and_the_cache(done: Path, tmp_path: Path) -> None:
    build(tmp_path)
    settings = yaml.safe_load((tmp_path / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings | {"compute": {"threads": 1, "workers": 1}}))
    assert fewshot(tmp_path) == ""
    assert outputs(tmp_path) == outputs(done)
    before = outputs(done)
    assert fewshot(done) == ""
    assert outputs(done) == before, "recalled fits make other bytes than fresh ones"


def test_a_kill_keeps_finished_fits_and_changes_nothing(done: Path, tmp_path: Path) -> None:
    build(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PRIMUS_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "stages.fewshot"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    entries = tmp_path / "cache" / "fewshot"
    deadline = time.monotonic() + 120
    while len(list(entries.glob("*/*.entry"))) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in entries.glob("*/*.entry")}
    assert len(kept) >= 5
    assert not (tmp_path / "metrics" / "fewshot.json").exists()
    assert fewshot(tmp_path) == ""
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items()), "finished fits were made again"
    assert outputs(tmp_path) == outputs(done)


def test_a_setting_of_one_head_leaves_the_others_in_the_cache(tmp_path: Path) -> None:
    build(tmp_path, also=["knn"])
    assert fewshot(tmp_path) == ""
    entries = tmp_path / "cache" / "fewshot"
    first = set(entries.glob("*/*.entry"))
    build(tmp_path, also=["knn", "prototype"])
    assert fewshot(tmp_path) == ""
    second = set(entries.glob("*/*.entry"))
    assert len(second - first) == 2 * 2 * 3, "two data sets, two representations, three sizes of the new head"


def test_a_finished_fit_is_kept_for_the_code_of_every_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, key = set(), WorkCache.key

    def watched(self: WorkCache, inputs: Sequence[str], params: Mapping[str, Any], module: str) -> str:
        named.add(module)
        return key(self, inputs, params, module)

    monkeypatch.setattr(WorkCache, "key", watched)
    build(tmp_path, also=[], shots=[1], site_shots=0)
    assert fewshot(tmp_path) == ""
    heads = {*(ROOT / "primus" / "evaluation" / "probes").glob("*.py"), ROOT / "primus" / "evaluation" / "finetune.py"}
    assert len(heads) > 5
    for module in named:
        assert heads <= set(import_closure(module)), f"a mended head would meet the fits that {module} kept"
    assert named


def test_fine_tuning_beside_another_head_keeps_to_its_limits(tmp_path: Path) -> None:
    build(tmp_path, also=["finetune"], also_finetuned={"shots": [2], "encoders": 2}, site_shots=0)
    features, models = (tmp_path / "data" / "small" / name / "primus" for name in ("features", "models"))
    for seed in (1, 2):
        shutil.copy(features / "seed0.h5", features / f"seed{seed}.h5")
        with h5py.File(features / f"seed{seed}.h5", "r+") as file:
            file.attrs["seed"] = seed
        shutil.copytree(models / "seed0", models / f"seed{seed}")
    assert fewshot(tmp_path) == ""
    rows = table(tmp_path, "rows").query("head == 'finetune'")
    fitted = rows.groupby("method").apply(lambda of: sorted({*zip(of["seed"], of["shots"], strict=True)}), include_groups=False).to_dict()
    assert fitted == {"primus": [(0, 2), (1, 2)], "standard": [(0, 1), (0, 2), (0, 4)]}
    assert (rows.groupby(["dataset", "method", "seed", "shots"]).size() == 2).all(), "both episodes"
    scores = table(tmp_path, "scores")
    assert scores[(scores["method"] == "primus") & (scores["head"] == "finetune")]["complete"].all()
    heads = json.loads((tmp_path / "metrics" / "fewshot.json").read_text())["kitchen"]["primus"]["heads"]
    assert set(heads["finetune"]) == {"k2"}


def test_fine_tuning_at_other_numbers_of_shots_is_refused(tmp_path: Path) -> None:
    build(tmp_path, also_finetuned={"shots": [2, 3]})
    assert "fewshot.also_finetuned.shots must be among fewshot.shots [1, 2, 4], found [3]" in fewshot(tmp_path)


def people_of(root: Path, protocol: str, **fewshot_settings: Any) -> pd.DataFrame:
    build(root, protocol=protocol, also=[], **fewshot_settings)
    assert fewshot(root) == ""
    return table(root, "predictions").query("dataset == 'kitchen'")


def test_table1_tests_every_take_of_the_probe_with_shots_from_pretraining(tmp_path: Path) -> None:
    counts = people_of(tmp_path, "table1")
    segments, _, _ = corpus()
    probe = segments[(segments["dataset"] == "kitchen") & (segments["purpose"] == "probe")]
    assert set(counts["participant"]) == set(probe["participant"])
    of_fit = counts.groupby(["method", "representation", "head", "episode", "shots"])["count"].sum()
    assert (of_fit == len(probe)).all()
    assert "shared_participants" not in json.loads((tmp_path / "metrics" / "fewshot.json").read_text())["kitchen"]


def test_code_cuts_takes_shares_people_and_says_so(tmp_path: Path) -> None:
    counts = people_of(tmp_path, "code", sgd={"epochs": 5, "select": "validation"}, probe="sgd")
    assert all(name.startswith("take:kitchen/") for name in counts["participant"])
    metrics = json.loads((tmp_path / "metrics" / "fewshot.json").read_text())
    assert metrics["protocol"] == "code"
    assert metrics["kitchen"]["shared_participants"] > 0
    assert "shared_participants" not in metrics["street"]


def test_leave_site_out_tests_every_site_once(tmp_path: Path) -> None:
    counts = people_of(tmp_path, "leave_site_out", site_shots=0)
    segments, _, _ = corpus()
    probe = segments[(segments["dataset"] == "kitchen") & (segments["purpose"] == "probe")]
    of_fit = counts.groupby(["method", "representation", "head", "episode", "shots"])["count"].sum()
    assert (of_fit == len(probe)).all()
    assert set(table(tmp_path, "rows").query("dataset == 'kitchen'")["part"]) == {"site0", "site1"}


def test_few_people_are_tested_in_turn_where_they_can_be(tmp_path: Path) -> None:
    kitchen = people_of(tmp_path, "ours", few_people="leave_user_out", site_shots=2)
    assert kitchen["participant"].nunique() == 4, "it gives pretraining segments, too: as it was split"
    street = table(tmp_path, "predictions").query("dataset == 'street'")
    of_person = street.groupby(["method", "representation", "head", "episode", "shots"])["participant"].nunique()
    assert (of_person == 4).all()
    metrics = json.loads((tmp_path / "metrics" / "fewshot.json").read_text())
    assert (metrics["street"]["parts"], metrics["street"]["test_participants"], metrics["street"]["test_segments"]) == (4, 4, 48)
    assert "parts" not in metrics["kitchen"]
    assert set(metrics["kitchen"]["sites"]) == {"class_from_site", "leave_site_out", "site_probe"}
    tests = table(tmp_path, "tests")
    assert (tests["n"] == 4).all()


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    build(tmp_path, finetune={"lr": [0.01, 0.001]}, probe="logistics", site_shots=-1)
    said = fewshot(tmp_path)
    assert "fewshot.finetune.lr must be increasing" in said
    assert "did you mean 'logistic'" in said
    assert PARAMS["fewshot"]["probe"] == "logistic"
