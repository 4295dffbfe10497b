"""Frozen features: what an encoder says about every segment, in eval mode, without gradients, in a fixed batch size."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from primus.errors import UserError
from primus.models.encoder import ImuEncoder

REPRESENTATIONS = ("feature", "self_supervised", "multimodal")
"""Outputs of `ImuEncoder.forward` by name; the two projections are absent from a model without heads."""

BATCH = 256
"""Rows encoded at once. Fixed, because the last bits of a matrix product depend on the batch."""


AHEAD = 2
"""Batches prepared beyond those being encoded, so that memory does not grow with the corpus."""


def encode_batches(encoder: ImuEncoder, rows: Callable[[int, int], np.ndarray], count: int, threads: int = 1) -> Iterator[dict[str, np.ndarray]]:
    """Encode `count` segments batch by batch.

    Batches run side by side on `threads` threads with one core each (`torch.set_num_threads(1)` is the caller's to set), which is quicker for
    this small network than sharing a batch, and makes the result independent of `threads`.

    Args:
        encoder: put into eval mode here and left there; its device is used.
        rows: `rows(start, stop)` -> (stop - start, 6, T) IMU, accelerometer m/s^2 then gyroscope rad/s; called from several threads.
        count: number of segments.
        threads: batches encoded at the same time.

    Yields:
        Per batch, in order, name -> (B, D) float32 for every representation the encoder has.

    Raises:
        UserError: an output is not finite (its position among the segments is named).
    """
    encoder.eval()
    with ThreadPoolExecutor(threads) as executor:
        waiting: deque[Future[dict[str, np.ndarray]]] = deque()
        for start in range(0, count, BATCH):
            waiting.append(executor.submit(_encode, encoder, rows, start, min(start + BATCH, count)))
            if len(waiting) >= threads + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@torch.inference_mode()
def _encode(encoder: ImuEncoder, rows: Callable[[int, int], np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    block = np.ascontiguousarray(rows(start, stop), dtype=np.float32)
    output = encoder(torch.from_numpy(block).to(next(encoder.parameters()).device))
    batch = {name: value.float().cpu().numpy() for name, value in zip(output._fields, output, strict=True) if value is not None}
    for name, value in batch.items():
        bad = ~np.isfinite(value).all(axis=1)
        if bad.any():
            raise UserError(
                f"the encoder's {name} of segment number {start + int(bad.argmax())} is not finite; "
                "its weights or that segment's IMU are damaged: rerun the stages that write them"
            )
    return batch
