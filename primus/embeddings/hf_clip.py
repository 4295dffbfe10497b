"""CLIP weights in Hugging Face's layout (CLIP4Clip is published so): read, and renamed to open_clip's."""

import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from primus.artifacts import read_json
from primus.embeddings.reference import Tower
from primus.errors import UserError

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
LOGIT_SCALE = 4.6052  # ln 100, CLIP's upper bound; for files that hold only what embeddings need

_PLAIN = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "logit_scale": "logit_scale",
} | {
    f"{theirs}.{kind}": f"{ours}.{kind}"
    for theirs, ours in (
        ("vision_model.pre_layrnorm", "visual.ln_pre"),  # spelled so there
        ("vision_model.post_layernorm", "visual.ln_post"),
        ("text_model.final_layer_norm", "ln_final"),
    )
    for kind in ("weight", "bias")
}
_TRANSPOSED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
_IN_BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_BLOCK = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


@dataclass(frozen=True)
class ClipFolder:
    """A CLIP model as Hugging Face stores it.

    Attributes:
        path: the folder.
        state: weights under their names there.
        vision, text: shapes of the two transformers.
        model_cfg, preprocess_cfg: the same model in open_clip's words.
    """

    path: Path
    state: Mapping[str, torch.Tensor]
    vision: Tower
    text: Tower
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]


def is_clip_folder(folder: Path) -> bool:
    """Whether `folder` looks like a Hugging Face model with weights."""
    return (folder / "config.json").is_file() and any((folder / name).is_file() for name in WEIGHT_FILES)


def read_clip_folder(folder: str | Path) -> ClipFolder:
    """Read config.json and the weights (safetensors, or a weights-only .bin).

    Raises:
        UserError: a file is missing, is not CLIP, or describes a model that open_clip's ViT cannot express.
    """
    folder = Path(folder)
    if not is_clip_folder(folder):
        raise UserError(f"{folder} is not a Hugging Face CLIP folder; expected config.json and {' or '.join(WEIGHT_FILES)} in it")
    config = read_json(folder / "config.json")
    parts = [config, *(config.get(f"{kind}_config") or {} for kind in ("vision", "text"))] if isinstance(config, dict) else [config]
    if not all(isinstance(part, dict) for part in parts):
        raise UserError(f"{folder}/config.json is no mapping with vision_config and text_config; expected the configuration of a CLIP model")
    if not str(config.get("model_type", "")).startswith("clip"):
        raise UserError(f"{folder}/config.json: model_type is {str(config.get('model_type'))[:80]!r}, expected 'clip'; only CLIP can be converted")
    state = _read_weights(next(folder / name for name in WEIGHT_FILES if (folder / name).is_file()))
    state = {name: tensor for name, tensor in state.items() if not name.endswith("position_ids")}
    needed = {*_TRANSPOSED, *_PLAIN, *(f"{kind}_model.encoder.layers.0.mlp.fc1.weight" for kind in ("vision", "text"))} - {"logit_scale"}
    absent = sorted(needed - state.keys())
    if absent:
        raise UserError(f"{folder}: its weights lack {', '.join(absent)}; expected a whole CLIP with both projections")
    try:
        return _described(folder, config, state)
    except (TypeError, ValueError, KeyError, IndexError, ArithmeticError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder}: config.json and the weights do not describe one CLIP model ({type(error).__name__}: {said}); fetch both again"
        ) from None


def _described(folder: Path, config: dict[str, Any], state: Mapping[str, torch.Tensor]) -> ClipFolder:
    """The model that the configuration and the shapes of the weights describe together; errors of any kind where they do not."""
    vision = _tower(config.get("vision_config") or {}, state, "vision", 12, folder)
    text = _tower(config.get("text_config") or {}, state, "text", 8, folder)
    if vision.activation != text.activation:
        raise UserError(f"{folder}/config.json: activations differ ({vision.activation}, {text.activation}); open_clip has one for both towers")
    return ClipFolder(folder, state, vision, text, _model_cfg(config, state, vision, text), _preprocess_cfg(folder))


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                    raise ValueError("its members are compressed, which PyTorch's never are")
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both libraries raise several kinds for a damaged file
        said = " ".join(str(error).split())[:200]
        raise UserError(f"{path} cannot be read as weights ({type(error).__name__}: {said}); fetch it again") from None
    if not isinstance(loaded, Mapping):
        raise UserError(f"{path} holds a {type(loaded).__name__}, expected a mapping of names to weights; fetch it again")
    return {name: tensor for name, tensor in loaded.items() if isinstance(tensor, torch.Tensor)}


