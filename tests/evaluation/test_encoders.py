"""Which methods may be compared, and why others are left out."""

from dataclasses import asdict
from itertools import product
from pathlib import Path

import pytest

from primus.artifacts import write_json
from primus.errors import UserError
from primus.evaluation.encoders import comparable_encoders, trained_with_text
from primus.losses.objective import Modality, NeighbourTerms
from primus.training.method import MethodSettings, NeighbourSettings


def model(root: Path, method: str, name: str, **training: object) -> None:
    write_json(root / method / name / "config.json", {"training": {"seed": 0, "fold": 0, "representation": "multimodal", **training}})


def test_every_fold_must_be_served_and_reasons_are_kept(tmp_path: Path) -> None:
    for fold in (0, 1):
        model(tmp_path, "primus", f"seed0-fold{fold}", fold=fold)
        model(tmp_path, "simclr", f"seed0-fold{fold}", fold=fold, representation="self_supervised")
        model(tmp_path, "standard", f"seed0-fold{fold}", fold=fold, representation="feature", objective={"probe": "finetune"})
    model(tmp_path, "half", "seed0-fold0")
    write_json(tmp_path / "blind" / "skipped.json", {"reason": "no training segment has video"})
    found = comparable_encoders(tmp_path, ["primus", "simclr", "standard", "half", "blind", "absent"], [0, 1])
    assert list(found.encoders) == ["primus", "simclr", "standard"]
    assert [(one.seed, one.fold) for one in found.encoders["primus"]] == [(0, 0), (0, 1)]
    assert found.skipped == {
        "half": "it has no encoder for fold 1",
        "blind": "no training segment has video",
        "absent": "it has no encoder for fold 0, 1",
    }
    assert list(found.multimodal().encoders) == ["primus"]
    assert found.multimodal().skipped["simclr"] == "its multimodal projection is not trained"
    assert list(found.frozen().encoders) == ["primus", "simclr"]
    assert "own head (finetune)" in found.frozen().skipped["standard"]


def test_a_model_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    model(tmp_path, "odd", "seed0", representation="best")
    with pytest.raises(UserError, match="'best', expected one of feature, self_supervised, multimodal"):
        comparable_encoders(tmp_path, ["odd"], [0])
    write_json(tmp_path / "odd" / "seed0" / "config.json", {"training": {"seed": 0}})
    with pytest.raises(UserError, match=r"does not state training\.seed"):
        comparable_encoders(tmp_path, ["odd"], [0])
    with pytest.raises(UserError, match="run `dvc repro pretrain`"):
        comparable_encoders(tmp_path / "nothing", ["odd"], [0])
    model(tmp_path, "copied", "seed7")
    with pytest.raises(UserError, match="holds an encoder of seed 0 and fold 0, expected it in seed0 or seed0-fold0"):
        comparable_encoders(tmp_path, ["copied"], [0])


def test_training_with_text_is_what_the_method_says() -> None:
    kinds: tuple[NeighbourTerms, ...] = ("both", "coupled")
    embeddings: tuple[tuple[Modality, ...], ...] = (("video",), ("video", "text"))
    for mm, nn, terms, modalities in product((0.0, 0.5), (0.0, 0.5), kinds, embeddings):
        method = MethodSettings(lambda_ss=1.0, lambda_mm=mm, lambda_nn=nn, modalities=modalities, nn=NeighbourSettings(terms=terms))
        assert trained_with_text(asdict(method)) == (method.multimodal and "text" in modalities)
    assert trained_with_text(asdict(MethodSettings(objective="released", checkpoint="model.ckpt")))
    for objective in ("none", "multitask", "statistics"):
        assert not trained_with_text(asdict(MethodSettings(objective=objective)))
    assert not trained_with_text({})
