"""Which edits train again: a run's state is kept under a key of the code it goes through, not of that which tells people about the result."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import primus.provenance as provenance
from primus.artifacts import read_table
from primus.models.encoder import InputContract
from primus.training.method import EncoderSettings, MethodSettings
from primus.training.resident import load_segments, split_rows
from primus.training.run import AFTER_TRAINING, Pretraining, PretrainSettings
from tests.synthetic_segments import write_corpus


@pytest.fixture
def pretraining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretraining:
    monkeypatch.setenv("PRIMUS_CACHE", str(tmp_path / "cache"))
    write_corpus(tmp_path)
    data, _, _ = load_segments(tmp_path / "segments", {name: tmp_path / "embeddings" / f"{name}.h5" for name in ("video", "text")})
    settings = PretrainSettings(steps=4, batch_size=16, encoder=EncoderSettings(feature_dim=16))
    return Pretraining(MethodSettings(lambda_ss=1, lambda_mm=1, lambda_nn=1), settings, data, InputContract(), ("corpus",), 1)


def forget_digests() -> None:
    provenance._closure.cache_clear()
    provenance.code_digest.cache_clear()


@pytest.fixture
def fresh_digests() -> Iterator[None]:
    forget_digests()
    yield
    forget_digests()


@pytest.mark.usefixtures("fresh_digests")
@pytest.mark.parametrize(
    ("module", "trains_again"),
    [("models.model_card", False), ("models.pretrained", False), ("models.encoder", True), ("models.heads", True), ("training.loop", True)],
)
def test_a_word_in_the_model_card_trains_nothing_again(
    module: str, trains_again: bool, pretraining: Pretraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pretraining.checkpoint(0, 0).key
    source_of = provenance._source
    original = source_of(f"primus.{module}")
    assert original is not None
    edited = tmp_path / original.name
    edited.write_text(original.read_text() + "# another word\n")
    monkeypatch.setattr(provenance, "_source", lambda name: edited if name == f"primus.{module}" else source_of(name))
    forget_digests()
    assert (pretraining.checkpoint(0, 0).key != before) is trains_again


def test_training_and_its_state_need_nothing_that_the_key_leaves_out(
    pretraining: Pretraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretraining.checkpoint(0, 0)  # digests the sources, once, while they can be found
    for module in AFTER_TRAINING:
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    rows = split_rows(read_table(tmp_path / "segments" / "segments.parquet"), read_table(tmp_path / "segments" / "splits.parquet"), 0)
    steps: list[int] = []
    trained = pretraining.run(0, 0, rows, lambda report: steps.append(report.step))
    recalled = pretraining.run(0, 0, rows, lambda report: steps.append(report.step))
    assert steps == [1, 2, 3, 4]
    assert all(torch.equal(value, recalled.result.last[name]) for name, value in trained.result.last.items())
    with pytest.raises(ImportError):
        trained.encoder.save_pretrained(tmp_path / "model")


def test_a_module_left_out_must_be_one_that_is_reached() -> None:
    with pytest.raises(ValueError, match=r"primus\.seeds does not import primus\.models\.renamed"):
        provenance.code_digest("primus.seeds", frozenset({"primus.models.renamed"}))
