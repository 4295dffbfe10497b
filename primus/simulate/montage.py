"""What is seen and said where it has nothing to do with the motion: shots of seconds, cut together without memory.

A continuous performance would not do. A camera stays near where it was, so neighbouring segments look alike, and looking alike names the take even
where every take shows the same place and the same mixture of actions (nearest neighbours by look: 44 % from the same take, 0.8 % by chance). Segments
of a take share its activity; to align with what names the take is to be taught which segments belong together.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from primus.simulate.activities import Activity, Person
from primus.simulate.performance import KNOT_HZ, MARGIN_S, Event, Performance, perform
from primus.simulate.trajectory import Trajectory

SHOT_S: Final = (0.8, 2.5)
"""How long a shot lasts: less than half a segment of 5 s, so that neighbouring segments share next to nothing."""


def montage(activity: Activity, person: Person, duration_s: float, things: Sequence[str], rng: np.random.Generator) -> Performance:
    """A performance that starts anew every one or two seconds: place, gaze, posture and action are drawn again for each shot.

    Its trajectory jumps at the cuts: it is for a camera, not for a sensor.
    """
    knots = np.arange(-MARGIN_S, duration_s + MARGIN_S, 1 / KNOT_HZ)
    values, hands = np.empty((len(knots), 6)), np.empty((len(knots), 4))
    events: list[Event] = []
    first = 0
    while first < len(knots):
        length = min(round(float(rng.uniform(*SHOT_S)) * KNOT_HZ), len(knots) - first)
        shot = perform(activity, person, length / KNOT_HZ, things, rng)
        rows, begin = slice(first, first + length), float(knots[first])
        inside = slice(round(MARGIN_S * KNOT_HZ), round(MARGIN_S * KNOT_HZ) + length)
        values[rows] = shot.trajectory.values(shot.knots_s[inside])
        hands[rows] = shot.hands[inside]
        for event in shot.events:
            start, end = max(event.start_s, 0.0), min(event.end_s, length / KNOT_HZ)
            if end > start:
                events.append(replace(event, start_s=begin + start, end_s=begin + end))
        first += length
    return Performance(duration_s, tuple(events), Trajectory(knots, values), knots, hands)
