"""Classes without labels: zero-shot accuracy from frozen class prompts, for every method whose multimodal projection was trained.

Writes
- metrics/zeroshot.json: `skipped` (1: nothing could be scored), `skipped_methods` and `skipped_datasets` (name -> 1), and per data set `classes`,
  `chance` (1 / classes), `wordings`, `test_participants`, `test_segments`, `folds` and, where it is tested in parts, `parts`, and per method, for
  each metric of the few-shot stage, its mean, `_lo` and `_hi` (participants and pretraining seeds resampled, with the few-shot stage's draws) and
  `_wording_sd`, `_wording_min`, `_wording_max` over the wordings each by itself;
- metrics/plots/zeroshot.csv: one row per data set and method, with the columns of metrics/plots/fewshot.csv at `shots` 0, so that the two can be
  joined, and the `_wording_` columns;
- data/<profile>/zeroshot/: scores.parquet (the same rows), wordings.parquet (dataset, method, wording, template, phrase, then the metrics),
  predictions.parquet (dataset, method, seed, participant, label, predicted, count), skipped.json (`stage`, `methods`, `datasets`: reasons).
"""

from pathlib import Path

import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json, write_table
from primus.embeddings.jobs import EncoderChoice
from primus.evaluation.encoders import comparable_encoders
from primus.evaluation.plan import plan_tasks
from primus.evaluation.protocols import apply_protocol
from primus.evaluation.settings import FewShotParams, ZeroShotParams
from primus.evaluation.zeroshot import encode_prompts
from primus.evaluation.zeroshot_results import zeroshot_metrics, zeroshot_tables
from primus.evaluation.zeroshot_run import ZeroShotFound, prompt_encoder, reason_for_nothing, score_methods, usable_prompts
from primus.params import load, load_value, profile_name
from primus.stage import StageLog, stage


@stage("zeroshot")
def main() -> None:
    """Score every data set with prompts under every method with a trained multimodal projection."""
    params, root, log = load(ZeroShotParams, "zeroshot"), Path("data") / profile_name(), StageLog("zeroshot")
    choice = load(EncoderChoice, "embed.encoder")
    fewshot = load(FewShotParams, "fewshot")
    segments, splits = (read_table(root / "segments" / f"{name}.parquet") for name in ("segments", "splits"))
    tasks = plan_tasks(*apply_protocol(fewshot.protocol, segments, splits, fewshot.seed), fewshot.protocol, fewshot.few_people).tasks
    encoders = comparable_encoders(root / "models", load_value("methods"), {task.fold for task in tasks}).multimodal()
    prompts, without = usable_prompts(sorted({task.dataset for task in tasks}), params)
    nothing = reason_for_nothing(root, encoders, prompts)

    by_dataset: dict[str, dict[str, ZeroShotFound]] = {}
    if not nothing:
        identity = prompt_encoder(choice, root)
        for dataset, of_dataset in prompts.items():
            mine = [task for task in tasks if task.dataset == dataset]
            vectors = encode_prompts(of_dataset.texts(mine[0].classes), choice, identity)
            by_dataset[dataset] = score_methods(root, mine, of_dataset, vectors, encoders.encoders)
            log.event("scored", dataset=dataset, methods=len(encoders.encoders), prompts=vectors.shape[0] * vectors.shape[1])
    tables = zeroshot_tables(by_dataset, fewshot)
    with atomic_folder(root / "zeroshot") as out:
        for name, table in tables.items():
            write_table(out / f"{name}.parquet", table)
        write_json(out / "skipped.json", {"stage": nothing, "methods": encoders.skipped, "datasets": without})
    head = {"skipped": int(bool(nothing)), "skipped_methods": dict.fromkeys(encoders.skipped, 1), "skipped_datasets": dict.fromkeys(without, 1)}
    write_json("metrics/zeroshot.json", head | zeroshot_metrics(by_dataset, tables["scores"]))
    write_csv("metrics/plots/zeroshot.csv", tables["scores"])
    for name, reason in (encoders.skipped | without | ({"zeroshot": nothing} if nothing else {})).items():
        print(f"{name}: skipped, {reason}")
    print(f"zeroshot: {len(tables['scores'])} score(s) on {len(by_dataset)} data set(s)")


if __name__ == "__main__":
    typer.run(main)
