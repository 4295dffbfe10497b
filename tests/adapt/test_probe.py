"""Probes: honest folds, heads that survive a round trip, predictions that agree, and mistakes in one line."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from typer.testing import CliRunner

from primus.adapt.cross_validation import cross_validate, plan_folds
from primus.adapt.head import fit_logistic, load_head
from primus.adapt.label_source import LabelSource
from primus.adapt.labelled import LabelledRows
from primus.adapt.labelled_features import labelled_features
from primus.adapt.prediction import predict
from primus.adapt.probe_training import ProbeSettings, open_labelled, train_probe
from primus.cli import app
from primus.errors import UserError
from primus.evaluation.probes.standardise import moments
from primus.inference import Policy, encode_paths
from primus.models.encoder import ImuEncoder
from primus.seeds import generator
from tests.adapt.activities import class_folders, labelled_tables

QUICK = ProbeSettings(trees=10)


def rows_of(features: np.ndarray, label: list[str], group: list[str], kind: str = "participant") -> LabelledRows:
    zeros = np.zeros(len(label))
    text = np.array(label, dtype=object), np.array(group, dtype=object)
    return LabelledRows(None, features.astype(np.float32), text[1], zeros, zeros + 1, text[0], text[1], kind)  # type: ignore[arg-type]


def test_logistic_is_that_of_scikit_learn() -> None:
    random = generator(0, "logistic")
    features, labels = random.standard_normal((60, 5)), random.integers(0, 3, 60)
    head = fit_logistic(features, labels, ["a", "b", "c"], 0.7)
    unit = torch.from_numpy(normalize(features))
    mean, deviation = moments(unit, torch.ones(60, dtype=torch.float64))
    theirs = LogisticRegression(C=0.7, tol=1e-9, max_iter=1000).fit(((unit - mean) / deviation).numpy(), labels)
    assert head.probabilities(features) == pytest.approx(theirs.predict_proba(((unit - mean) / deviation).numpy()), abs=2e-3)


def test_nobody_is_on_both_sides_and_every_row_is_tested_once() -> None:
    random = generator(0, "folds")
    group = [f"g{number}" for number in random.integers(0, 12, 200)]
    rows = rows_of(random.standard_normal((200, 4)), [f"c{n}" for n in random.integers(0, 3, 200)], group)
    for folds in (4, 12, 50):
        plan = plan_folds(rows, folds, 0)
        assert plan.folds == min(folds, 12)
        for name in set(group):
            assert len(set(plan.fold[rows.group == name].tolist())) == 1
    seen = np.zeros(200, int)

    def scorer(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        assert not set(rows.group[train]) & set(rows.group[test])
        seen[test] += 1
        return np.eye(3)[rows.numbers()[test]]

    scores = cross_validate(rows, plan, scorer)
    assert (seen == 1).all()
    assert scores.estimates["macro_f1"].mean == 1.0


def test_labels_that_follow_the_person_alone_score_at_chance() -> None:
    random = generator(0, "leak")
    person = np.repeat(np.arange(12), 20)
    signature = random.standard_normal((12, 30))[person] + 0.05 * random.standard_normal((240, 30))
    label = [f"c{number}" for number in random.integers(0, 2, 12)[person]]
    rows = rows_of(signature, label, [f"g{number}" for number in person])
    plan = plan_folds(rows, 12, 0)
    features, numbers = rows.feature, rows.numbers()
    assert features is not None
    scores = cross_validate(rows, plan, lambda train, test: fit_logistic(features[train], numbers[train], rows.classes, 1.0).scores(features[test]))
    assert scores.estimates["accuracy"].mean < 0.8
    assert fit_logistic(features, numbers, rows.classes, 1.0).scores(features).argmax(axis=1).tolist() == numbers.tolist()


def test_a_class_that_training_lacks_is_never_predicted() -> None:
    head = fit_logistic(np.eye(3), np.array([0, 0, 2]), ["a", "b", "c"], 1.0)
    assert 1 not in head.scores(np.eye(3)).argmax(axis=1)
    assert fit_logistic(np.eye(3), np.array([1, 1, 1]), ["a", "b", "c"], 1.0).scores(np.eye(3)).argmax(axis=1).tolist() == [1, 1, 1]


def test_train_save_predict(labelled: Path, encoder: ImuEncoder, model: Path, tmp_path: Path) -> None:
    rows = open_labelled(labelled, encoder, str(model), LabelSource(), Policy(short="reflect"))
    trained = train_probe(rows, encoder, str(model), QUICK)
    assert trained.plan is not None
    assert trained.plan.words().startswith("cross-validated by participant: 4 of them, each tested by itself")
    assert trained.head.about["scores"]["accuracy"]["mean"] > 0.7, "two activities that even an untrained encoder tells apart"
    assert trained.head.about["baseline"]["scores"]["accuracy"]["mean"] == 1.0
    (tmp_path / "P").mkdir()
    trained.head.save(tmp_path / "P")
    head = load_head(tmp_path / "P")
    assert trained.rows.feature is not None
    assert np.array_equal(head.scores(trained.rows.feature), trained.head.scores(trained.rows.feature))
    out = tmp_path / "labels.parquet"
    done = predict([labelled], head, encoder, str(model), out)
    table = pd.read_parquet(out)
    assert list(table.columns) == ["source", "start_s", "end_s", "label", "probability", "probability_rest", "probability_walk"]
    assert done.windows == len(table) == 4 * 8
    assert table["probability"].to_numpy() == pytest.approx(table[["probability_rest", "probability_walk"]].max(axis=1).to_numpy())
    assert sum(done.labels.values()) == 32
    assert ((table["start_s"] >= 19.9) == (table["label"] == "walk")).mean() > 0.9, "it has seen them"
    features = tmp_path / "features.parquet"
    encode_paths([labelled], encoder, features)
    again = tmp_path / "again.parquet"
    predict([features], head, encoder, str(model), again)
    assert pd.read_parquet(again)["label"].tolist() == table["label"].tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P", "again.parquet", "features.parquet", "labels.parquet"]


def test_features_with_labels_are_trained_on_if_they_are_this_models(encoder: ImuEncoder, tmp_path: Path) -> None:
    source = class_folders(tmp_path / "in")
    features = tmp_path / "features.parquet"
    encode_paths([source], encoder, features)
    table = pq.read_table(features)
    label = [name.split("/")[-2] for name in table.column("source").to_pylist()]
    label[0] = ""
    pq.write_table(table.append_column("label", pa.array(label)), features)
    rows = labelled_features(features, encoder, "mine")
    assert (len(rows), rows.group_kind, dict(rows.left_out)) == (len(label) - 1, "file", {"no_label": 1})
    trained = train_probe(rows, encoder, "mine", QUICK)
    assert trained.baseline is None
    torch.manual_seed(1)
    other = ImuEncoder(feature_dim=24, projection_dim=8, input_norm="fixed").eval()
    with pytest.raises(UserError, match=r"weights [0-9a-f]{12}, but other has weights [0-9a-f]{12}"):
        labelled_features(features, other, "other")
    with pytest.raises(UserError, match=r"trained on features of mine .* but other has weights"):
        predict([features], trained.head, other, "other", tmp_path / "out.parquet")
    pd.read_parquet(features).to_parquet(features)
    rewritten = labelled_features(features, encoder, "mine")
    assert any("could not be checked" in line for line in rewritten.said)
    assert np.array_equal(rewritten.feature, rows.feature)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="does not hold 25 numbers"):
        labelled_features(features, ImuEncoder(feature_dim=25, heads=False).eval(), "wider")


@pytest.mark.parametrize("damage", ["missing", "format", "classes", "tensor", "shape", "values"])
def test_a_damaged_head_is_one_line(tmp_path: Path, damage: str) -> None:
    from safetensors.numpy import load_file, save_file

    fit_logistic(np.eye(3), np.array([0, 1, 1]), ["a", "b"], 1.0).save(tmp_path)
    description, weights = tmp_path / "head.json", tmp_path / "head.safetensors"
    content, arrays = json.loads(description.read_text()), load_file(weights)
    if damage == "missing":
        weights.unlink()
    elif damage == "format":
        description.write_text(json.dumps(content | {"format": "x"}))
    elif damage == "classes":
        description.write_text(json.dumps(content | {"classes": ["a"]}))
    elif damage == "tensor":
        weights.write_bytes(b"no")
    elif damage == "shape":
        save_file(arrays | {"bias": np.zeros(3, np.float32)}, weights)
    else:
        save_file(arrays | {"deviation": np.zeros(3, np.float32)}, weights)
    with pytest.raises(UserError, match="train") as caught:
        load_head(tmp_path)
    assert "\n" not in str(caught.value)


def test_one_class_and_one_group_are_refused(encoder: ImuEncoder) -> None:
    features = np.zeros((4, 24))
    with pytest.raises(UserError, match="all 4 windows are labelled 'a'; a classifier needs two"):
        train_probe(rows_of(features, ["a"] * 4, ["g", "g", "h", "h"]), encoder, "m", QUICK)
    alone = rows_of(generator(0, "x").standard_normal((4, 24)), ["a", "b"] * 2, ["g"] * 4)
    with pytest.raises(UserError, match=r"all 4 windows are of one participant \(g\)"):
        train_probe(alone, encoder, "m", QUICK)
    trained = train_probe(alone, encoder, "m", ProbeSettings(scored=False))
    assert trained.head.about["scores"] is None
    assert "not cross-validated" in trained.head.about["scored"]


def test_the_commands(model: Path, tmp_path: Path) -> None:
    source = labelled_tables(tmp_path / "in", people=3, seconds=6.0)
    run = CliRunner()
    arguments = ["probe", "train", str(source), "--model", str(model), "--out", str(tmp_path / "P"), "--json"]
    done = run.invoke(app, arguments, catch_exceptions=False)
    facts = json.loads(done.stdout)
    assert facts["trained"]["windows_of_class"] == {"rest": 3, "walk": 3}
    page = (tmp_path / "P" / "report.html").read_text()
    assert "<svg" in page
    assert "cross-validated by participant: 3 of them" in page
    assert "http" not in page.replace("http-equiv", "")
    out = tmp_path / "labels.parquet"
    mistaken = run.invoke(app, ["encode", str(source), "--model", str(tmp_path / "P"), "--out", str(out)])
    assert isinstance(mistaken.exception, UserError)
    assert "P is a probe (primus probe train), not a model; give the model it was trained with" in str(mistaken.exception)
    done = run.invoke(app, ["probe", "predict", str(source), "--probe", str(tmp_path / "P"), "--out", str(out), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout[done.stdout.index("{") :])["windows"] == len(pd.read_parquet(out)) == 6


def test_a_folder_of_other_things_is_not_replaced(model: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    monkeypatch.chdir(tmp_path / "mine")
    for command in (("probe", "train"), ("finetune",)):
        for out, said in ((".", "the working folder"), ("..", "the working folder"), ("../mine", "the working folder"), ("thesis.txt", "is a file")):
            done = CliRunner().invoke(app, [*command, str(labelled), "--model", str(model), "--out", out])
            assert isinstance(done.exception, UserError), out
            assert said in str(done.exception)
        monkeypatch.chdir(tmp_path)
        done = CliRunner().invoke(app, [*command, str(labelled), "--model", str(model), "--out", "mine"])
        assert isinstance(done.exception, UserError)
        assert "folder of other things" in str(done.exception)
        monkeypatch.chdir(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_guessed_units_are_said_once_with_a_count(
    model: Path, labelled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner()
    for name in ("table_file", "table"):
        monkeypatch.setattr(logging.getLogger(f"primus.io.{name}"), "level", logging.WARNING)
    run.invoke(app, ["probe", "train", str(labelled), "--model", str(model), "--out", str(tmp_path / "P"), "--unscored"], catch_exceptions=False)
    for file in sorted(labelled.glob("*.csv")):
        (tmp_path / "in").mkdir(exist_ok=True)
        pd.read_csv(file).rename(columns=lambda name: name.replace("_m_s2", "")).to_csv(tmp_path / "in" / file.name, index=False)
    words = ["probe", "train", str(tmp_path / "in"), "--model", str(model), "--out", str(tmp_path / "Q"), "--unscored"]
    trained = run.invoke(app, words, catch_exceptions=False)
    assert trained.stderr.count("unit guessed: accel in m/s^2 (4 of 4 recordings)") == 1
    assert "units guessed" not in caplog.text
    arguments = ["probe", "predict", str(tmp_path / "in"), "--probe", str(tmp_path / "P"), "--out", str(tmp_path / "labels.parquet")]
    done = run.invoke(app, arguments, catch_exceptions=False)
    assert done.stderr.count("unit guessed: accel in m/s^2 (4 of 4 sources)") == 1
    assert "units guessed" not in caplog.text
