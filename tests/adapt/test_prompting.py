"""Prompts and search: the right space or none, files of every form, and the nearest windows as a plain loop finds them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from primus.adapt.prompting import (
    TextEncoderChoice,
    class_vectors,
    encode_texts,
    nearest_windows,
    read_prompts,
    require_text_space,
    text_encoder_of,
    unit,
)
from primus.cli import app
from primus.embeddings.demo_clip import NAME
from primus.embeddings.weights import DEMO_WEIGHTS, load_encoder
from primus.errors import UserError
from primus.inference import encode_paths
from primus.models.encoder import ImuEncoder
from tests.adapt.activities import class_folders

DEMO = TextEncoderChoice(NAME, DEMO_WEIGHTS)


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model that says it was pretrained with the demo's text."""
    torch.manual_seed(0)
    encoder = ImuEncoder(feature_dim=24, projection_dim=load_encoder(NAME, DEMO_WEIGHTS).identity.dim, input_norm="fixed")
    folder = tmp_path_factory.mktemp("aligned")
    encoder.save_pretrained(folder, method="primus", representation="multimodal", simulated=True)
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", json.dumps({"rest": "sits still", "walk": ["walks", "walks ahead"]})),
        ("p.yaml", "rest: sits still\nwalk: [walks, walks ahead]\n"),
        ("p.txt", "# classes\nrest: sits still\n\nwalk: walks\nwalk: walks ahead\n"),
        ("p.json", json.dumps({"templates": ["{}"], "classes": {"rest": ["sits still"], "walk": ["walks"]}})),
    ],
)
def test_prompts_of_every_form(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = read_prompts(tmp_path / name)
    assert list(found) == ["rest", "walk"]
    assert found["walk"][0] == "walks"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.json", "{", "cannot be parsed"),
        ("p.yaml", "a: [", "cannot be parsed"),
        ("p.json", "[1]", "holds list"),
        ("p.json", '{"a": [1], "b": ["x"]}', "class 'a' has"),
        ("p.json", '{"a": [], "b": ["x"]}', "class 'a' has no text"),
        ("p.json", '{"a": "x"}', "two or more"),
        ("p.json", '{"a": "x", "b": "x"}', "stands for two classes"),
        ("p.txt", "walk\n", "line 1"),
        ("p.json", '{"templates": ["x"], "classes": {"a": ["x"]}}', "is no prompt file"),
    ],
)
def test_what_is_no_prompt_file_is_one_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        read_prompts(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        read_prompts(tmp_path / "absent.txt")


def test_only_a_model_of_that_text_space_is_used(aligned: Path, encoder: ImuEncoder) -> None:
    model = ImuEncoder.from_pretrained(aligned)
    assert text_encoder_of(model, "m") == DEMO
    model.metadata = {"representation": "multimodal"}
    with pytest.raises(UserError, match="does not say which text encoder"):
        text_encoder_of(model, "m")
    assert text_encoder_of(model, "m", DEMO.model, DEMO.weights) == DEMO
    with pytest.raises(UserError, match="text encoder ViT-B-32; give its weights"):
        text_encoder_of(model, "m", "ViT-B-32")
    model.metadata = {"text_encoder": {"model": "ViT-B-32", "weights_sha256": "0" * 64}}
    with pytest.raises(UserError, match="was trained with ViT-B-32"):
        text_encoder_of(model, "m", DEMO.model, DEMO.weights)
    with pytest.raises(UserError, match="text encoder ViT-B-32; give its weights"):
        text_encoder_of(model, "m")
    assert text_encoder_of(model, "m", weights="$CLIP_WEIGHTS") == TextEncoderChoice("ViT-B-32", "$CLIP_WEIGHTS")
    with pytest.raises(UserError, match="was trained with text encoder weights 000000000000, but these are"):
        encode_texts(["walks"], DEMO, model, "m")
    with pytest.raises(UserError, match="projections of m have 8"):
        encode_texts(["walks"], DEMO, encoder, "m")
    with pytest.raises(UserError, match="is longer than"):
        encode_texts(["walks " * 200], DEMO, ImuEncoder.from_pretrained(aligned), "m")
    for representation in ("self_supervised", "feature"):
        model.metadata = {"representation": representation, "method": "simclr"}
        with pytest.raises(UserError, match="was trained without text"):
            require_text_space(model, "m")
    with pytest.raises(UserError, match="no projection heads"):
        require_text_space(ImuEncoder(feature_dim=24, heads=False), "m")


def test_missing_weights_are_said(aligned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLIP_WEIGHTS", raising=False)
    with pytest.raises(UserError, match="environment variable CLIP_WEIGHTS is not set"):
        encode_texts(["walks"], TextEncoderChoice("ViT-B-32", "$CLIP_WEIGHTS"), ImuEncoder.from_pretrained(aligned), "m")


def test_the_nearest_windows_and_classes_are_those_of_a_plain_loop(aligned: Path, tmp_path: Path) -> None:
    source, features = class_folders(tmp_path / "in"), tmp_path / "features.parquet"
    encoder = ImuEncoder.from_pretrained(aligned)
    encode_paths([source], encoder, features)
    table = pd.read_parquet(features)
    query = encode_texts(["C walks"], DEMO, encoder, "m")[0]
    assert query == pytest.approx(encode_texts(["walks"], DEMO, encoder, "m")[0]), "cleaned as narrations are"
    cosine = unit(np.stack(table["projection"])) @ query
    found = nearest_windows(features, query, 5)
    assert [item["similarity"] for item in found] == pytest.approx(np.sort(cosine)[::-1][:5].tolist(), abs=1e-5)
    best = table.iloc[int(cosine.argmax())]
    assert (found[0]["source"], found[0]["start_s"]) == (best["source"], best["start_s"])
    assert len(nearest_windows(features, query, 1000)) == len(table)
    done = CliRunner().invoke(
        app, ["retrieve", "C walks", "--in", str(features), "--model", str(aligned), "--top", "5", "--json"], catch_exceptions=False
    )
    assert json.loads(done.stdout) == found
    assert done.stderr.count("knows nothing of language") == 1
    prompts = {"rest": ["sits still"], "walk": ["walks", "walks ahead"]}
    (tmp_path / "p.json").write_text(json.dumps(prompts))
    out = tmp_path / "labels.parquet"
    for given in (features, source):
        arguments = ["zeroshot", str(given), "--prompts", str(tmp_path / "p.json"), "--model", str(aligned), "--out", str(out)]
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        assert done.stderr.count("knows nothing of language") == 1
        written = pd.read_parquet(out)
        vectors = class_vectors(prompts, DEMO, encoder, "m")
        nearest = (unit(np.stack(table["projection"])) @ vectors.T).argmax(axis=1)
        assert written["label"].tolist() == [["rest", "walk"][place] for place in nearest]
        assert list(written.columns)[-2:] == ["similarity_rest", "similarity_walk"]


def test_features_of_another_model_are_refused_naming_both(aligned: Path, encoder: ImuEncoder, tmp_path: Path) -> None:
    features = tmp_path / "features.parquet"
    encode_paths([class_folders(tmp_path / "in", people=1)], encoder, features)
    done = CliRunner().invoke(app, ["retrieve", "walks", "--in", str(features), "--model", str(aligned)])
    assert isinstance(done.exception, UserError)
    assert str(features) in str(done.exception)
    assert str(aligned) in str(done.exception)
