"""DVC's plots: the templates draw what they say, and the page needs no network."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dvc_render.vega import VegaRenderer

from primus.errors import UserError
from primus.reporting import plots_page
from primus.reporting.report import figure_tables
from tests.reporting.made_figures import TEN, figures

ROOT = Path(__file__).resolve().parents[2]
vl_convert = pytest.importorskip("vl_convert", reason="vl-convert-python (extra dev) is not installed")


def fewshot_rows(rev: str) -> list[dict[str, str]]:
    return [
        {"rev": rev, "dataset": dataset, "method": method, "representation": "feature", "shots": str(shots), "complete": "1"}
        | {"accuracy": str(0.2 + shots / 100), "accuracy_lo": str(0.1 + shots / 100), "accuracy_hi": str(0.3 + shots / 100)}
        for dataset in ("kitchen", "street")
        for method in ("primus", "random")
        for shots in (1, 5, 20)
    ]


def loss_rows(rev: str) -> list[dict[str, str]]:
    return [
        {"rev": rev, "filename": f"pretrain_{method}.csv", "field": "value", "step": str(step), "term": term, "value": str(5 - step / 10)}
        | {"seed": "0", "fold": "0"}
        for method in ("primus", "simclr")
        for step in (0, 10, 20)
        for term in ("train/total", "val/total", "train/ss", "tau_ss")
    ]


def drawn(name: str, rows: list[dict[str, str]], **properties: str) -> tuple[dict[str, Any], str]:
    """The filled template and its SVG."""
    renderer = VegaRenderer(rows, name, template=str(ROOT / ".dvc" / "plots" / f"{name}.json"), **properties)
    content = json.loads(renderer.partial_html())
    return content, str(vl_convert.vegalite_to_svg(content, vl_version="5.21"))


@pytest.mark.parametrize("revs", [("workspace",), ("HEAD", "workspace")])
def test_the_band_template_draws_band_and_line_per_method_data_set_and_revision(revs: tuple[str, ...]) -> None:
    rows = [row for rev in revs for row in fewshot_rows(rev)]
    content, svg = drawn("fewshot_band", rows, x="shots", y="accuracy", title="Accuracy")
    assert "<DVC_METRIC" not in json.dumps(content)
    curves = 2 * 2 * len(revs)
    assert svg.count('aria-roledescription="area mark"') == curves
    assert svg.count('aria-roledescription="line mark"') == curves
    assert svg.count('aria-roledescription="point"') == curves * 3
    for word in (*revs, "kitchen", "street", "primus", "random", "Accuracy"):
        assert f">{word}</text>" in svg
    assert "NaN" not in svg


def test_the_loss_template_draws_the_terms_and_leaves_the_rest_out() -> None:
    _, svg = drawn("pretrain_loss", loss_rows("workspace"), x="step", y="value", y_label="loss")
    assert svg.count('aria-roledescription="line mark"') == 2 * 3
    for word in ("primus", "simclr", "total", "ss", "training", "validation"):
        assert f">{word}</text>" in svg
    assert "tau_ss" not in svg


def test_a_point_without_labels_stands_apart_from_its_curve() -> None:
    zero = [row | {"shots": "0"} for row in fewshot_rows("workspace") if row["shots"] == "1" and row["method"] == "primus"]
    _, svg = drawn("fewshot_band", fewshot_rows("workspace") + zero, x="shots", y="accuracy")
    assert svg.count('aria-roledescription="line mark"') == 4, "as many lines as without it"
    assert svg.count('aria-roledescription="point"') == 4 * 3 + 2
    assert svg.count('aria-roledescription="rule mark"') == 2


def test_the_interval_template_draws_a_rule_and_a_point_per_row_and_method() -> None:
    rows = [
        {
            "rev": "workspace",
            "dataset": dataset,
            "method": method,
            "condition": condition,
            "retention": kept,
            "retention_lo": "0.4",
            "retention_hi": "0.9",
        }
        for dataset in ("kitchen", "street")
        for method in ("primus", "random")
        for condition, kept in (("matched", "1"), ("rate_10", "0.8"), ("gyro_lost", "0.5"), ("unmeasured", ""))
    ]
    _, svg = drawn("intervals", rows, x="condition", y="retention", x_label="condition")
    assert svg.count('aria-roledescription="point"') == 2 * 2 * 2
    assert svg.count('aria-roledescription="rule mark"') == 2 * 2 * 2
    assert ">rate_10</text>" in svg
    found = [
        {"rev": "w", "method": "primus", "direction": "imu_to_video", "metric": name, "value": "0.5", "lo": "0.4", "hi": "0.6"}
        for name in ("r1", "median_rank")
    ]
    _, svg = drawn("intervals", found, x="metric", y="value")
    assert ">imu_to_video</text>" in svg
    assert ">median_rank</text>" not in svg
    assert "NaN" not in svg


@pytest.mark.parametrize("value", ["share", "accuracy"])
def test_the_share_template_draws_a_cell_per_row(value: str) -> None:
    rows = [
        {"rev": "workspace", "dataset": dataset, "method": "primus", "label": label, "predicted": predicted, value: "0.25"}
        for dataset in ("kitchen", "street")
        for label in ("<cook>", "rest")
        for predicted in ("<cook>", "rest")
    ]
    _, svg = drawn("shares", rows, x="predicted", y="label")
    assert svg.count('aria-roledescription="rect mark"') == 8
    assert svg.count(">25</text>") == 8
    assert ">kitchen, primus</text>" in svg


def test_the_map_template_draws_every_point() -> None:
    rows = [
        {"rev": "workspace", "dataset": dataset, "method": method, "label": label, "x": str(number), "y": "0.5"}
        for dataset in ("kitchen", "street")
        for method in ("primus", "random")
        for number, label in enumerate(("cook", "rest", "dance"))
    ]
    _, svg = drawn("feature_map", rows, x="x", y="y")
    assert svg.count('aria-roledescription="point"') == 12
    for word in ("workspace, primus", "workspace, random", "kitchen", "street"):
        assert f">{word}</text>" in svg


def test_a_folder_without_dvc_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.dvc does not exist"):
        plots_page.set_up(tmp_path)


def test_dvc_plots_need_no_network_and_setting_up_twice_changes_nothing(tmp_path: Path) -> None:
    def dvc(*words: str) -> None:
        quiet = os.environ | {"DVC_NO_ANALYTICS": "1"}
        done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=tmp_path, env=quiet, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    dvc("init", "--no-scm", "-q")
    page = plots_page.set_up(tmp_path)
    before = page.read_bytes(), page.stat().st_mtime_ns, (tmp_path / ".dvc" / "config.local").read_text()
    assert plots_page.set_up(tmp_path) == page
    assert (page.read_bytes(), page.stat().st_mtime_ns, (tmp_path / ".dvc" / "config.local").read_text()) == before
    (tmp_path / "loss.csv").write_text("step,loss\n0,2.0\n1,1.0\n")
    dvc("plots", "show", "loss.csv")
    shown = (tmp_path / "dvc_plots" / "index.html").read_text()
    assert "cdn.jsdelivr" not in shown
    assert "<script src" not in shown
    assert "window.vegaEmbed=" in shown.replace(" ", "")
    assert '"loss"' in shown
    assert "{plot_divs}" not in shown
    assert "{refresh_tag}" not in shown


def test_heads_are_drawn_by_method_at_the_headline() -> None:
    table = figure_tables(figures())["heads"]
    rows = [{name: str(value) for name, value in row.items()} | {"rev": "workspace"} for row in table.to_dict("records")]
    _, svg = drawn("intervals", rows, x="head", y="accuracy", x_label="head")
    assert svg.count('aria-roledescription="point"') == len(table)
    assert svg.count('aria-roledescription="rule mark"') == len(table)
    for name in (*TEN, "logistic", "finetune"):
        assert f">{name}</text>" in svg
