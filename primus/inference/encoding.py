"""Windows to features: batches side by side, one core each, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from primus.errors import UserError
from primus.inference.contract import Model, check_windows, open_encoder
from primus.models.encoder import ImuEncoder

BATCH = 128
"""Windows encoded at once. The last bits of a feature may depend on it."""

PROJECTIONS = ("multimodal", "self_supervised")
_AHEAD = 1  # batches waiting beyond those being encoded
Tag = TypeVar("Tag")


@dataclass(frozen=True)
class Encoded(Generic[Tag]):
    """One encoded batch: what the caller named it, features (B, D) and projections (B, P) float32, None without heads."""

    tag: Tag
    feature: NDArray[np.float32]
    projection: NDArray[np.float32] | None


def projection_name(encoder: ImuEncoder) -> str | None:
    """Which head's output is the projection: the one pretraining named, else the multimodal one; None without heads."""
    if encoder.mmcl_head is None:
        return None
    named = encoder.metadata.get("representation")
    return named if named in PROJECTIONS else PROJECTIONS[0]


def encode_batch(encoder: ImuEncoder, windows: NDArray[np.float32], projection: str | None) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Feature and projection of windows (B, 6, T) that are known to keep the contract; the encoder is in eval mode.

    Raises:
        UserError: an output is not finite.
    """
    head = None if projection is None else encoder.mmcl_head if projection == "multimodal" else encoder.ssl_head
    with torch.inference_mode():
        state = encoder.feature(torch.from_numpy(windows).to(next(encoder.parameters()).device))
        feature = state.float().cpu().numpy()
        projected = None if head is None else head(state).float().cpu().numpy()
    if not (np.isfinite(feature).all() and (projected is None or np.isfinite(projected).all())):
        raise UserError("the encoder gave a feature that is not finite; its weights are damaged, or the windows hold huge values")
    return feature, projected


def encode_stream(encoder: ImuEncoder, batches: Iterable[tuple[Tag, Callable[[], NDArray[np.float32]]]], threads: int = 1) -> Iterator[Encoded[Tag]]:
    """Encode batches as they come, up to `threads` side by side.

    For this small network that is quicker than sharing a batch, and it makes results independent of `threads` (`torch.set_num_threads(1)` is the
    caller's to set).

    Args:
        encoder: in eval mode.
        batches: a name and a function that gives the windows (B, 6, T), called from another thread.
        threads: batches encoded at the same time.

    Yields:
        The batches, in order.
    """
    projection = projection_name(encoder)

    def encode(tag: Tag, rows: Callable[[], NDArray[np.float32]]) -> Encoded[Tag]:
        return Encoded(tag, *encode_batch(encoder, rows(), projection))

    with ThreadPoolExecutor(threads) as executor:
        waiting: deque[Future[Encoded[Tag]]] = deque()
        try:
            for tag, rows in batches:
                waiting.append(executor.submit(encode, tag, rows))
                if len(waiting) > threads + _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def encode_windows(model: Model, windows: ArrayLike, batch: int = BATCH, threads: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Features (N, D) and projections (N, P) float32 (None without heads) of windows (N, 6, T), which are checked against the model's contract.

    Raises:
        UserError: the windows are not what the model declares; see `check_windows`.
    """
    encoder = open_encoder(model)
    checked = check_windows(windows, encoder.inputs)
    parts = ((begin, lambda begin=begin: np.ascontiguousarray(checked[begin : begin + batch])) for begin in range(0, len(checked), batch))
    found = list(encode_stream(encoder, parts, threads))
    width = encoder.projection_dim if projection_name(encoder) else None
    feature = np.concatenate([part.feature for part in found]) if found else np.empty((0, encoder.feature_dim), np.float32)
    if width is None:
        return feature, None
    return feature, np.concatenate([part.projection for part in found if part.projection is not None]) if found else np.empty((0, width), np.float32)
