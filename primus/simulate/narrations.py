"""Annotators: people who watch a take and write down its atomic actions, with the habits of those of Ego-Exo4D.

Passes per take, share of rejected passes, null fields, subjects and gaps follow what the published validation file shows: 1-4 passes of
which 14 % are rejected with no descriptions, a median gap of 1.1 s, and many texts that repeat.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from primus.simulate.performance import Event
from primus.simulate.primitives import PRIMITIVES

PASSES: Final = ((1, 0.75), (2, 0.2), (3, 0.05))
REJECTED: Final = 0.2
"""Chance that a pass is rejected; a take left without an accepted pass gets one more, which makes 14 % of all."""

AGAIN_S: Final = 1.7
"""An action that goes on is narrated again after about this long."""

MISSED: Final = 0.08
TIMING_SD_S: Final = 0.25
OTHERS: Final = ("O walks past C.", "O talks to C.", "The {thing} falls to the floor.", "O points at the {thing}.", "O watches C.")
MANNERS: Final = ("slowly", "quickly", "again", "carefully", "a few times")
HANDS: Final = ("with her right hand", "with his left hand", "with both hands")
PLACES: Final = ("on the table", "in front of him", "on the floor", "to her left", "next to the {other}", "beside the {other}", "near the wall")


def annotate(
    events: Sequence[Event], duration_s: float, cameras: Sequence[str], rng: np.random.Generator, habits: np.random.Generator
) -> list[dict[str, Any]]:
    """Annotation passes of one take, as `annotations[take_uid]` of atomic_descriptions_*.json holds them; `habits` draws their usual words."""
    counts, weights = zip(*PASSES, strict=True)
    rejected = [bool(rng.random() < REJECTED) for _ in range(int(rng.choice(counts, p=weights)))]
    if all(rejected):
        rejected.append(False)
    return [_pass(events, duration_s, cameras, refuse, rng, habits.permutation(8)) for refuse in rejected]


def identifier(rng: np.random.Generator) -> str:
    """A random UUID drawn from `rng`."""
    return str(uuid.UUID(bytes=rng.bytes(16), version=4))


def _pass(
    events: Sequence[Event], duration_s: float, cameras: Sequence[str], refuse: bool, rng: np.random.Generator, style: np.ndarray
) -> dict[str, Any]:
    """One pass; `style` (8,) orders the words for an action: an annotator has habits, the same word for the same action, mostly."""
    return {
        "annotation_uid": identifier(rng),
        "annotator_id": identifier(rng)[:8],
        "job_id": str(int(rng.integers(10**8, 10**9))),
        "response_id": str(int(rng.integers(10**8, 10**9))),
        "response_time": int(rng.integers(1_690_000_000, 1_710_000_000)),
        "rejected": refuse,
        "reject_reason": str(rng.choice(["other", "other", "other", "uninterpretable"])) if refuse else None,
        "descriptions": [] if refuse else _descriptions(events, duration_s, cameras, style, rng),
    }


def _descriptions(
    events: Sequence[Event], duration_s: float, cameras: Sequence[str], style: np.ndarray, rng: np.random.Generator
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    things = [event.thing for event in events]
    for event in events:
        moments = np.arange(event.start_s + 0.3 * min(1.0, event.end_s - event.start_s), event.end_s, AGAIN_S)
        for moment in moments + rng.normal(0, TIMING_SD_S, len(moments)):
            if not 0 <= moment <= duration_s or rng.random() < MISSED:
                continue
            if rng.random() < 0.04:
                rows.append(_description(moment, str(rng.choice(OTHERS)).format(thing=event.thing), "O", cameras, rng))
            else:
                rows.append(_description(moment, _text(event, style, things, rng), "C", cameras, rng))
    return sorted(rows, key=lambda row: row["timestamp"])


def _text(event: Event, style: np.ndarray, things: Sequence[str], rng: np.random.Generator) -> str:
    """One sentence: the annotator's usual words for the action, often with a manner, a hand or a place added."""
    texts = PRIMITIVES[event.action].texts
    favourite = int(style[_number(event.action)]) if rng.random() < 0.6 else int(rng.integers(8))
    words = [texts[favourite % len(texts)].format(thing=event.thing).removesuffix(".")]
    if rng.random() < 0.2:
        words.append(str(rng.choice(MANNERS)))
    if "hand" not in words[0] and rng.random() < 0.3:
        words.append(str(rng.choice(HANDS)))
    if rng.random() < 0.5:
        words.append(str(rng.choice(PLACES)).format(other=rng.choice(things)))
    return " ".join(words) + "."


def _number(name: str) -> int:
    """A fixed small number for a name (Python's own hash differs between runs)."""
    return sum(name.encode()) % 8


def _description(moment: float, text: str, subject: str, cameras: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    roll = rng.random(5)
    number = int(rng.integers(len(cameras)))
    best: dict[str, str | None] | None = {"raw_cam_id": str(number + 1), "cam_id": cameras[number]}
    if roll[0] < 0.01:
        best = None
    elif roll[0] < 0.02:
        best = {"raw_cam_id": "-1", "cam_id": None}
    return {
        "text": text,
        "timestamp": round(moment, 5) if roll[1] > 0.01 else int(moment),
        "subject": None if roll[2] < 0.002 else subject,
        "ego_visible": None if roll[3] < 0.01 else bool(roll[3] < 0.74),
        "unsure": None if roll[4] < 0.005 else bool(roll[4] < 0.008),
        "best_exo": best,
    }
