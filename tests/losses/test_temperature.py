"""Learned temperatures: where they start, what they learn, where they stop."""

import math

import pytest
import torch

from primus.losses.temperature import Temperature


@pytest.mark.parametrize("kind", ["log_clamped", "raw"])
def test_starts_where_it_is_told_and_learns(kind: str) -> None:
    temperature = Temperature(kind, 0.07)  # type: ignore[arg-type]
    assert temperature().item() == pytest.approx(0.07, rel=1e-6)
    temperature().backward()
    assert temperature.parameter.grad is not None
    assert temperature.parameter.grad.item() == pytest.approx(1.0 if kind == "raw" else -0.07, rel=1e-5)


@pytest.mark.parametrize("direction", [-1, 1])
def test_stays_within_bounds_and_comes_back(direction: int) -> None:
    temperature = Temperature()
    optimiser = torch.optim.Adam([temperature.parameter], lr=0.5)
    for _ in range(50):
        optimiser.zero_grad()
        (direction * temperature()).backward()
        optimiser.step()
        temperature.project()
        assert 0.01 - 1e-6 <= temperature().item() <= 1 + 1e-6
    at_bound = temperature().item()
    assert min(abs(at_bound - 0.01), abs(at_bound - 1)) < 1e-5
    optimiser = torch.optim.Adam([temperature.parameter], lr=0.5)
    optimiser.zero_grad()
    (-direction * temperature()).backward()
    optimiser.step()
    temperature.project()
    assert abs(math.log(temperature().item() / at_bound)) > 0.1, "stuck at the bound"


@pytest.mark.parametrize("options", [{"kind": "log"}, {"start": 0.0}, {"start": -1.0, "kind": "raw"}, {"start": 2.0}, {"start": 0.001}])
def test_wrong_settings_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="temperature"):
        Temperature(**options)  # type: ignore[arg-type]
