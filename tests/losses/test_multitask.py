"""MultitaskSSL: the sum of binary cross entropies, and that it can be learned."""

import math

import pytest
import torch

from primus.augment import MULTITASK
from primus.losses.multitask import MultitaskObjective


def test_equals_a_loop_over_heads_and_rows() -> None:
    torch.manual_seed(0)
    objective, feature = MultitaskObjective(("a", "b", "c"), 8), torch.randn(6, 8)
    applied = torch.tensor([-1, 0, 1, 2, 1, -1])
    terms = objective(feature, applied)
    for task, name in enumerate(("a", "b", "c")):
        chances = torch.sigmoid(objective.heads[task](feature)).squeeze(1).tolist()
        losses = [-math.log(p if int(applied[row]) == task else 1 - p) for row, p in enumerate(chances)]
        assert terms[name].item() == pytest.approx(sum(losses) / 6, rel=1e-5)
    assert terms["total"].item() == pytest.approx(sum(terms[name].item() for name in "abc"), rel=1e-6)


def test_eight_heads_of_the_published_shape() -> None:
    objective = MultitaskObjective(MULTITASK)
    assert len(objective.heads) == 8
    assert [tuple(layer.weight.shape) for layer in (objective.heads[0][0], objective.heads[0][2])] == [(256, 512), (1, 256)]
    with pytest.raises(ValueError, match="at least one"):
        MultitaskObjective(())
