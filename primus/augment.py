"""Views of a window: batched transformations of IMU signals, each row with its own random draw.

The eight transformations of MultitaskSSL (arXiv 1907.11879) and SimCLR-HAR (arXiv 2011.11542), written from Um et al. (arXiv 1706.00527),
which define them for windows of wearable sensors. Every draw comes from an explicit CPU generator, so a seed fixes a view on any device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

WARP_KNOTS = 4  # interior knots of the time warp
SLOWEST = 0.1  # least local speed of a time warp, so that time never stands still or runs backwards


def noise(x: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Add white Gaussian noise of standard deviation `sigma`, in the channels' own units."""
    return x + sigma * torch.randn(x.shape, generator=generator).to(x)


def scaling(x: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Multiply each channel of each window by one factor drawn from N(1, sigma)."""
    return x * (1 + sigma * torch.randn(*x.shape[:2], 1, generator=generator)).to(x)


def scaling_per_step(x: Tensor, sigma: float, generator: Generator) -> Tensor:
    """What the released PRIMUS code calls scaling: one factor per time step from N(1, sigma), shared by all channels."""
    return x * (1 + sigma * torch.randn(len(x), 1, x.shape[2], generator=generator)).to(x)


def negation(x: Tensor, strength: float, generator: Generator) -> Tensor:
    """Change the sign of every channel."""
    return -x


def time_reversal(x: Tensor, strength: float, generator: Generator) -> Tensor:
    """Play the window backwards."""
    return x.flip(2)


def permutation(x: Tensor, cuts: float, generator: Generator) -> Tensor:
    """Cut each window at `cuts` distinct random places and put the pieces together in random order (all channels alike)."""
    batch, _, samples = x.shape
    if not cuts < samples:
        raise ValueError(f"a window of {samples} samples has {samples - 1} places to cut at, {int(cuts)} asked for")
    places = torch.rand(batch, samples - 1, generator=generator).topk(int(cuts), dim=1).indices + 1  # a piece starts at each
    starts = torch.zeros(batch, samples, dtype=torch.int64).scatter_(1, places, 1)
    piece = starts.cumsum(1)  # (B, T): number of the piece that holds each sample
    rank = torch.rand(batch, int(cuts) + 1, generator=generator).argsort(1)  # new place of each piece
    order = rank.gather(1, piece).argsort(dim=1, stable=True)  # (B, T): sample to read at each time
    return x.gather(2, order.to(x.device)[:, None, :].expand_as(x))


def random_rotations(count: int, largest_angle: float, generator: Generator) -> Tensor:
    """`count` rotation matrices (count, 3, 3): axis uniform on the sphere, angle uniform in [-largest_angle, largest_angle] rad."""
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    angle = (2 * torch.rand(count, generator=generator) - 1) * largest_angle
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(count, 3, 3)
    sine, versine = torch.sin(angle)[:, None, None], (1 - torch.cos(angle))[:, None, None]
    return torch.eye(3) + sine * cross + versine * (cross @ cross)  # Rodrigues' formula


def rotation(x: Tensor, largest_angle: float, generator: Generator) -> Tensor:
    """Turn the device: one random rotation per window, the same for accelerometer and gyroscope."""
    turn = random_rotations(len(x), largest_angle, generator).to(x)
    return (turn[:, None] @ x.reshape(len(x), 2, 3, -1)).reshape(x.shape)


def channel_shuffle(x: Tensor, strength: float, generator: Generator) -> Tensor:
    """Put the channels of each window in a random order other than their own."""
    batch, channels, _ = x.shape
    if channels < 2:
        raise ValueError(f"windows of {channels} channel(s) have no other order")
    order = torch.rand(batch, channels, generator=generator).argsort(1)
    unchanged = torch.arange(channels)
    while bool((same := (order == unchanged).all(1)).any()):
        order[same] = torch.rand(int(same.sum()), channels, generator=generator).argsort(1)
    return x.gather(1, order.to(x.device)[:, :, None].expand_as(x))


def _spline_basis(samples: int, knots: int) -> Tensor:
    """(samples, knots) matrix turning values at evenly spaced knots into the natural cubic spline through them."""
    step = (samples - 1) / (knots - 1)
    # Second derivatives m solve the tridiagonal system of continuity; natural ends have m = 0.
    system, right = torch.eye(knots, dtype=torch.float64), torch.zeros(knots, knots, dtype=torch.float64)
    for k in range(1, knots - 1):
        system[k, k - 1 : k + 2] = torch.tensor([1.0, 4.0, 1.0])
        right[k, k - 1 : k + 2] = torch.tensor([6.0, -12.0, 6.0]) / step**2
    second = torch.linalg.solve(system, right)  # (knots, knots): values -> second derivatives
    time = torch.arange(samples, dtype=torch.float64)
    left = (time / step).floor().clamp(max=knots - 2).long()
    u = time / step - left
    eye = torch.eye(knots, dtype=torch.float64)
    linear = (1 - u)[:, None] * eye[left] + u[:, None] * eye[left + 1]
    bend = ((1 - u) ** 3 - (1 - u))[:, None] * second[left] + (u**3 - u)[:, None] * second[left + 1]
    return (linear + bend * step**2 / 6).float()


def time_warp(x: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Speed the window up and down smoothly: local speed is a cubic spline through knots from N(1, sigma); both ends stay in place."""
    batch, _, samples = x.shape
    knots = 1 + sigma * torch.randn(batch, WARP_KNOTS + 2, generator=generator)
    speed = (knots @ _spline_basis(samples, WARP_KNOTS + 2).T).clamp(min=SLOWEST)  # (B, T)
    travelled = (speed[:, 1:] + speed[:, :-1]).cumsum(1)  # trapezoids, up to a factor
    position = torch.cat([torch.zeros(batch, 1), travelled / travelled[:, -1:] * (samples - 1)], dim=1)
    left = position.floor().clamp(max=samples - 2)
    share = (position - left).to(x)[:, None, :]
    index = left.long().to(x.device)[:, None, :].expand_as(x)
    return torch.lerp(x.gather(2, index), x.gather(2, index + 1), share)


Function = Callable[[Tensor, float, Generator], Tensor]
TRANSFORMS: dict[str, tuple[Function, float | None]] = {
    "noise": (noise, 0.05),
    "scaling": (scaling, 0.25),
    "scaling_per_step": (scaling_per_step, 0.25),
    "negation": (negation, None),
    "time_reversal": (time_reversal, None),
    "permutation": (permutation, 4.0),
    "rotation": (rotation, math.pi),
    "channel_shuffle": (channel_shuffle, None),
    "time_warp": (time_warp, 0.2),
}
"""Function and usual strength by name; None where a transformation has no strength."""

MULTITASK = ("noise", "scaling", "rotation", "negation", "time_reversal", "permutation", "time_warp", "channel_shuffle")
"""The eight tasks of MultitaskSSL."""


@dataclass(frozen=True)
class Transform:
    """One entry of a composition.

    Attributes:
        name: one of `TRANSFORMS`.
        probability: share of windows it is applied to, drawn per window.
        strength: standard deviation (noise, scaling, time_warp), number of cuts (permutation) or largest angle in rad (rotation); None
            means the usual one.

    Raises:
        ValueError: unknown name, probability outside [0, 1], or a strength that is negative or not asked for.
    """

    name: str
    probability: float = 1.0
    strength: float | None = None

    def __post_init__(self) -> None:
        if self.name not in TRANSFORMS:
            raise ValueError(f"unknown transformation {self.name!r}; known: {', '.join(TRANSFORMS)}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability of {self.name} must lie in [0, 1], found {self.probability}")
        usual = TRANSFORMS[self.name][1]
        if self.strength is not None and usual is None:
            raise ValueError(f"{self.name} has no strength; leave it out (found {self.strength})")
        if self.strength is not None and not 0 <= self.strength < math.inf:
            raise ValueError(f"strength of {self.name} must be >= 0, found {self.strength}")
        if self.name == "permutation" and self.strength is not None and self.strength != int(self.strength):
            raise ValueError(f"strength of permutation is a number of cuts, found {self.strength}")

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Apply it to every row of x (B, 6, T), ignoring `probability`."""
        function, usual = TRANSFORMS[self.name]
        return function(x, self.strength if self.strength is not None else usual or 0.0, generator)


def augment(x: Tensor, transforms: Sequence[Transform], generator: Generator) -> Tensor:
    """Apply `transforms` one after the other, each to its share of the windows x (B, 6, T); x itself is not changed."""
    for transform in transforms:
        if transform.probability >= 1:
            x = transform(x, generator)
            continue
        chosen = (torch.rand(len(x), generator=generator) < transform.probability).nonzero().squeeze(1).to(x.device)
        if len(chosen):
            x = x.index_copy(0, chosen, transform(x[chosen], generator))
    return x


def one_of(x: Tensor, transforms: Sequence[Transform], generator: Generator) -> tuple[Tensor, Tensor]:
    """Apply to each window of x (B, 6, T) none or one of `transforms`, all equally likely.

    Returns:
        The windows and which was applied, (B,) int64 into `transforms`, -1 for none.
    """
    applied = torch.randint(-1, len(transforms), (len(x),), generator=generator)
    out = x.clone()
    for number, transform in enumerate(transforms):
        chosen = (applied == number).nonzero().squeeze(1).to(x.device)
        if len(chosen):
            out[chosen] = transform(x[chosen], generator)
    return out, applied.to(x.device)
