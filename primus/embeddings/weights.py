"""Find and load the frozen encoder that params name: the demo's own, a pretrained tag, or weights in a local file or folder.

OpenAI's weights, and CLIP4Clip's which started from them, were trained with QuickGELU. open_clip loads them under the plain architecture name with
the exact GELU and says nothing, and every embedding is slightly wrong; here the activation comes from the weights where they state it, and a bare
file that states nothing is refused under a name that could mean either.
"""

import logging
import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse
from urllib.request import getproxies

import open_clip
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT
from open_clip import SimpleTokenizer
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model
from safetensors.torch import load_file

from primus.artifacts import read_json
from primus.embeddings import demo_clip
from primus.embeddings.clip import Device, FrozenClip, Preprocessing, state_sha256
from primus.embeddings.convert import CONVERTED, build_clip, check_outputs, load_clip_folder, read_record
from primus.embeddings.hf_clip import is_clip_folder
from primus.errors import UserError
from primus.typed import nearest

DEMO_WEIGHTS = "fixed-random"
QUICK = "-quickgelu"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def load_encoder(model: str, weights: str, device: Device = "cpu") -> FrozenClip:
    """Build a frozen encoder.

    Args:
        model: an architecture of open_clip ("ViT-B-32-quickgelu"), or "primus-demo".
        weights: "fixed-random" (the demo's), a pretrained tag of open_clip ("openai"), a path to weights with open_clip's names (a file, or a folder
            with open_clip_config.json), a Hugging Face CLIP folder, or "$NAME": what that environment variable holds. Relative paths count from
            `$DVC_ROOT`.
        device: "cpu" or "cuda".

    Raises:
        UserError: there is no such model, no such weights, no network for a tag, or they do not belong together.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("embed.encoder.device is 'cuda', but PyTorch finds no usable GPU here; set it to 'cpu' or install PyTorch for your GPU")
    if (model == demo_clip.NAME) != (weights == DEMO_WEIGHTS):
        raise UserError(f"encoder {model!r} with weights {weights!r}: {demo_clip.NAME!r} and {DEMO_WEIGHTS!r} belong together and to nothing else")
    if model == demo_clip.NAME:
        return demo_clip.demo_encoder(device)
    if open_clip.get_model_config(model) is None:
        raise UserError(f"open_clip has no model {model!r}{nearest(model, open_clip.list_models())}")
    chosen, said = _resolve(weights)
    path = Path(os.environ.get("DVC_ROOT", ".")) / Path(chosen).expanduser()
    with torch.random.fork_rng(devices=[]), _quiet_open_clip():  # constructors draw weights that are replaced, and log that they did
        if path.is_dir() or path.is_file():
            return _from_path(model, path, device)
        return _from_tag(model, chosen, said, device)


@cache
def shared_encoder(model: str, weights: str, device: Device) -> FrozenClip:
    """`load_encoder`, once per process: for workers that embed many takes."""
    return load_encoder(model, weights, device)


def _resolve(weights: str) -> tuple[str, str]:
    """The value of an environment variable where one is named, and how to speak of it."""
    if not weights.startswith("$"):
        return weights, f"embed.encoder.weights={weights!r}"
    name = weights.strip("${}")
    value = os.environ.get(name, "")
    if not value:
        raise UserError(
            f"environment variable {name} is not set; expected the CLIP weights there: fetch config.json, model.safetensors and "
            f"preprocessor_config.json of huggingface.co/Searchium-ai/clip4clip-webvid150k into a folder and export {name}=/path/to/folder"
        )
    return value, f"{name}={value}"


def _from_tag(model: str, tag: str, said: str, device: Device) -> FrozenClip:
    plain = model.removesuffix(QUICK)
    config = get_pretrained_cfg(plain, tag) or get_pretrained_cfg(model, tag)
    if not config:
        tags = sorted({*list_pretrained_tags_by_model(plain), *list_pretrained_tags_by_model(model)})
        looks_like_path = "/" in tag or tag.endswith(SUFFIXES)
        known = "expected a folder or file of weights there" if looks_like_path else f"it is neither a path nor a tag of {model}{nearest(tag, tags)}"
        raise UserError(f"no CLIP weights at {said}; {known}")
    quick = bool(config.get("quick_gelu", False))
    if model.endswith(QUICK) and not quick:
        raise UserError(f"weights {tag!r} of {plain} were trained with the exact GELU; set embed.encoder.model to {plain!r}")
    cached = _cached_file(config)
    try:
        if cached is None and not _network():
            raise OSError("no network")
        loaded = open_clip.create_model(plain, pretrained=cached or tag, force_quick_gelu=quick)
    except (RuntimeError, OSError) as error:
        source = str(config.get("hf_hub") or "").strip("/")
        files = f"open_clip_config.json and open_clip_model.safetensors from huggingface.co/{source}" if source else str(config.get("url"))
        raise UserError(
            f"weights {tag!r} of {plain} are not in the local cache and cannot be fetched ({' '.join(str(error).split())[:120]}); where there is a "
            f"network fetch {files} into a folder, copy it here, export CLIP_WEIGHTS=/path/to/folder and set embed.encoder.weights to '$CLIP_WEIGHTS'"
        ) from None
    return _frozen(loaded, plain + QUICK * quick, device, config)


def _cached_file(config: Mapping[str, Any]) -> str | None:
    """The tag's weights where Hugging Face's cache holds them: asked first, because without network the hub's client retries for most of a minute."""
    repository, _, name = str(config.get("hf_hub") or "").rpartition("/")
    for candidate in (name,) if name else ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"):
        found = try_to_load_from_cache(repository, candidate) if repository else None
        if isinstance(found, str):
            return found
    return None


