"""A small labelled corpus with people, takes and features whose structure is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from primus.seeds import generator

CLASSES = ("climb", "cook", "dance")


@pytest.fixture
def corpus() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """`corpus(people=6, takes=2, each=8, folds=1)` -> (segments, splits) of one probe set; half of the people are tested, rotating over folds."""

    def make(people: int = 6, takes: int = 2, each: int = 8, folds: int = 1, dataset: str = "walks") -> tuple[pd.DataFrame, pd.DataFrame]:
        segments, splits = [], []
        for person in range(people):
            for number in range(takes):
                take = f"{dataset}-p{person}-t{number}"
                for index in range(each * len(CLASSES)):
                    segments.append(
                        {
                            "segment_id": f"{take}_{index * 5000}",
                            "dataset": dataset,
                            "take_uid": take,
                            "participant": f"pop/{person}",
                            "purpose": "probe",
                            "start_s": index * 5.0,
                            "end_s": index * 5.0 + 5.0,
                            "label": CLASSES[index % len(CLASSES)],
                        }
                    )
                for fold in range(folds):
                    tested = person % folds == fold if folds > 1 else person < people // 2
                    splits.append(
                        {
                            "fold": fold,
                            "dataset": dataset,
                            "take_uid": take,
                            "participant": f"pop/{person}",
                            "split": "test" if tested else "shots",
                        }
                    )
        return pd.DataFrame(segments), pd.DataFrame(splits)

    return make


@pytest.fixture
def features_of() -> Callable[..., np.ndarray]:
    """`features_of(segments, strength)` -> (N, 16) float32: the class's direction times `strength`, the person's offset, and noise."""

    def make(segments: pd.DataFrame, strength: float = 1.0, seed: int = 0) -> np.ndarray:
        rng = generator(seed, "features")
        directions = rng.normal(size=(len(CLASSES), 16))
        offsets = {person: rng.normal(size=16) * 0.5 for person in sorted(segments["participant"].unique())}
        label = segments["label"].map(CLASSES.index).to_numpy()
        base = np.stack([offsets[person] for person in segments["participant"]])
        return (strength * directions[label] + base + rng.normal(size=(len(segments), 16))).astype(np.float32)

    return make
