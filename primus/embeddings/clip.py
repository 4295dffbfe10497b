"""A frozen CLIP behind one small interface: RGB frames and texts in, float32 vectors out, with an identity that files can carry."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F

Device = Literal["cpu", "cuda"]

TEXTS_PER_BATCH = 64


class DualEncoder(Protocol):
    """What is used of an open_clip model."""

    def encode_image(self, image: torch.Tensor) -> torch.Tensor: ...
    def encode_text(self, text: torch.Tensor) -> torch.Tensor: ...


class Tokenizer(Protocol):
    """What is used of an open_clip tokenizer: texts to (N, context_length) token ids, cut silently."""

    def __call__(self, texts: list[str], context_length: int) -> torch.Tensor: ...


@dataclass(frozen=True)
class Preprocessing:
    """How an RGB frame becomes the model's input.

    Attributes:
        size: side of the square input in pixels.
        mean, std: per channel, of values in [0, 1].
        resize: "shortest" scales the short side to `size` and cuts the centre out; "squash" scales both sides to `size`.
        interpolation: always with anti-aliasing.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Literal["shortest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"

    def __str__(self) -> str:
        numbers = " ".join(f"{value:.8g}" for value in (*self.mean, *self.std))
        return f"rgb {self.resize} {self.size} {self.interpolation} mean,std {numbers}"

    def apply(self, frame: np.ndarray) -> torch.Tensor:
        """Scale and cut one frame (H, W, 3) uint8 to (3, size, size) uint8. A frame that already fits is not resampled."""
        height, width = frame.shape[:2]
        pixels = torch.from_numpy(np.require(frame, requirements=["C", "W"])).permute(2, 0, 1)
        if self.resize == "squash":
            new_height, new_width = self.size, self.size
        else:
            short = min(height, width)
            new_height, new_width = int(self.size * height / short), int(self.size * width / short)
        if (new_height, new_width) != (height, width):
            pixels = F.interpolate(pixels[None], (new_height, new_width), mode=self.interpolation, antialias=True, align_corners=False)[0]
        top, left = round((new_height - self.size) / 2), round((new_width - self.size) / 2)
        return pixels[:, top : top + self.size, left : left + self.size]


@dataclass(frozen=True)
class EncoderIdentity:
    """What makes two encoders the same: stored with every embedding and part of every cache key."""

    model: str
    weights_sha256: str
    preprocessing: str
    context_length: int
    dim: int
    device: Device

    def __str__(self) -> str:
        return f"{self.model}|{self.weights_sha256}|{self.preprocessing}|{self.context_length}|{self.dim}|{self.device}"


class FrozenClip:
    """Inference with a CLIP model whose weights never change.

    Args:
        model: an open_clip model (or anything with its `encode_image` and `encode_text`).
        tokenizer: the model's own.
        name: the architecture, as the embeddings' files record it.
        preprocessing: of frames.
        context_length: tokens a text may have, start and end included.
        weights_sha256: of the weights (`state_sha256`).
        device: where to compute; on "cpu" use `single_threaded` for bytes that do not depend on the number of threads.
    """

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: Tokenizer,
        *,
        name: str,
        preprocessing: Preprocessing,
        context_length: int,
        weights_sha256: str,
        device: Device = "cpu",
    ) -> None:
        self._model = cast(torch.nn.Module, model).to(device).eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self.preprocessing = preprocessing
        self._mean = torch.tensor(preprocessing.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocessing.std, device=device).view(1, 3, 1, 1)
        self._device = torch.device(device)
        self.context_length = context_length
        dim = self.encode_texts([""]).shape[1]
        self.identity = EncoderIdentity(name, weights_sha256, str(preprocessing), context_length, dim, device)

    def drop_text_tower(self) -> None:
        """Free what only texts need, nearly half of a ViT-B/32; `encode_texts` cannot be called any more. The identity stays."""
        if hasattr(self._model, "visual"):  # open_clip's models all keep their image tower there
            for name, _ in list(self._model.named_children()):
                if name != "visual":
                    setattr(self._model, name, None)

    @torch.inference_mode()
    def encode_images(self, pixels: torch.Tensor) -> np.ndarray:
        """Encode preprocessed frames (B, 3, size, size) uint8 to (B, dim) float32, projected but not normalised."""
        scaled = pixels.to(self._device).float().div_(255).sub_(self._mean).div_(self._std)
        return cast(Any, self._model).encode_image(scaled).float().cpu().numpy()

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str], batch: int = TEXTS_PER_BATCH) -> np.ndarray:
        """Encode N texts to (N, dim) float32, projected but not normalised; texts beyond the context length are cut."""
        parts = []
        for start in range(0, len(texts), batch):
            tokens = self._tokenizer(list(texts[start : start + batch]), self.context_length)
            parts.append(cast(Any, self._model).encode_text(tokens.to(self._device)).float().cpu().numpy())
        return np.concatenate(parts) if parts else np.empty((0, self.identity.dim), np.float32)

    def truncated(self, texts: Sequence[str]) -> np.ndarray:
        """Which of N texts are cut by the context length: (N,) bool.

        With one token more of room, a text that fits keeps the same leading ids; a text that is cut gets its end token one place later.
        """
        cut = np.zeros(len(texts), bool)
        for start in range(0, len(texts), 4096):
            block = list(texts[start : start + 4096])
            tight, roomy = self._tokenizer(block, self.context_length), self._tokenizer(block, self.context_length + 1)
            cut[start : start + len(block)] = (tight != roomy[:, : self.context_length]).any(1).numpy()
        return cut


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let each tensor operation use one thread: sums are split by thread count, so their last bits depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def state_sha256(state: Mapping[str, torch.Tensor], *also: bytes) -> str:
    """sha256 over names, types, shapes and values of a state dict, in the order of the names, and over any further bytes."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    for extra in also:
        digest.update(hashlib.sha256(extra).digest())
    return digest.hexdigest()
