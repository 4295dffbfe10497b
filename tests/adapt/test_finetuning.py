"""Fine-tuning: seeded, tested on others, and a folder that everything else reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from primus.adapt.finetuning import finetune
from primus.adapt.head import load_head
from primus.adapt.label_source import LabelSource
from primus.adapt.labelled import LabelledRows, read_labelled
from primus.adapt.prediction import predict
from primus.cli import app
from primus.errors import UserError
from primus.evaluation.finetune import FinetuneSettings
from primus.inference import Policy
from primus.models.encoder import ImuEncoder

QUICK = FinetuneSettings(steps=4, batch_size=8, lr=(0.003,))


@pytest.fixture(scope="module")
def rows(labelled: Path, encoder: ImuEncoder) -> LabelledRows:
    torch.set_num_threads(1)
    return read_labelled(labelled, encoder.inputs, LabelSource(), Policy(short="reflect"))


def test_equal_seeds_give_equal_bytes_and_the_folder_is_a_model(rows: LabelledRows, encoder: ImuEncoder, labelled: Path, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    for name in ("a", "b"):
        finetune(rows, encoder, "mine", QUICK, folds=2, seed=3).save(tmp_path / name)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items()), "the encoder given is left as it is"
    names = ["README.md", "config.json", "head.json", "head.safetensors", "model.safetensors", "report.html"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    tuned, head = ImuEncoder.from_pretrained(tmp_path / "a"), load_head(tmp_path / "a")
    assert tuned.mmcl_head is None
    assert tuned.metadata["method"] == "unknown, fine-tuned", "the model in memory says nothing of its origin"
    assert head.about["scored"].startswith("cross-validated by participant: 4 of them, in 2 folds")
    assert head.about["baseline"]["what"] == "a probe on the frozen encoder"
    assert not torch.equal(tuned.backbone[5].weight_hh_l0, encoder.backbone[5].weight_hh_l0)  # type: ignore[union-attr, arg-type]
    done = predict([labelled], head, tuned, "a", tmp_path / "labels.parquet")
    assert done.windows == len(pd.read_parquet(tmp_path / "labels.parquet")) == 32
    with pytest.raises(UserError, match="trained on features of this folder"):
        predict([labelled], head, encoder, "mine", tmp_path / "labels.parquet")


def test_the_head_is_the_classifiers(rows: LabelledRows, encoder: ImuEncoder) -> None:
    from primus.evaluation.finetune import class_scores, train_classifier
    from primus.seeds import derived_seed

    tuned = finetune(rows, encoder, "mine", QUICK, folds=2, seed=3, scored=False)
    assert tuned.scores is None
    assert rows.imu is not None
    truth = torch.from_numpy(rows.numbers())
    seed = derived_seed(3, "finetune", "all") % 2**31
    classifier = train_classifier(encoder, torch.from_numpy(rows.imu), truth, 2, lr=0.003, steps=4, settings=QUICK, seed=seed)
    with torch.inference_mode():
        features = tuned.encoder(torch.from_numpy(rows.imu)).feature.numpy()
    assert tuned.head.scores(features) == pytest.approx(class_scores(classifier, rows.imu).numpy(), abs=1e-4)


def test_features_and_divergence_are_refused(rows: LabelledRows, encoder: ImuEncoder) -> None:
    bare = LabelledRows(None, np.zeros((len(rows), 24), np.float32), rows.source, rows.start_s, rows.end_s, rows.label, rows.group, "file")
    with pytest.raises(UserError, match="needs windows"):
        finetune(bare, encoder, "mine", QUICK, folds=2, seed=0)
    with pytest.raises(UserError, match="smaller rates"):
        finetune(rows, encoder, "mine", FinetuneSettings(steps=4, batch_size=8, lr=(1e38,)), folds=2, seed=0)


def test_the_command(model: Path, labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    arguments = ["finetune", str(labelled), "--model", str(model), "--out", str(out), "--steps", "2", "--lr", "0.001", "--folds", "2", "--json"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert json.loads(done.stdout)["trained"]["kind"] == "finetune"
    table = tmp_path / "labels.parquet"
    CliRunner().invoke(app, ["probe", "predict", str(labelled), "--probe", str(out), "--out", str(table)], catch_exceptions=False)
    assert len(pd.read_parquet(table)) == 32, "the folder is its own model"
