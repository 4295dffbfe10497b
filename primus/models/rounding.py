"""bfloat16 products on a CPU that has no instructions for them: operands and results rounded to bfloat16, sums in float32.

That is what such instructions compute, to the order of the sums: a product of two bfloat16 numbers fits into a float32 exactly. PyTorch's own way
without them multiplies one number at a time (0.3 GFLOP/s against 63 in float32, measured on one core of an AMD EPYC with AVX2 only), which looks
as if training hung. Rounded like this a step costs what it costs in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

PRODUCTS = (torch.conv2d, torch.nn.functional.linear, torch.gru)  # those of the encoder


@cache
def bfloat16_in_hardware() -> bool:
    """Whether this processor's bfloat16 products have kernels of their own (in PyTorch, those of oneDNN)."""
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return torch.backends.mkldnn.is_available() and supported is not None and bool(supported())


def rounded(value: Any) -> Any:
    """A float tensor, or those within a list, with the values it has in bfloat16; of float32."""
    if isinstance(value, Tensor):
        return value.bfloat16().float() if value.is_floating_point() else value
    return [rounded(part) for part in value] if isinstance(value, list | tuple) else value


class RoundedProducts(TorchFunctionMode):
    """While entered, and under autocast to bfloat16 on the CPU: `PRODUCTS` take and give what bfloat16 kernels take and give."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func not in PRODUCTS or not torch.is_autocast_enabled("cpu"):
            return func(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            result = func(*rounded(args), **{name: rounded(value) for name, value in (kwargs or {}).items()})
        return result.bfloat16() if isinstance(result, Tensor) else tuple(part.bfloat16() for part in result)


@contextmanager
def arithmetic(device: str, precision: str) -> Iterator[None]:
    """Context in which the encoder runs: plain for "float32"; for "bfloat16" autocast, with `RoundedProducts` where the CPU has no such kernels.

    Args:
        device: type of the device, such as "cpu".
        precision: "float32" or "bfloat16".
    """
    narrow = precision == "bfloat16"
    rounding = narrow and device == "cpu" and not bfloat16_in_hardware()
    with torch.autocast(device, torch.bfloat16, enabled=narrow), RoundedProducts() if rounding else nullcontext():
        yield
