"""Few labels: heads over data sets, methods, representations, folds, pretraining seeds, episodes and numbers of shots.

Writes data/<profile>/fewshot/*.parquet, metrics/fewshot.json and metrics/plots/{fewshot,fewshot_heads}.csv.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.errors import UserError
from primus.evaluation.calibration import CALIBRATION
from primus.evaluation.encoders import serving_every_fold
from primus.evaluation.feature_files import FeatureFile, read_feature_files
from primus.evaluation.fewshot import Scored
from primus.evaluation.metrics import METRICS
from primus.evaluation.paired import comparison_table
from primus.evaluation.protocols import apply_protocol, shared_people
from primus.evaluation.scalars import with_bounds
from primus.evaluation.settings import FewShotParams, ZeroShotParams
from primus.evaluation.site_table import site_metrics, site_table
from primus.evaluation.sites import leave_site_out, site_tasks
from primus.evaluation.sweep import Fit, Source, Sweep, plan_checks, plan_fits
from primus.evaluation.tables import (
    Complete,
    Curves,
    Probed,
    area,
    area_tables,
    calibration_sums,
    completeness,
    difference_table,
    estimate_curves,
    fit_rows,
    prediction_counts,
    score_table,
)
from primus.evaluation.tasks import Task, build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.params import Compute, load, load_value, profile_name
from primus.provenance import file_identity
from primus.stage import StageLog, stage
from primus.work_cache import WorkCache


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


def described(fits: Sequence[Fit], scored: Sequence[Scored]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Rows, prediction counts and calibration sums of fits, in their order."""
    tables: tuple[list[pd.DataFrame], ...] = ([], [], [])
    for fit, result in zip(fits, scored, strict=True):
        identity = (fit.task, fit.source.method, fit.representation, fit.head, fit.source.seed, result)
        for table, made in zip(tables, (fit_rows(*identity), prediction_counts(*identity), calibration_sums(*identity)), strict=True):
            table.append(made)
    rows, counts, calibration = (pd.concat(table, ignore_index=True) for table in tables)
    return rows, counts, calibration


def run(sweep: Sweep, fits: Sequence[Fit], description: str, threads: int, log: StageLog) -> list[Scored]:
    """Score fits: probes first, then those that train an encoder, which take far longer each; in the order of `fits`."""
    found: dict[int, Scored] = {}
    for name, training in ((description, False), (f"{description}, fine-tuning", True)):
        chosen = [number for number, fit in enumerate(fits) if (fit.head == "finetune") == training]
        if chosen:
            found |= zip(chosen, sweep.run([fits[number] for number in chosen], name, threads), strict=True)
            log.event("fitted", what=name, fits=len(chosen))
    return [found[number] for number in range(len(fits))]


def point(found: Mapping[str, Any], complete: bool) -> dict[str, float]:
    """Scores of one curve at one number of shots: with bounds, calibration without."""
    scores: dict[str, float] = {"complete": int(complete)}
    for name in METRICS:
        scores |= with_bounds(name, found[name])
    return scores | {name: found[name].mean for base in CALIBRATION for name in (base, f"{base}_scaled") if name in found}


def metrics(tasks: list[Task], curves: Curves, probed: Probed, complete: Complete) -> dict[str, Any]:
    """Nested scalars: dataset -> method -> k<shots> -> score, for the curve each method is judged by; other heads below `heads`."""
    found: dict[str, Any] = {}
    for dataset in sorted({task.dataset for task in tasks}):
        mine = [task for task in tasks if task.dataset == dataset]
        found[dataset] = {
            "classes": len(mine[0].classes),
            "test_participants": len(mine[0].participants),
            "test_segments": sum(len(task.test) for task in mine),
            "folds": len(mine),
        }
        for method, (representation, head) in probed.items():
            curve = (dataset, method, representation, head)
            points = curves[curve]
            scores: dict[str, Any] = {f"k{shots}": point(at, complete[*curve, shots]) for shots, at in sorted(points.items())}
            whole = area(points, [shots for shots in points if complete[*curve, shots]])
            scores |= with_bounds("area_under_curve", whole) if whole else {}
            others = {key[3]: at for key, at in curves.items() if key[:3] == curve[:3] and key[3] != head}
            if others:
                chosen = ("accuracy", "macro_f1")
                scores["heads"] = {
                    name: {f"k{shots}": {metric: value[metric].mean for metric in chosen} for shots, value in sorted(at.items())}
                    for name, at in sorted(others.items())
                }
            found[dataset][method] = scores
    return found


