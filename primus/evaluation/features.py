"""Frozen features: what an encoder says about every segment, in eval mode, without gradients, in a fixed batch size."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from primus.errors import UserError
from primus.models.encoder import ImuEncoder

REPRESENTATIONS = ("feature", "self_supervised", "multimodal")
"""Outputs of `ImuEncoder.forward` by name; the two projections are absent from a model without heads."""

BATCH = 256
"""Rows encoded at once. Fixed, because the last bits of a matrix product depend on the batch."""


@torch.inference_mode()
def encode_batches(encoder: ImuEncoder, rows: Callable[[int, int], np.ndarray], count: int) -> Iterator[dict[str, np.ndarray]]:
    """Encode `count` segments batch by batch.

    Args:
        encoder: put into eval mode here and left there; its device is used.
        rows: `rows(start, stop)` -> (stop - start, 6, T) IMU, accelerometer m/s^2 then gyroscope rad/s.
        count: number of segments.

    Yields:
        Per batch, name -> (B, D) float32 for every representation the encoder has.

    Raises:
        UserError: an output is not finite (its position among the segments is named).
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    for start in range(0, count, BATCH):
        block = np.ascontiguousarray(rows(start, min(start + BATCH, count)), dtype=np.float32)
        output = encoder(torch.from_numpy(block).to(device))
        batch = {name: value.float().cpu().numpy() for name, value in zip(output._fields, output, strict=True) if value is not None}
        for name, value in batch.items():
            bad = ~np.isfinite(value).all(axis=1)
            if bad.any():
                raise UserError(
                    f"the encoder's {name} of segment number {start + int(bad.argmax())} is not finite; "
                    "its weights or that segment's IMU are damaged: rerun the stages that write them"
                )
        yield batch
