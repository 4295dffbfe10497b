"""Few-shot evaluation of one encoder: 3 data sets of 9 000 segments x 7 numbers of shots x 5 draws, feature extraction included.

Beside it, in the same run, one of the 105 fits the plain way: shots and test set are encoded for this fit, in batches of 16, and scikit-learn
fits the probe. `plain_total_s` is 105 times its time; it is of a middling size, 100 shots.

    python benchmarks/fewshot.py [--json] [--segments 9000] [--threads 2]
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from sklearn.linear_model import LogisticRegression

from primus.evaluation.episodes import Episode, draw_episodes
from primus.evaluation.features import encode_batches
from primus.evaluation.fewshot import score_task
from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.tasks import Task, build_tasks
from primus.models.encoder import ImuEncoder
from primus.seeds import derived_seed, generator

DATASETS, CLASSES, PEOPLE, EPISODES = 3, 8, 10, 5
SHOTS = (1, 5, 10, 50, 100, 200, 500)
PLAIN_BATCH, PLAIN_SHOTS = 16, 100


def windows(count: int, dataset: int) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """IMU (N, 6, 250) whose rhythm depends on the class and whose mounting depends on the person, with segment and split tables."""
    rng = generator(0, "benchmark", dataset)
    label, person = rng.integers(CLASSES, size=count), np.arange(count) * PEOPLE // count
    rhythm, mounting = rng.uniform(0.5, 4, size=(CLASSES, 6, 1)), rng.normal(size=(PEOPLE, 6, 1)) * 3
    seconds = np.arange(250) / 50
    phase = rng.uniform(0, 2 * np.pi, size=(count, 6, 1))
    imu = np.sin(2 * np.pi * rhythm[label] * seconds + phase) * rng.lognormal(0, 0.3, size=(count, 1, 1)) + mounting[person]
    imu = (imu + rng.normal(size=imu.shape)).astype(np.float32)
    names = np.array([f"s{dataset}_{number:06d}" for number in range(count)])
    start = np.arange(count) * 5.0
    takes = np.array([f"t{dataset}_{who}" for who in person])
    segments = pd.DataFrame({"segment_id": names, "dataset": f"set{dataset}", "take_uid": takes, "purpose": "probe", "start_s": start})
    segments = segments.assign(end_s=start + 5, label=[f"class{number}" for number in label], participant=[f"p/{dataset}-{who}" for who in person])
    splits = segments[["dataset", "take_uid", "participant"]].drop_duplicates()
    splits = splits.assign(fold=0, split=["shots" if number < PEOPLE // 2 else "test" for number in range(len(splits))])
    return imu, segments, splits


def plainly(encoder: ImuEncoder, imu: np.ndarray, task: Task, rows: dict[str, int], episode: Episode) -> float:
    """Accuracy of one fit for which everything is done anew."""

    def encode(ids: list[str]) -> np.ndarray:
        index = [rows[name] for name in ids]
        with torch.inference_mode():
            parts = [encoder(torch.from_numpy(imu[index[at : at + PLAIN_BATCH]])).multimodal for at in range(0, len(index), PLAIN_BATCH)]
        features = torch.cat(parts).double().numpy()
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    chosen = task.pool.iloc[episode.rows(PLAIN_SHOTS)]
    train, test = encode(chosen["segment_id"].tolist()), encode(task.test["segment_id"].tolist())
    mean, deviation = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-3 * train.std())
    probe = LogisticRegression(max_iter=1000).fit((train - mean) / deviation, chosen["label"])
    return float(probe.score((test - mean) / deviation, task.test["label"]))


def main(
    json_line: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
    segments: Annotated[int, typer.Option(help="segments per data set")] = 9000,
    threads: Annotated[int, typer.Option(help="processor cores used")] = 2,
    plain: Annotated[bool, typer.Option(help="also measure the plain way")] = True,
) -> None:
    """Time feature extraction and probes of a whole sweep, and one fit of it the plain way."""
    torch.manual_seed(derived_seed(0, "benchmark"))
    encoder = ImuEncoder().eval()
    corpora = [windows(segments, dataset) for dataset in range(DATASETS)]

    torch.set_num_threads(1)
    started, worked = time.perf_counter(), time.process_time()
    features = []
    for imu, _, _ in corpora:
        batches = encode_batches(encoder, lambda start, stop, imu=imu: imu[start:stop], len(imu), threads)  # type: ignore[misc]
        features.append(np.concatenate([batch["multimodal"] for batch in batches]))
    features_s = time.perf_counter() - started

    started = time.perf_counter()
    tasks = [build_tasks(table, splits)[0] for _, table, splits in corpora]
    rows = [{name: row for row, name in enumerate(table["segment_id"])} for _, table, _ in corpora]
    draws = [draw_episodes(task.pool, unit="nonoverlapping", episodes=EPISODES, most=max(SHOTS), seed=0, names=(task.dataset, 0)) for task in tasks]

    def fit(job: tuple[int, int]) -> float:
        number, shots = job
        pool, test = (features[number][[rows[number][name] for name in table["segment_id"]]] for table in (tasks[number].pool, tasks[number].test))
        options = {"shots": [shots], "probe": LogisticProbe(), "standardise": "pool", "calibrate": True}
        (scored,) = score_task(tasks[number], pool, test, episodes=draws[number], **options)  # type: ignore[arg-type]
        return float(np.trace(scored.confusion.sum(axis=(0, 1))) / scored.confusion.sum())

    jobs = [(number, shots) for shots in reversed(SHOTS) for number in range(DATASETS)]
    with ThreadPoolExecutor(threads) as executor:
        accuracy = dict(zip(jobs, executor.map(fit, jobs), strict=True))
    probes_s = time.perf_counter() - started
    cpu_s = time.process_time() - worked

    result = {"total_s": features_s + probes_s, "features_s": features_s, "probes_s": probes_s, "cpu_s": cpu_s, "fits": len(jobs) * EPISODES}
    result |= {"segments": DATASETS * segments, "threads": threads, f"accuracy_{PLAIN_SHOTS}": accuracy[0, PLAIN_SHOTS]}
    if plain:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        result[f"plain_accuracy_{PLAIN_SHOTS}"] = plainly(encoder, corpora[0][0], tasks[0], rows[0], draws[0][0])
        result["plain_s"] = time.perf_counter() - started
        result["plain_total_s"] = result["plain_s"] * len(jobs) * EPISODES
        result["times_faster"] = result["plain_total_s"] / result["total_s"]
    for name, value in result.items():
        print(f"{name:26s}{value:10.3f}" if isinstance(value, float) else f"{name:26s}{value:10d}")
    if json_line:
        print(json.dumps({name: round(value, 3) for name, value in result.items()}))


if __name__ == "__main__":
    typer.run(main)
