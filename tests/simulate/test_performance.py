"""Performances: actions shared between activities, motion a head can make."""

from itertools import pairwise

import numpy as np
import pytest

from primus.seeds import generator
from primus.simulate.activities import EGO4D, EGOEXO4D, REALWORLD, Activity, Person
from primus.simulate.people import draw_person
from primus.simulate.performance import perform
from primus.simulate.primitives import CHANNELS, PRIMITIVES

ALL = {**EGOEXO4D, **EGO4D, **REALWORLD}


@pytest.mark.parametrize("name", ALL)
def test_motion_stays_within_what_a_head_does(name: str) -> None:
    rng = generator(0, "test", name)
    performance = perform(ALL[name], draw_person(0, "test", 1), 20.0, ALL[name].things, rng)
    motion = performance.trajectory.motion(np.arange(0, 20, 1e-2))
    force = np.linalg.norm(motion.specific_force(), axis=1)
    assert force.max() < 80, "beyond 8 g"
    assert abs(np.linalg.norm(motion.specific_force().mean(axis=0)) - 9.8) < 4
    assert np.abs(motion.rate).max() < 17.4
    assert np.abs(motion.position[:, :2]).max() < 1.25, "the wearer must stay clear of the things around"
    assert motion.position[:, 2].min() > 0.2
    assert motion.position[:, 2].max() < 2.75


def test_every_action_occurs_in_several_activities() -> None:
    used = {name: sum(name in activity.mixture for activity in ALL.values()) for name in PRIMITIVES}
    assert min(used.values()) >= 3, used
    assert all(set(activity.mixture) <= set(PRIMITIVES) for activity in ALL.values())


def test_actions_name_known_channels_and_have_words() -> None:
    for primitive in PRIMITIVES.values():
        parts = (*primitive.beats, *primitive.bumps, *primitive.shifts)
        assert {part.channel for part in parts} <= set(CHANNELS), primitive.name
        assert len(primitive.texts) >= 2
        assert all(text.startswith("C ") and text.endswith(".") for text in primitive.texts)


def test_events_follow_each_other_without_overlap() -> None:
    performance = perform(EGOEXO4D["cook"], Person(), 30.0, ("pan",), generator(1, "test"))
    for before, after in pairwise(performance.events):
        assert before.start_s < before.end_s <= after.start_s
    assert performance.events[0].start_s <= 0
    assert performance.events[-1].end_s >= 30


def test_a_faster_person_does_more() -> None:
    def count(tempo: float) -> int:
        return len(perform(EGOEXO4D["cook"], Person(tempo=tempo), 60.0, ("pan",), generator(1, "test")).events)

    assert count(1.5) > 1.2 * count(0.8)


def test_jumps_never_fall_faster_than_freely() -> None:
    jumping = Activity({"jump": 1.0}, repeat=0.0, sway=0.0)
    performance = perform(jumping, Person(), 20.0, ("mat",), generator(2, "test"))
    vertical = performance.trajectory.motion(np.arange(0, 20, 1e-3)).acceleration[:, 2]
    assert vertical.min() > -1.3 * 9.81, "only the smoothing may add to free fall"
    assert vertical.max() > 6
