"""Recordings of two or three made-up activities by a few people, as tables with labels in a column or as folders per class."""

from pathlib import Path

import numpy as np
import pandas as pd

from primus.seeds import generator
from tests.inference.motion import NAMES

STRENGTH = {"rest": (0.05, 0.4), "walk": (2.0, 2.0), "run": (6.0, 3.0)}
"""Class -> amplitude in m/s^2 and frequency in Hz."""


def activity(name: str, person: int, seconds: float, rate_hz: float = 50.0) -> np.ndarray:
    """(n, 6) m/s^2 and rad/s."""
    random = generator(person, "activity", name)
    amplitude, frequency = STRENGTH[name]
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = random.uniform(0, 2 * np.pi, (6, 1))
    values = amplitude * np.sin(2 * np.pi * frequency * random.uniform(0.9, 1.1) * times + phase).T
    values[:, 3:] *= 0.3
    return values + np.array([0, 0, 9.81, 0, 0, 0]) + 0.02 * random.standard_normal(values.shape)


def table(parts: list[tuple[str, np.ndarray]], unit: str = "m_s2", rate_hz: float = 50.0) -> pd.DataFrame:
    """Samples one after the other, with a column label."""
    values = np.concatenate([samples for _, samples in parts])
    units = [unit] * 3 + ["rad_s"] * 3
    frame = pd.DataFrame({f"{name}_{suffix}": values[:, number] for number, (name, suffix) in enumerate(zip(NAMES, units, strict=True))})
    frame.insert(0, "timestamp_us", np.rint(np.arange(len(frame)) * 1e6 / rate_hz).astype(np.int64))
    return frame.assign(label=np.repeat([name for name, _ in parts], [len(samples) for _, samples in parts]))


def labelled_tables(folder: Path, people: int = 4, classes: tuple[str, ...] = ("rest", "walk"), seconds: float = 20.0, named: bool = True) -> Path:
    """One table per person that holds every class."""
    folder.mkdir(parents=True, exist_ok=True)
    for person in range(people):
        frame = table([(name, activity(name, person, seconds)) for name in classes])
        (frame.assign(participant=f"p{person}") if named else frame).to_csv(folder / f"day_{person}.csv", index=False)
    return folder


def class_folders(folder: Path, people: int = 3, classes: tuple[str, ...] = ("rest", "walk"), seconds: float = 11.0) -> Path:
    """<class>/p<person>_1.csv without a column of labels."""
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for person in range(people):
            table([(name, activity(name, person, seconds))]).drop(columns="label").to_csv(folder / name / f"p{person}_1.csv", index=False)
    return folder
