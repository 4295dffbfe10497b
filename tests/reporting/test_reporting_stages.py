"""features, fewshot and report as commands, on a project in miniature: two data sets, two folds, a skipped method."""

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from primus.artifacts import read_table, write_table
from primus.keyed_arrays import KeyedArrays
from primus.reporting.ablations import COLUMNS

RunStage = Callable[..., subprocess.CompletedProcess[str]]
Finished = tuple[Path, dict[str, str]]
FIGURES = ("augmentations", "claims", "confusion", "feature_map", "fraction_aligned", "heads", "losses", "table1")
METRICS = ("metrics/fewshot.json", "metrics/summary.json", "metrics/plots/fewshot.csv", *(f"metrics/figures/{name}.csv" for name in FIGURES))


def edit(root: Path, **sections: dict[str, object]) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    for section, values in sections.items():
        params[section] |= values
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def test_features_hold_every_probe_segment_and_say_what_made_them(finished: Finished) -> None:
    root, said = finished
    segments = read_table(root / "data/small/segments/segments.parquet")
    with KeyedArrays(root / "data/small/features/primus/seed0-fold1.h5") as file:
        assert set(file.keys) == set(segments["segment_id"])
        assert file.names == ("feature", "multimodal", "self_supervised")
        made_by = {"method": "primus", "seed": 0, "fold": 1, "representation": "multimodal", "probe": "", "text_trained": False}
        assert file.attrs == made_by
        assert file.rows("multimodal").shape == (len(segments), 512)
        assert file.rows("multimodal").dtype == np.float32
    assert "skipped (no training segment has video or text)" in said["stages.features imu2clip"]
    assert json.loads((root / "data/small/features/imu2clip/skipped.json").read_text())["reason"]


def test_metrics_are_nested_scalars_with_bounds(finished: Finished) -> None:
    metrics = json.loads((finished[0] / "metrics/fewshot.json").read_text())
    kitchen = metrics["kitchen"]
    assert (kitchen["classes"], kitchen["test_participants"], kitchen["test_segments"], kitchen["folds"]) == (3, 6, 72, 2)
    assert set(kitchen["primus"]) >= {"k1", "k2", "k8", "area_under_curve", "area_under_curve_lo"}
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        at = kitchen["primus"]["k8"]
        assert 0 <= at[f"{name}_lo"] <= at[name] <= at[f"{name}_hi"] <= 1
    assert metrics["skipped"] == {"imu2clip": 1}
    assert "imu2clip" not in kitchen


def test_every_person_is_tested_once_and_folds_are_pooled(finished: Finished) -> None:
    root, _ = finished
    counts = read_table(root / "data/small/fewshot/predictions.parquet")
    one = counts[(counts["dataset"] == "kitchen") & (counts["method"] == "primus") & (counts["representation"] == "multimodal")]
    per_fit = one.groupby(["episode", "shots", "participant"])["count"].sum()
    assert per_fit.eq(12).all()
    assert per_fit.index.get_level_values("participant").nunique() == 6
    at = one[one["shots"] == 8]
    pooled = at.loc[at["label"] == at["predicted"], "count"].sum() / at["count"].sum()
    metrics = json.loads((root / "metrics/fewshot.json").read_text())
    assert metrics["kitchen"]["primus"]["k8"]["accuracy"] == pytest.approx(pooled, abs=1e-6)


def test_plot_rows_are_what_the_band_template_reads(finished: Finished) -> None:
    table = pd.read_csv(finished[0] / "metrics/plots/fewshot.csv")
    assert {"dataset", "method", "representation", "shots", "complete", "accuracy", "accuracy_lo", "accuracy_hi", "macro_f1"} <= set(table.columns)
    assert len(table) == 2 * 2 * 3, "one row per data set, method and number of shots: the probed representation only"


def test_summary_is_small_and_names_profile_and_corpus(finished: Finished) -> None:
    summary = json.loads((finished[0] / "metrics/summary.json").read_text())
    assert (summary["profile"], summary["corpus"], summary["shots"]) == ("small", "simulation", 2)
    assert set(summary["kitchen"]["primus"]) == {"accuracy", "accuracy_lo", "accuracy_hi", "macro_f1"}
    assert summary["pretrain"] == {"primus": {"effective_rank": 41.2, "collapsed": 0.0}}


def test_the_printed_table_fits_a_terminal_and_warns(finished: Finished) -> None:
    said = finished[1]["stages.report"]
    assert max(map(len, said.splitlines())) <= 80
    assert "the machinery works, not that the method does" in " ".join(said.split())
    assert "over random" in said
    assert "Not run on this corpus: imu2clip" in said


def test_the_page_is_self_contained_escaped_and_described(finished: Finished) -> None:
    page = (finished[0] / "data/small/report/index.html").read_text()
    assert not re.search(r"""src\s*=|href\s*=\s*["']?[^"'#]|@import|url\(|<script|https?://""", page), "the page must load nothing"
    assert "&lt;climb&gt; &amp; rest" in page
    assert "<climb>" not in page
    assert 'class="banner"' in page
    assert "gap (segment)" in page
    figures = re.findall(r"<svg viewBox[^>]*class=\"figure\".*?</svg>", page, flags=re.S)
    assert len(figures) >= 15
    for figure in figures:
        tree = ET.fromstring(figure)
        assert tree.attrib["role"] == "img"
        assert len(tree.attrib["aria-label"]) > 20
        assert tree[0].tag == "title"
        assert tree[1].tag == "desc"
        assert "nan" not in figure
    assert sorted(path.name for path in (finished[0] / "data/small/report").iterdir()) == [
        "claims.csv", "confusion.csv", "differences.csv", "few-shot.svg", "index.html", "scores.csv", "summary.txt", "table1.csv",
    ]  # fmt: skip


