"""Atomic actions: the motion a head makes during each, and the words that name it.

Every activity of the demo corpus is a different mixture of these, so that no single action gives an activity away. Channels are the six
degrees of freedom of the head: `forward`, `left`, `up` in metres (forward and left in the heading frame) and `yaw`, `pitch`, `roll` in
radians (z-y-x Euler angles of a body frame with x forward, y left, z up; a positive pitch looks down).
"""

from dataclasses import dataclass
from typing import Final

CHANNELS: Final = ("forward", "left", "up", "yaw", "pitch", "roll")

Range = tuple[float, float]


@dataclass(frozen=True)
class Beat:
    """A rhythmic part of an action: `amplitude * sin(multiple * phase + offset)`, skewed towards a sawtooth by `skew` (0 = sine)."""

    channel: str
    amplitude: Range
    multiple: float = 1.0
    offset: float = 0.0
    skew: float = 0.0


@dataclass(frozen=True)
class Bump:
    """A part that goes out and comes back within the action; the sign is drawn where `either_side`."""

    channel: str
    amplitude: Range
    either_side: bool = False


@dataclass(frozen=True)
class Shift:
    """A part that stays after the action: a new target (`absolute`) or a step from the present one."""

    channel: str
    value: Range
    absolute: bool = False
    either_side: bool = False


@dataclass(frozen=True)
class Primitive:
    """One atomic action. `texts` name it in a narrator's words, with `{thing}` for what is handled; `hands` is how far the wearer's
    hands are raised into view (0-1) and how far they swing, in image widths."""

    name: str
    texts: tuple[str, ...]
    duration_s: Range
    rate_hz: Range = (1.0, 1.0)
    beats: tuple[Beat, ...] = ()
    bumps: tuple[Bump, ...] = ()
    shifts: tuple[Shift, ...] = ()
    hands: tuple[float, float] = (0.0, 0.0)


