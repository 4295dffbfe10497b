"""Matrix products without gradients on a CPU, through oneDNN where PyTorch has it.

PyTorch hands float32 products to MKL, which on processors of other makers than its own uses half of their vector width (103 against 230 GFLOP/s,
measured on one core of an AMD EPYC). oneDNN comes with the same PyTorch, uses the full width of any x86-64 processor, and applies what follows
a product before its result leaves the registers. Elsewhere the same is computed by ordinary operators; results agree to rounding.
"""

from __future__ import annotations

import platform
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import linear

from primus.models.rounding import bfloat16_in_hardware

Then = Literal["none", "sigmoid"]
Combine = Literal["add", "mul"]

_onednn = torch.ops.mkldnn
_PRESENT = (
    platform.machine() in ("x86_64", "AMD64")
    and torch.backends.mkldnn.is_available()
    and all(hasattr(_onednn, name) for name in ("_linear_pointwise", "_reorder_linear_weight"))
)


def by_onednn(tensor: Tensor) -> bool:
    """Whether products of such a tensor go to oneDNN."""
    if not _PRESENT or not torch.backends.mkldnn.enabled or tensor.device.type != "cpu" or tensor.numel() == 0:
        return False
    return tensor.dtype == torch.float32 or (tensor.dtype == torch.bfloat16 and bfloat16_in_hardware())


def by_rounding(tensor: Tensor) -> bool:
    """Whether products of such a tensor are made in float32 and then rounded: bfloat16 on a CPU without kernels for it."""
    return tensor.dtype == torch.bfloat16 and tensor.device.type == "cpu" and not bfloat16_in_hardware()


class Product:
    """`x @ weight.T + bias` for many x of `weight`'s type.

    Args:
        weight: (N, K) float, of any strides.
        bias: (N,) or None.
        rows: expected number of rows of x, which decides how the weight is laid out.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int) -> None:
        self.bias = bias
        self.rounding = by_rounding(weight)
        if self.rounding:
            weight, self.bias = weight.float(), None if bias is None else bias.float()
        self.packed = by_onednn(weight)
        self.weight = _onednn._reorder_linear_weight(weight.contiguous(), rows) if self.packed else weight

    def __call__(self, x: Tensor, then: Then = "none") -> Tensor:
        """(R, N) of x (R, K), through a sigmoid where asked for."""
        if self.rounding and x.dtype == torch.bfloat16:
            return self(x.float(), then).bfloat16()
        if self.packed:
            return _onednn._linear_pointwise(x, self.weight, self.bias, then, [], "")
        result = linear(x, self.weight, self.bias)
        return result.sigmoid_() if then == "sigmoid" else result

    def combined(self, x: Tensor, how: Combine, other: Tensor) -> Tensor:
        """(R, N) of x (R, K), added to or multiplied by other (R, N), of other's type."""
        if self.rounding and x.dtype == other.dtype == torch.bfloat16:
            return self.combined(x.float(), how, other.float()).bfloat16()
        if self.packed and other.dtype == x.dtype:
            return _onednn._linear_pointwise.binary(x, other, self.weight, self.bias, how)
        result = self(x).to(other.dtype)
        return result.add_(other) if how == "add" else result.mul_(other)


def product(left: Tensor, right: Tensor) -> Tensor:
    """left @ right.T, (A, B), of left (A, K) and right (B, K)."""
    if by_rounding(left) and by_rounding(right):
        return product(left.float(), right.float()).bfloat16()
    if by_onednn(left) and by_onednn(right):
        return _onednn._linear_pointwise(left, right, None, "none", [], "")
    return left @ right.T


def product_over_rows(left: Tensor, right: Tensor) -> Tensor:
    """left.T @ right, (A, B), of left (R, A) and right (R, B)."""
    if left.dtype == torch.float32 or by_rounding(left):  # in bfloat16 PyTorch's own operator goes to oneDNN
        return product(left.T, right.T)
    return left.T @ right
