"""Zero-shot scores of every method of a run: prompts and encoders that can be used, and what each method scored on a data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primus.embeddings.clip import EncoderIdentity
from primus.embeddings.jobs import EncoderChoice
from primus.evaluation.encoders import Comparable, SavedEncoder
from primus.evaluation.feature_files import features_path
from primus.evaluation.metrics import METRICS
from primus.evaluation.prompts import ClassPrompts, has_prompts, load_prompts
from primus.evaluation.scalars import with_bounds
from primus.evaluation.settings import FewShotParams, ZeroShotParams
from primus.evaluation.statistics import Resampling, estimates
from primus.evaluation.tasks import Task
from primus.evaluation.zeroshot import ZeroShot, require_encoder, score_zeroshot, stored, wording_scores
from primus.keyed_arrays import KeyedArrays

REPRESENTATION = "multimodal"
COLUMNS = ["dataset", "method", "representation", "shots", "complete"]
BOUNDS = [f"{name}{ending}" for name in METRICS for ending in ("", "_lo", "_hi")]
SPREAD = [f"{name}_wording_{kind}" for name in METRICS for kind in ("sd", "min", "max")]
WORDING_COLUMNS = ["dataset", "method", "wording", "template", "phrase", *METRICS]
PREDICTION_COLUMNS = ["dataset", "method", "seed", "participant", "label", "predicted", "count"]


@dataclass(frozen=True)
class ZeroShotFound:
    """What one method scored on one data set.

    Attributes:
        tasks: of all folds, or parts.
        prompts: of the data set's classes.
        seeds: per pretraining seed the folds' counts together.
    """

    tasks: list[Task]
    prompts: ClassPrompts
    seeds: dict[int, ZeroShot]

    def row(self, dataset: str, method: str, fewshot: FewShotParams) -> dict[str, Any]:
        """The row of the score table."""
        counts = np.stack([found.counts for found in self.seeds.values()])[:, None]  # (S, 1, U, C, C)
        resampling = Resampling.draw(fewshot.bootstrap, len(counts), 1, counts.shape[2], fewshot.seed, dataset)
        row: dict[str, Any] = dict(zip(COLUMNS, (dataset, method, REPRESENTATION, 0, 1), strict=True))
        for name, value in estimates(counts, METRICS, resampling).items():
            row |= with_bounds(name, value)
        for name, values in self.by_wording().items():
            row |= {f"{name}_wording_sd": values.std(), f"{name}_wording_min": values.min(), f"{name}_wording_max": values.max()}
        return row

    def by_wording(self) -> dict[str, np.ndarray]:
        """Metric -> (W,)."""
        return wording_scores(np.stack([found.by_wording for found in self.seeds.values()]))

    def wordings(self, dataset: str, method: str) -> pd.DataFrame:
        """One row per wording."""
        pairs = self.prompts.wordings
        said = {
            "dataset": dataset,
            "method": method,
            "wording": range(len(pairs)),
            "template": [t for t, _ in pairs],
            "phrase": [p for _, p in pairs],
        }
        return pd.DataFrame(said | self.by_wording())

    def predictions(self, dataset: str, method: str) -> pd.DataFrame:
        """How often each participant's segments of a class were taken for another; zero counts are left out."""
        task, parts = self.tasks[0], []
        classes, people = np.array(task.classes, dtype=object), np.array(task.participants, dtype=object)
        for seed, found in self.seeds.items():
            person, label, predicted = np.nonzero(found.counts)
            count = found.counts[person, label, predicted]
            values = (dataset, method, seed, people[person], classes[label], classes[predicted], count)
            parts.append(pd.DataFrame(dict(zip(PREDICTION_COLUMNS, values, strict=True))))
        return pd.concat(parts, ignore_index=True)


def score_methods(
    root: Path, tasks: list[Task], prompts: ClassPrompts, vectors: np.ndarray, encoders: Mapping[str, list[SavedEncoder]]
) -> dict[str, ZeroShotFound]:
    """Score every method on the folds (or parts) of one data set."""
    found: dict[str, ZeroShotFound] = {}
    for method, saved in encoders.items():
        seeds: dict[int, ZeroShot] = {}
        for task in tasks:
            for encoder in (one for one in saved if one.fold == task.fold):
                with KeyedArrays(features_path(root / "features" / method, encoder.folder.name)) as file:
                    projections = file.rows(REPRESENTATION, task.test["segment_id"].tolist())
                scored = score_zeroshot(task, projections, vectors)
                seeds[encoder.seed] = seeds[encoder.seed] + scored if encoder.seed in seeds else scored
        found[method] = ZeroShotFound(tasks, prompts, dict(sorted(seeds.items())))
    return found


def usable_prompts(datasets: list[str], params: ZeroShotParams) -> tuple[dict[str, ClassPrompts], dict[str, str]]:
    """Prompts by data set, and why a data set has none."""
    named = {dataset: params.prompts.get(dataset, dataset) for dataset in datasets}
    without = {
        dataset: f"no prompts; write primus/evaluation/class_prompts/{name}.json with the phrases of its classes"
        for dataset, name in named.items()
        if dataset not in params.prompts and not has_prompts(name)
    }
    return {dataset: load_prompts(name) for dataset, name in named.items() if dataset not in without}, without


def reason_for_nothing(root: Path, encoders: Comparable, prompts: Mapping[str, ClassPrompts]) -> str:
    """Why nothing can be scored, or ""."""
    if not any(stored(root / "embeddings" / f"{name}.h5") for name in ("text", "video")):
        return "the corpus has neither narrations nor video, so no projection was aligned with texts"
    if not encoders.encoders:
        return "no method has a trained multimodal projection"
    return "" if prompts else "no data set has class prompts"


def prompt_encoder(choice: EncoderChoice, root: Path) -> EncoderIdentity:
    """Load the frozen text encoder and check that the stored embeddings are its own."""
    from primus.embeddings.weights import shared_encoder  # open_clip takes seconds to import, and a corpus without embeddings needs none

    identity = shared_encoder(choice.model, choice.weights, choice.device).identity
    require_encoder(identity, root / "embeddings" / "text.h5", root / "embeddings" / "video.h5")
    return identity
