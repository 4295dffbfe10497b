"""What a missing gyroscope costs: probes on frozen features of the pipeline's labelled segments, with the gyroscope and with zeros in its place.

    python benchmarks/accel_only.py
    python benchmarks/accel_only.py --profile samples --method primus --json

For every labelled data set of a profile that has been run (`dvc repro`): a logistic probe, five folds by participant, macro-F1 of all predictions.
six: probe and test with six channels. zeros: both with zeros for the gyroscope (`missing_gyro="zeros"`). mixed: probe trained with six, tested with
zeros, which is what happens when a probe meets a device without gyroscope. With more than one fold of pretraining, the model of the first is used.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from primus.artifacts import read_table
from primus.errors import UserError
from primus.inference.contract import open_encoder
from primus.inference.encoding import encode_stream
from primus.keyed_arrays import KeyedArrays


def macro_f1(train: np.ndarray, test: np.ndarray, labels: np.ndarray, people: np.ndarray) -> float:
    """Of predictions for the rows of `test` by probes trained on the rows of `train` that are other people's."""
    predicted = np.empty_like(labels)
    for fitted, held_out in GroupKFold(min(5, len(set(people)))).split(train, labels, people):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
        predicted[held_out] = probe.fit(train[fitted], labels[fitted]).predict(test[held_out])
    return float(f1_score(labels, predicted, average="macro"))


def main(
    profile: Annotated[str, typer.Option(help="whose data and model")] = "demo",
    method: Annotated[str, typer.Option(help="pretraining method")] = "primus",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print macro-F1 with and without gyroscope, by data set."""
    torch.set_num_threads(1)
    root = Path("data") / profile
    models = sorted((root / "models" / method).glob("seed*"))
    if not models:
        raise UserError(f"{root}/models/{method} holds no model; run `dvc repro` with data: {profile}")
    encoder = open_encoder(models[0])
    segments = read_table(root / "segments" / "segments.parquet")
    chosen = segments[(segments["purpose"] == "probe") & segments["label"].notna()].reset_index(drop=True)
    with KeyedArrays(root / "segments" / "imu.h5") as file:
        imu = file.rows("imu", chosen["segment_id"].tolist())
    features = {}
    for name, factor in (("six", 1.0), ("zeros", 0.0)):
        windows = imu * np.array([1, 1, 1, factor, factor, factor], np.float32)[:, None]
        parts = ((begin, lambda begin=begin, windows=windows: windows[begin : begin + 128]) for begin in range(0, len(windows), 128))
        features[name] = np.concatenate([part.feature for part in encode_stream(encoder, parts)])
    numbers: dict[str, dict[str, float]] = {}
    for dataset in sorted(chosen["dataset"].unique()):
        rows = np.flatnonzero(chosen["dataset"] == dataset)
        labels = chosen.loc[rows, "label"].to_numpy(dtype=str)
        people = chosen.loc[rows, "participant"].fillna(chosen.loc[rows, "take_uid"]).to_numpy(dtype=str)
        six, zeros = features["six"][rows], features["zeros"][rows]
        found = {
            "six": macro_f1(six, six, labels, people),
            "zeros": macro_f1(zeros, zeros, labels, people),
            "mixed": macro_f1(six, zeros, labels, people),
        }
        numbers[str(dataset)] = {name: round(value, 4) for name, value in found.items()}
        print(f"{dataset:12} macro-F1: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()) + f" ({len(rows)} segments)")
    if as_json:
        print(json.dumps(numbers))


if __name__ == "__main__":
    typer.run(main)
