"""Activities: mixtures of atomic actions with a posture and a tempo, and the places and things they usually go with.

The eight classes of Ego-Exo4D, the ten single-scenario classes of Ego4D and the eight of RealWorld2016 share all actions; they differ in
how often, how fast and in which posture these occur.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Activity:
    """A way of spending time, in one posture.

    Attributes:
        mixture: action -> weight.
        pitch, roll: mean head posture, radians; a positive pitch looks down.
        height: of the head, metres from standing.
        energy: factor on the size of every movement.
        tempo: factor on how fast actions follow each other and how fast rhythms beat.
        repeat: chance that an action is followed by itself.
        sway: factor on the postural sway beneath all actions.
        places, things: what is usually there.
    """

    mixture: Mapping[str, float]
    pitch: float = 0.25
    height: float = 0.0
    roll: float = 0.0
    tempo: float = 1.0
    repeat: float = 0.25
    energy: float = 1.0
    sway: float = 1.0
    places: tuple[str, ...] = ("kitchen",)
    things: tuple[str, ...] = ("table", "bag")


@dataclass(frozen=True)
class Task:
    """How an Ego-Exo4D class is spelled in takes.json and in take names."""

    task_id: int
    task_name: str
    parent_name: str
    slug: str


_HANDLING: Final = {"reach": 1.5, "look_down": 0.8, "look_up": 0.5, "glance": 0.5, "hold": 0.8, "tilt": 0.35, "turn": 0.3, "step": 0.3}
_MOVING: Final = {"step": 0.8, "turn": 0.7, "look_up": 0.6, "glance": 0.6, "look_down": 0.4, "hold": 0.3, "reach": 0.4, "sway": 0.2}


def _mix(base: Mapping[str, float], **more: float) -> dict[str, float]:
    return {**base, **more}


EGOEXO4D: Final[dict[str, Activity]] = {
    "medical test": Activity(
        _mix(_HANDLING, shake=1.0, stir=0.8, twist=0.8, hold=4.8, press=0.2),
        pitch=0.5,
        height=-0.35,
        energy=0.6,
        tempo=0.85,
        repeat=0.3,
        sway=0.8,
        places=("clinic", "office"),
        things=("test kit", "swab", "tube", "bottle", "instructions", "table"),
    ),
    "repair bike": Activity(
        _mix(_HANDLING, twist=8.0, crouch=0.9, rise=0.7, press=0.5, shake=0.5, stir=0.4, tilt=1.4),
        pitch=0.55,
        height=-0.2,
        roll=0.12,
        energy=0.9,
        tempo=0.95,
        repeat=0.45,
        places=("workshop", "garage"),
        things=("wheel", "wrench", "tyre", "lever", "pump", "bottle", "table"),
    ),
    "climb rock": Activity(
        _mix(_MOVING, climb=9.6, descend=1.4, reach=1.6, sway=0.6, hold=1.2, jump=0.15, crouch=0.2, step=0.8),
        pitch=-0.3,
        energy=1.2,
        tempo=0.85,
        repeat=0.45,
        places=("gym", "court"),
        things=("hold", "wall", "rope", "mat", "foothold"),
    ),
    "soccer/basketball": Activity(
        _mix(_MOVING, run=7.2, jump=1.2, nod=0.2, press=0.4, sway=0.3, crouch=0.3, rise=0.3, step=1.2),
        pitch=0.1,
        energy=1.4,
        tempo=1.15,
        repeat=0.45,
        sway=1.3,
        places=("court", "gym"),
        things=("ball", "hoop", "goal", "cone", "bottle"),
    ),
    "perform CPR": Activity(
        _mix(_HANDLING, press=9.6, crouch=0.8, rise=0.5, nod=0.3, sway=0.2, hold=1.0),
        pitch=0.7,
        height=-0.4,
        energy=1.3,
        tempo=1.05,
        repeat=0.65,
        places=("clinic", "gym"),
        things=("manikin", "mask", "chest", "mat", "instructions"),
    ),
    "cook": Activity(
        _mix(_HANDLING, stir=6.4, press=0.8, step=1.5, turn=1.3, shake=0.6, twist=0.4),
        pitch=0.35,
        energy=1.0,
        tempo=1.0,
        repeat=0.35,
        places=("kitchen", "office"),
        things=("pan", "knife", "bowl", "egg", "bottle", "table", "spoon"),
    ),
    "dance": Activity(
        _mix(_MOVING, sway=7.2, turn=3.8, nod=1.3, jump=0.5, step=2.0, run=0.2, tilt=0.5),
        pitch=0.0,
        energy=1.5,
        tempo=1.15,
        repeat=0.45,
        sway=1.3,
        places=("studio", "court"),
        things=("mirror", "partner", "floor", "mat"),
    ),
    "play music": Activity(
        _mix(_HANDLING, shake=3.8, nod=6.4, sway=1.4, hold=1.8, reach=1.0, stir=0.4, step=0.1, turn=0.2),
        pitch=0.3,
        height=-0.35,
        roll=-0.15,
        energy=0.8,
        tempo=1.0,
        repeat=0.55,
        sway=0.9,
        places=("studio", "office"),
        things=("guitar", "piano", "violin", "bow", "music stand", "strings"),
    ),
}

TASKS: Final[dict[str, tuple[Task, ...]]] = {
    "medical test": (Task(2001, "Covid-19 Rapid Antigen Test", "Health", "covidtest"),),
    "repair bike": (Task(4001, "Remove a Wheel", "Bike Repair", "bike"), Task(4002, "Install a Wheel", "Bike Repair", "bike")),
    "climb rock": (Task(7001, "Rock Climbing", "Rock Climbing", "rockclimbing"), Task(7002, "Bouldering", "Rock Climbing", "bouldering")),
    "soccer/basketball": (
        Task(6001, "Basketball Drills - Mikan Layup", "Basketball", "basketball"),
        Task(8001, "Soccer Drills - Dribbling", "Soccer", "soccer"),
    ),
    "perform CPR": (Task(2002, "First Aid - CPR", "Health", "cpr"),),
    "cook": (Task(1001, "Cooking an Omelet", "Cooking", "cooking"), Task(1002, "Making Greek Salad", "Cooking", "salad")),
    "dance": (Task(9001, "Performing the basic choreography", "Dance", "dance"),),
    "play music": (
        Task(5001, "Playing Guitar - Freeplaying", "Music", "guitar"),
        Task(5002, "Playing Piano - Scales and Arpeggios", "Music", "piano"),
        Task(5003, "Playing Violin - Suzuki Books", "Music", "violin"),
    ),
}
"""Class of the paper -> tasks of the release that belong to it."""

EGO4D: Final[dict[str, Activity]] = {
    "Carpenter": Activity(
        _mix(_HANDLING, press=2.2, twist=1.0, stir=0.9, step=0.9, crouch=0.4, rise=0.4),
        energy=1.2,
        pitch=0.4,
        things=("plank", "saw", "drill", "nail"),
    ),
    "Cleaning / laundry": Activity(
        _mix(_HANDLING, stir=3.7, step=2.5, turn=1.2, crouch=0.6, rise=0.6, shake=0.4),
        energy=1.2,
        pitch=0.45,
        things=("cloth", "bucket", "floor", "shirt"),
    ),
    "Cooking": Activity(
        _mix(_HANDLING, stir=3.4, press=0.8, step=1.1, turn=1.0, shake=0.5), energy=1.0, pitch=0.4, things=("pan", "knife", "bowl", "dough")
    ),
    "Crafting/knitting/sewing/drawing/painting": Activity(
        _mix(_HANDLING, hold=5.1, shake=2.4, tilt=2.2, stir=0.6, step=0.1),
        pitch=0.55,
        height=-0.4,
        energy=0.5,
        tempo=0.85,
        sway=0.6,
        things=("needle", "brush", "paper", "yarn"),
    ),
    "Eating": Activity(
        _mix(_HANDLING, nod=3.4, hold=2.7, reach=5.4, look_up=2.7, step=0.1),
        pitch=0.3,
        height=-0.4,
        energy=0.6,
        tempo=0.9,
        sway=0.7,
        things=("plate", "fork", "cup", "bread"),
    ),
    "Farmer": Activity(
        _mix(_MOVING, crouch=2.5, rise=2.2, press=1.0, twist=0.7, step=4.1, reach=2.7),
        energy=1.3,
        pitch=0.5,
        things=("plant", "soil", "basket", "hoe"),
    ),
    "Household management - caring for kids": Activity(
        _mix(_MOVING, turn=3.4, crouch=0.9, rise=0.9, reach=3.1, sway=0.8, hold=1.0), energy=1.0, pitch=0.3, things=("toy", "child", "cup", "bag")
    ),
    "Practicing a musical instrument": Activity(
        _mix(_HANDLING, shake=3.2, nod=3.4, sway=2.7, hold=3.1, reach=0.9, step=0.1),
        energy=0.7,
        pitch=0.35,
        height=-0.35,
        repeat=0.45,
        things=("guitar", "piano", "violin", "notes"),
    ),
    "Walking on street": Activity(
        _mix(_MOVING, step=10.2, glance=3.1, turn=1.0, reach=0.2), energy=1.2, pitch=0.05, repeat=0.6, things=("road", "car", "shop", "phone")
    ),
    "jobs related to construction/renovation company\n(Director of work, tiler, plumber, Electrician, Handyman, etc)": Activity(
        _mix(_HANDLING, twist=3.1, press=1.2, climb=0.8, descend=0.7, step=1.2, crouch=0.7, rise=0.6),
        pitch=0.2,
        things=("pipe", "ladder", "wire", "tile"),
    ),
}

REALWORLD: Final[dict[str, Activity]] = {
    "climbingdown": Activity({"descend": 4.0, "step": 3.0, "look_down": 1.0, "turn": 0.7}, pitch=0.35, tempo=1.1, repeat=0.4),
    "climbingup": Activity({"climb": 4.0, "step": 3.0, "look_up": 1.0, "turn": 0.7}, pitch=0.15, repeat=0.4),
    "jumping": Activity({"jump": 8.0, "hold": 0.8, "nod": 0.8, "look_up": 0.4}, pitch=0.1, tempo=1.3, repeat=0.7),
    "lying": Activity({"hold": 6.0, "tilt": 0.8, "glance": 0.8, "reach": 0.4}, pitch=-1.15, height=-1.0, tempo=0.7, sway=0.4),
    "running": Activity({"run": 8.0, "turn": 0.4, "glance": 0.5}, pitch=0.1, repeat=0.7),
    "sitting": Activity(
        {"hold": 4.0, "look_down": 1.0, "look_up": 1.0, "glance": 1.2, "reach": 1.2, "tilt": 0.8}, pitch=0.4, height=-0.4, tempo=0.8, sway=0.6
    ),
    "standing": Activity({"hold": 3.5, "sway": 1.2, "glance": 1.6, "look_up": 1.0, "turn": 0.6, "reach": 0.6}, pitch=0.15, tempo=0.85),
    "walking": Activity({"step": 8.0, "turn": 0.5, "glance": 0.7}, pitch=0.1, repeat=0.6),
}


@dataclass(frozen=True)
class Person:
    """What stays the same for one participant: tempo and amplitude factors, posture and how the device sits on the head (rad)."""

    tempo: float = 1.0
    amplitude: float = 1.0
    pitch: float = 0.0
    height: float = 0.0
    mounting: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))
