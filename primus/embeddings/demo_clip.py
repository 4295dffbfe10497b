"""The demo's frozen encoder: a tiny open_clip model with fixed random weights, then a fixed centring and whitening.

A transformer with random weights maps all images, and all texts, to nearly the same direction (mean cosine 0.6 to 0.98): what they share drowns
what tells them apart. Subtracting the mean of a calibration set and equalising the variance along its principal axes turns the same network into
usable random features: similar pictures stay close, different ones become nearly orthogonal. Nothing is learned and no corpus is seen. Numbers
made with it show that the machinery works, not that the method does.
"""

import json
from typing import Any, cast

import numpy as np
import torch
from open_clip import CLIP, SimpleTokenizer

from primus.embeddings.calibration import calibration_images, calibration_texts
from primus.embeddings.clip import Device, FrozenClip, Preprocessing, single_threaded, state_sha256
from primus.seeds import generator

NAME = "primus-demo"
SEED = 411127  # of the weights; the encoder is the same in every run, so no parameter changes it
WHITENING = "symmetric, 1/sqrt(variance + shrinkage * mean variance)"  # part of the hash: change it with the formula
SHRINKAGE = 0.1
CONFIG: dict[str, Any] = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 96, "patch_size": 16, "layers": 2, "width": 64, "head_width": 16},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "layers": 2, "width": 128, "heads": 8},
}
PREPROCESSING = Preprocessing(size=96, mean=(0.45, 0.45, 0.45), std=(0.27, 0.27, 0.27))

# Standard deviations, times the square root of the fan-in where there is one; 1 where none is given. Positions are weak, so that what is there counts
# more than where.
GAINS = {
    "positional_embedding": 0.05,
    "visual.class_embedding": 0.0,
    "visual.positional_embedding": 0.1,
    "transformer.attn.in_proj_weight": 0.5,
}
FAN_FREE = ("positional_embedding", "token_embedding.weight", "class_embedding")


class WhitenedClip(torch.nn.Module):
    """A CLIP whose outputs are centred and whitened by fixed buffers.

    Args:
        clip: the bare model.
        image, text: mean (512,) and symmetric whitening matrix (512, 512) of each tower's outputs.
    """

    def __init__(self, clip: CLIP, image: tuple[np.ndarray, np.ndarray], text: tuple[np.ndarray, np.ndarray]) -> None:
        super().__init__()
        self.clip = clip
        for tower, (centre, whitening) in (("image", image), ("text", text)):
            self.register_buffer(f"{tower}_centre", torch.from_numpy(centre).float())
            self.register_buffer(f"{tower}_whitening", torch.from_numpy(whitening).float())

    def encode_image(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, 96, 96) float32 -> (B, 512) float32."""
        return (self.clip.encode_image(image) - self.image_centre) @ self.image_whitening

    def encode_text(self, text: torch.Tensor) -> torch.Tensor:
        """(B, 32) int64 -> (B, 512) float32."""
        return (self.clip.encode_text(text) - self.text_centre) @ self.text_whitening


def demo_encoder(device: Device = "cpu") -> FrozenClip:
    """Build the encoder: the same weights on every machine, the whitening equal up to rounding. About a second.

    `weights_sha256` covers the random weights, the calibration set and the constants of the whitening: all that determines the encoder, and all
    exact everywhere. The whitening matrices themselves are left out, since their last bits depend on the linear-algebra library.
    """
    with torch.random.fork_rng(devices=[]):  # the constructor draws weights, which are replaced here
        clip = CLIP(**CONFIG)
    _draw_weights(clip)
    images, texts = calibration_images(PREPROCESSING.size), calibration_texts(_common_words())
    constants = json.dumps({"config": CONFIG, "whitening": WHITENING, "shrinkage": SHRINKAGE, "texts": texts}, sort_keys=True).encode()
    sha256 = state_sha256(clip.state_dict(), images.tobytes(), constants)
    bare = _frozen(clip, sha256, "cpu")
    with single_threaded():
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        seen = np.concatenate([bare.encode_images(block) for block in pixels.split(64)])
        read = bare.encode_texts(texts)
        return _frozen(WhitenedClip(clip, _whitening(seen), _whitening(read)), sha256, device)


def _frozen(model: torch.nn.Module, sha256: str, device: Device) -> FrozenClip:
    context_length = CONFIG["text_cfg"]["context_length"]
    return FrozenClip(
        cast(Any, model),
        SimpleTokenizer(context_length=context_length),
        name=NAME,
        preprocessing=PREPROCESSING,
        context_length=context_length,
        weights_sha256=sha256,
        device=device,
    )


def _draw_weights(clip: CLIP) -> None:
    """Uniform weights, whose bits no mathematical library decides; biases zero, layer norms as they are."""
    with torch.no_grad():
        for name, weight in sorted(clip.named_parameters()):
            if ".ln_" in name or name.startswith("ln_") or name == "logit_scale":
                continue
            if name.endswith("bias"):
                weight.zero_()
                continue
            kind = ".".join(part for part in name.split(".") if part != "resblocks" and not part.isdigit())
            gain = GAINS.get(kind, 1.0)
            if not kind.endswith(FAN_FREE):
                fan_in = weight.shape[0] if kind.endswith("proj") else weight[0].numel()
                gain *= fan_in**-0.5
            bound = np.float32(gain * 3**0.5)
            values = generator(SEED, name).random(tuple(weight.shape), dtype=np.float32)
            weight.copy_(torch.from_numpy((values * 2 - 1) * bound))


def _common_words() -> list[str]:
    """Whole words among the first 6000 tokens of CLIP's vocabulary, which are its most frequent ones."""
    tokens = SimpleTokenizer().decoder
    words = (tokens[number].removesuffix("</w>") for number in range(512, 6000) if tokens[number].endswith("</w>"))
    return [word for word in words if word.isascii() and word.isalpha() and 3 <= len(word) <= 9]


def _whitening(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and symmetric whitening (D, D) of outputs (N, D).

    Axes are scaled by 1/sqrt(variance + shrinkage * mean variance), so that faint ones (compression noise) are not blown up; axes without variance
    are removed.
    """
    outputs = outputs.astype(np.float64)
    centre = outputs.mean(0)
    variance, axes = np.linalg.eigh(np.cov(outputs.T))
    used = variance > variance.max() * 1e-9
    variance, axes = variance[used], axes[:, used]
    scaled = axes / np.sqrt(variance + SHRINKAGE * variance.mean())
    return centre, scaled @ axes.T
