"""One person performing one activity: a sequence of atomic actions and the head motion they compose to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from primus.simulate.activities import Activity, Person
from primus.simulate.primitives import CHANNELS, PRIMITIVES, Primitive, Range
from primus.simulate.trajectory import GRAVITY, Trajectory

KNOT_HZ: Final = 100
MARGIN_S: Final = 1.0
"""Motion exists this long before and after the take, for a sensor that starts early or ends late."""

HEAD_HEIGHT_M: Final = 1.6
REACH_M: Final = 0.9
"""The wearer stays within this distance of the room's centre."""

LOWEST_M, HIGHEST_M = -0.7, 0.9
FLIGHT: Final = (0.3, 0.85)
"""When a jump's flight begins and ends, as shares of its duration."""

FREE_FALL: Final = GRAVITY * (FLIGHT[1] - FLIGHT[0]) ** 2 / (2 * np.pi**2)
"""Greatest height (m) of a jump per squared duration (s^2) at which the head never falls faster than freely."""

STEEPEST: Final = 1.3
SMOOTH_S: Final = 0.02


@dataclass(frozen=True)
class Event:
    """One atomic action: [start_s, end_s) in seconds from take start, its name, and the thing it is done with."""

    start_s: float
    end_s: float
    action: str
    thing: str


@dataclass(frozen=True)
class Performance:
    """What happens in a take. `hands` (K, 4): image positions of the right and left hand in [0, 1] units at `knots_s` (K,), v downwards."""

    duration_s: float
    events: tuple[Event, ...]
    trajectory: Trajectory
    knots_s: np.ndarray
    hands: np.ndarray


def perform(activity: Activity, person: Person, duration_s: float, things: Sequence[str], rng: np.random.Generator) -> Performance:
    """Draw a performance of `activity` by `person`, `duration_s` long; nouns are drawn from `things`."""
    events = _schedule(activity, person, duration_s, things, rng)
    size = person.amplitude * activity.energy
    knots = np.arange(-MARGIN_S, duration_s + MARGIN_S, 1 / KNOT_HZ)
    posture = activity.pitch + person.pitch + rng.normal(0, 0.08)
    height = activity.height + person.height
    relative = activity.pitch < -0.6  # a body that does not stand upright looks up and down relative to where it lies
    state = np.array([*rng.uniform(-0.3, 0.3, 2), HEAD_HEIGHT_M + height, rng.uniform(-np.pi, np.pi), posture, activity.roll])
    base = np.tile(state, (len(knots), 1))
    local = np.zeros((len(knots), 6))
    hands = np.tile([0.66, 1.2, 0.34, 1.2], (len(knots), 1))
    for event in events:
        primitive = PRIMITIVES[event.action]
        rows = slice(*np.searchsorted(knots, [event.start_s, event.end_s]))
        u = (knots[rows] - event.start_s) / (event.end_s - event.start_s)
        if len(u) < 3:
            continue
        target = _shifted(state, primitive, size, HEAD_HEIGHT_M + height, posture, relative, rng)
        blend = _ease(u / 0.8)[:, None]
        base[rows] = state + (target - state) * blend
        base[rows.stop :] = target
        state = target
        _add_local(local[rows], hands[rows], primitive, person.tempo * activity.tempo, size, u, event.end_s - event.start_s, rng)
    local += _idle(knots, activity.sway * size, rng)
    yaw = base[:, 3]
    cos, sin = np.cos(yaw), np.sin(yaw)
    values = base.copy()
    values[:, 0] += cos * local[:, 0] - sin * local[:, 1]
    values[:, 1] += sin * local[:, 0] + cos * local[:, 1]
    values[:, 2:] += local[:, 2:]
    values[:, 4] = np.clip(values[:, 4], -STEEPEST, STEEPEST)
    values = gaussian_filter1d(values, SMOOTH_S * KNOT_HZ, axis=0, mode="nearest")
    return Performance(duration_s, tuple(events), Trajectory(knots, values), knots, gaussian_filter1d(hands, 8, axis=0, mode="nearest"))


def _draw(interval: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(*interval))