def _tower(config: Mapping[str, Any], state: Mapping[str, torch.Tensor], kind: str, default_heads: int, folder: Path) -> Tower:
    layers = {int(match[2]) for name in state if (match := _BLOCK.fullmatch(name)) and match[1] == kind}
    heads, width = int(config.get("num_attention_heads", default_heads)), state[f"{kind}_model.encoder.layers.0.mlp.fc1.weight"].shape[1]
    if not 1 <= heads <= width or width % heads:
        raise ValueError(f"{kind}_config.num_attention_heads is {str(heads)[:20]} for a width of {width}")
    tower = Tower(
        layers=len(layers),
        heads=heads,
        activation=str(config.get("hidden_act", "quick_gelu"))[:80],
        epsilon=float(config.get("layer_norm_eps", 1e-5)),
    )
    if tower.activation not in ("quick_gelu", "gelu"):
        raise UserError(f"{folder}/config.json: {kind}_config.hidden_act is {tower.activation!r}, expected 'quick_gelu' or 'gelu'")
    if tower.epsilon != 1e-5:
        raise UserError(
            f"{folder}/config.json: {kind}_config.layer_norm_eps is {tower.epsilon}, open_clip's is 1e-05; this model cannot be converted"
        )
    return tower


def _model_cfg(config: Mapping[str, Any], state: Mapping[str, torch.Tensor], vision: Tower, text: Tower) -> dict[str, Any]:
    kernel = state["vision_model.embeddings.patch_embedding.weight"]
    cells = round((state["vision_model.embeddings.position_embedding.weight"].shape[0] - 1) ** 0.5)
    image_size = int((config.get("vision_config") or {}).get("image_size", cells * kernel.shape[2]))
    if not 0 <= image_size - cells * kernel.shape[2] < kernel.shape[2]:
        raise ValueError(f"image_size is {str(image_size)[:20]}, the weights are for {cells * kernel.shape[2]} pixels")
    tokens, width = state["text_model.embeddings.token_embedding.weight"].shape
    inner = {
        kind: state[f"{kind}_model.encoder.layers.0.mlp.fc1.weight"].shape[0] / state[f"{kind}_model.encoder.layers.0.mlp.fc1.weight"].shape[1]
        for kind in ("vision", "text")
    }
    return {
        "embed_dim": state["text_projection.weight"].shape[0],
        "quick_gelu": vision.activation == "quick_gelu",
        "vision_cfg": {
            "image_size": image_size,
            "layers": vision.layers,
            "width": kernel.shape[0],
            "head_width": kernel.shape[0] // vision.heads,
            "patch_size": kernel.shape[2],
            "mlp_ratio": inner["vision"],
        },
        "text_cfg": {
            "context_length": state["text_model.embeddings.position_embedding.weight"].shape[0],
            "vocab_size": tokens,
            "width": width,
            "heads": text.heads,
            "layers": text.layers,
            "mlp_ratio": inner["text"],
        },
    }


def _preprocess_cfg(folder: Path) -> dict[str, Any]:
    path = folder / "preprocessor_config.json"
    found = read_json(path) if path.is_file() else {}
    values = [float(value) for key in ("image_mean", "image_std") for value in found.get(key, MEAN)]
    if len(values) != 6 or not all(math.isfinite(value) for value in values):
        raise ValueError(f"{path.name}: image_mean and image_std hold {len(values)} values; expected three finite numbers each")
    return {
        "mean": list(found.get("image_mean", MEAN)),
        "std": list(found.get("image_std", STD)),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }


def convert_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename, join the attention projections and transpose the output projections: float32 tensors under open_clip's names.

    Raises:
        UserError: a weight has a name that CLIP does not have.
    """
    out: dict[str, torch.Tensor] = {}
    unknown = []
    for name, tensor in state.items():
        if name in _PLAIN:
            out[_PLAIN[name]] = tensor.float().clone()
            continue
        if name in _TRANSPOSED:
            out[_TRANSPOSED[name]] = tensor.float().T.contiguous()
            continue
        match = _BLOCK.fullmatch(name)
        block = f"{'visual.' if match[1] == 'vision' else ''}transformer.resblocks.{match[2]}" if match else ""
        if match and match[3] in _IN_BLOCK:
            out[f"{block}.{_IN_BLOCK[match[3]]}.{match[4]}"] = tensor.float().clone()
        elif match and match[3] == "self_attn.q_proj":
            parts = [state.get(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
            if any(part is None for part in parts):
                raise UserError(f"CLIP weights lack the key or value projection beside {name}; the file is incomplete, fetch it again")
            out[f"{block}.attn.in_proj_{match[4]}"] = torch.cat([part.float() for part in parts if part is not None])
        elif not (match and match[3] in ("self_attn.k_proj", "self_attn.v_proj")):
            unknown.append(name)
    if unknown:
        named = ", ".join(unknown[:4]) + (", ..." if len(unknown) > 4 else "")
        raise UserError(f"CLIP weights hold unknown names ({named}); expected a plain CLIP model")
    out.setdefault("logit_scale", torch.tensor(LOGIT_SCALE))
    return out