_ALL: Final = (
    Primitive(
        "look_down",
        ("C looks down at the {thing}.", "C lowers her gaze to the {thing}.", "C looks at the {thing} in front of her."),
        (0.7, 1.6),
        shifts=(Shift("pitch", (0.35, 0.8), absolute=True),),
        hands=(0.3, 0.01),
    ),
    Primitive(
        "look_up",
        ("C looks up.", "C raises his head.", "C looks ahead of him."),
        (0.6, 1.4),
        shifts=(Shift("pitch", (-0.25, 0.15), absolute=True),),
    ),
    Primitive(
        "turn",
        ("C turns around.", "C turns to the {thing}.", "C turns to the side."),
        (0.8, 1.8),
        shifts=(Shift("yaw", (0.5, 1.7), either_side=True),),
        bumps=(Bump("roll", (0.03, 0.1), either_side=True),),
    ),
    Primitive(
        "glance",
        ("C glances to the side.", "C looks at the {thing} beside him.", "C looks around."),
        (0.6, 1.3),
        bumps=(Bump("yaw", (0.3, 0.8), either_side=True), Bump("pitch", (-0.1, 0.15))),
    ),
    Primitive(
        "tilt",
        ("C tilts her head.", "C leans her head over the {thing}."),
        (0.8, 1.8),
        bumps=(Bump("roll", (0.15, 0.4), either_side=True), Bump("left", (0.02, 0.08), either_side=True)),
    ),
    Primitive(
        "reach",
        ("C picks up the {thing}.", "C reaches for the {thing} with her right hand.", "C takes the {thing}.", "C puts down the {thing}."),
        (0.9, 1.9),
        bumps=(Bump("forward", (0.08, 0.25)), Bump("up", (-0.15, -0.03)), Bump("pitch", (0.1, 0.35)), Bump("roll", (0.05, 0.2), True)),
        hands=(0.8, 0.04),
    ),
    Primitive(
        "hold",
        ("C holds the {thing}.", "C inspects the {thing}.", "C waits.", "C reads the instructions."),
        (0.9, 2.4),
        rate_hz=(0.25, 0.5),
        beats=(Beat("pitch", (0.01, 0.03)), Beat("yaw", (0.01, 0.04), 0.7)),
        hands=(0.6, 0.01),
    ),
    Primitive(
        "step",
        ("C walks to the {thing}.", "C steps forward.", "C takes a few steps.", "C walks across the room."),
        (1.5, 4.0),
        rate_hz=(1.6, 2.1),
        beats=(
            Beat("up", (0.0156, 0.0364), 1.0, 0.0, 0.35),
            Beat("left", (0.0156, 0.039), 0.5),
            Beat("pitch", (0.013, 0.039), 1.0, 1.2),
            Beat("yaw", (0.026, 0.065), 0.5, 0.8),
            Beat("roll", (0.013, 0.039), 0.5, 2.0),
        ),
        shifts=(Shift("forward", (0.4, 1.1)),),
    ),
    Primitive(
        "run",
        ("C runs towards the {thing}.", "C runs.", "C sprints across the court.", "C dashes forward."),
        (1.8, 4.5),
        rate_hz=(2.4, 3.0),
        beats=(
            Beat("up", (0.02, 0.04), 1.0, 0.0, 0.5),
            Beat("left", (0.015, 0.045), 0.5),
            Beat("pitch", (0.03, 0.09), 1.0, 0.9),
            Beat("yaw", (0.045, 0.135), 0.5, 0.4),
        ),
        shifts=(Shift("forward", (0.6, 1.4)),),
    ),
    Primitive(
        "jump",
        ("C jumps.", "C jumps up and lands on both feet.", "C hops."),
        (0.8, 1.3),
        bumps=(Bump("up", (0.12, 0.32)), Bump("pitch", (-0.15, 0.1))),
    ),
    Primitive(
        "crouch",
        ("C bends down to the {thing}.", "C squats.", "C kneels beside the {thing}."),
        (1.0, 2.0),
        shifts=(Shift("up", (-0.6, -0.3), absolute=True), Shift("pitch", (0.25, 0.7), absolute=True)),
        hands=(0.3, 0.02),
    ),
    Primitive(
        "rise",
        ("C stands up.", "C straightens up.", "C gets up."),
        (0.9, 1.8),
        shifts=(Shift("up", (-0.05, 0.05), absolute=True), Shift("pitch", (-0.05, 0.3), absolute=True)),
    ),
    Primitive(
        "stir",
        ("C stirs the {thing}.", "C mixes the {thing} with her right hand.", "C rubs the {thing} in circles.", "C wipes the {thing}."),
        (2.0, 5.5),
        rate_hz=(1.1, 2.2),
        beats=(
            Beat("forward", (0.0072, 0.0216)),
            Beat("left", (0.0072, 0.0216), 1.0, 1.57),
            Beat("roll", (0.018, 0.063), 1.0, 0.6),
            Beat("yaw", (0.0144, 0.054), 1.0, 2.2),
        ),
        hands=(0.9, 0.06),
    ),
    Primitive(
        "press",
        ("C presses down on the {thing}.", "C pushes the {thing} with both hands.", "C pumps the {thing}.", "C kneads the {thing}."),
        (2.5, 6.0),
        rate_hz=(1.5, 2.1),
        beats=(
            Beat("up", (0.0168, 0.049), 1.0, 0.0, 0.2),
            Beat("pitch", (0.028, 0.084), 1.0, 0.5),
            Beat("forward", (0.0056, 0.0168), 1.0, 1.0),
        ),
        hands=(1.0, 0.05),
    ),
    Primitive(
        "twist",
        ("C turns the {thing}.", "C tightens the {thing}.", "C unscrews the {thing}.", "C loosens the {thing} with his left hand."),
        (1.8, 4.5),
        rate_hz=(0.7, 1.3),
        beats=(Beat("roll", (0.045, 0.135), 1.0, 0.0, 0.7), Beat("left", (0.0075, 0.03), 1.0, 0.4, 0.7), Beat("yaw", (0.015, 0.06), 1.0, 1.0, 0.5)),
        hands=(0.8, 0.05),
    ),
    Primitive(
        "shake",
        ("C shakes the {thing}.", "C taps the {thing}.", "C strums the {thing}.", "C hits the {thing} quickly."),
        (1.2, 4.0),
        rate_hz=(2.6, 4.0),
        beats=(Beat("yaw", (0.009, 0.03)), Beat("roll", (0.009, 0.03), 1.0, 1.0), Beat("up", (0.0015, 0.006), 1.0, 0.3)),
        hands=(0.8, 0.08),
    ),
    Primitive(
        "nod",
        ("C nods to the rhythm.", "C nods.", "C moves her head with the beat."),
        (2.0, 5.0),
        rate_hz=(1.2, 2.2),
        beats=(Beat("pitch", (0.045, 0.15), 1.0, 0.0, 0.3), Beat("up", (0.0045, 0.015), 1.0, 0.8)),
        hands=(0.5, 0.03),
    ),
    Primitive(
        "sway",
        ("C sways from side to side.", "C shifts his weight.", "C moves to the left and to the right."),
        (2.5, 6.0),
        rate_hz=(0.4, 0.9),
        beats=(Beat("left", (0.045, 0.15)), Beat("roll", (0.045, 0.15), 1.0, 0.5), Beat("yaw", (0.045, 0.18), 1.0, 1.4)),
        hands=(0.2, 0.06),
    ),
    Primitive(
        "climb",
        ("C climbs up.", "C pulls himself up to the {thing}.", "C moves his foot onto the {thing}.", "C goes up."),
        (1.5, 3.2),
        rate_hz=(0.6, 1.1),
        beats=(Beat("left", (0.028, 0.07), 1.0), Beat("roll", (0.042, 0.112), 1.0, 0.7), Beat("up", (0.014, 0.042), 2.0, 0.2, 0.4)),
        shifts=(Shift("up", (0.12, 0.35)), Shift("pitch", (-0.7, -0.1), absolute=True)),
        hands=(0.9, 0.05),
    ),
    Primitive(
        "descend",
        ("C climbs down.", "C lowers himself from the {thing}.", "C goes down."),
        (1.5, 3.2),
        rate_hz=(0.7, 1.2),
        beats=(Beat("left", (0.028, 0.07), 1.0), Beat("roll", (0.028, 0.084), 1.0, 2.2), Beat("up", (0.014, 0.042), 2.0, 1.9, 0.5)),
        shifts=(Shift("up", (-0.35, -0.12)), Shift("pitch", (0.2, 0.8), absolute=True)),
        hands=(0.6, 0.04),
    ),
)

PRIMITIVES: Final[dict[str, Primitive]] = {primitive.name: primitive for primitive in _ALL}
