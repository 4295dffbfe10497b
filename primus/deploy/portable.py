"""The encoder written with operators that exporters translate exactly.

Adaptive pooling from 15 to 32 steps is a product with a fixed matrix. The recurrence is either the stock GRU, or, unrolled over its 32 steps, plain
products, sigmoids and hyperbolic tangents: larger as a graph, but free of conventions that formats disagree on, and of operators that quantisation
leaves alone.
"""

import copy
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from primus.inference.encoding import projection_name
from primus.models.encoder import WIDTH, ConvBlock, ImuEncoder

Recurrence = Literal["gru", "unrolled"]


class Outputs(NamedTuple):
    """feature (B, D) and, of an encoder with heads, projection (B, P)."""

    feature: Tensor
    projection: Tensor | None = None


class UnrolledGru(nn.Module):
    """The last state (B, H) of a GRU over x (B, 32, I) from a zero state; weights are kept transposed, as the products take them."""

    into: Tensor
    recurrent: Tensor
    bias: Tensor
    candidate_bias: Tensor

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        into, recurrent, into_bias, recurrent_bias = (weight.detach().clone() for weight in gru.all_weights[0])
        self.hidden = gru.hidden_size
        gates = 2 * self.hidden
        self.register_buffer("into", into.T.contiguous())
        self.register_buffer("recurrent", recurrent.T.contiguous())
        self.register_buffer("bias", torch.cat([into_bias[:gates] + recurrent_bias[:gates], into_bias[gates:]]))
        self.register_buffer("candidate_bias", recurrent_bias[gates:].clone())

    def forward(self, x: Tensor) -> Tensor:
        gates = 2 * self.hidden
        steps = (x @ self.into + self.bias).split(1, dim=1)
        state: Tensor | None = None
        for step in steps:
            now = step.squeeze(1)
            if state is None:  # of a zero state: no product
                both = torch.sigmoid(now[:, :gates])
                candidate = torch.tanh(now[:, gates:] + both[:, : self.hidden] * self.candidate_bias)
                state = candidate - candidate * both[:, self.hidden :]
                continue
            product = state @ self.recurrent
            both = torch.sigmoid(now[:, :gates] + product[:, :gates])
            candidate = torch.tanh(now[:, gates:] + both[:, : self.hidden] * (product[:, gates:] + self.candidate_bias))
            state = candidate + both[:, self.hidden :] * (state - candidate)
        assert state is not None
        return state


class PortableEncoder(nn.Module):
    """The same outputs as the encoder's, for windows (B, 6, T) of exactly the contract's length.

    Args:
        encoder: left as it is.
        recurrence: "gru" or "unrolled".
        projection: whether the projection that pretraining named is an output too, where there are heads.
    """

    def __init__(self, encoder: ImuEncoder, recurrence: Recurrence = "gru", projection: bool = True) -> None:
        super().__init__()
        own = copy.deepcopy(encoder).cpu().float().eval().requires_grad_(False)
        gru = own.backbone[5]
        assert isinstance(gru, nn.GRU)
        layers = [layer for block in own.backbone[1:4] if isinstance(block, ConvBlock) for layer in block.net]
        self.front = nn.Sequential(own.backbone[0], *layers[:-1])  # without the last pooling
        self.norm = own.backbone[4]
        self.recurrence = UnrolledGru(gru) if recurrence == "unrolled" else gru
        self.by_time = own.layout == "time"
        steps = self.front(torch.zeros(1, 6, own.inputs.samples)).shape[2]
        self.register_buffer("pool", adaptive_avg_pool1d(torch.eye(steps)[None], WIDTH)[0].contiguous())
        name = projection_name(own) if projection else None
        self.head = {None: None, "multimodal": own.mmcl_head, "self_supervised": own.ssl_head}[name]

    def forward(self, imu: Tensor) -> Outputs:
        sequence = self.norm(self.front(imu) @ self.pool)
        if self.by_time:
            sequence = sequence.transpose(1, 2)
        if isinstance(self.recurrence, nn.GRU):
            _, last = self.recurrence(sequence)
            feature = last[-1]
        else:
            feature = self.recurrence(sequence)
        return Outputs(feature, None if self.head is None else self.head(feature))

    @property
    def names(self) -> list[str]:
        """Of the outputs there are."""
        return ["feature"] if self.head is None else ["feature", "projection"]
