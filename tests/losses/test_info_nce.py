"""InfoNCE against a loop-written float64 twin, closed forms and finite differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.losses.contrastive import info_nce


def twin(queries, keys, temperature, symmetric=True, valid=None, exclude=None, absent="leave") -> float:  # type: ignore[no-untyped-def]
    """The definition, one number at a time."""
    rows = len(queries)
    valid = [True] * rows if valid is None else [bool(flag) for flag in valid]
    exclude = [[False] * rows for _ in range(rows)] if exclude is None else exclude

    def similarity(left, right) -> float:  # type: ignore[no-untyped-def]
        dot = sum(float(a) * float(b) for a, b in zip(left, right, strict=True))
        length = math.sqrt(sum(float(a) ** 2 for a in left)) * math.sqrt(sum(float(b) ** 2 for b in right))
        return dot / length

    def direction(left, right, excluded) -> float:  # type: ignore[no-untyped-def]
        total, count = 0.0, 0
        for i in range(rows):
            if not valid[i]:
                continue
            denominator = 0.0
            for j in range(rows):
                counted = i == j or (not excluded(i, j) and (valid[j] or absent == "negatives"))
                denominator += math.exp(similarity(left[i], right[j]) / temperature) if counted else 0.0
            total -= math.log(math.exp(similarity(left[i], right[i]) / temperature) / denominator)
            count += 1
        return total / count if count else 0.0

    loss = direction(queries, keys, lambda i, j: bool(exclude[i][j]))
    return loss + (direction(keys, queries, lambda i, j: bool(exclude[j][i])) if symmetric else 0.0)


def rows(seed: int, count: int, width: int = 5) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 9),
    temperature=st.floats(0.05, 2.0),
    symmetric=st.booleans(),
    absent=st.sampled_from(["leave", "negatives"]),
    share_valid=st.floats(0, 1),
    share_excluded=st.floats(0, 1),
)
def test_equals_its_twin(seed: int, count: int, temperature: float, symmetric: bool, absent: str, share_valid: float, share_excluded: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    queries, keys = rows(seed, count), rows(seed + 1, count)
    valid = torch.rand(count, generator=draw) < share_valid
    exclude = torch.rand(count, count, generator=draw) < share_excluded
    options = {"symmetric": symmetric, "valid": valid, "exclude": exclude, "absent": absent}
    found = info_nce(queries, keys, temperature, **options)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(twin(queries, keys, temperature, **options), rel=1e-9, abs=1e-12)


def test_closed_forms() -> None:
    same = torch.ones(6, 4)
    assert info_nce(same, same, 0.1).item() == pytest.approx(2 * math.log(6), rel=1e-6)
    eye = torch.eye(5, dtype=torch.float64)
    expected = math.log(math.exp(1 / 0.1) + 4) - 1 / 0.1
    assert info_nce(eye, eye, 0.1, symmetric=False).item() == pytest.approx(expected, rel=1e-6)
    assert info_nce(torch.randn(1, 4), torch.randn(1, 4), 0.1).item() == pytest.approx(0, abs=1e-6)
    everything = torch.ones(5, 5, dtype=torch.bool)
    assert info_nce(torch.randn(5, 4), torch.randn(5, 4), 0.1, exclude=everything).item() == pytest.approx(0, abs=1e-6)


def test_length_of_rows_does_not_matter() -> None:
    queries, keys = rows(0, 6), rows(1, 6)
    assert info_nce(3 * queries, 0.1 * keys, 0.2).item() == pytest.approx(info_nce(queries, keys, 0.2).item(), rel=1e-12)


@pytest.mark.parametrize("absent", ["leave", "negatives"])
def test_gradients_by_finite_differences(absent: str) -> None:
    queries, keys = rows(2, 6).requires_grad_(), rows(3, 6).requires_grad_()
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    valid = torch.tensor([True, False, True, True, False, True])
    exclude = torch.rand(6, 6, generator=torch.Generator().manual_seed(4)) < 0.3
    assert torch.autograd.gradcheck(lambda q, k, t: info_nce(q, k, t, valid=valid, exclude=exclude, absent=absent), (queries, keys, temperature))


def test_absent_rows_leave_rows_and_columns() -> None:
    queries, keys = rows(5, 6).requires_grad_(), rows(6, 6)
    valid = torch.tensor([True, True, False, True, False, True])
    keys[~valid] = float("nan")  # whatever an absent row holds cannot matter
    loss = info_nce(queries, keys, 0.1, valid=valid)
    loss.backward()
    assert loss.item() == pytest.approx(info_nce(queries.detach()[valid], keys[valid], 0.1).item(), rel=1e-12)
    assert torch.equal(queries.grad[~valid], torch.zeros(2, 5, dtype=torch.float64))  # type: ignore[index]
    assert bool(queries.grad[valid].abs().sum(1).gt(0).all())  # type: ignore[index]


@pytest.mark.parametrize("absent", ["leave", "negatives"])
def test_all_absent_is_zero_with_a_gradient_path(absent: str) -> None:
    queries, keys = rows(7, 4).requires_grad_(), torch.zeros(4, 5, dtype=torch.float64, requires_grad=True)
    temperature = torch.tensor(0.1, requires_grad=True)
    loss = info_nce(queries, keys, temperature, valid=torch.zeros(4, dtype=torch.bool), absent=absent)  # type: ignore[arg-type]
    loss.backward()
    assert loss.item() == 0
    for leaf in (queries, keys, temperature):
        assert leaf.grad is not None
        assert bool((leaf.grad == 0).all())
    assert info_nce(torch.zeros(0, 3), torch.zeros(0, 3), 0.1).item() == 0


def test_published_masking_keeps_zero_vectors_as_negatives() -> None:
    queries, keys = rows(8, 5), rows(9, 5)
    valid = torch.tensor([True, True, True, False, False])
    keys[~valid] = 0
    with_zeros = info_nce(queries, keys, 0.1, symmetric=False, valid=valid, absent="negatives")
    logits = torch.nn.functional.normalize(queries[:3], dim=1) @ torch.nn.functional.normalize(keys[:3], dim=1).T / 0.1
    expected = (torch.logsumexp(torch.cat([logits, torch.zeros(3, 2, dtype=torch.float64)], 1), 1) - logits.diagonal()).mean()
    assert with_zeros.item() == pytest.approx(expected.item(), rel=1e-12)


def test_very_small_temperatures_do_not_overflow() -> None:
    loss = info_nce(rows(1, 8).float(), rows(2, 8).float(), 0.001)
    assert math.isfinite(loss.item())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3, 4), torch.zeros(3, 5), 0.1), "must both be"),
        ((torch.zeros(3), torch.zeros(3), 0.1), "must both be"),
        ((torch.zeros(3, 4), torch.zeros(3, 4), 0.0), "temperature must be > 0, found 0"),
        ((torch.zeros(3, 4), torch.zeros(3, 4), 0.1, True, torch.ones(2, dtype=torch.bool)), "valid must be"),
        ((torch.zeros(3, 4), torch.zeros(3, 4), 0.1, True, None, torch.ones(2, 3, dtype=torch.bool)), "exclude must be"),
        ((torch.zeros(3, 4), torch.zeros(3, 4), 0.1, True, torch.ones(3)), "valid must be a bool tensor, found torch.float32"),
        ((torch.zeros(3, 4), torch.zeros(3, 4), 0.1, True, None, torch.ones(3, 3)), "exclude must be a bool tensor"),
        ((torch.zeros(3, 4), torch.zeros(3, 4), 0.1, True, None, None, "leaves"), "absent must be 'leave' or 'negatives', found 'leaves'"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        info_nce(*arguments)
