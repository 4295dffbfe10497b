"""bfloat16 on processors without bfloat16 instructions: the values that kernels give, and no product made number by number."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from primus.models import products, rounding
from primus.models.encoder import EncoderOutput, ImuEncoder
from primus.models.rounding import RoundedProducts, arithmetic, bfloat16_in_hardware


class Seen(TorchDispatchMode):
    """Names of the operators that are handed bfloat16 tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        flat = torch.utils._pytree.tree_leaves((args, kwargs))
        if any(isinstance(part, torch.Tensor) and part.dtype == torch.bfloat16 for part in flat):
            self.names.add(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rounding, products):
        monkeypatch.setattr(module, "bfloat16_in_hardware", lambda: False)


def trained(precision: str) -> list[torch.Tensor]:
    """Outputs and gradients of a small encoder."""
    torch.manual_seed(0)
    encoder, x = ImuEncoder(feature_dim=64, projection_dim=32, head="mlp"), torch.randn(8, 6, 250)
    with arithmetic("cpu", precision):
        output = encoder(x)
    assert isinstance(output, EncoderOutput)
    assert output.self_supervised is not None
    assert output.multimodal is not None
    parts = [part.float() for part in (output.feature, output.self_supervised, output.multimodal)]
    return [*parts, *torch.autograd.grad(sum(part.square().sum() for part in parts), list(encoder.parameters()))]  # type: ignore[arg-type]


def test_every_operator_gives_what_pytorchs_own_gives() -> None:
    torch.manual_seed(0)
    image, kernel, bias = torch.randn(2, 6, 1, 40), torch.randn(8, 6, 1, 5), torch.randn(8)
    rows, weight = torch.randn(9, 31), torch.randn(8, 31)
    calls = {
        "conv2d": lambda: torch.nn.functional.conv2d(image, kernel, dilation=(1, 2)),
        "linear": lambda: torch.nn.functional.linear(rows, weight, bias),
        "linear by keyword": lambda: torch.nn.functional.linear(input=rows, weight=weight),
    }
    for name, call in calls.items():
        with torch.autocast("cpu", torch.bfloat16):
            own = call()
            with RoundedProducts():
                ours = call()
        assert ours.dtype == own.dtype == torch.bfloat16, name
        assert (ours.float() - own.float()).abs().max() <= 2**-7 * own.float().abs().max(), name
        assert (ours == own).float().mean() > 0.97, f"{name}: more than the order of sums differs"


@pytest.mark.usefixtures("without_hardware")
def test_training_makes_no_product_of_bfloat16_tensors() -> None:
    with Seen() as seen:
        trained("bfloat16")
    products_seen = [name for name in seen.names if any(word in name for word in ("mm", "conv", "linear", "gru", "dot", "matmul"))]
    assert not products_seen
    assert seen.names, "nothing was rounded"


def test_it_is_as_far_from_float32_as_bfloat16_is(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = trained("float32")
    own = trained("bfloat16")
    for module in (rounding, products):
        monkeypatch.setattr(module, "bfloat16_in_hardware", lambda: False)
    ours = trained("bfloat16")
    for exact, theirs, mine in zip(plain, own, ours, strict=True):
        assert mine.dtype == exact.dtype == torch.float32
        assert 0 < (mine - exact).norm() < 0.1 * exact.norm()
        assert (mine - theirs).norm() < 0.1 * exact.norm()


@pytest.mark.usefixtures("without_hardware")
def test_evaluation_agrees_with_training() -> None:
    torch.manual_seed(0)
    encoder, x = ImuEncoder(feature_dim=64), torch.randn(8, 6, 250)
    with arithmetic("cpu", "bfloat16"):
        training = encoder(x).feature.float()
        with torch.no_grad(), Seen() as seen:
            evaluation = encoder(x).feature.float()
    assert (training - evaluation).norm() < 0.02 * training.norm()
    assert not any("gru" in name or "mm" in name for name in seen.names)


@pytest.mark.usefixtures("without_hardware")
def test_outside_of_bfloat16_nothing_is_rounded() -> None:
    rows, weight = torch.randn(3, 4), torch.randn(5, 4)
    expected = torch.nn.functional.linear(rows, weight)
    with arithmetic("cpu", "float32"):
        assert torch.equal(torch.nn.functional.linear(rows, weight), expected)
    with RoundedProducts():
        assert torch.equal(torch.nn.functional.linear(rows, weight), expected)


def test_the_question_about_the_processor_has_an_answer() -> None:
    assert isinstance(bfloat16_in_hardware(), bool)
