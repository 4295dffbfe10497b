"""A project in miniature, ready for the few-shot stage: segments, windows, untrained encoders and features whose structure is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from primus.artifacts import write_table
from primus.evaluation.window_statistics import window_statistics
from primus.keyed_arrays import write_keyed
from primus.models.encoder import ImuEncoder, InputContract
from primus.schema import SEGMENTS, SPLITS, segment_id
from primus.seeds import generator

CLASSES = ("climb", "cook", "dance")
SAMPLES, WIDTH = 130, 8
PARAMS: dict[str, Any] = {
    "data": "small",
    "preset": "ours",
    "compute": {"threads": 2, "workers": 1},
    "profiles": {"small": {"fewshot": {"shots": [1, 2, 4], "site_shots": 2}}},
    "presets": {"ours": {}},
    "methods": {name: {"section": "loss"} for name in ("primus", "standard", "statistics")},
    "report": {"reference": "statistics", "lead_method": "primus"},
    "fewshot": {
        "shots": None, "shots_unit": "nonoverlapping", "protocol": "ours", "episodes": 2, "probe": "logistic", "also": ["knn", "sgd"], "c": 1.0,
        "neighbours": 3, "trees": 10, "sgd": {"epochs": 2}, "finetune": {"steps": 3, "lr": [0.001]}, "standardise": "pool", "calibrate": True,
        "site_shots": None, "bootstrap": 50, "margin": 0.02, "seed": 0,
    },
}  # fmt: skip


def corpus() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Segments, splits and windows (N, 6, SAMPLES) of "kitchen" (pretraining and probe, two sites) and "street" (probe, no site); one fold."""
    rng = generator(0, "miniature")
    rows, splits, windows = [], [], []
    time = np.arange(SAMPLES) / 50
    people = [("kitchen", "pretrain", number) for number in range(4)] + [("kitchen", "probe", number) for number in range(4, 12)]
    for dataset, purpose, person in [*people, *(("street", "probe", number) for number in range(4))]:
        split = ("train" if person else "val") if purpose == "pretrain" else ("test" if person % 4 < 2 else "shots")
        for number in range(2):
            take = f"{dataset}-{person}-{number}"
            splits.append((0, dataset, take, f"{dataset}/{person}", split))
            for index in range(6):
                start = index * SAMPLES / 50
                rows.append(
                    {
                        "segment_id": segment_id(take, start), "dataset": dataset, "take_uid": take, "participant": f"{dataset}/{person}",
                        "site": f"site{person % 2}" if dataset == "kitchen" else None, "device": "d", "purpose": purpose, "policy": "tile",
                        "start_s": start, "end_s": start + SAMPLES / 50, "label": CLASSES[index % 3], "texts": [], "video_path": None,
                    }
                )  # fmt: skip
                wave = np.sin(2 * np.pi * (index % 3 + 1) * time + rng.uniform(0, 6, size=(6, 1)))
                windows.append(wave + rng.normal(size=(6, SAMPLES)) * 0.3 + np.array([9.81, 0, 0, 0, 0, 0])[:, None])
    return pd.DataFrame(rows), pd.DataFrame(splits, columns=SPLITS.names), np.array(windows, dtype=np.float32)


def build(root: Path, **fewshot: Any) -> None:
    """Write the project's files below `root`; keywords change section `fewshot`."""
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"fewshot": PARAMS["fewshot"] | fewshot}))
    data = root / "data" / "small"
    segments, splits, windows = corpus()
    keys = segments["segment_id"].tolist()
    write_table(data / "segments" / "segments.parquet", segments, SEGMENTS)
    write_table(data / "segments" / "splits.parquet", splits, SPLITS)
    write_keyed(data / "segments" / "imu.h5", keys, {"imu": windows}, {"rate_hz": 50.0, "window_s": SAMPLES / 50})
    torch.manual_seed(0)
    encoder = ImuEncoder(feature_dim=WIDTH, projection_dim=WIDTH, inputs=InputContract(rate_hz=50.0, window_s=SAMPLES / 50))
    for method in ("primus", "standard"):
        encoder.save_pretrained(data / "models" / method / "seed0", seed=0, fold=0, representation="feature")
    rng = generator(1, "features")
    direction = rng.normal(size=(len(CLASSES), WIDTH))
    feature = direction[[CLASSES.index(label) for label in segments["label"]]] + 1.5 * rng.normal(size=(len(keys), WIDTH))
    common = {"seed": 0, "fold": 0, "representation": "feature"}
    for method, values, probe in (
        ("primus", {"feature": feature.astype(np.float32), "multimodal": (feature @ rng.normal(size=(WIDTH, WIDTH))).astype(np.float32)}, ""),
        ("standard", {"feature": feature.astype(np.float32)}, "finetune"),
        ("statistics", {"feature": window_statistics(windows, 50.0)}, "forest"),
    ):
        attrs = common | {"method": method, "probe": probe, "text_trained": method == "primus"}
        if method == "primus":
            attrs["representation"] = "multimodal"
        write_keyed(data / "features" / method / "seed0.h5", keys, values, attrs)
