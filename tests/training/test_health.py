"""Health numbers on representations whose state is known, and the schedule."""

import math
from itertools import pairwise

import pytest
import torch

from primus.training.health import alignment, effective_rank, health, spread, uniformity
from primus.training.schedule import learning_rate


def test_effective_rank_counts_dimensions_in_use() -> None:
    assert effective_rank(torch.eye(8).repeat(20, 1)) == pytest.approx(8, rel=1e-6)
    assert effective_rank(torch.ones(50, 16)) == pytest.approx(1, rel=1e-6)
    assert effective_rank(torch.ones(50, 16) + 1e-4 * torch.randn(50, 16)) < 1.2
    low = torch.randn(300, 3) @ torch.randn(3, 64)
    assert 2 < effective_rank(low) <= 3.0001
    assert effective_rank(torch.randn(2000, 32)) > 30


def test_collapse_is_flagged() -> None:
    torch.manual_seed(0)
    assert health(torch.ones(100, 64) + 0.01 * torch.randn(100, 64))["collapsed"] == 1
    assert health(torch.randn(100, 64))["collapsed"] == 0
    assert health(torch.randn(6, 64))["collapsed"] == 0, "six rows cannot have more than six dimensions"
    assert spread(torch.randn(5000, 64)) == pytest.approx(1, abs=0.02)
    assert spread(torch.ones(50, 64)) == pytest.approx(0, abs=1e-6)


def test_alignment_and_uniformity() -> None:
    rows = torch.nn.functional.normalize(torch.randn(40, 8, dtype=torch.float64), dim=1)
    assert alignment(rows, 3 * rows) == pytest.approx(0, abs=1e-12)
    assert alignment(rows, -rows) == pytest.approx(4)
    assert uniformity(torch.ones(10, 8)) == pytest.approx(0, abs=1e-9)
    pairs = [math.exp(-2 * float((rows[i] - rows[j]).square().sum())) for i in range(40) for j in range(i)]
    assert uniformity(rows) == pytest.approx(math.log(sum(pairs) / len(pairs)), rel=1e-9)


def test_schedule() -> None:
    rates = [learning_rate(step, 100, 0.5, "cosine", 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.05)
    assert rates[9] == rates[10] == 0.5
    assert all(left >= right for left, right in pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.001
    assert {learning_rate(step, 100, 0.5, "constant", 0.0) for step in range(100)} == {0.5}
    assert learning_rate(0, 1, 0.5, "cosine", 0.5) == 0.5
