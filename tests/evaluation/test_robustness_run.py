"""Tallies of stage robustness and what they come to, without the stage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.degrade import Degradation
from primus.evaluation.robustness import MATCHED
from primus.evaluation.robustness_results import COLUMNS, SCORES, robustness_metrics, score_rows
from primus.evaluation.robustness_run import RobustnessParams, Tally
from primus.evaluation.settings import FewShotParams
from primus.evaluation.tasks import build_tasks
from primus.params import load
from tests.evaluation.fewshot_project import build


@pytest.fixture
def fewshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FewShotParams:
    build(tmp_path)
    monkeypatch.chdir(tmp_path)
    return load(FewShotParams, "fewshot")


def settings(*conditions: Degradation, **changed: int) -> RobustnessParams:
    return RobustnessParams(**{"conditions": conditions, "shots": 2, "windows": 24, "encoders": 1, "seed": 0} | changed)  # type: ignore[arg-type]


def test_a_tally_adds_folds_and_counts_segments_once() -> None:
    tally, counted = Tally("feature"), np.ones((3, 4, 2, 2), dtype=np.int64)  # three episodes, four people, two classes
    for _fold in range(2):
        for place in range(2):
            tally.add(MATCHED, place, 2, counted)
    assert tally.counts[MATCHED].shape == (2, 3, 4, 2, 2)
    assert (tally.counts[MATCHED] == 2).all()
    assert tally.segments[MATCHED] == 2 * 16, "of the first encoder and one episode, both folds"


def test_retention_is_shifted_over_matched_accuracy(corpus: Callable[..., tuple[pd.DataFrame, pd.DataFrame]], fewshot: FewShotParams) -> None:
    tasks, tally = build_tasks(*corpus()), Tally("multimodal")
    right = np.array([[8, 0], [0, 8]])
    half = np.array([[4, 4], [4, 4]])
    for label, of_person in ((MATCHED, right), ("gyro_lost", half)):
        tally.add(label, 0, 1, np.broadcast_to(of_person, (2, 3, 2, 2)))
    params = settings(Degradation("gyro_lost"))
    scores = score_rows({("walks", "primus"): tally}, params, fewshot)
    assert list(scores) == [*COLUMNS, *SCORES]
    lost = scores.set_index("condition").loc["gyro_lost"]
    assert (lost["accuracy"], lost["retention"], lost["kind"], lost["test_segments"]) == (0.5, 0.5, "gyro_lost", 48)
    numbers = robustness_metrics(tasks, {("walks", "primus"): tally}, scores, params.shots)["walks"]
    assert numbers["primus"]["gyro_lost"]["retention"] == 0.5
    assert "retention" not in numbers["primus"][MATCHED]
    assert (numbers["episodes"], numbers["complete"], numbers["folds"]) == (2, 1, len(tasks))


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"robustness\.shots must be >= 1, found 0"):
        settings(shots=0)
    with pytest.raises(ValueError, match=r"robustness\.conditions names gyro_lost twice"):
        settings(Degradation("gyro_lost"), Degradation("gyro_lost"))