def prompt_weights(tasks: list[Task], sources: Sequence[Source], params: FewShotParams) -> dict[str, np.ndarray]:
    """Data set -> (C, D) mean prompts of its classes, where the head sgd starts from them; a data set without prompts is left out, and said."""
    if params.sgd.start != "prompts" or not any("sgd" in source.heads and source.text_trained for source in sources):
        return {}
    from primus.embeddings.jobs import EncoderChoice
    from primus.embeddings.weights import shared_encoder  # the text encoder is loaded for this alone
    from primus.evaluation.prompts import has_prompts, load_prompts
    from primus.evaluation.zeroshot import encode_prompts

    choice = load(EncoderChoice, "embed.encoder")
    identity = shared_encoder(choice.model, choice.weights, choice.device).identity
    named = load(ZeroShotParams, "zeroshot").prompts
    found = {}
    for dataset, classes in sorted({task.dataset: task.classes for task in tasks}.items()):
        name = named.get(dataset, dataset)
        if has_prompts(name):
            found[dataset] = encode_prompts(load_prompts(name).texts(classes), choice, identity).mean(axis=0)
        else:
            print(f"{dataset}: no prompt file {name}.json, so the head sgd starts at random")
    return found


def site_checks(
    tasks: list[Task], segments: pd.DataFrame, splits: pd.DataFrame, sources: Sequence[Source], sweep: Sweep, threads: int, log: StageLog
) -> pd.DataFrame:
    """What the site gives away, for every data set whose sites are known (see `primus.evaluation.sites`)."""
    asked = list(site_tasks(tasks, segments, splits))
    sweep = replace(sweep, params=replace(sweep.params, calibrate=False))
    counts: dict[str, pd.DataFrame] = {}
    for check in ("leave_site_out", "site_probe"):
        fits = list(plan_checks([task for name, task in asked if name == check], sources, sweep.params))
        if fits:
            _, counts[check], _ = described(fits, run(sweep, fits, f"few-shot, {check.replace('_', ' ')}", threads, log))
    return site_table(tasks, segments, counts, sweep.params)


@stage("fewshot")
def main() -> None:
    """Fit and score every head."""
    params, threads = load(FewShotParams, "fewshot"), load(Compute, "compute").threads
    root, log = Path("data") / profile_name(), StageLog("fewshot")
    recorded = read_table(root / "segments" / "segments.parquet")
    segments, splits = apply_protocol(params.protocol, recorded, read_table(root / "segments" / "splits.parquet"), params.seed)
    tasks = build_tasks(segments, splits)
    if params.protocol == "leave_site_out":
        by_site = {dataset: leave_site_out(segments, splits, dataset) for dataset in {task.dataset for task in tasks}}
        tasks = [part for task in tasks for part in (by_site[task.dataset] if task.fold == tasks[0].fold else []) or [task]]
    folds = {task.fold for task in tasks}
    served, skipped = serving_every_fold({method: read_feature_files(root, method) for method in load_value("methods")}, folds)
    sources = [source for files in served.values() for source in sources_of(files, params)]
    if not sources:
        raise UserError("every method was skipped: there is nothing to probe; see the metrics of the pretrain stages")
    probed = {source.method: (source.representation, source.heads[0]) for source in sources}

    with KeyedArrays(root / "segments" / "imu.h5") as imu:
        sweep = Sweep(params, imu, file_identity(imu.path, "imu"), WorkCache("fewshot"), prompt_weights(tasks, sources, params))
        fits = list(plan_fits(tasks, sources, params))
        rows, counts, calibration = described(fits, run(sweep, fits, "few-shot", threads, log))
        sites = site_checks(tasks, segments, splits, sources, sweep, threads, log) if params.site_shots else None
    complete = completeness(rows)
    curves = estimate_curves(counts, replicates=params.bootstrap, seed=params.seed, calibration=calibration)
    scores = score_table(curves, complete, probed)
    areas, area_differences = area_tables(curves, complete, probed)
    tables = {
        "rows": rows,
        "predictions": counts,
        "calibration": calibration,
        "scores": scores,
        "differences": difference_table(curves, probed),
        "areas": areas,
        "area_differences": area_differences,
        "tests": comparison_table(counts, curves, probed, params.margin),
    } | ({} if sites is None else {"sites": sites})
    with atomic_folder(root / "fewshot") as out:
        for name, table in tables.items():
            write_table(out / f"{name}.parquet", table)
    summary = metrics(tasks, curves, probed, complete)
    for dataset, of_dataset in summary.items():
        of_dataset |= {"sites": found_there} if sites is not None and (found_there := site_metrics(sites, dataset)) else {}
        of_dataset |= {"shared_participants": shared} if (shared := shared_people(recorded, splits, dataset)) else {}
    write_json("metrics/fewshot.json", summary | {"protocol": params.protocol, "skipped": dict.fromkeys(skipped, 1)})
    representation = scores["method"].map({method: chosen for method, (chosen, _) in probed.items()})
    for name, chosen in (("fewshot", scores["probed"]), ("fewshot_heads", scores["representation"] == representation)):
        own = scores[chosen].drop(columns="probed")
        write_csv(f"metrics/plots/{name}.csv", own.assign(complete=own["complete"].astype(int)))
    for method, reason in skipped.items():
        print(f"{method}: skipped, {reason}")
    print(f"{len(rows)} fits on {len(tasks)} task(s); {len(probed)} method(s)" + (f", skipped: {', '.join(skipped)}" if skipped else ""))
    log.event("fitted", fits=len(rows))


if __name__ == "__main__":
    typer.run(main)