def _ease(u: np.ndarray) -> np.ndarray:
    """0 -> 1 with zero velocity and acceleration at both ends (the minimum-jerk polynomial)."""
    u = np.clip(u, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def _schedule(activity: Activity, person: Person, duration_s: float, things: Sequence[str], rng: np.random.Generator) -> list[Event]:
    names = list(activity.mixture)
    weights = np.array([activity.mixture[name] for name in names]) * np.exp(rng.normal(0, 0.3, len(names)))
    events: list[Event] = []
    now, before, low = rng.uniform(-0.8, 0.0), "", False
    while now < duration_s + MARGIN_S:
        allowed = weights * [not ((name == "rise" and not low) or (name == "crouch" and low)) for name in names]
        name = before if before and rng.random() < activity.repeat else str(rng.choice(names, p=allowed / allowed.sum()))
        if name in ("rise", "crouch"):
            low = name == "crouch"
        length = _draw(PRIMITIVES[name].duration_s, rng) / (person.tempo * activity.tempo)
        events.append(Event(float(now), float(now + length), name, str(rng.choice(list(things)))))
        now += length + rng.uniform(0.0, 0.35)
        before = name
    return events


def _shifted(
    state: np.ndarray, primitive: Primitive, size: float, standing_m: float, posture: float, relative: bool, rng: np.random.Generator
) -> np.ndarray:
    """The base pose after `primitive`: x, y, z, yaw, pitch, roll."""
    target = state.copy()
    for shift in primitive.shifts:
        value = _draw(shift.value, rng) * (rng.choice([-1.0, 1.0]) if shift.either_side else 1.0)
        if shift.channel == "pitch":
            target[4] = posture + 0.25 * value if relative else 0.4 * value + 0.9 * posture
        elif shift.channel == "yaw":
            target[3] = state[3] + value * size
        elif shift.channel == "up":
            target[2] = standing_m + value if shift.absolute else state[2] + value * size
        elif shift.channel == "forward":
            target[:2] = _walked(state, value * size, rng)
    target[2] = np.clip(target[2], HEAD_HEIGHT_M + LOWEST_M, HEAD_HEIGHT_M + HIGHEST_M)
    return target


def _walked(state: np.ndarray, distance_m: float, rng: np.random.Generator) -> np.ndarray:
    """A point `distance_m` ahead, give or take, that stays near the room's centre."""
    for spread in (0.4, 1.2, np.pi):
        direction = state[3] + rng.normal(0, spread)
        place = state[:2] + distance_m * np.array([np.cos(direction), np.sin(direction)])
        if np.hypot(*place) < REACH_M:
            return place
    return state[:2] * 0.3


def _add_local(
    local: np.ndarray,
    hands: np.ndarray,
    primitive: Primitive,
    tempo: float,
    size: float,
    u: np.ndarray,
    length_s: float,
    rng: np.random.Generator,
) -> None:
    """Add the rhythmic and the out-and-back parts of an action to `local` (n, 6) and move the hands (n, 4), in place."""
    ramp = min(0.3, 0.3 / length_s)
    envelope = _ease(u / ramp) * _ease((1 - u) / ramp)
    rate = _draw(primitive.rate_hz, rng) * tempo
    drift = 1 + 0.05 * np.sin(2 * np.pi * rng.uniform() + u * 3)
    phase = 2 * np.pi * (rng.uniform() + rate * length_s * u * drift)
    for beat in primitive.beats:
        angle = beat.multiple * phase + beat.offset
        wave = np.sin(angle + beat.skew * np.sin(angle))
        local[:, CHANNELS.index(beat.channel)] += _draw(beat.amplitude, rng) * size * envelope * wave
    for bump in primitive.bumps:
        height = _draw(bump.amplitude, rng) * size * (rng.choice([-1.0, 1.0]) if bump.either_side else 1.0)
        if primitive.name == "jump" and bump.channel == "up":
            # In flight nothing but gravity acts: the time in the air bounds the height.
            local[:, 2] += min(height, FREE_FALL * length_s**2) * _leap(u)
        else:
            local[:, CHANNELS.index(bump.channel)] += height * _out_and_back(u)
    raised, swing = primitive.hands
    if raised > 0:
        side = rng.uniform(0.4, 1.0, 2)
        lift = raised * _out_and_back(np.clip(u * 1.2 - 0.1, 0, 1)) if not primitive.beats else raised * envelope
        hands[:, 1] -= 0.55 * lift * side[0]
        hands[:, 3] -= 0.55 * lift * side[1]
        hands[:, 0] += swing * np.sin(phase) * envelope - 0.1 * lift
        hands[:, 1] += swing * np.cos(phase) * envelope
        hands[:, 2] += swing * np.sin(phase + 0.8) * envelope + 0.1 * lift
        hands[:, 3] += swing * np.cos(phase + 0.8) * envelope


def _out_and_back(u: np.ndarray) -> np.ndarray:
    return _ease(u / 0.45) * _ease((1 - u) / 0.45)


def _leap(u: np.ndarray) -> np.ndarray:
    """Height of a jump: a crouch, a parabola-like flight, a soft landing; 1 at the top."""

    def hump(a: float, b: float) -> np.ndarray:
        return np.sin(np.pi * np.clip((u - a) / (b - a), 0, 1)) ** 2

    return hump(*FLIGHT) - 0.35 * hump(0.0, 0.42) - 0.3 * hump(0.72, 1.0)


def _idle(knots: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Postural sway: slow random sinusoids in every channel, (K, 6)."""
    waves = 6
    frequency = np.exp(rng.uniform(np.log(0.08), np.log(1.3), (6, waves)))
    amplitude = rng.uniform(0.3, 1.0, (6, waves)) * (0.15 / (0.15 + frequency))
    size = np.array([0.008, 0.01, 0.004, 0.025, 0.018, 0.015])[:, None] * scale
    phase = rng.uniform(0, 2 * np.pi, (6, waves))
    angle = 2 * np.pi * frequency[:, :, None] * knots + phase[:, :, None]
    return np.einsum("cw,cwk->kc", amplitude * size, np.sin(angle))
