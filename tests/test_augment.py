"""Views: what each transformation may and may not change, and how its draws are distributed."""

import math

import pytest
import torch
from scipy.interpolate import CubicSpline

from primus.augment import (
    MULTITASK,
    TRANSFORMS,
    WARP_KNOTS,
    Transform,
    _spline_basis,
    augment,
    channel_shuffle,
    noise,
    one_of,
    permutation,
    random_rotations,
    rotation,
    scaling,
    scaling_per_step,
    time_warp,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def windows() -> torch.Tensor:
    return torch.randn(64, 6, 250, generator=generator(7))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_same_seed_same_view_and_rows_are_drawn_apart(name: str, windows: torch.Tensor) -> None:
    before = windows.clone()
    transform = Transform(name)
    view = transform(windows, generator(1))
    assert view.shape == windows.shape
    assert view.dtype == windows.dtype
    assert torch.equal(windows, before), "the input was changed in place"
    assert torch.equal(view, transform(windows, generator(1)))
    if name not in ("negation", "time_reversal"):
        same = windows[:1].expand(8, -1, -1)
        rows = transform(same, generator(1))
        assert not torch.equal(rows[0], rows[1]), "two windows got the same draw"
        assert not torch.equal(view, transform(windows, generator(2)))


def test_works_for_large_batches_of_any_length() -> None:
    for name in TRANSFORMS:
        assert Transform(name)(torch.randn(130, 6, 123), generator()).shape == (130, 6, 123)


def test_noise_distribution() -> None:
    added = noise(torch.zeros(200, 6, 250), 0.3, generator())
    assert added.std().item() == pytest.approx(0.3, rel=0.01)
    assert added.mean().item() == pytest.approx(0, abs=0.003)
    assert abs(torch.corrcoef(torch.stack([added[:, 0].flatten(), added[:, 1].flatten()]))[0, 1]) < 0.02


def test_scaling_draws_one_factor_per_window_and_channel() -> None:
    factors = scaling(torch.ones(4000, 6, 10), 0.25, generator())
    assert torch.equal(factors, factors[:, :, :1].expand_as(factors)), "the factor varies in time"
    assert factors[:, :, 0].mean().item() == pytest.approx(1, abs=0.01)
    assert factors[:, :, 0].std().item() == pytest.approx(0.25, rel=0.02)
    correlation = torch.corrcoef(factors[:, :, 0].T) - torch.eye(6)
    assert correlation.abs().max() < 0.06, "channels share their factor"


def test_scaling_per_step_is_the_released_behaviour() -> None:
    factors = scaling_per_step(torch.ones(50, 6, 250), 0.25, generator())
    assert torch.equal(factors, factors[:, :1].expand_as(factors))
    assert factors[:, 0].std().item() == pytest.approx(0.25, rel=0.05)


def test_negation_and_time_reversal_undo_themselves(windows: torch.Tensor) -> None:
    for name in ("negation", "time_reversal"):
        once = Transform(name)(windows, generator())
        assert torch.equal(Transform(name)(once, generator()), windows)
    assert torch.equal(Transform("time_reversal")(windows, generator())[:, :, 0], windows[:, :, -1])


@pytest.mark.parametrize("cuts", [0, 1, 4, 20])
def test_permutation_keeps_every_sample_once_and_cuts_as_often_as_asked(cuts: int) -> None:
    time = torch.arange(250.0).expand(300, 6, 250)
    view = permutation(time, cuts, generator())
    assert torch.equal(view.sort(dim=2).values, time)
    assert torch.equal(view, view[:, :1].expand_as(view)), "channels were permuted apart"
    jumps = (view[:, 0].diff() != 1).sum(1)
    assert jumps.max() <= cuts
    assert cuts == 0 or jumps.max() == cuts
    if cuts == 1:
        assert 0.35 < (jumps == 1).float().mean() < 0.65, "two pieces should swap half the time"
        swapped = view[jumps == 1, 0, 0]
        assert swapped.min() < 25
        assert swapped.max() > 225
        assert swapped.mean().item() == pytest.approx(125, abs=25)


def test_rotations_are_rotations_and_spread_evenly() -> None:
    turns = random_rotations(5000, math.pi, generator()).double()
    assert (turns @ turns.transpose(1, 2) - torch.eye(3)).abs().max() < 1e-5
    assert (torch.linalg.det(turns) - 1).abs().max() < 1e-5
    angle = torch.arccos(((turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    assert angle.mean().item() == pytest.approx(math.pi / 2, rel=0.03)
    axis = torch.stack([turns[:, 2, 1] - turns[:, 1, 2], turns[:, 0, 2] - turns[:, 2, 0], turns[:, 1, 0] - turns[:, 0, 1]], 1)
    assert torch.nn.functional.normalize(axis, dim=1).mean(0).abs().max() < 0.05
    small = random_rotations(1000, 0.1, generator()).diagonal(dim1=1, dim2=2).sum(1)
    assert torch.arccos(((small - 1) / 2).clamp(-1, 1)).max() <= 0.1 + 1e-3


def test_rotation_turns_both_sensors_alike_and_keeps_lengths(windows: torch.Tensor) -> None:
    twice = torch.cat([windows[:, :3], windows[:, :3]], dim=1)
    view = rotation(twice, math.pi, generator())
    assert torch.allclose(view[:, :3], view[:, 3:], atol=1e-5)
    assert torch.allclose(view[:, :3].norm(dim=1), windows[:, :3].norm(dim=1), atol=1e-4)


def test_channel_shuffle_permutes_and_is_never_the_identity() -> None:
    channel = torch.arange(6.0)[None, :, None].expand(3000, 6, 5)
    view = channel_shuffle(channel, 0, generator())[:, :, 0]
    assert torch.equal(view.sort(dim=1).values, channel[:, :, 0])
    assert not (view == torch.arange(6.0)).all(1).any()
    share = torch.stack([(view == c).float().mean(0) for c in range(6)])
    assert (share - 1 / 6).abs().max() < 0.04


def test_spline_equals_scipy() -> None:
    knots = WARP_KNOTS + 2
    values = torch.randn(knots, 3, generator=generator(), dtype=torch.float64)
    expected = CubicSpline(torch.linspace(0, 249, knots).double().numpy(), values.numpy(), bc_type="natural")(range(250))
    assert torch.allclose(_spline_basis(250, knots).double() @ values, torch.from_numpy(expected), atol=1e-5)


def test_time_warp_is_monotone_keeps_the_ends_and_scales_with_sigma() -> None:
    time = torch.arange(250.0).expand(500, 6, 250)
    moved = {}
    for sigma in (0.0, 0.1, 0.4):
        view = time_warp(time, sigma, generator())
        assert (view.diff(dim=2) > 0).all()
        assert torch.allclose(view[:, :, 0], torch.zeros(1), atol=1e-3)
        assert torch.allclose(view[:, :, -1], torch.full((1,), 249.0), atol=1e-2)
        moved[sigma] = (view - time).abs().mean().item()
    assert moved[0.0] < 1e-3 < moved[0.1] < moved[0.4]


def test_probability_is_a_share_of_windows() -> None:
    view = augment(torch.ones(4000, 6, 4), [Transform("negation", probability=0.3)], generator())
    flipped = (view[:, 0, 0] < 0).float()
    assert flipped.mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(augment(view, [Transform("negation", probability=0.0)], generator()), view)


def test_composition_is_in_order(windows: torch.Tensor) -> None:
    chain = [Transform("scaling"), Transform("time_reversal")]
    assert torch.equal(augment(windows, chain, generator(3)), scaling(windows, 0.25, generator(3)).flip(2))
    assert augment(windows, [], generator()) is windows


def test_one_of_applies_at_most_one_and_says_which() -> None:
    tasks = [Transform("negation"), Transform("time_reversal")]
    x = torch.arange(1.0, 6.0).expand(3000, 6, 5)
    view, applied = one_of(x, tasks, generator())
    assert torch.equal(view[applied == -1], x[applied == -1])
    assert torch.equal(view[applied == 0], -x[applied == 0])
    assert torch.equal(view[applied == 1], x[applied == 1].flip(2))
    for number in (-1, 0, 1):
        assert (applied == number).float().mean().item() == pytest.approx(1 / 3, abs=0.04)
    assert set(MULTITASK) <= set(TRANSFORMS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "wobble"}, "known: noise"),
        ({"name": "noise", "probability": 1.5}, "must lie in"),
        ({"name": "noise", "strength": -1.0}, "must be >= 0"),
        ({"name": "negation", "strength": 1.0}, "has no strength"),
        ({"name": "permutation", "strength": 2.5}, "number of cuts"),
    ],
)
def test_wrong_entries_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Transform(**options)  # type: ignore[arg-type]
