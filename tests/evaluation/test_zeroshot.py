"""Zero-shot scores against a slow twin, and refusals of embeddings of another encoder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.embeddings.clip import EncoderIdentity
from primus.embeddings.store import Provenance, write_embeddings
from primus.embeddings.text import CLEANING
from primus.errors import UserError
from primus.evaluation.metrics import METRICS
from primus.evaluation.tasks import Task, build_tasks
from primus.evaluation.zeroshot import require_encoder, score_zeroshot, stored, wording_scores

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]
IDENTITY = EncoderIdentity("clip", "f" * 64, "rgb", 77, 8, "cpu")


@pytest.fixture
def task(corpus: Corpus) -> Task:
    (made,) = build_tasks(*corpus())
    return made


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def slow_counts(task: Task, projections: np.ndarray, prompts: list[np.ndarray]) -> np.ndarray:
    """(U, C, C) from loops over segments and classes."""
    counts = np.zeros((len(task.participants), len(task.classes), len(task.classes)), dtype=int)
    for row, (label, person) in enumerate(zip(task.test["label"], task.test["group"], strict=True)):
        cosines = [float(projections[row] @ p) / float(np.linalg.norm(projections[row]) * np.linalg.norm(p)) for p in prompts]
        counts[task.participants.index(person), task.classes.index(label), int(np.argmax(cosines))] += 1
    return counts


def test_counts_equal_a_slow_twin(task: Task) -> None:
    rng = np.random.default_rng(0)
    prompts = unit(rng.standard_normal((4, 3, 8)))
    projections = rng.standard_normal((len(task.test), 8)) * rng.uniform(0.1, 50, (len(task.test), 1))
    found = score_zeroshot(task, projections, prompts)
    np.testing.assert_array_equal(found.counts, slow_counts(task, projections, list(prompts.mean(axis=0))))
    for number in range(4):
        np.testing.assert_array_equal(found.by_wording[number], slow_counts(task, projections, list(prompts[number])))
    doubled = found + found
    np.testing.assert_array_equal(doubled.counts, 2 * found.counts)


def test_projections_that_are_the_prompts_score_one_and_random_ones_chance(task: Task) -> None:
    rng = np.random.default_rng(1)
    prompts = unit(rng.standard_normal((1, 3, 64)) + 0.2 * rng.standard_normal((5, 3, 64)))
    right = score_zeroshot(task, prompts[0][task.truth()] + 0.05 * rng.standard_normal((len(task.test), 64)), prompts)
    assert METRICS["accuracy"](right.counts.sum(axis=0)) == 1
    spread = wording_scores(right.by_wording[None])
    assert spread["macro_f1"].shape == (5,)
    assert (spread["macro_f1"] == 1).all()
    guessed = [METRICS["accuracy"](score_zeroshot(task, rng.standard_normal((len(task.test), 64)), prompts).counts.sum(axis=0)) for _ in range(30)]
    assert abs(np.mean(guessed) - 1 / 3) < 0.03


def test_projections_of_another_width_are_refused(task: Task) -> None:
    with pytest.raises(UserError, match="8 dimensions, prompts 16"):
        score_zeroshot(task, np.ones((len(task.test), 8)), np.ones((2, 3, 16)))


def store(path: Path, rows: int = 2, **changes: object) -> Path:
    modality = path.stem
    preprocessing = f"{CLEANING}; 77 tokens" if modality == "text" else "rgb"
    provenance = replace(Provenance(modality, "clip", "f" * 64, preprocessing, 0.0, "clip4clip", 8, "demo"), **changes)  # type: ignore[arg-type]
    with write_embeddings(path, provenance) as writer:
        writer.append([f"s{row}" for row in range(rows)], {"embedding": np.ones((rows, 8), np.float16)})
    return path


def test_embeddings_of_the_same_encoder_pass(tmp_path: Path) -> None:
    text, video = store(tmp_path / "text.h5"), store(tmp_path / "video.h5", rows=0, weights_sha256="none: nothing to embed")
    require_encoder(IDENTITY, text, video)
    assert (stored(text), stored(video)) == (2, 0)


@pytest.mark.parametrize("name", ["text", "video"])
@pytest.mark.parametrize("change", [{"weights_sha256": "0" * 64}, {"model": "other"}, {"preprocessing": "another rule"}])
def test_embeddings_of_another_encoder_are_refused(tmp_path: Path, name: str, change: dict[str, str]) -> None:
    paths = {key: store(tmp_path / f"{key}.h5", **(change if key == name else {})) for key in ("text", "video")}
    with pytest.raises(UserError, match=f"{name}.h5 holds other embeddings.*{next(iter(change))}"):
        require_encoder(IDENTITY, paths["text"], paths["video"])
