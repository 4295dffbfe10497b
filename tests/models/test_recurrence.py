"""The hand-written recurrence against torch.nn.GRU: outputs, every gradient, any shape."""

import pytest
import torch

from primus.models.encoder import ImuEncoder
from primus.models.recurrence import last_state


def names(gru: torch.nn.GRU) -> list[torch.nn.Parameter]:
    return [gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0]  # type: ignore[list-item]


@pytest.mark.parametrize(("batch", "steps", "width", "hidden"), [(1, 1, 3, 4), (5, 2, 3, 4), (7, 32, 32, 64), (16, 9, 5, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_stock_operator(batch: int, steps: int, width: int, hidden: int, dtype: torch.dtype) -> None:
    torch.manual_seed(batch * steps)
    gru = torch.nn.GRU(width, hidden, batch_first=True, dtype=dtype)
    x = torch.randn(batch, steps, width, dtype=dtype, requires_grad=True)
    weight = torch.randn(batch, hidden, dtype=dtype)
    tolerance = 2e-6 if dtype == torch.float32 else 1e-12
    results = []
    for state in (gru(x)[1][0], last_state(x, *names(gru))):
        gradients = torch.autograd.grad((state * weight).sum(), [x, *gru.parameters()])
        results.append((state, *gradients))
    for stock, ours in zip(*results, strict=True):
        assert (stock - ours).abs().max() <= tolerance * max(1.0, stock.abs().max().item())


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    gru = torch.nn.GRU(3, 4, batch_first=True, dtype=torch.float64)
    x = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(last_state, [x, *names(gru)])


def test_training_and_evaluation_see_the_same_features() -> None:
    torch.manual_seed(0)
    encoder, x = ImuEncoder(), torch.randn(3, 6, 250)
    training = encoder(x).feature
    with torch.no_grad():
        evaluation = encoder(x).feature
    assert (training - evaluation).abs().max() < 1e-6


def test_a_transposed_input_is_read_correctly() -> None:
    gru = torch.nn.GRU(5, 4, batch_first=True)
    x = torch.randn(3, 5, 7).transpose(1, 2)
    assert torch.allclose(last_state(x, *names(gru)), gru(x)[1][0], atol=1e-6)


def test_a_second_derivative_is_refused_not_wrong() -> None:
    gru = torch.nn.GRU(3, 4, batch_first=True)
    x = torch.randn(2, 3, 3, requires_grad=True)
    (first,) = torch.autograd.grad(last_state(x, *names(gru)).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        first.sum().backward()
