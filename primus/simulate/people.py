"""Participants: the habits that make two people's recordings of one activity differ."""

import numpy as np

from primus.seeds import generator
from primus.simulate.activities import Person
from primus.simulate.trajectory import rotation_matrices

TEMPO_SD, AMPLITUDE_SD, PITCH_SD, HEIGHT_SD_M, MOUNTING_SD = 0.12, 0.2, 0.08, 0.05, 0.08


def draw_person(seed: int, population: str, number: int) -> Person:
    """Participant `number` of a population: tempo, amplitude, posture, and how the device sits on this head."""
    rng = generator(seed, "simulate", "person", population, number)
    return Person(
        tempo=float(np.exp(rng.normal(0, TEMPO_SD))),
        amplitude=float(np.exp(rng.normal(0, AMPLITUDE_SD))),
        pitch=float(rng.normal(0, PITCH_SD)),
        height=float(rng.normal(0, HEIGHT_SD_M)),
        mounting=(float(rng.normal(0, MOUNTING_SD)), float(rng.normal(0, MOUNTING_SD)), float(rng.normal(0, MOUNTING_SD))),
    )


def mounting_rotation(person: Person, scale: float = 1.0) -> np.ndarray:
    """Rotation (3, 3) by which this person's device is turned against its nominal place on the head."""
    return rotation_matrices(np.array([person.mounting]) * scale)[0]
