"""Probes tested on degraded windows: settings of stage robustness, and the predictions of every method by condition."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from primus.errors import UserError
from primus.evaluation.degrade import Degradation
from primus.evaluation.encoders import SavedEncoder
from primus.evaluation.episodes import draw_episodes
from primus.evaluation.feature_files import features_path
from primus.evaluation.probes.choose import choose_probe
from primus.evaluation.robustness import Shifted, blocks_of, encode_tests, score_blocks
from primus.evaluation.settings import FewShotParams
from primus.evaluation.tasks import Task
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder


@dataclass(frozen=True)
class RobustnessParams:
    """Section `robustness` of params.yaml.

    Attributes:
        conditions: see `primus.evaluation.degrade.Degradation`.
        shots: labelled shots per class that the probe is fitted on.
        windows: most test segments per data set and fold, over its parts together; null: all.
        encoders: most pretraining seeds per method and fold, the first ones.
        seed: of the draws.
    """

    conditions: tuple[Degradation, ...]
    shots: int
    windows: int | None
    encoders: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("shots", "encoders"):
            if getattr(self, name) < 1:
                raise ValueError(f"robustness.{name} must be >= 1, found {getattr(self, name)}")
        if self.windows is not None and self.windows < 1:
            raise ValueError(f"robustness.windows must be >= 1 or null, found {self.windows}")
        labels = [condition.label for condition in self.conditions]
        if len(set(labels)) < len(labels):
            raise ValueError(f"robustness.conditions names {next(label for label in labels if labels.count(label) > 1)} twice")


@dataclass
class Tally:
    """Counts (S, E, U, C, C) of one method on one data set by condition, folds (or parts) added up, and the tested segments."""

    representation: str
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    complete: bool = True

    def add(self, label: str, place: int, seeds: int, counted: np.ndarray) -> None:
        """Add the predictions of one fold or part under the encoder of number `place`."""
        if label not in self.counts:
            self.counts[label], self.segments[label] = np.zeros((seeds, *counted.shape), dtype=np.int64), 0
        self.counts[label][place] += counted
        self.segments[label] += int(counted[0].sum()) if place == 0 else 0


@dataclass(frozen=True)
class Prober:
    """Fits the few-shot probe and counts its predictions on every condition; see `run`.

    Attributes:
        root: data/<profile>.
        params, fewshot: settings of both stages.
        threads: batches encoded at the same time.
        tallies: by data set and method; `run` adds to them.
    """

    root: Path
    params: RobustnessParams
    fewshot: FewShotParams
    threads: int
    tallies: dict[tuple[str, str], Tally]

    def run(self, task: Task, tests: Sequence[Shifted], partial: Collection[str], encoders: Mapping[str, list[SavedEncoder]]) -> None:
        """Add every method's predictions on one task to the tallies; `partial`: see `blocks_of`."""
        fewshot, shots = self.fewshot, self.params.shots
        episodes = draw_episodes(task.pool, unit=fewshot.shots_unit, episodes=fewshot.episodes, most=shots, seed=fewshot.seed, names=task.names)
        probe = choose_probe(fewshot.probe, c=fewshot.c, neighbours=fewshot.neighbours, trees=fewshot.trees, sgd=fewshot.sgd, seed=fewshot.seed)
        for method, saved in encoders.items():
            mine = sorted((one for one in saved if one.fold == task.fold), key=lambda one: one.seed)[: self.params.encoders]
            for place, one in enumerate(mine):
                features = encode_tests(ImuEncoder.from_pretrained(one.folder), tests, one.representation, self.threads)
                with KeyedArrays(features_path(self.root / "features" / method, one.folder.name)) as file:
                    pool, clean = (file.rows(one.representation, table["segment_id"].tolist()) for table in (task.pool, task.test))
                blocks = blocks_of(clean, tests, features, partial)
                try:
                    counted, complete = score_blocks(task, pool, blocks, episodes=episodes, shots=shots, probe=probe, standardise=fewshot.standardise)
                except ArithmeticError as error:
                    raise UserError(f"{method} on {task.dataset}: {error}; lower fewshot.c") from None
                tally = self.tallies.setdefault((task.dataset, method), Tally(one.representation))
                tally.complete &= complete
                for block, counts in zip(blocks, counted, strict=True):
                    tally.add(block.condition, place, len(mine), counts)
