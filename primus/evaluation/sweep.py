"""A sweep of fits: what is to be fitted, finished fits kept in the work cache, and several side by side.

A unit of work is one head on one representation of one encoder at one number of shots, over all episodes (over one, where the encoder is trained
too). Finished units are kept under a key of everything they depend on, so a sweep that was killed goes on where it was.
"""

import dataclasses
import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from primus.errors import UserError
from primus.evaluation.episodes import Episode, draw_episodes
from primus.evaluation.fewshot import Scored, finetune_task, known_classes, score_task
from primus.evaluation.probes.choose import choose_probe
from primus.evaluation.probes.probe import Probe
from primus.evaluation.probes.sgd import SgdProbe
from primus.evaluation.probes.standardise import unit_rows
from primus.evaluation.settings import FewShotParams
from primus.evaluation.tasks import Task
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import ImuEncoder
from primus.provenance import file_identity
from primus.stage import progress
from primus.work_cache import WorkCache

_STORING = threading.Lock()
"""Encoders of equal weights (the same method under two names) make equal fits, which two threads would write to one temporary file."""


@dataclass(frozen=True, eq=False)
class Source:
    """One encoder of one method, or what stands for it.

    Attributes:
        method, seed, fold: which.
        file: its features.
        identity: of the file's content.
        representation: the output its method is judged by.
        heads: that it is scored with, the one its method is judged by first.
        model: folder of its weights; None where there are none to train (hand-made statistics).
        text_trained: whether its multimodal projection was trained against text.
    """

    method: str
    seed: int
    fold: int
    file: KeyedArrays
    identity: str
    representation: str
    heads: tuple[str, ...]
    model: Path | None
    text_trained: bool


@dataclass(frozen=True, eq=False)
class Fit:
    """One unit of work."""

    task: Task
    source: Source
    representation: str
    head: str
    shots: int
    episodes: tuple[Episode, ...]


def episodes_of(task: Task, params: FewShotParams) -> list[Episode]:
    """The task's draws of shots; every encoder gets the same."""
    return draw_episodes(task.pool, unit=params.shots_unit, episodes=params.episodes, most=max(params.shots), seed=params.seed, names=task.names)


def plan_fits(tasks: Iterable[Task], sources: Sequence[Source], params: FewShotParams) -> Iterator[Fit]:
    """Every head of every encoder of each task's fold, in its own representation and in `feature`; fine-tuning once per encoder."""
    for task in tasks:
        episodes = episodes_of(task, params)
        for source in sources:
            if source.fold == task.fold:
                for representation in dict.fromkeys((source.representation, "feature")):
                    for head in source.heads:
                        yield from _fits(task, source, representation, head, _shots(source, head, sources, params), episodes)


def _shots(source: Source, head: str, sources: Sequence[Source], params: FewShotParams) -> Sequence[int]:
    """Numbers of shots at which the head is fitted on the encoder: all, unless it is fine-tuned beside the head its method is judged by."""
    if head != "finetune" or source.heads[0] == head:
        return params.shots
    limits = params.also_finetuned
    if limits.methods is not None and source.method not in limits.methods:
        return ()
    earlier = sum((other.method, other.fold) == (source.method, source.fold) and other.seed < source.seed for other in sources)
    if earlier >= limits.encoders:
        return ()
    return params.shots if limits.shots is None else limits.shots


def _fits(task: Task, source: Source, representation: str, head: str, shots: Sequence[int], episodes: list[Episode]) -> Iterator[Fit]:
    if head != "finetune":
        yield from (Fit(task, source, representation, head, size, tuple(episodes)) for size in shots)
    elif representation == source.representation and source.model is not None:
        yield from (Fit(task, source, representation, head, size, (episode,)) for size in shots for episode in episodes)


