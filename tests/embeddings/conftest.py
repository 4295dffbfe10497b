"""A toy encoder whose outputs can be worked out by hand, clips whose frames carry their own number, and small CLIPs with random weights."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from primus.embeddings.clip import FrozenClip, Preprocessing

Clip = Callable[..., Path]


class ToyModel(torch.nn.Module):
    """Image -> (mean brightness, its square, 1); text -> counts of token ids modulo 3. Counts how many frames it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self.texts = 0

    def encode_image(self, image: torch.Tensor) -> torch.Tensor:
        self.frames += len(image)
        level = image.mean(dim=(1, 2, 3))
        return torch.stack([level, level**2, torch.ones_like(level)], dim=1)

    def encode_text(self, text: torch.Tensor) -> torch.Tensor:
        self.texts += len(text)
        return torch.stack([((text % 3 == k) & (text > 0)).sum(1).float() for k in range(3)], dim=1)


def letters(texts: list[str], context_length: int) -> torch.Tensor:
    """One token per letter between start and end tokens, cut like open_clip's tokenizers do."""
    out = torch.zeros(len(texts), context_length, dtype=torch.long)
    for row, text in enumerate(texts):
        ids = [500, *(ord(letter) for letter in text), 501]
        if len(ids) > context_length:
            ids = [*ids[: context_length - 1], 501]
        out[row, : len(ids)] = torch.tensor(ids)
    return out


@pytest.fixture
def toy() -> FrozenClip:
    preprocessing = Preprocessing(size=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return FrozenClip(ToyModel(), letters, name="toy", preprocessing=preprocessing, context_length=16, weights_sha256="0" * 64)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """clip(name, levels, fps=30, size=64): an H.264 file whose frame i is flat grey of brightness levels[i]."""

    def make(name: str, levels: Sequence[int], fps: Fraction | int = 30, size: int = 64) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=fps, options={"crf": "4", "g": "12", "threads": "1"})
            stream.width = stream.height = size
            stream.pix_fmt = "yuv420p"
            for level in levels:
                picture = np.full((size, size, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)
