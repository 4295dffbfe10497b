"""What is seen of a pretraining run while it goes."""

from pathlib import Path

import pandas as pd
import pytest

import stages.pretrain as pretrain_stage
from primus.stage import StageLog
from primus.training.loop import StepReport


def test_live_curves_follow_the_progress_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrain_stage, "PROGRESS_S", -1.0)

    def report_steps(steps: range) -> None:
        reporter = pretrain_stage.Reporter("primus seed0", StageLog("pretrain"))
        for step in steps:
            reporter(StepReport(step, 6, 8, {"total": 1.0 / step}))

    report_steps(range(1, 4))  # killed after the third step, then continued
    report_steps(range(4, 7))
    table = pd.read_csv("dvclive/primus/seed0/plots/metrics/total.tsv", sep="\t")
    assert table["step"].tolist() == [2, 3, 5, 6]
    assert table["total"].tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 5, 1 / 6])


def test_live_curves_that_cannot_be_written_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvclive").write_text("in the way")
    curves = pretrain_stage.LiveCurves("primus seed0")
    for step in (1, 2):
        curves.point(step, {"total": 1.0}, resumed=False)
    assert capsys.readouterr().err.count("no live curves") == 1


def test_a_run_without_a_progress_line_in_its_middle_leaves_no_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reporter = pretrain_stage.Reporter("primus seed0", StageLog("pretrain"))
    for step in range(1, 4):
        reporter(StepReport(step, 3, 8, {"total": 1.0}))
    assert not Path("dvclive").exists()