def plan_checks(tasks: Iterable[Task], sources: Sequence[Source], params: FewShotParams) -> Iterator[Fit]:
    """The curve each method is judged by, at `site_shots` (or the next smaller number); methods that are fine-tuned are left out."""
    shots = [size for size in params.shots if size <= params.site_shots][-1:] or params.shots[:1]
    for task in tasks:
        episodes = episodes_of(task, params)
        for source in sources:
            if source.fold == task.fold and source.heads[0] != "finetune":
                yield from _fits(task, source, source.representation, source.heads[0], shots, episodes)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Runs fits.

    Attributes:
        params: of all of them.
        imu: the windows, for fine-tuning.
        imu_identity: of their content.
        cache: where finished fits are kept; None keeps none.
        prompts: data set -> (C, D) mean prompt embeddings in the order of the classes, for the head sgd; empty where it starts at random.
    """

    params: FewShotParams
    imu: KeyedArrays
    imu_identity: str
    cache: WorkCache | None
    prompts: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def run(self, fits: Sequence[Fit], description: str, threads: int) -> list[Scored]:
        """Scores in the order of the fits, `threads` at a time, each on one core: no result depends on the number of threads."""
        torch.set_num_threads(1)
        with ThreadPoolExecutor(threads) as executor:
            return list(progress(executor.map(self.score, fits), description, len(fits), unit="fit"))

    def score(self, fit: Fit) -> Scored:
        """Recall the fit from the work cache, or make it and keep it there.

        Raises:
            UserError: the solver does not converge, or training diverges.
        """
        key = self._key(fit) if self.cache is not None else ""
        found = self.cache.load(key) if self.cache is not None else None
        if found is not None:
            return _restored(*found)
        try:
            scored = self._finetuned(fit) if fit.head == "finetune" else self._probed(fit)
        except ArithmeticError as error:
            remedy = "lower fewshot.finetune.lr" if fit.head == "finetune" else "lower fewshot.c"
            raise UserError(f"{fit.source.method} on {fit.task.dataset}: {error}; {remedy}") from None
        if self.cache is not None:
            with _STORING:
                self.cache.store(key, *_stored(scored))
        return scored

    def _probed(self, fit: Fit) -> Scored:
        params, task = self.params, fit.task
        pool, test = (fit.source.file.rows(fit.representation, table["segment_id"].tolist()) for table in (task.pool, task.test))
        (scored,) = score_task(
            task,
            pool,
            test,
            episodes=fit.episodes,
            shots=(fit.shots,),
            probe=self._probe(fit),
            standardise=params.standardise,
            calibrate=params.calibrate,
        )
        return scored

    def _probe(self, fit: Fit) -> Probe:
        params = self.params
        probe = choose_probe(fit.head, c=params.c, neighbours=params.neighbours, trees=params.trees, sgd=params.sgd, seed=params.seed)
        if not isinstance(probe, SgdProbe):
            return probe
        task = fit.task
        known, _ = known_classes(task)
        start = self._start(fit)
        validation = None
        names = np.array(task.classes)[known]
        usable = task.validation[task.validation["label"].isin(names)]  # a class without shots has no place among the head's
        if params.sgd.select == "validation" and len(usable):
            features = torch.from_numpy(fit.source.file.rows(fit.representation, usable["segment_id"].tolist()).astype(np.float64))
            truth = np.searchsorted(names, usable["label"].to_numpy(dtype=str))
            validation = (unit_rows(features), torch.from_numpy(truth.astype(np.int64)))
        return dataclasses.replace(probe, start=None if start is None else torch.from_numpy(start[known]), validation=validation)

    def _start(self, fit: Fit) -> np.ndarray | None:
        """(C, D) weights the head sgd starts from; None where it starts at random."""
        wanted = fit.head == "sgd" and fit.source.text_trained and fit.representation == "multimodal"
        return self.prompts.get(fit.task.dataset) if wanted else None

    def _finetuned(self, fit: Fit) -> Scored:
        assert fit.source.model is not None
        pool, test = (self._windows(table["segment_id"].tolist()) for table in (fit.task.pool, fit.task.test))
        encoder = ImuEncoder.from_pretrained(fit.source.model)
        settings, seed = self.params.finetune, self.params.seed
        (scored,) = finetune_task(fit.task, pool, test, episodes=fit.episodes, shots=(fit.shots,), encoder=encoder, settings=settings, seed=seed)
        return scored

    def _windows(self, keys: list[str]) -> np.ndarray:
        return np.asarray(self.imu.memmap("imu")[self.imu.positions(keys)])

    def _key(self, fit: Fit) -> str:
        assert self.cache is not None
        params, task = self.params, fit.task
        head: dict[str, Any] = {"name": fit.head, "shots": fit.shots, "seed": params.seed, "representation": fit.representation}
        inputs = [task_digest(task), *(_digest(episode.rows(fit.shots).tobytes()) for episode in fit.episodes)]
        head["episodes"] = [[episode.number, episode.short_classes(fit.shots)] for episode in fit.episodes]
        if fit.head == "finetune":
            assert fit.source.model is not None
            head["settings"] = dataclasses.asdict(params.finetune)
            inputs += [
                self.imu_identity,
                file_identity(fit.source.model / "model.safetensors", "model"),
                file_identity(fit.source.model / "config.json", "config"),
            ]
        else:
            start = self._start(fit)
            inputs += [fit.source.identity, "" if start is None else _digest(np.ascontiguousarray(start).tobytes())]
            head["settings"] = [params.c, params.neighbours, params.trees, dataclasses.asdict(params.sgd), params.standardise, params.calibrate]
        return self.cache.key(inputs, head, __name__)  # this module reaches every head


def task_digest(task: Task) -> str:
    """sha256 over everything of a task that scores depend on."""
    tables = [task.pool[["segment_id", "label"]], task.test[["segment_id", "label", "group"]], task.validation]
    content = [task.dataset, task.fold, task.part, task.classes, task.participants, *(table.to_numpy(dtype=str).tolist() for table in tables)]
    return _digest(json.dumps(content).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stored(scored: Scored) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and meta of a cache entry."""
    arrays = {name: value for name, value in vars(scored).items() if isinstance(value, np.ndarray)}
    return arrays, {"shots": scored.shots, "short": scored.short}


def _restored(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Scored:
    """What `_stored` was given."""
    return Scored(shots=int(meta["shots"]), short=tuple(tuple(names) for names in meta["short"]), **arrays)
