"""Golden values of the published implementation, as tensors."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from primus.models.encoder import ImuEncoder
from primus.models.rows import Rows


def load_golden(shared_dir: Path) -> dict[str, Tensor]:
    with np.load(shared_dir / "golden" / "golden.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def golden_encoder(golden: dict[str, Tensor]) -> ImuEncoder:
    encoder = ImuEncoder()
    encoder.load_state_dict({name.removeprefix("state/"): value for name, value in golden.items() if name.startswith("state/")})
    return encoder


def distinct_rows(count: int, first: int = 0) -> Rows:
    """Rows of which no two have anything in common."""
    number = torch.arange(first, first + count)
    return Rows(number, number, torch.zeros_like(number), torch.full_like(number, 5000), number, number, number)
