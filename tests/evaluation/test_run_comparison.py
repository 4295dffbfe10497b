"""Two sweeps: the paired difference of what both measured, and clear words where they have nothing in common."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from primus.cli import app
from primus.errors import UserError
from primus.evaluation.run_comparison import Sweep, compare_numbers, compare_sweeps
from primus.seeds import generator


def sweep(name: str, right: float, seed: int = 0, people: int = 12, method: str = "primus", episodes: int = 3) -> Sweep:
    """Counts of 20 windows per class and person, of which about the share `right` is recognised; people differ."""
    random = generator(seed, "sweep")
    ease = random.normal(0, 0.15, people)
    rows = []
    for person in range(people):
        for episode in range(episodes):
            for label, other in (("a", "b"), ("b", "a")):
                hits = int(np.clip(round(20 * (right + ease[person])), 0, 20))
                for predicted, count in ((label, hits), (other, 20 - hits)):
                    rows.append(["set", method, "feature", 0, 0, episode, 5, f"p{person}", label, predicted, count])
    columns = ["dataset", "method", "representation", "fold", "seed", "episode", "shots", "participant", "label", "predicted", "count"]
    table = pd.DataFrame(rows, columns=columns)
    return Sweep(name, table[table["count"] > 0])


def test_the_difference_is_paired() -> None:
    """People differ by far more than the runs do, and do so in both alike."""
    table = compare_sweeps(sweep("A", 0.65), sweep("B", 0.6))
    row = table[table["metric"] == "accuracy"].iloc[0]
    assert row["difference"] == pytest.approx(row["a"] - row["b"])
    assert row["difference"] == pytest.approx(0.05, abs=0.02)
    assert 0.0 < row["lo"] <= row["difference"] <= row["hi"] < 0.1
    assert row["lo"] <= row["lo_90"] < row["hi_90"] <= row["hi"]
    same = compare_sweeps(sweep("A", 0.6), sweep("A", 0.6))
    assert (same[["difference", "lo", "hi"]] == 0).all(axis=None)


def test_only_what_both_have_is_compared() -> None:
    table = compare_sweeps(sweep("A", 0.6, people=12, episodes=3), sweep("B", 0.6, people=5, episodes=2))
    assert set(table["participants"]) == {5}
    assert set(table["episodes"]) == {2}
    with pytest.raises(UserError, match=r"A and B measured nothing in common: set with primus against set with other"):
        compare_sweeps(sweep("A", 0.6), sweep("B", 0.6, method="other"))
    with pytest.raises(UserError, match="B: the predictions have no column count"):
        Sweep("B", sweep("B", 0.6).counts.drop(columns="count"))


def test_metrics_files_are_compared_number_by_number() -> None:
    table = compare_numbers({"a": {"b": 2, "x": "s", "t": True}, "c": 1.5}, {"a": {"b": 1}, "d": 3}, ("A", "B"))
    assert table.to_dict("records") == [{"name": "a.b", "a": 2.0, "b": 1.0, "difference": 1.0}]
    with pytest.raises(UserError, match="share no number"):
        compare_numbers({"a": 1}, {"b": 1}, ("A", "B"))


def test_the_command(tmp_path: Path) -> None:
    for name, right in (("A", 0.7), ("B", 0.6)):
        (tmp_path / name / "fewshot").mkdir(parents=True)
        sweep(name, right).counts.to_parquet(tmp_path / name / "fewshot" / "predictions.parquet")
    run = CliRunner()
    done = run.invoke(app, ["compare", str(tmp_path / "A"), str(tmp_path / "B" / "fewshot")], catch_exceptions=False)
    assert "* told apart; 12 or more test participants" in done.stdout
    assert "+" in done.stdout
    rows = json.loads(run.invoke(app, ["compare", str(tmp_path / "A"), str(tmp_path / "B"), "--json"], catch_exceptions=False).stdout)
    assert {row["metric"] for row in rows} == {"accuracy", "balanced_accuracy", "macro_f1"}
    for arguments, said in (
        ([str(tmp_path), str(tmp_path / "B")], "holds no fewshot"),
        ([str(tmp_path / "A"), "no-such-experiment"], "neither a folder nor a revision"),
        ([str(tmp_path / "A"), "x.json"], "different kinds"),
        ([str(tmp_path / "A"), str(tmp_path / "B"), "--metric", "x"], "--metric is x"),
        ([str(tmp_path / "A"), str(tmp_path / "B"), "--method", "x"], "both have primus"),
    ):
        error = run.invoke(app, ["compare", *arguments]).exception
        assert isinstance(error, UserError), arguments
        assert said in str(error)
