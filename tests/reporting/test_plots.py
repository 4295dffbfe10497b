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