def test_what_dvc_plots_draw_is_written_where_dvc_yaml_looks_for_it(finished: Finished) -> None:
    folder = finished[0] / "metrics/figures"
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.csv" for name in FIGURES]
    shares = pd.read_csv(folder / "confusion.csv")
    assert set(shares["method"]) == {"primus"}
    assert shares.groupby(["dataset", "label"])["share"].sum().to_numpy() == pytest.approx(1, abs=1e-5)
    assert len(pd.read_csv(folder / "losses.csv")) == 0, "nobody ran the ablations"
    assert set(pd.read_csv(folder / "claims.csv")["verdict"]) == {"not measured in this run"}
    points = pd.read_csv(folder / "feature_map.csv")
    assert points.groupby(["dataset", "method"]).size().to_dict() == {
        ("kitchen", "primus"): 36, ("kitchen", "random"): 36, ("street", "primus"): 24, ("street", "random"): 24,
    }  # fmt: skip


def test_ablations_of_this_profile_are_drawn(copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    rows = ["losses,SS+<NN>,,primus,kitchen,2,0.5,0.4,0.6,1,small,all,,,", "losses,SS,,primus,kitchen,2,0.9,0.8,0.95,1,other,all,,,"]
    header = ",".join(COLUMNS)
    (root / "metrics/ablations.csv").write_text("\n".join([header, *rows]) + "\n")
    assert run_stage(root, "stages.report").returncode == 0
    page = (root / "data/small/report/index.html").read_text()
    assert "SS+&lt;NN&gt;" in page
    assert "SS+<NN>" not in page
    assert pd.read_csv(root / "metrics/figures/losses.csv")["variant"].tolist() == ["SS+<NN>"]


def test_the_protocol_and_people_on_both_sides_are_those_the_few_shot_stage_reported(copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    path = root / "metrics/fewshot.json"
    found = json.loads(path.read_text())
    found["kitchen"]["shared_participants"] = 2
    path.write_text(json.dumps(found | {"protocol": "code"}))
    done = run_stage(root, "stages.report")
    assert done.returncode == 0, done.stderr
    assert "People who gave shots are tested, too (2 in kitchen)" in " ".join(done.stdout.split())
    page = (root / "data/small/report/index.html").read_text()
    assert "Protocol code" in page
    assert "nobody in it was seen" not in page


def test_a_real_corpus_has_no_banner(copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    edit(root, profiles={"small": {"corpus": "recordings"}}, embed={"encoder": {"weights": "openai"}})
    assert run_stage(root, "stages.report").returncode == 0
    page = (root / "data/small/report/index.html").read_text()
    assert 'class="banner"' not in page
    assert "untrained random network" not in page
    assert json.loads((root / "metrics/summary.json").read_text())["corpus"] == "real"


def test_equal_inputs_give_equal_bytes_whatever_the_number_of_threads(finished: Finished, copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    edit(root, compute={"threads": 3})
    before = {name: (root / name).read_bytes() for name in METRICS} | {
        str(path.relative_to(root)): path.read_bytes() for folder in ("fewshot", "report") for path in (root / "data/small" / folder).iterdir()
    }
    for command in ("stages.fewshot", "stages.report"):
        assert run_stage(root, command).returncode == 0
    assert {name: (root / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("sections", "stage", "words"),
    [
        ({"fewshot": {"shots": [5, 1]}}, "fewshot", "fewshot.shots must be increasing"),
        ({"fewshot": {"c": -1.0}}, "fewshot", "fewshot.c must be > 0, found -1.0"),
        ({"fewshot": {"shots_unit": "window"}}, "fewshot", "'segment', 'nonoverlapping', 'take'"),
        ({"report": {"headline_shots": 3}}, "report", "not among fewshot.shots (1, 2, 8)"),
        ({"report": {"reference": "randm"}}, "report", "'randm', which is not among the methods"),
    ],
)
def test_a_mistake_is_one_line(
    copy_of: Callable[[], Path], run_stage: RunStage, sections: dict[str, dict[str, object]], stage: str, words: str
) -> None:
    root = copy_of()
    edit(root, **sections)
    done = run_stage(root, f"stages.{stage}")
    assert done.returncode == 1
    assert words in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == done.stderr.splitlines()


def test_a_shared_participant_stops_the_stage(copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    path = root / "data/small/segments/splits.parquet"
    splits = read_table(path)
    leak = splits[splits["split"] == "test"].iloc[:1].assign(take_uid="other", dataset="watch", split="train")
    write_table(path, pd.concat([splits, leak], ignore_index=True))
    done = run_stage(root, "stages.fewshot")
    assert done.returncode == 1
    assert "both in 'test' and in 'train' (kitchen/0)" in done.stderr


def test_an_encoder_of_other_windows_is_refused(copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    config = root / "data/small/models/primus/seed0-fold0/config.json"
    config.write_text(config.read_text().replace('"rate_hz": 50.0', '"rate_hz": 100.0'))
    done = run_stage(root, "stages.features", "primus")
    assert done.returncode == 1
    assert "trained on windows of 5 s at 100 Hz, the segments have 5 s at 50 Hz" in done.stderr


def test_a_method_without_an_encoder_for_every_fold_is_not_compared(copy_of: Callable[[], Path], run_stage: RunStage) -> None:
    root = copy_of()
    (root / "data/small/features/primus/seed0-fold1.h5").unlink()
    done = run_stage(root, "stages.fewshot")
    assert done.returncode == 0
    assert json.loads((root / "metrics/fewshot.json").read_text())["skipped"] == {"imu2clip": 1, "primus": 1}
