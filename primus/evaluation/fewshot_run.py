"""The fits of the few-shot stage: encoders with their features, everything that is fitted on them, and the checks of sites."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from primus.embeddings.jobs import EncoderChoice
from primus.evaluation.devices import together
from primus.evaluation.feature_files import FeatureFile
from primus.evaluation.fewshot import Scored
from primus.evaluation.prompts import has_prompts, load_prompts
from primus.evaluation.settings import FewShotParams
from primus.evaluation.site_table import site_table
from primus.evaluation.sites import site_tasks
from primus.evaluation.sweep import Fit, Source, Sweep, plan_checks
from primus.evaluation.tables import calibration_sums, fit_rows, prediction_counts
from primus.evaluation.tasks import Task
from primus.evaluation.zeroshot import encode_prompts
from primus.provenance import file_identity
from primus.stage import StageLog


def sources_of(files: Sequence[FeatureFile], params: FewShotParams) -> list[Source]:
    """What the sweep is to know of encoders with their features."""
    return [
        Source(
            one.method,
            one.seed,
            one.fold,
            one.file,
            file_identity(one.file.path, "features"),
            one.representation,
            params.heads(one.head),
            one.model,
            one.text_trained,
        )
        for one in files
    ]


def starts_from_prompts(sources: Sequence[Source], params: FewShotParams) -> bool:
    """Whether the head sgd starts from class prompts for some encoder."""
    return params.sgd.start == "prompts" and any("sgd" in source.heads and source.text_trained for source in sources)


def prompt_weights(tasks: list[Task], choice: EncoderChoice, named: dict[str, str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Data set -> (C, D) mean prompts of its classes, and data set -> name of the prompt file that it lacks.

    Args:
        tasks: of all data sets.
        choice: the frozen text encoder.
        named: data set -> name of its prompt file; a data set that is not listed has one of its own name.
    """
    from primus.embeddings.weights import shared_encoder  # the text encoder is loaded for this alone

    identity = shared_encoder(choice.model, choice.weights, choice.device).identity
    found: dict[str, np.ndarray] = {}
    without: dict[str, str] = {}
    for dataset, classes in sorted({task.dataset: task.classes for task in tasks}.items()):
        name = named.get(dataset, dataset)
        if has_prompts(name):
            found[dataset] = encode_prompts(load_prompts(name).texts(classes), choice, identity).mean(axis=0)
        else:
            without[dataset] = name
    return found, without


def described(fits: Sequence[Fit], scored: Sequence[Scored]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Rows, prediction counts and calibration sums of fits, in their order; people who are apart by device are put together."""
    tables: tuple[list[pd.DataFrame], ...] = ([], [], [])
    for fit, result in zip(fits, scored, strict=True):
        task, result = together(fit.task, result)
        identity = (task, fit.source.method, fit.representation, fit.head, fit.source.seed, result)
        for table, made in zip(tables, (fit_rows(*identity), prediction_counts(*identity), calibration_sums(*identity)), strict=True):
            table.append(made)
    rows, counts, calibration = (pd.concat(table, ignore_index=True) for table in tables)
    return rows, counts, calibration


def run_fits(sweep: Sweep, fits: Sequence[Fit], description: str, threads: int, log: StageLog) -> list[Scored]:
    """Score fits: probes first, then those that train an encoder, which take far longer each; in the order of `fits`."""
    found: dict[int, Scored] = {}
    for name, training in ((description, False), (f"{description}, fine-tuning", True)):
        chosen = [number for number, fit in enumerate(fits) if (fit.head == "finetune") == training]
        if chosen:
            found |= zip(chosen, sweep.run([fits[number] for number in chosen], name, threads), strict=True)
            log.event("fitted", what=name, fits=len(chosen))
    return [found[number] for number in range(len(fits))]


def site_checks(
    tasks: list[Task], segments: pd.DataFrame, splits: pd.DataFrame, sources: Sequence[Source], sweep: Sweep, threads: int, log: StageLog
) -> pd.DataFrame:
    """What the site gives away, for every data set whose sites are known (see `primus.evaluation.sites`); `tasks` are as the data sets were split."""
    asked = list(site_tasks(tasks, segments, splits))
    sweep = replace(sweep, params=replace(sweep.params, calibrate=False))
    counts: dict[str, pd.DataFrame] = {}
    for check in ("leave_site_out", "site_probe"):
        fits = list(plan_checks([task for name, task in asked if name == check], sources, sweep.params))
        if fits:
            _, counts[check], _ = described(fits, run_fits(sweep, fits, f"few-shot, {check.replace('_', ' ')}", threads, log))
    return site_table(tasks, segments, counts, sweep.params)
