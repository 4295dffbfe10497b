"""Hugging Face's CLIP to open_clip: equal outputs, and no way to get a projection in the wrong way round."""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from primus.embeddings import convert
from primus.embeddings.convert import CONVERTED, RECORD, check_outputs, convert_clip, load_clip_folder, read_record
from primus.embeddings.hf_clip import convert_state, read_clip_folder
from primus.embeddings.reference import Tower, image_embedding, text_embedding
from primus.embeddings.weights import load_encoder
from primus.errors import UserError
from tests.embeddings.clip_folders import SMALL, write_folder

pytest.importorskip("transformers", reason="transformers (extra dev) is the independent judge of the conversion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hf")
    write_folder(path, SMALL)
    return path


def inputs(side: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(3, 3, side, side, generator=generator)
    tokens = open_clip.SimpleTokenizer()(["opens a tap with her right hand", "", "a " * 90])
    return pixels, tokens


def transformers_outputs(folder: Path, pixels: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection

    vision = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    text = CLIPTextModelWithProjection.from_pretrained(folder).eval()
    with torch.inference_mode():
        return vision(pixels).image_embeds, text(tokens).text_embeds


def assert_equal_outputs(folder: Path, side: int) -> None:
    pixels, tokens = inputs(side)
    image, text = transformers_outputs(folder, pixels, tokens)
    model, source = load_clip_folder(folder)
    with torch.inference_mode():
        assert (model.encode_image(pixels) - image).abs().max() <= 1e-5
        assert (model.encode_text(tokens) - text).abs().max() <= 1e-5
    assert (image_embedding(source.state, source.vision, pixels) - image).abs().max() <= 1e-5
    assert (text_embedding(source.state, source.text, tokens) - text).abs().max() <= 1e-5


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_outputs_equal_transformers(tmp_path: Path, activation: str) -> None:
    write_folder(tmp_path, SMALL, activation=activation)
    assert_equal_outputs(tmp_path, 64)


@pytest.mark.slow
def test_outputs_equal_transformers_at_full_size(tmp_path: Path) -> None:
    write_folder(tmp_path, {})
    source = read_clip_folder(tmp_path)
    assert len(convert_state(source.state)) == 302
    expected = open_clip.get_model_config("ViT-B-32-quickgelu")
    for part in ("vision_cfg", "text_cfg"):
        assert expected[part].items() <= source.model_cfg[part].items()
    assert source.model_cfg["quick_gelu"] is True
    assert_equal_outputs(tmp_path, 224)
    convert_clip(tmp_path, tmp_path / "out.safetensors")
    assert load_encoder("ViT-B-32-quickgelu", str(tmp_path / "out.safetensors")).identity.dim == 512


def test_a_bin_file_and_old_position_ids_are_read(folder: Path, tmp_path: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    torch.save(state, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    assert read_clip_folder(tmp_path).state.keys() == read_clip_folder(folder).state.keys()


@pytest.mark.parametrize("out", ["weights.safetensors", "folder"])
def test_what_is_written_loads_in_open_clip_and_equals(folder: Path, tmp_path: Path, out: str) -> None:
    path = convert_clip(folder, tmp_path / out)
    pixels, tokens = inputs(64)
    image, text = transformers_outputs(folder, pixels, tokens)
    record = read_record(path)
    assert record is not None
    if out == "folder":
        model = open_clip.create_model(f"local-dir:{tmp_path / out}")
        assert {file.name for file in (tmp_path / out).iterdir()} == set(CONVERTED)
    else:
        model = open_clip.CLIP(**record["model_cfg"]).eval()
        model.load_state_dict(load_file(path))
    with torch.inference_mode():
        assert (model.eval().encode_image(pixels) - image).abs().max() <= 1e-5
        assert (model.encode_text(tokens) - text).abs().max() <= 1e-5
    again = path.read_bytes()
    assert convert_clip(folder, tmp_path / out).read_bytes() == again, "converting twice gives the same bytes"


def test_a_square_projection_that_was_not_transposed_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that shapes cannot show: everything loads, and the outputs are wrong."""

    def forgetful(state: Any) -> dict[str, torch.Tensor]:
        out = convert_state(state)
        out["text_projection"] = out["text_projection"].T.contiguous()
        return out

    monkeypatch.setattr(convert, "convert_state", forgetful)
    with pytest.raises(UserError, match="text_projection lies the wrong way round"):
        convert_clip(folder, tmp_path / "out.safetensors")
    with pytest.raises(UserError, match="text_projection lies the wrong way round"):
        load_clip_folder(folder)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_converted_file_that_was_turned_later_is_refused_when_loaded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = convert_clip(folder, tmp_path / "out.safetensors")
    record = read_record(path)
    assert record is not None
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small", record["model_cfg"])
    assert load_encoder("small", str(path)).identity.dim == 64
    state = load_file(path)
    state["text_projection"] = state["text_projection"].T.contiguous()
    save_file(state, path, metadata={RECORD: json.dumps(record)})
    with pytest.raises(UserError, match="text_projection lies the wrong way round"):
        load_encoder("small", str(path))


def test_any_other_wrong_weight_is_refused_too(folder: Path) -> None:
    model, source = load_clip_folder(folder)
    model.visual.transformer.resblocks[1].mlp.c_fc.weight.data[0] += 1
    with pytest.raises(UserError, match="image embeddings differ"):
        check_outputs(model, convert.expected_outputs(source), "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("text_projection.weight"), "lack text_projection.weight"),
        (lambda state: state.pop("vision_model.encoder.layers.1.self_attn.k_proj.weight"), "lack the key or value"),
        (lambda state: state.pop("vision_model.post_layernorm.bias"), "lack vision_model.post_layernorm.bias"),
        (lambda state: state.pop("text_model.encoder.layers.1.mlp.fc2.bias"), "do not fit the architecture"),
        (lambda state: state.update({"classifier.weight": torch.ones(2)}), "unknown names.*classifier.weight"),
    ],
)
def test_incomplete_and_foreign_weights_are_refused(folder: Path, tmp_path: Path, change: Any, message: str) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(UserError, match=message):
        convert_clip(tmp_path, tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "model_type is 'bert'"),
        ({"vision_config": [1]}, "no mapping with vision_config"),
        ({"vision_config": {"num_attention_heads": 0}}, "num_attention_heads is 0"),
        ({"vision_config": {"image_size": 10**7}}, "image_size is 10000000"),
        ({"vision_config": {"image_size": "../a"}}, "do not describe one CLIP model"),
        ({"text_config": {"hidden_act": "relu"}}, "hidden_act is 'relu'"),
        ({"vision_config": {"layer_norm_eps": 1e-6}}, "layer_norm_eps"),
    ],
)
def test_other_architectures_are_refused(folder: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match=message):
        convert_clip(tmp_path, tmp_path / "out.safetensors")


def test_damaged_files_and_wrong_folders_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a Hugging Face CLIP folder"):
        convert_clip(tmp_path, tmp_path / "out.safetensors")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read as weights"):
        convert_clip(tmp_path, tmp_path / "out.safetensors")
    with pytest.raises(UserError, match="is not an earlier conversion"):
        convert_clip(folder, tmp_path)
    assert (tmp_path / "config.json").exists(), "a folder with other things in it is never replaced"


def test_activations_are_the_published_ones() -> None:
    """By their formulas, through a layer whose inner values are known: all else in it is zero or the identity."""
    x = np.linspace(-3, 3, 7)
    layer = "text_model.encoder.layers.0"
    state = {
        "text_model.embeddings.token_embedding.weight": torch.zeros(3, 7),
        "text_model.embeddings.position_embedding.weight": torch.zeros(2, 7),
        f"{layer}.mlp.fc1.weight": torch.zeros(7, 7),
        f"{layer}.mlp.fc1.bias": torch.tensor(x),
        f"{layer}.mlp.fc2.weight": torch.eye(7),
        f"{layer}.mlp.fc2.bias": torch.zeros(7),
        "text_model.final_layer_norm.weight": torch.ones(7),
        "text_model.final_layer_norm.bias": torch.zeros(7),
        "text_projection.weight": torch.eye(7),
    }
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        state |= {f"{layer}.self_attn.{part}.weight": torch.zeros(7, 7), f"{layer}.self_attn.{part}.bias": torch.zeros(7)}
    for norm in ("layer_norm1", "layer_norm2"):
        state |= {f"{layer}.{norm}.weight": torch.zeros(7), f"{layer}.{norm}.bias": torch.zeros(7)}
    quick = x / (1 + np.exp(-1.702 * x))
    exact = np.array([value * (1 + math.erf(value / 2**0.5)) / 2 for value in x])
    for activation, values in (("quick_gelu", quick), ("gelu", exact)):
        found = text_embedding(state, Tower(1, 1, activation, 1e-12), torch.tensor([[1, 2]]))
        assert np.allclose(found.numpy()[0], (values - values.mean()) / values.std())


@pytest.mark.parametrize("content", [b"", b"text", "packed"], ids=["empty", "text", "packed"])
def test_weights_that_are_none_are_refused(folder: Path, tmp_path: Path, content: bytes | str) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    path = tmp_path / "pytorch_model.bin"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data/0", bytes(1 << 20))
    with pytest.raises(UserError, match="cannot be read as weights") as caught:
        convert_clip(tmp_path, tmp_path / "out.safetensors")
    assert "\n" not in str(caught.value)
