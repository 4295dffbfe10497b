"""The encoder for one window at a time, on one core: the same numbers as `ImuEncoder.forward`, with less overhead.

With a batch of one, the recurrence is 32 products of the same 3 MB matrix with a vector. What is saved is the work around them: gates are computed
in place, and no operator is dispatched for each.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from primus.inference.encoding import projection_name
from primus.models.encoder import ImuEncoder

Vector = NDArray[np.float32]


class SingleWindow:
    """Callable on a window (6, T) float32 that keeps the contract: -> feature (D,), projection (P,) or None.

    Args:
        encoder: on the CPU, in eval mode; its weights are copied.
    """

    def __init__(self, encoder: ImuEncoder) -> None:
        self._front = encoder.backbone[:-1]
        self._transposed = encoder.layout == "time"
        gru = encoder.backbone[-1]
        assert isinstance(gru, torch.nn.GRU)
        weights = [weight.detach().numpy().copy() for weight in gru.all_weights[0]]
        self._into, self._recurrent, into_bias, recurrent_bias = weights
        self._hidden = gru.hidden_size
        gates = 2 * self._hidden
        self._bias = into_bias + np.concatenate([recurrent_bias[:gates], np.zeros(self._hidden, np.float32)])
        self._candidate_bias = recurrent_bias[gates:].copy()
        name = projection_name(encoder)
        self._head = {None: None, "multimodal": encoder.mmcl_head, "self_supervised": encoder.ssl_head}[name]

    def __call__(self, window: NDArray[np.float32]) -> tuple[Vector, Vector | None]:
        with torch.inference_mode():
            x = torch.from_numpy(window[None])
            for block in self._front:
                x = block(x)
            sequence = (x[0].T if self._transposed else x[0]).numpy()  # (32 steps, 32 inputs)
            feature = self._last_state(sequence)
            projection = None if self._head is None else self._head(torch.from_numpy(feature)[None])[0].numpy()
        return feature, projection

    def _last_state(self, sequence: NDArray[np.float32]) -> Vector:
        """The GRU's equations as `torch.nn.GRU` states them; a sigmoid is written as a hyperbolic tangent."""
        hidden, gates = self._hidden, 2 * self._hidden
        inputs = sequence @ self._into.T + self._bias
        state = np.zeros(hidden, np.float32)
        product = np.zeros(3 * hidden, np.float32)  # of the zero state
        for number, step in enumerate(inputs):
            if number:
                np.dot(self._recurrent, state, out=product)
            gate = product[:gates]
            gate += step[:gates]
            gate *= 0.5
            np.tanh(gate, out=gate)
            gate += 1
            gate *= 0.5
            candidate = product[gates:]
            candidate += self._candidate_bias
            candidate *= gate[:hidden]
            candidate += step[gates:]
            np.tanh(candidate, out=candidate)
            state -= candidate
            state *= gate[hidden:]
            state += candidate
        return state
