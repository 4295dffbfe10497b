"""Few labels: heads over data sets, methods, representations, folds, pretraining seeds, episodes and numbers of shots.

Writes data/<profile>/fewshot/*.parquet, metrics/fewshot.json and metrics/plots/{fewshot,fewshot_heads}.csv.
"""

from pathlib import Path

import numpy as np
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.embeddings.jobs import EncoderChoice
from primus.errors import UserError
from primus.evaluation.devices import apart, device_counts, device_table
from primus.evaluation.encoders import serving_every_fold
from primus.evaluation.feature_files import read_feature_files
from primus.evaluation.fewshot_results import fewshot_metrics, plot_tables, results_of
from primus.evaluation.fewshot_run import described, prompt_weights, run_fits, site_checks, sources_of, starts_from_prompts
from primus.evaluation.paired import family_of
from primus.evaluation.plan import plan_tasks
from primus.evaluation.protocols import apply_protocol, shared_people
from primus.evaluation.settings import FewShotParams, ZeroShotParams
from primus.evaluation.site_table import site_metrics
from primus.evaluation.sweep import Sweep, plan_fits
from primus.keyed_arrays import KeyedArrays
from primus.params import Compute, load, load_value, profile_name, resolve
from primus.provenance import file_identity
from primus.stage import StageLog, stage
from primus.work_cache import WorkCache


@stage("fewshot")
def main() -> None:
    """Fit and score every head."""
    params, threads = load(FewShotParams, "fewshot"), load(Compute, "compute").threads
    root, log = Path("data") / profile_name(), StageLog("fewshot")
    recorded = read_table(root / "segments" / "segments.parquet")
    segments, splits = apply_protocol(params.protocol, recorded, read_table(root / "segments" / "splits.parquet"), params.seed)
    plan = plan_tasks(segments, splits, params.protocol, params.few_people)
    tasks = apart(plan.tasks, segments)
    files = {method: read_feature_files(root, method) for method in load_value("methods")}
    served, skipped = serving_every_fold(files, {task.fold for task in plan.as_split} | plan.folds)
    sources = [source for of_method in served.values() for source in sources_of(of_method, params)]
    if not sources:
        raise UserError("every method was skipped: there is nothing to probe; see the metrics of the pretrain stages")
    starts: dict[str, np.ndarray] = {}
    without: dict[str, str] = {}
    if starts_from_prompts(sources, params):
        starts, without = prompt_weights(tasks, load(EncoderChoice, "embed.encoder"), load(ZeroShotParams, "zeroshot").prompts)
    for dataset, name in without.items():
        print(f"{dataset}: no prompt file {name}.json, so the head sgd starts at random")

    with KeyedArrays(root / "segments" / "imu.h5") as imu:
        sweep = Sweep(params, imu, file_identity(imu.path, "imu"), WorkCache("fewshot"), starts)
        fits = list(plan_fits(tasks, sources, params))
        scored = run_fits(sweep, fits, "few-shot", threads, log)
        sites = site_checks(plan.as_split, segments, splits, sources, sweep, threads, log) if params.site_shots else None
    rows, counts, calibration = described(fits, scored)
    probed = {source.method: (source.representation, source.heads[0]) for source in sources}
    pairs = family_of(list(probed), resolve("report.reference"), resolve("report.lead_method"))
    results = results_of(rows, counts, calibration, probed, params, pairs)
    more = {"devices": device_table(device_counts(fits, scored), probed, params)} | ({} if sites is None else {"sites": sites})
    with atomic_folder(root / "fewshot") as out:
        for name, table in (results.tables | more).items():
            write_table(out / f"{name}.parquet", table)
    summary = fewshot_metrics(plan.tasks, results)
    for dataset, of_dataset in summary.items():
        of_dataset |= {"sites": found_there} if sites is not None and (found_there := site_metrics(sites, dataset)) else {}
        of_dataset |= {"shared_participants": shared} if (shared := shared_people(recorded, splits, dataset)) else {}
    write_json("metrics/fewshot.json", summary | {"protocol": params.protocol, "skipped": dict.fromkeys(skipped, 1)})
    for name, table in plot_tables(results.tables["scores"], probed).items():
        write_csv(f"metrics/plots/{name}.csv", table)
    for dataset, reason in plan.left.items():
        print(f"{dataset}: few people are tested, as it was split: {reason}")
    for method, reason in skipped.items():
        print(f"{method}: skipped, {reason}")
    print(f"{len(rows)} fits on {len(tasks)} task(s); {len(probed)} method(s)" + (f", skipped: {', '.join(skipped)}" if skipped else ""))
    log.event("fitted", fits=len(rows))


if __name__ == "__main__":
    typer.run(main)
