"""Whether a file says what the encoder says: run on motion of every size that a batch may have, and on windows that are nearly still."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from primus.errors import UserError
from primus.inference.contract import to_contract
from primus.inference.encoding import projection_name
from primus.models.encoder import ImuEncoder, InputContract
from primus.seeds import generator

TOLERANCE = 1e-4
"""Largest absolute difference of any output."""

BATCHES = (3, 1, 7, 33)
"""Sizes of the batches compared; exporters have frozen a recurrence to the size it was traced with."""

Run = Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
"""Windows (B, 6, T) under the contract -> output name -> rows."""


@dataclass(frozen=True)
class Parity:
    """Largest absolute difference per output, and the size of the batch it occurred in."""

    error: Mapping[str, float]
    batch: Mapping[str, int]

    @property
    def worst(self) -> float:
        return max(self.error.values())


def motion_windows(contract: InputContract, count: int, seed: int) -> NDArray[np.float32]:
    """(count, 6, T) sums of sines with gravity, from stillness to vigour, in the contract's units and order."""
    random = generator(seed, "parity", count)
    times = np.arange(contract.samples) / contract.rate_hz
    strength = 10.0 ** random.uniform(-2, 1, (count, 1, 1))
    frequency, phase = random.uniform(0.1, 12.0, (count, 6, 5, 1)), random.uniform(0, 2 * np.pi, (count, 6, 5, 1))
    motion = strength * np.sin(2 * np.pi * frequency * times + phase).sum(axis=2) + 0.01 * random.standard_normal((count, 6, contract.samples))
    direction = random.standard_normal((count, 3, 1))
    motion[:, :3] += 9.80665 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return to_contract(motion.astype(np.float32), contract)


def expected_outputs(encoder: ImuEncoder, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """What the encoder itself says."""
    name = projection_name(encoder)
    with torch.inference_mode():
        output = encoder(torch.from_numpy(windows))
        rows = {"feature": output.feature.numpy()}
        return rows if name is None else rows | {"projection": getattr(output, name).numpy()}


def compare(encoder: ImuEncoder, run: Run, seed: int = 0) -> Parity:
    """Run both on the same windows; outputs that only the encoder has are not compared."""
    error: dict[str, float] = {}
    batch: dict[str, int] = {}
    for size in BATCHES:
        windows = motion_windows(encoder.inputs, size, seed)
        ours, theirs = expected_outputs(encoder, windows), run(windows)
        for name, rows in theirs.items():
            found = float(np.abs(rows.astype(np.float64) - ours[name]).max()) if rows.shape == ours[name].shape else np.inf
            found = found if np.isfinite(found) else np.inf
            if name not in error or found > error[name]:
                error[name], batch[name] = found, size
    return Parity(error, batch)


def require_parity(encoder: ImuEncoder, run: Run, what: str, tolerance: float = TOLERANCE) -> Parity:
    """Compare, and refuse a file that does not say what the encoder says.

    Raises:
        UserError: an output differs by more than `tolerance`, or the file cannot be run at some batch size.
    """
    try:
        found = compare(encoder, run)
    except Exception as error:  # every runtime raises kinds of its own
        raise UserError(f"{what} cannot be run ({' '.join(str(error).split())[:240]}); nothing was kept") from None
    name = max(found.error, key=found.error.__getitem__)
    if not found.worst <= tolerance:
        raise UserError(
            f"{what} differs from the encoder by {found.worst:.3g} in {name} at a batch of {found.batch[name]}, more than {tolerance:g}; "
            "nothing was kept: the exporter of this PyTorch does not translate the encoder exactly"
        )
    return found
