"""Which weights an encoder gets: every way to name them, the activation they were trained with, and what to do when they are not there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from primus.embeddings import weights
from primus.embeddings.convert import convert_clip
from primus.embeddings.weights import load_encoder
from primus.errors import UserError
from tests.embeddings.clip_folders import SMALL, write_folder

pytest.importorskip("transformers", reason="transformers (extra dev) writes the weights that these tests load")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same small CLIP as a Hugging Face folder, converted to a folder and to a file, and as a bare state dict."""
    root = tmp_path_factory.mktemp("weights")
    write_folder(root / "hf", SMALL)
    convert_clip(root / "hf", root / "folder")
    convert_clip(root / "hf", root / "file.safetensors")
    save_file(load_file(root / "file.safetensors"), root / "bare.safetensors")
    torch.save(load_file(root / "file.safetensors"), root / "bare.pt")
    return {name: root / name for name in ("hf", "folder", "file.safetensors", "bare.safetensors", "bare.pt")}


@pytest.fixture(autouse=True)
def small_architecture(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """open_clip knows the small model under a plain name and its QuickGELU twin, as it knows ViT-B-32."""
    config = json.loads((folders["folder"] / "open_clip_config.json").read_text())["model_cfg"]
    plain = {key: value for key, value in config.items() if key != "quick_gelu"}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small", plain)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small-quickgelu", {**plain, "quick_gelu": True})


def test_every_form_of_the_same_weights_is_the_same_encoder(folders: dict[str, Path]) -> None:
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    encoders = {name: load_encoder("small-quickgelu", str(path)) for name, path in folders.items()}
    assert len({encoder.identity for encoder in encoders.values()}) == 1
    base = encoders["hf"].encode_images(pixels), encoders["hf"].encode_texts(["opens a tap"])
    for encoder in encoders.values():
        assert np.array_equal(encoder.encode_images(pixels), base[0])
        assert np.array_equal(encoder.encode_texts(["opens a tap"]), base[1])


@pytest.mark.parametrize("name", ["hf", "folder", "file.safetensors"])
def test_weights_that_state_quickgelu_get_it_under_the_plain_name_too(folders: dict[str, Path], name: str) -> None:
    assert load_encoder("small", str(folders[name])).identity == load_encoder("small-quickgelu", str(folders[name])).identity
    assert load_encoder("small", str(folders[name])).identity.model == "small-quickgelu"


@pytest.mark.parametrize("name", ["bare.safetensors", "bare.pt"])
def test_a_bare_file_is_refused_under_a_name_that_could_mean_either(folders: dict[str, Path], name: str) -> None:
    with pytest.raises(UserError, match=r"does not say which activation.*'small-quickgelu'"):
        load_encoder("small", str(folders[name]))


def test_weights_that_state_the_exact_gelu_are_refused_under_the_quick_name(tmp_path: Path) -> None:
    write_folder(tmp_path, SMALL, activation="gelu")
    assert load_encoder("small", str(tmp_path)).identity.model == "small"
    with pytest.raises(UserError, match="states the exact GELU"):
        load_encoder("small-quickgelu", str(tmp_path))


def test_the_activation_matters(folders: dict[str, Path], tmp_path: Path) -> None:
    exact = tmp_path / "exact"
    exact.mkdir()
    config = json.loads((folders["folder"] / "open_clip_config.json").read_text())
    config["model_cfg"]["quick_gelu"] = False
    (exact / "open_clip_config.json").write_text(json.dumps(config))
    save_file(load_file(folders["file.safetensors"]), exact / "open_clip_model.safetensors")
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    difference = load_encoder("small", str(exact)).encode_images(pixels) - load_encoder("small", str(folders["hf"])).encode_images(pixels)
    assert np.abs(difference).max() > 1e-3


def test_environment_variables_and_relative_paths(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(folders["hf"].parent))
    monkeypatch.setenv("CLIP_WEIGHTS", "hf")
    assert load_encoder("small", "$CLIP_WEIGHTS").identity == load_encoder("small", str(folders["hf"])).identity
    monkeypatch.delenv("CLIP_WEIGHTS")
    with pytest.raises(UserError, match=r"CLIP_WEIGHTS is not set.*clip4clip-webvid150k.*export CLIP_WEIGHTS="):
        load_encoder("small", "$CLIP_WEIGHTS")


def test_a_tag_without_network_says_what_to_fetch_and_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_network", lambda: False)
    monkeypatch.setattr(weights, "_cached_file", lambda config: None)
    with pytest.raises(UserError) as refused:
        load_encoder("ViT-B-32", "openai")
    message = str(refused.value)
    assert all(
        part in message for part in ("timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors", "CLIP_WEIGHTS", "embed.encoder.weights")
    )
    assert "\n" not in message


def test_a_tag_gets_the_activation_it_was_trained_with(monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path]) -> None:
    asked: dict[str, Any] = {}

    def create(name: str, pretrained: str, force_quick_gelu: bool) -> torch.nn.Module:
        asked.update(name=name, pretrained=pretrained, quick=force_quick_gelu)
        raise RuntimeError("stop here")

    monkeypatch.setattr(open_clip, "create_model", create)
    monkeypatch.setattr(weights, "_cached_file", lambda config: "/cached/file")
    with pytest.raises(UserError):
        load_encoder("ViT-B-32", "openai")
    assert asked == {"name": "ViT-B-32", "pretrained": "/cached/file", "quick": True}
    with pytest.raises(UserError, match=r"trained with the exact GELU; set embed\.encoder\.model to 'ViT-B-32'"):
        load_encoder("ViT-B-32-quickgelu", "laion2b_s34b_b79k")


@pytest.mark.parametrize(
    ("model", "source", "message"),
    [
        ("ViT-B-3", "openai", "did you mean 'ViT-B-32'"),
        ("ViT-B-32", "opnai", "did you mean 'openai'"),
        ("ViT-B-32", "no/such/folder", "no CLIP weights at embed.encoder.weights='no/such/folder'"),
        ("primus-demo", "openai", "belong together"),
        ("ViT-B-32", "fixed-random", "belong together"),
    ],
)
def test_mistakes_name_the_thing_and_the_remedy(model: str, source: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_encoder(model, source)


def test_weights_of_another_architecture_are_refused(folders: dict[str, Path]) -> None:
    for name in ("hf", "folder", "file.safetensors"):
        with pytest.raises(UserError, match="another shape"):
            load_encoder("ViT-B-32-quickgelu", str(folders[name]))
    with pytest.raises(UserError, match="cannot be loaded as ViT-B-32-quickgelu"):
        load_encoder("ViT-B-32-quickgelu", str(folders["bare.safetensors"]))


def test_folders_and_files_that_hold_no_weights(tmp_path: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="holds no CLIP weights"):
        load_encoder("small", str(tmp_path))
    (tmp_path / "file.safetensors").write_bytes(b"not at all")
    with pytest.raises(UserError, match="not a sound safetensors file"):
        load_encoder("small-quickgelu", str(tmp_path / "file.safetensors"))
    with pytest.raises(UserError, match="convert-clip"):
        load_encoder("small-quickgelu", str(folders["hf"] / "model.safetensors"))


def test_loading_leaves_the_global_generator_alone(folders: dict[str, Path]) -> None:
    before = torch.random.get_rng_state()
    load_encoder("small", str(folders["hf"]))
    load_encoder("small-quickgelu", str(folders["bare.pt"]))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match=r"embed\.encoder\.device is 'cuda', but PyTorch finds no usable GPU here; set it to 'cpu'"):
        load_encoder("primus-demo", "fixed-random", "cuda")