def _network() -> bool:
    """Whether the hub's name resolves; behind a proxy nobody can know without trying."""
    try:
        return bool(getproxies()) or bool(socket.getaddrinfo(urlparse(ENDPOINT).hostname, 443))
    except OSError:
        return False


def _from_path(model: str, path: Path, device: Device) -> FrozenClip:
    config_file = path / CONVERTED[0]
    if path.is_dir() and not config_file.is_file():
        if not is_clip_folder(path):
            raise UserError(f"{path} holds no CLIP weights; expected {CONVERTED[0]} with open_clip's weights, or a Hugging Face folder")
        clip, source = load_clip_folder(path)
        return _frozen(clip, _named(model, source.model_cfg, path), device, source.preprocess_cfg, source.model_cfg)
    file = path / CONVERTED[1] if path.is_dir() else path
    record = read_record(file) if file.is_file() else None
    if record is not None:
        clip = build_clip(record["model_cfg"], load_file(file), str(file))
        check_outputs(clip, record["expected"], str(file))
        return _frozen(clip, _named(model, record["model_cfg"], path), device, record["preprocess_cfg"], record["model_cfg"])
    if path.is_dir():
        model_cfg = read_json(config_file).get("model_cfg") or {}
        name = _named(model, model_cfg, path)
        return _frozen(_create(f"local-dir:{path}", None, name.endswith(QUICK), path), name, device, model_cfg=model_cfg)
    if not model.endswith(QUICK) and open_clip.get_model_config(model + QUICK) is not None:
        raise UserError(
            f"{path} does not say which activation its weights were trained with, and {model} would take the exact GELU: set embed.encoder.model to "
            f"{model + QUICK!r} for OpenAI or CLIP4Clip weights, or put the file into a folder with {CONVERTED[0]} (model_cfg) to state it"
        )
    return _frozen(_create(model, str(path), False, path), model, device)


def _create(name: str, pretrained: str | None, quick: bool, where: Path) -> torch.nn.Module:
    try:
        return open_clip.create_model(name, pretrained=pretrained, force_quick_gelu=quick, require_pretrained=True)
    except Exception as error:  # open_clip, torch and safetensors each raise their own kinds for a file that is not what it should be
        text = " ".join(str(error).split())[:240]
        remedy = "check that the file is whole and of this model"
        if "vision_model." in str(error):
            remedy = "its names are Hugging Face's: give the folder it lies in, or run `primus convert-clip`"
        raise UserError(f"{where} cannot be loaded as {name} ({type(error).__name__}: {text}); {remedy}") from None


def _named(model: str, model_cfg: Mapping[str, Any], path: Path) -> str:
    """The architecture's name with the activation that the weights state (or, where they state none, that `model` names).

    Raises:
        UserError: the weights are of another architecture, or state the other activation.
    """
    plain = model.removesuffix(QUICK)
    expected, found = _shape(open_clip.get_model_config(plain)), _shape(model_cfg)
    if found != expected:
        raise UserError(f"{path} holds a model of another shape ({found}) than {model} ({expected}); set embed.encoder.model to its architecture")
    quick = bool(model_cfg.get("quick_gelu", model.endswith(QUICK)))
    if model.endswith(QUICK) and not quick:
        raise UserError(f"{path} states the exact GELU, but embed.encoder.model is {model!r}; set it to {plain!r}")
    return plain + QUICK * quick


def _shape(model_cfg: Mapping[str, Any]) -> str:
    vision, text = model_cfg.get("vision_cfg") or {}, model_cfg.get("text_cfg") or {}
    image = ", ".join(f"{key} {vision.get(key)}" for key in ("image_size", "patch_size", "layers", "width"))
    words = ", ".join(f"{key} {text.get(key)}" for key in ("layers", "width", "heads"))
    return f"dim {model_cfg.get('embed_dim')}; vision {image}; text {words}"


def _frozen(
    model: torch.nn.Module, name: str, device: Device, preprocess: Mapping[str, Any] | None = None, model_cfg: Mapping[str, Any] | None = None
) -> FrozenClip:
    loaded = cast(Any, model)
    settings = preprocess or loaded.visual.preprocess_cfg
    size = loaded.visual.image_size
    if settings.get("resize_mode", "shortest") == "longest":
        raise UserError(f"{name} pads its images (resize_mode 'longest'), which is not supported here; choose a model with 'shortest' or 'squash'")
    text_cfg = (model_cfg or open_clip.get_model_config(name) or {}).get("text_cfg") or {}
    context_length = int(text_cfg.get("context_length", 77))
    own = model_cfg is None or text_cfg.get("hf_tokenizer_name")
    return FrozenClip(
        loaded,
        open_clip.get_tokenizer(name) if own else SimpleTokenizer(context_length=context_length),
        name=name,
        preprocessing=Preprocessing(
            size=int(size[0] if isinstance(size, (tuple, list)) else size),
            mean=tuple(settings["mean"]),
            std=tuple(settings["std"]),
            resize=settings.get("resize_mode", "shortest"),
            interpolation="bilinear" if settings.get("interpolation") == "bilinear" else "bicubic",
        ),
        context_length=context_length,
        weights_sha256=state_sha256(model.state_dict()),
        device=device,
    )


class _quiet_open_clip(logging.Filter):
    """Drop open_clip's log lines (it writes to the root logger) while it builds a model; failures are raised and reported by us."""

    def __enter__(self) -> None:
        logging.getLogger().addFilter(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return "open_clip" not in record.pathname
