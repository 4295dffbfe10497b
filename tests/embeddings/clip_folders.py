"""Hugging Face CLIP folders with random weights, as transformers writes them."""

from pathlib import Path
from typing import Any

import torch

SMALL: dict[str, Any] = {
    "projection_dim": 64,
    "text_config": {
        "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 77,
        "vocab_size": 49408, "projection_dim": 64, "eos_token_id": 2, "hidden_act": "quick_gelu",
    },
    "vision_config": {
        "hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 64, "patch_size": 16,
        "projection_dim": 64, "hidden_act": "quick_gelu",
    },
}  # fmt: skip
"""Square text projection (64 x 64), as in ViT-B/32."""

SMALLEST: dict[str, Any] = SMALL | {
    "projection_dim": 16,
    "text_config": SMALL["text_config"] | {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                                           "vocab_size": 600, "projection_dim": 16, "max_position_embeddings": 16},
    "vision_config": SMALL["vision_config"] | {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 3,
                                               "image_size": 32, "patch_size": 16, "projection_dim": 16},
}  # fmt: skip
"""A few kilobytes of weights; its vocabulary is too small for sentences."""


def write_folder(folder: Path, config: dict[str, Any], seed: int = 0, activation: str = "quick_gelu") -> Any:
    """Write a CLIP folder and return the transformers model. Biases and norms are random too, so that no mapping can go unseen."""
    from transformers import CLIPConfig, CLIPModel

    towers = {key: {**config.get(key, {}), "hidden_act": activation} for key in ("text_config", "vision_config")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(CLIPConfig(**{**config, **towers})).eval()
        for weight in model.parameters():
            weight.data += 0.02 * torch.randn_like(weight)
    model.save_pretrained(folder)
    return model
