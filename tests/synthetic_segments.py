"""A small corpus in the files the segment and embed stages write: structured enough that the objective can be learned."""

from pathlib import Path

import numpy as np
import pandas as pd

from primus.artifacts import write_table
from primus.embeddings.store import Provenance, write_embeddings
from primus.keyed_arrays import write_keyed
from primus.schema import CHANNELS, SEGMENTS, SPLITS, UNITS, segment_id

CLASSES = 4


def write_store(path: Path, keys: list[str], matrix: np.ndarray) -> None:
    """Embeddings (N, D) float16 by key, as the embed stages write them."""
    provenance = Provenance(path.stem, "test", "0" * 64, "none", 1.0, "clip4clip", matrix.shape[1], "test")
    with write_embeddings(path, provenance) as writer:
        writer.append(keys, {"embedding": matrix})


def write_corpus(
    root: Path, takes: int = 12, per_take: int = 8, samples: int = 130, dim: int = 16, folds: int = 1, imu_only: int = 2, seed: int = 0
) -> None:
    """Write segments/ and embeddings/ below `root`: `takes` takes of `per_take` overlapping segments, the last `imu_only` takes without embeddings.

    Takes go to train, val, shots and test in turn (two train for one of each other); fold f rotates that by f.
    """
    random = np.random.default_rng(seed)
    codes = random.standard_normal((CLASSES, dim))
    time = np.arange(samples) / 50
    segments, windows, splits, vectors = [], [], [], {"video": [], "text": []}
    turn = ["train", "train", "val", "train", "shots", "test"]
    for take in range(takes):
        label, uid = take % CLASSES, f"take{take:02d}"
        for fold in range(folds):
            splits.append((fold, "demo", uid, f"demo/p{take // 2}", turn[(take + fold) % len(turn)]))
        purpose = "probe" if turn[take % len(turn)] in ("shots", "test") and folds == 1 else "pretrain"
        for place in range(per_take):
            start = 1.1 * place
            identity = segment_id(uid, start)
            wave = np.sin(2 * np.pi * (1 + label) * time + random.uniform(0, 6, (6, 1))) * random.uniform(0.5, 2, (6, 1))
            windows.append((wave + 0.3 * random.standard_normal((6, samples)) + [[0], [0], [9.8], [0], [0], [0]]).astype(np.float32))
            has = take < takes - imu_only and purpose == "pretrain"
            segments.append(
                {
                    "segment_id": identity, "dataset": "demo", "take_uid": uid, "participant": f"demo/p{take // 2}", "site": "s", "device": "d",
                    "purpose": purpose, "policy": "narration", "start_s": start, "end_s": start + samples / 50, "label": f"class {label}",
                    "texts": [f"does thing {label} part {place % 3}"] if has else [], "video_path": None,
                }
            )  # fmt: skip
            for rows in vectors.values():
                if has:
                    vector = codes[label] + 0.5 * random.standard_normal(dim)
                    rows.append((identity, vector / np.linalg.norm(vector)))
    write_table(root / "segments" / "segments.parquet", pd.DataFrame(segments), SEGMENTS)
    write_table(root / "segments" / "splits.parquet", pd.DataFrame(splits, columns=SPLITS.names), SPLITS)
    attributes = {"rate_hz": 50.0, "window_s": samples / 50, "units": UNITS, "channels": ",".join(CHANNELS)}
    write_keyed(root / "segments" / "imu.h5", [row["segment_id"] for row in segments], {"imu": np.stack(windows)}, attributes)
    for name, rows in vectors.items():
        matrix = np.array([vector for _, vector in rows], dtype=np.float16).reshape(len(rows), dim)
        write_store(root / "embeddings" / f"{name}.h5", [key for key, _ in rows], matrix)
