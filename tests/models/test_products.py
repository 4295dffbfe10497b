"""Products through oneDNN equal the ordinary operators, whatever the strides."""

import pytest
import torch

from primus.models.products import Product, by_onednn, product, product_over_rows


def draws(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("rows", "inner", "width"), [(1, 1, 1), (5, 7, 3), (40, 544, 33)])
def test_equals_the_ordinary_operators(rows: int, inner: int, width: int, dtype: torch.dtype) -> None:
    x, weight, bias, other = draws(rows, inner).to(dtype), draws(inner, width).to(dtype).T, draws(width).to(dtype), draws(rows, width).to(dtype)
    plain = x.double() @ weight.double().T
    tolerance = {torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float64: 1e-13}[dtype] * (1 + float(plain.abs().max()))
    ready = Product(weight, bias, rows)
    found = {
        "plain": (ready(x), plain + bias),
        "sigmoid": (ready(x, "sigmoid"), torch.sigmoid(plain + bias)),
        "added": (ready.combined(x, "add", other), plain + bias + other),
        "multiplied": (ready.combined(x, "mul", other), (plain + bias) * other),
        "wider": (ready.combined(x, "add", other.double()), plain + bias + other),
        "both": (product(x, weight), plain),
        "over rows": (product_over_rows(x, other), x.double().T @ other.double()),
        "strided rows": (product_over_rows(torch.cat([x, x], 1)[:, :inner], other), x.double().T @ other.double()),
    }
    for name, (ours, expected) in found.items():
        assert (ours.double() - expected).abs().max() <= 3 * tolerance, name


@pytest.mark.filterwarnings("ignore")  # PyTorch's own about TF32
def test_switching_onednn_off_is_obeyed() -> None:
    with torch.backends.mkldnn.flags(enabled=False):
        assert not by_onednn(draws(2, 2))
        assert not Product(draws(3, 2), None, 2).packed
    assert not by_onednn(draws(2, 2).double())
    assert not by_onednn(draws(0, 2))
