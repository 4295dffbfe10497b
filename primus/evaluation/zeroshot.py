"""Classes without labels: the nearest class prompt, by cosine between an IMU projection and frozen text embeddings (as CLIP does for images)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from primus.embeddings.clip import EncoderIdentity
from primus.embeddings.jobs import EncoderChoice, TextJob, embed_texts
from primus.embeddings.store import read_embeddings
from primus.embeddings.text import CLEANING, chunks
from primus.errors import UserError
from primus.evaluation.metrics import METRICS, confusion_counts
from primus.evaluation.tasks import Task
from primus.evaluation.vectors import unit

BLOCK = 4096
"""Segments compared with all prompts at once."""


@dataclass(frozen=True)
class ZeroShot:
    """Predictions of one encoder on one task.

    Attributes:
        counts: (U, C, C) int64 per participant, truth then prediction, under the mean over wordings.
        by_wording: (W, U, C, C) the same under each wording by itself.
    """

    counts: np.ndarray
    by_wording: np.ndarray

    def __add__(self, other: "ZeroShot") -> "ZeroShot":
        """Both folds' predictions together."""
        return ZeroShot(self.counts + other.counts, self.by_wording + other.by_wording)


def require_encoder(identity: EncoderIdentity, text: Path, video: Path) -> None:
    """Refuse to compare prompts of this encoder with projections that were trained on another one's embeddings.

    Raises:
        UserError: a store of embeddings that is not empty has another provenance (both values are named).
    """
    same = {"model": identity.model, "weights_sha256": identity.weights_sha256, "dim": identity.dim}
    for path, preprocessing in ((text, f"{CLEANING}; {identity.context_length} tokens"), (video, identity.preprocessing)):
        if stored(path):
            read_embeddings(path, same | {"preprocessing": preprocessing}).close()


def stored(path: Path) -> int:
    """Number of embeddings in a file."""
    with read_embeddings(path) as found:
        return len(found)


def encode_prompts(wordings: Sequence[Sequence[str]], choice: EncoderChoice, identity: EncoderIdentity) -> np.ndarray:
    """Unit vectors (W, C, D) float64 of prompts by wording and class, each distinct text encoded once and kept in the work cache.

    Raises:
        UserError: a prompt is longer than the encoder's context, and would be cut.
    """
    vectors: dict[str, np.ndarray] = {}
    for chunk in chunks(text for texts in wordings for text in texts):
        found = embed_texts(TextJob(tuple(chunk), choice, identity))
        if found.truncated.any():
            raise UserError(
                f"prompt {chunk[int(found.truncated.argmax())]!r} is longer than the {identity.context_length} tokens of {identity.model}"
            )
        vectors.update(zip(chunk, found.embedding, strict=True))
    return unit(np.stack([np.stack([vectors[text] for text in texts]) for texts in wordings]))


def score_zeroshot(task: Task, projections: np.ndarray, prompts: np.ndarray) -> ZeroShot:
    """Score the whole test set.

    Args:
        task: test set and classes.
        projections: (T, D) multimodal projections of `task.test`, any length.
        prompts: (W, C, D) unit vectors; the classes in the order of `task.classes`.

    Raises:
        UserError: projections and prompts differ in width.
    """
    wordings, classes, width = prompts.shape
    if projections.shape[1] != width:
        raise UserError(
            f"{task.dataset}: projections have {projections.shape[1]} dimensions, prompts {width}; they are of different spaces: rerun pretraining"
        )
    mean = unit(prompts.mean(axis=0))
    every = np.concatenate([mean[None], prompts]).reshape(-1, width)  # the mean of the wordings comes first
    predicted = np.empty((wordings + 1, len(projections)), dtype=np.int64)
    for start in range(0, len(projections), BLOCK):
        rows = unit(projections[start : start + BLOCK])
        predicted[:, start : start + BLOCK] = (rows @ every.T).reshape(len(rows), wordings + 1, classes).argmax(axis=2).T
    counts = confusion_counts(task.truth(), predicted, task.testees(), classes, len(task.participants))
    return ZeroShot(counts[0], counts[1:])


def wording_scores(by_wording: np.ndarray) -> dict[str, np.ndarray]:
    """Metric -> (W,) score of each wording by itself, averaged over seeds.

    `by_wording` is (S, W, U, C, C): the counts of all folds together, per pretraining seed.
    """
    everyone = by_wording.sum(axis=2)
    return {name: metric(everyone).mean(axis=0) for name, metric in METRICS.items()}
