"""CLIP written a second time, straight from Hugging Face's weight names, so that a conversion can be checked by its outputs.

It shares no code with open_clip or transformers: matrix products on the tensors as they lie in the file, in float64. It is slow and meant for a
picture and a sentence or two. Architecture: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Tower:
    """Shape of one transformer: number of layers and heads, activation ("quick_gelu" or "gelu"), epsilon of its layer norms."""

    layers: int
    heads: int
    activation: str
    epsilon: float


def image_embedding(state: State, tower: Tower, pixels: torch.Tensor) -> torch.Tensor:
    """Projected, not normalised embeddings (B, dim) float64 of normalised pixels (B, 3, S, S)."""
    get = _getter(state)
    kernel = get("vision_model.embeddings.patch_embedding.weight")  # (width, 3, patch, patch)
    width, _, patch, _ = kernel.shape
    batch, _, side, _ = pixels.shape
    cells = side // patch
    tiles = pixels.double()[:, :, : cells * patch, : cells * patch].reshape(batch, 3, cells, patch, cells, patch)
    tokens = tiles.permute(0, 2, 4, 1, 3, 5).reshape(batch, cells * cells, -1) @ kernel.reshape(width, -1).T
    first = get("vision_model.embeddings.class_embedding").expand(batch, 1, width)
    hidden = torch.cat([first, tokens], dim=1) + get("vision_model.embeddings.position_embedding.weight")
    hidden = _norm(hidden, get, "vision_model.pre_layrnorm", tower.epsilon)
    hidden = _transformer(hidden, get, "vision_model", tower, causal=False)
    return _norm(hidden[:, 0], get, "vision_model.post_layernorm", tower.epsilon) @ get("visual_projection.weight").T


def text_embedding(state: State, tower: Tower, tokens: torch.Tensor) -> torch.Tensor:
    """Projected, not normalised embeddings (B, dim) float64 of token ids (B, T); the end token is the one with the largest id."""
    get = _getter(state)
    hidden = get("text_model.embeddings.token_embedding.weight")[tokens] + get("text_model.embeddings.position_embedding.weight")[: tokens.shape[1]]
    hidden = _transformer(hidden, get, "text_model", tower, causal=True)
    hidden = _norm(hidden, get, "text_model.final_layer_norm", tower.epsilon)
    return hidden[torch.arange(len(tokens)), tokens.argmax(dim=1)] @ get("text_projection.weight").T


def _getter(state: State) -> Callable[[str], torch.Tensor]:
    return lambda name: state[name].double()


def _norm(x: torch.Tensor, get: Callable[[str], torch.Tensor], name: str, epsilon: float) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + epsilon).sqrt() * get(f"{name}.weight") + get(f"{name}.bias")


def _transformer(x: torch.Tensor, get: Callable[[str], torch.Tensor], model: str, tower: Tower, causal: bool) -> torch.Tensor:
    batch, length, width = x.shape
    mask = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1) if causal else torch.zeros(length, length, dtype=x.dtype)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ get(f"{name}.weight").T + get(f"{name}.bias")

    for layer in range(tower.layers):
        block = f"{model}.encoder.layers.{layer}"
        inner = _norm(x, get, f"{block}.layer_norm1", tower.epsilon)
        query, key, value = (
            linear(inner, f"{block}.self_attn.{part}_proj").reshape(batch, length, tower.heads, -1).transpose(1, 2) for part in "qkv"
        )
        weights = (query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + mask).softmax(-1)
        x = x + linear((weights @ value).transpose(1, 2).reshape(batch, length, width), f"{block}.self_attn.out_proj")
        inner = linear(_norm(x, get, f"{block}.layer_norm2", tower.epsilon), f"{block}.mlp.fc1")
        inner = inner * torch.sigmoid(1.702 * inner) if tower.activation == "quick_gelu" else torch.nn.functional.gelu(inner)
        x = x + linear(inner, f"{block}.mlp.fc2")
    return x
