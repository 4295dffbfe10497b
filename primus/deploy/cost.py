"""What an exported encoder costs: multiply-accumulates for one window."""

import torch
from torch import nn

from primus.deploy.portable import PortableEncoder, UnrolledGru
from primus.models.encoder import WIDTH, ImuEncoder


def multiply_accumulates(encoder: ImuEncoder, projection: bool = True) -> int:
    """Products summed for one window: of convolutions, pooling, recurrence and head; normalisation and gates are not counted."""
    portable = PortableEncoder(encoder, "unrolled", projection)
    counts: list[int] = []

    def counted(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv1d)
        counts.append(output.shape[2] * layer.weight.numel())

    for part in portable.front.modules():
        if isinstance(part, nn.Conv1d):
            part.register_forward_hook(counted)
    with torch.no_grad():
        steps = portable.front(torch.zeros(1, 6, encoder.inputs.samples))
    recurrence = portable.recurrence
    assert isinstance(recurrence, UnrolledGru)
    counts += [steps.numel() * WIDTH, WIDTH * recurrence.into.numel(), (WIDTH - 1) * recurrence.recurrent.numel()]
    if portable.head is not None:
        counts += [part.weight.numel() for part in portable.head.modules() if isinstance(part, nn.Linear)]
    return sum(counts)
