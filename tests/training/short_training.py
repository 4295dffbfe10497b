"""A short pretraining of the full objective as a program, so that the processor can be limited; prints losses and features as JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from primus.artifacts import read_table
from primus.augment import Transform
from primus.models.encoder import InputContract
from primus.training.loop import train
from primus.training.method import (
    EncoderSettings,
    MethodSettings,
    NegativeSettings,
    TemperatureSettings,
    make_encoder,
    make_objective,
)
from primus.training.resident import load_segments, split_rows
from primus.training.settings import OptimiserSettings, TrainingSettings
from tests.synthetic_segments import write_corpus


def main(folder: Path, threads: int) -> None:
    """Train for eight epochs on a small corpus below `folder`; print the history, and features of the validation segments."""
    torch.set_num_threads(threads)
    write_corpus(folder)
    data, table, _ = load_segments(folder / "segments", {name: folder / "embeddings" / f"{name}.h5" for name in ("video", "text")})
    rows = split_rows(table, read_table(folder / "segments" / "splits.parquet"), 0)
    encoder = make_encoder(EncoderSettings(feature_dim=64), data.embedding_dim, InputContract(), 0)
    method = MethodSettings(lambda_ss=1, lambda_mm=1, lambda_nn=1)
    objective = make_objective(method, TemperatureSettings(), NegativeSettings(), ("video", "text"), 24, 0)
    assert objective is not None
    usual = TrainingSettings(
        batch_size=16, epochs=8, augment=(Transform("noise", 0.5, 0.1), Transform("scaling")), optimiser=OptimiserSettings(name="adamw", lr=1e-3)
    )
    result = train(data, rows["train"], rows["val"], encoder, objective, usual, 0)
    encoder.load_state_dict(result.last)
    encoder.eval()
    with torch.no_grad():
        features = encoder(torch.as_tensor(np.asarray(data.imu[np.sort(rows["val"])[:8]]))).feature
    print(json.dumps({"history": result.progress.history, "features": features.flatten().tolist(), "steps": result.facts["steps"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
