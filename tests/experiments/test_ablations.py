"""`primus ablations` and `primus figures` on a toy pipeline, through the real DVC: said, run, skipped, collected."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pandas as pd
import pytest
from typer.testing import CliRunner

from primus.artifacts import write_table
from primus.cli import app
from primus.errors import UserError
from primus.experiments.duration import estimate, spoken, trainings, work
from primus.experiments.listing import Experiment, experiments_of, read_groups
from primus.experiments.repository import Repository
from primus.experiments.running import Plan
from primus.experiments.table import COLUMNS, TABLE, merged
from primus.experiments.words import interval, markdown
from primus.params import read_params
from tests.experiments.toy_project import build, git, write_list

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def said(*arguments: str) -> str:
    done = RUNNER.invoke(app, ["ablations", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.timeout(300)
def test_ablations_run_once_and_are_collected(toy: Path) -> None:
    dry = said("--dry-run", "--group", "weights")
    assert "2 experiment(s), 0 finished" in dry
    assert "2 to run with 4 pretraining runs" in dry
    assert "dvc exp run --temp -n ablation-weights-three -S '~methods.random' -S 'pretrain.seeds=[0,1]' -S loss.weight=3 fewshot" in dry
    assert not (toy / TABLE).exists()

    said("--group", "weights")
    table = pd.read_csv(TABLE)
    assert list(table.columns) == list(COLUMNS)
    assert table["variant"].tolist() == ["one", "three"]
    assert table["mean"].tolist() == [0.6, 0.8]
    assert table["n_seeds"].tolist() == [2, 2]
    assert table["difference"].iloc[1] == pytest.approx(0.2)
    assert table["collapsed"].tolist() == [1.0, 1.0]
    assert table["settings"].iloc[1] == "pretrain.seeds=[0,1] loss.weight=3"
    assert table["commit"].iloc[0] == git(toy, "rev-parse", "HEAD")[:10]
    assert git(toy, "status", "--short") == f"?? {TABLE}\n", "the workspace stays as it is"

    again = said("--group", "weights")
    assert "2 finished with the code and parameters as they are: nothing to run" in again
    assert "(1/" not in again
    shown = said("--show", "--group", "weights")
    assert "| three | 80.0 [70.0, 90.0] | +20.0 [+20.0, +20.0]* | 3! | 2 |" in shown

    # A later commit of other files leaves results valid; changed code, or a changed parameter that counts, does not.
    (toy / "notes.md").write_text("of no account")
    git(toy, "add", "notes.md")
    git(toy, "commit", "-q", "-m", "notes")
    assert "2 finished" in said("--dry-run", "--group", "weights")
    params = (toy / "params.yaml").read_text()
    (toy / "params.yaml").write_text(params.replace("lead: primus", "lead: random"))
    assert "2 finished" in said("--dry-run", "--group", "weights")
    experiment = read_groups("toy")[0].reference.experiment
    assert Repository(toy, read_params()).finished(experiment)
    assert not Repository(toy, read_params()).finished(experiment, None), "the report is about another method"
    (toy / "params.yaml").write_text(params)
    assert Repository(toy, read_params()).finished(experiment, None)
    (toy / "params.yaml").write_text(params.replace("width: 1", "width: 2"))
    assert "0 finished" in said("--dry-run", "--group", "weights")
    (toy / "params.yaml").write_text(params)
    (toy / "toy_stage.py").write_text((toy / "toy_stage.py").read_text() + "# edited\n")
    assert "0 finished" in said("--dry-run", "--group", "weights")


@pytest.mark.timeout(300)
def test_figures_run_once_and_their_report_is_taken(toy: Path) -> None:
    """Their metrics differ from those in the workspace, which is why they are run."""
    subprocess.run(["dvc", "repro", "-q"], cwd=toy, check=True)
    git(toy, "add", "-A")
    git(toy, "commit", "-q", "-m", "metrics of the workspace")
    done = RUNNER.invoke(app, ["figures"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = toy / "data" / "toy" / "figures" / "index.html"
    assert report.read_text() == "primus extrakept"
    assert git(toy, "status", "--short") == "", "the workspace stays as it is"

    report.unlink()
    again = RUNNER.invoke(app, ["figures"], catch_exceptions=False)
    assert "1 finished with the code and parameters as they are: nothing to run" in again.output
    assert report.exists()
    for changed in ("toy_report.py", "metrics/kept.csv"):
        before = (toy / changed).read_text()
        (toy / changed).write_text(before + "# edited\n")
        assert "0 finished" in RUNNER.invoke(app, ["figures", "--dry-run"], catch_exceptions=False).output, changed
        (toy / changed).write_text(before)


@pytest.mark.timeout(300)
def test_a_failure_is_said_and_stops_no_other(toy: Path) -> None:
    done = RUNNER.invoke(app, ["ablations"])
    assert isinstance(done.exception, UserError)
    assert "1 experiment(s) failed: ablation-widths-odd" in str(done.exception)
    assert "the toy stage dislikes 13" in done.output
    table = pd.read_csv(TABLE)
    assert table[["group", "variant"]].to_numpy().tolist() == [["weights", "one"], ["weights", "three"], ["widths", "narrow"]]
    assert "1 of 2 variants; not run: odd" in done.output
    assert "3 experiment(s), 2 finished" in said("--dry-run"), "what ran is not run again"


@pytest.mark.timeout(300)
def test_killed_in_the_middle_the_same_command_goes_on(toy: Path) -> None:
    started = toy / ".git" / "started"
    words = [sys.executable, "-m", "primus", "ablations", "--group", "weights"]
    process = subprocess.Popen(words, cwd=toy, env=os.environ | {"TOY_STARTED": str(started), "PYTHONPATH": str(ROOT)}, start_new_session=True)
    while not started.exists() and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "1 finished" in said("--group", "weights"), "what was finished before the kill is not run again"
    assert pd.read_csv(TABLE)["variant"].tolist() == ["one", "three"]


def test_a_group_that_is_not_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_list(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = RUNNER.invoke(app, ["ablations", "--group", "heights"])
    assert "no group heights for profile toy; experiments.yaml has weights, widths" in str(done.exception)
    assert "does not exist; run `make ablations`" in str(RUNNER.invoke(app, ["ablations", "--show"]).exception)


@pytest.mark.parametrize(
    "words", [["ablations", "--dry-run"], ["ablations", "--show"], ["ablations", "--collect"], ["figures", "--dry-run"]], ids=" ".join
)
def test_a_profile_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    write_list(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = RUNNER.invoke(app, [*words, "--profile", "tay"])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == "params.yaml has no profile 'tay'; did you mean 'toy'?"
    assert not (tmp_path / TABLE).exists()


def test_time_is_estimated_from_logs(tmp_path: Path) -> None:
    write_list(tmp_path)
    params = read_params(tmp_path / "params.yaml")
    todo = experiments_of(read_groups("toy", tmp_path / "experiments.yaml", tmp_path / "params.yaml"))
    assert [trainings(experiment, params) for experiment in todo] == [2, 2, 2]
    assert estimate(todo, params, tmp_path) is None
    (tmp_path / "pretrain.jsonl").write_text('{"event": "step", "segments_per_s": 0.1}\n{"event": "st')
    assert estimate(todo[:1], params, tmp_path) == pytest.approx(30 + 2 * 3 * 2 / 0.1)
    row = '{"event": "ran", "profile": "toy", "seconds": 50, "segments": 12, "computed": true}\n'
    (tmp_path / "experiments.jsonl").write_text(row + row.replace("50", "3000").replace("true", "false"))
    assert estimate(todo, params, tmp_path) == pytest.approx(3 * (30 + 2 * 3 * 2 / (12 / 20)))
    assert (spoken(20), spoken(600), spoken(5000)) == ("1 min", "10 min", "1 h 23 min")


def test_fine_tuning_counts_as_work() -> None:
    params = read_params(ROOT / "params.yaml")
    plain = Experiment("a", "demo", ("primus",), {"pretrain.seeds": [0, 1, 2]})
    assert work(plain, params) == 3 * 300 * 128
    tuned = Experiment("b", "demo", ("primus", "standard"), {"pretrain.seeds": [0], "fewshot.also": ["finetune"]})
    fits = 3 * 5 * (6 + 2)  # data sets, episodes, numbers of shots of standard, and of primus beside its own head
    assert work(tuned, params) == pytest.approx(300 * 128 + 0.6 * fits * 100 * 32 * 1.75)
    everywhere = {"fewshot.also": ["finetune"], "fewshot.also_finetuned.shots": [1, 2, 5, 10], "fewshot.also_finetuned.encoders": 2}
    tuned = Experiment("b", "demo", ("primus", "standard", "statistics"), {"pretrain.seeds": [0, 1, 2], **everywhere})
    assert work(tuned, params) == pytest.approx(3 * 300 * 128 + 0.6 * 3 * 5 * (3 * 6 + 2 * 4) * 100 * 32 * 1.75)
    chosen = {"fewshot.also": ["finetune"], "fewshot.also_finetuned.methods": ["primus"]}
    tuned = Experiment("b", "demo", ("primus", "simclr", "released"), {"pretrain.seeds": [0], **chosen})
    assert work(tuned, params) == pytest.approx(2 * 300 * 128 + 0.6 * 3 * 5 * 2 * 100 * 32 * 1.75), "of those asked for alone"
    assert work(Experiment("c", "samples", ("primus",), {"pretrain.seeds": [0]}), params) == 4 * 100 * 128
    assert work(Experiment("d", "egoexo4d", ("primus",), {}), params) is None, "its budget is in epochs"


def test_epochs_are_counted_where_the_corpus_is_segmented(tmp_path: Path) -> None:
    params = read_params(ROOT / "params.yaml")
    budget = {"pretrain.seeds": [0], "pretrain.epochs": 15}
    experiment = Experiment("d", "egoexo4d", ("primus",), budget)
    assert work(experiment, params, tmp_path) is None
    repository = cast(Repository, SimpleNamespace(params=params))
    said = Plan((experiment,), ()).said(repository, tmp_path)
    assert said.endswith("the budget is in epochs, and egoexo4d is not segmented yet (its first run does that)")
    folder = tmp_path / "egoexo4d" / "segments"
    takes = {"a": ("pretrain", "train", 7), "b": ("pretrain", "val", 3), "c": ("probe", "test", 4)}
    rows = [{"dataset": "e", "take_uid": name, "purpose": purpose} for name, (purpose, _, count) in takes.items() for _ in range(count)]
    write_table(folder / "segments.parquet", pd.DataFrame(rows))
    write_table(folder / "splits.parquet", pd.DataFrame([{"fold": 0, "dataset": "e", "take_uid": n, "split": s} for n, (_, s, _) in takes.items()]))
    assert work(experiment, params, tmp_path) == 15 * 7
    both = Experiment("e", "egoexo4d", ("primus",), {**budget, "pretrain.steps": 1, "pretrain.batch_size": 8})
    assert work(both, params, tmp_path) == 8, "whichever ends first"


def row(profile: str, group: str, variant: str, mean: float) -> dict[str, object]:
    empty: dict[str, object] = dict.fromkeys(COLUMNS)
    return empty | {"profile": profile, "group": group, "variant": variant, "mean": mean, "dataset": "d", "shots": 5, "method": "m", "reference": "r"}


def test_other_groups_and_profiles_keep_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "ablations.csv"
    old = [row("demo", "a", "1.0", 0.1), row("demo", "b", "x", 0.2), row("samples", "a", "1.0", 0.3)]
    pd.DataFrame(old, columns=list(COLUMNS)).to_csv(path, index=False)
    fresh = pd.DataFrame([row("demo", "a", "1.0", 0.9)], columns=list(COLUMNS))
    table = merged(path, [fresh, pd.DataFrame(columns=list(COLUMNS))], {"a": ["1.0"], "b": ["x"]})
    assert sorted(zip(table["profile"], table["group"], table["variant"], table["mean"], strict=True)) == [
        ("demo", "a", "1.0", 0.9),
        ("demo", "b", "x", 0.2),
        ("samples", "a", "1.0", 0.3),
    ]
    assert merged(tmp_path / "absent.csv", [], {}).columns.tolist() == list(COLUMNS)


@pytest.mark.parametrize(("again", "kept"), [(0.5, ["r", "old", "new"]), (0.5000004, ["r", "old", "new"]), (0.6, ["r", "new"])])
def test_earlier_variants_stay_where_their_reference_came_out_the_same(tmp_path: Path, again: float, kept: list[str]) -> None:
    path = tmp_path / "ablations.csv"
    bounds = {"lo": 0.4, "hi": 0.6, "settings": "a=1", "commit": "before"}
    old = [row("demo", "a", name, mean) | bounds for name, mean in (("r", 0.5), ("old", 0.7), ("new", 0.1), ("unlisted", 0.2))]
    pd.DataFrame(old, columns=list(COLUMNS)).to_csv(path, index=False)
    now = [row("demo", "a", name, mean) | bounds | {"commit": "now"} for name, mean in (("r", again), ("new", 0.9))]
    table = merged(path, [pd.DataFrame(now, columns=list(COLUMNS))], {"a": ["r", "old", "new"]})
    assert table["variant"].tolist() == kept
    assert dict(zip(table["variant"], table["commit"], strict=True)) | {"old": "before"} == {"r": "now", "old": "before", "new": "now"}
    without = pd.DataFrame([row("demo", "a", "new", 0.9) | bounds], columns=list(COLUMNS))
    assert merged(path, [without], {"a": ["r", "old", "new"]})["variant"].tolist() == ["new"], "what is kept is compared with a reference at hand"


def test_intervals_in_words() -> None:
    assert interval(0.5, 0.4, 0.6) == "50.0 [40.0, 60.0]"
    assert interval(-0.05, -0.1, -0.01, "+") == "-5.0 [-10.0, -1.0]*"
    assert interval(float("nan"), 0, 0) == ""


def test_methods_have_rows_of_their_own() -> None:
    both = [row("demo", "a", "v", 0.5) | {"method": method, "lo": 0.4, "hi": 0.6, "n_seeds": 3} for method in ("m", "n")]
    text = markdown(pd.DataFrame(both, columns=list(COLUMNS)), 5, "demo")["a"]
    assert text.splitlines()[0] == "| variant | method | d | - r | rank | seeds |"
    assert text.splitlines()[3] == "| v | n | 50.0 [40.0, 60.0] |  |  | 3 |"


def test_the_command_line_is_what_one_would_type(tmp_path: Path) -> None:
    write_list(tmp_path)
    params = read_params(tmp_path / "params.yaml")
    first = experiments_of(read_groups("toy", tmp_path / "experiments.yaml", tmp_path / "params.yaml"))[0]
    words = Repository(tmp_path, params).command(first, None)
    assert words == ["dvc", "exp", "run", "--temp", "-n", "ablation-weights-one", "-S", "~methods.random", "-S", "pretrain.seeds=[0,1]"]
