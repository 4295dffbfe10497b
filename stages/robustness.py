"""What the few-shot probe keeps of its accuracy when the tested windows are degraded and the shots are not.

The probe, its shots and its features are those of the few-shot stage at `robustness.shots` (the head sgd starts at random and keeps its last
epoch); the test set is a seeded part of it, as equal over the classes as it allows. Windows are degraded one by one (see
`primus.evaluation.degrade`): a segment is all that is stored of a recording. So "rate" holds the outermost slow sample for up to half a slow period
at both ends; a window shorter than the encoder can take (2 s) is played back and forth to the usual length; a longer one (10 s) is joined from
segments of the same take and label that follow each other without a gap or overlap, and compared with its first segment alone on those segments that
have such a follower; where none has, the condition is skipped.

Writes
- metrics/robustness.json: `skipped` (1: nothing could be tested), `skipped_methods` (name -> 1), `skipped_conditions` (data set -> condition -> 1),
  and per data set `shots`, `complete`, `episodes`, `test_participants`, `test_segments`, `folds` and, where it is tested in parts, `parts`,
  and per method and condition (`matched`, `rate_10`, `gyro_lost`, ...) `test_segments`, the few-shot stage's metrics and, except under `matched`,
  `retention` (shifted / matched accuracy of the same segments), each with `_lo` and `_hi`;
- metrics/plots/robustness.csv: dataset, method, representation, condition, kind, severity (empty where there is none), shots, test_segments, the
  metrics and retention with `_lo` and `_hi`; retention of `matched` is 1;
- data/<profile>/robustness/: scores.parquet (the same rows), skipped.json (`stage`, `methods`, `conditions`: reasons).
"""

from pathlib import Path

import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.evaluation.encoders import comparable_encoders
from primus.evaluation.plan import plan_tasks
from primus.evaluation.protocols import apply_protocol
from primus.evaluation.robustness import choose_in_parts, degraded_tests, next_rows, partial_conditions
from primus.evaluation.robustness_results import robustness_metrics, score_rows
from primus.evaluation.robustness_run import Prober, RobustnessParams
from primus.evaluation.settings import FewShotParams
from primus.keyed_arrays import KeyedArrays
from primus.params import Compute, load, load_value, profile_name
from primus.stage import StageLog, progress, stage


@stage("robustness")
def main() -> None:
    """Test the probes of every method on degraded windows."""
    params, fewshot, root, log = (
        load(RobustnessParams, "robustness"),
        load(FewShotParams, "fewshot"),
        Path("data") / profile_name(),
        StageLog("robustness"),
    )
    torch.set_num_threads(1)  # each batch is encoded on one core, as in the features stage
    segments, splits = (read_table(root / "segments" / f"{name}.parquet") for name in ("segments", "splits"))
    segments, splits = apply_protocol(fewshot.protocol, segments, splits, fewshot.seed)
    plan = plan_tasks(segments, splits, fewshot.protocol, fewshot.few_people)
    tasks = choose_in_parts(plan.tasks, params.windows, params.seed)
    encoders = comparable_encoders(root / "models", load_value("methods"), plan.folds).frozen()
    nothing = "fewshot.probe is finetune, which has no frozen features" if fewshot.probe == "finetune" else ""
    nothing = nothing or ("" if encoders.encoders else "no method has frozen features")

    without: dict[str, dict[str, str]] = {}
    prober = Prober(root, params, fewshot, load(Compute, "compute").threads, {})
    with KeyedArrays(root / "segments" / "imu.h5") as imu:
        following = next_rows(segments[segments["purpose"] == "probe"], 0.5 / float(imu.attrs["rate_hz"]))
        for dataset in sorted({task.dataset for task in tasks}) if not nothing else ():
            mine = [task for task in tasks if task.dataset == dataset]
            tests = [degraded_tests(task, imu, following, params.conditions, params.seed) for task in mine]
            allowed, partial = {test.label for found, _ in tests for test in found}, partial_conditions(mine, [found for found, _ in tests])
            without[dataset] = {label: reason for _, refused in tests for label, reason in refused.items() if label not in allowed}
            for task, (found, _) in zip(progress(mine, f"robustness {dataset}", unit="task"), tests, strict=True):
                prober.run(task, found, partial, encoders.encoders)
            log.event("tested", dataset=dataset, tasks=len(mine), conditions=len(params.conditions) - len(without[dataset]))
    scores = score_rows(prober.tallies, params, fewshot)
    with atomic_folder(root / "robustness") as out:
        write_table(out / "scores.parquet", scores)
        write_json(out / "skipped.json", {"stage": nothing, "methods": encoders.skipped, "conditions": without})
    head = {
        "skipped": int(bool(nothing)),
        "skipped_methods": dict.fromkeys(encoders.skipped, 1),
        "skipped_conditions": {dataset: dict.fromkeys(reasons, 1) for dataset, reasons in without.items() if reasons},
    }
    write_json("metrics/robustness.json", head | robustness_metrics(tasks, prober.tallies, scores, params.shots))
    write_csv("metrics/plots/robustness.csv", scores)
    said = encoders.skipped | {f"{dataset}, {label}": reason for dataset, reasons in without.items() for label, reason in reasons.items()}
    for name, reason in (said | ({"robustness": nothing} if nothing else {})).items():
        print(f"{name}: skipped, {reason}")
    print(f"robustness: {len(scores)} score(s) of {len({method for _, method in prober.tallies})} method(s)")


if __name__ == "__main__":
    typer.run(main)
