"""The hand-written recurrence against torch.nn.GRU: outputs, every gradient, any shape."""

import pytest
import torch

from primus.models import products
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


@pytest.mark.parametrize("enabled", [True, False], ids=["onednn", "fallback"])
def test_at_full_size_within_1e_5_of_the_stock_operator(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    gru = torch.nn.GRU(32, 512, batch_first=True)
    x, weight = torch.randn(48, 32, 32, requires_grad=True), torch.randn(48, 512)
    stock = gru(x)[1][0]
    expected = torch.autograd.grad((stock * weight).sum(), [x, *gru.parameters()])
    if not enabled:
        monkeypatch.setattr(products, "_PRESENT", False)
    ours = last_state(x, *names(gru))
    found = torch.autograd.grad((ours * weight).sum(), [x, *gru.parameters()])
    assert (ours - stock).abs().max() <= 1e-5 * stock.abs().max()
    for left, right in zip(found, expected, strict=True):
        assert (left - right).abs().max() <= 1e-5 * right.abs().max()


def test_same_bits_every_time() -> None:
    torch.manual_seed(0)
    gru, x = torch.nn.GRU(32, 512, batch_first=True), torch.randn(200, 32, 32)
    runs = [torch.autograd.grad(last_state(x, *names(gru)).square().sum(), list(gru.parameters())) for _ in range(3)]
    assert all(torch.equal(first, other) for run in runs[1:] for first, other in zip(runs[0], run, strict=True))


def test_bfloat16_rounds_products_only() -> None:
    torch.manual_seed(0)
    gru = torch.nn.GRU(32, 256, batch_first=True)
    x, weight = torch.randn(40, 32, 32, requires_grad=True), torch.randn(40, 256)
    results = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            state = last_state(x, *names(gru))
        results.append((state, *torch.autograd.grad((state * weight).sum(), [x, *gru.parameters()])))
    for plain, narrow in zip(*results, strict=True):
        assert narrow.dtype == torch.float32
        assert 0 < (plain - narrow).norm() < 0.01 * plain.norm()


def test_bfloat16_is_the_recurrence_with_operands_and_results_of_its_products_rounded() -> None:
    def rounded(value: torch.Tensor) -> torch.Tensor:
        return value.bfloat16().double()

    torch.manual_seed(0)
    gru = torch.nn.GRU(32, 256, batch_first=True)
    x = torch.randn(40, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = last_state(x, *names(gru)).detach().double()
    into, within, bias_in, bias_within = (value.detach().double() for value in names(gru))
    own = rounded(torch.cat([within, into], 1))
    bias = rounded((bias_in + bias_within)[:512]), rounded(bias_within[512:])
    state = torch.zeros(40, 256, dtype=torch.float64)
    for t in range(32):
        entering = rounded(torch.cat([state.float().double(), x[:, t].double()], 1))
        gates = rounded(torch.sigmoid(entering @ own[:512].T + bias[0]))
        reset, update = gates.split(256, 1)
        recurrent = rounded(reset * (entering[:, :256] @ own[512:, :256].T + bias[1]))
        candidate = torch.tanh(x[:, t].double() @ into[512:].T + bias_in[512:] + recurrent)
        state = candidate + update * (state - candidate)
    exact = gru(x)[1][0].detach().double()
    assert (found - state).norm() < 0.25 * (found - exact).norm(), "more is rounded than is said"


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
