"""Two processes with a share of the batch each are one process with the whole batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from primus.artifacts import read_table
from primus.models.encoder import InputContract
from primus.training.distributed import World
from primus.training.loop import train
from primus.training.method import EncoderSettings, MethodSettings, NegativeSettings, TemperatureSettings, make_encoder, make_objective
from primus.training.resident import load_segments, split_rows
from primus.training.settings import OptimiserSettings, TrainingSettings
from tests.synthetic_segments import write_corpus

SETTINGS = TrainingSettings(batch_size=15, epochs=3, optimiser=OptimiserSettings(name="adam", weight_decay=0.0, clip_norm=0.0))
STANDING = OptimiserSettings(name="adam", lr=1e-12, temperature_lr=1e-12, weight_decay=0.0, clip_norm=0.0)
STEPS = 3
"""With weights that stay where they are, gradients of the third step are comparable, and its neighbours come from a queue that has been filled."""


def trained(
    root: Path, method: MethodSettings, world: World, steps: int | None = None
) -> tuple[dict[str, torch.Tensor], list[dict[str, float]], dict[str, torch.Tensor]]:
    torch.set_num_threads(1)
    data, table, _ = load_segments(root / "segments", {name: root / "embeddings" / f"{name}.h5" for name in ("video", "text")})
    rows = split_rows(table, read_table(root / "segments" / "splits.parquet"), 0)
    encoder = make_encoder(EncoderSettings(feature_dim=24), 16, InputContract(), 0)
    objective = make_objective(method, TemperatureSettings(), NegativeSettings(), ("video", "text"), 24, 0)
    assert objective is not None
    settings = SETTINGS if steps is None else TrainingSettings(batch_size=15, steps=steps, optimiser=STANDING)
    result = train(data, rows["train"], rows["val"], encoder, objective, settings, 0, world=world)
    gradients = {
        name: parameter.grad.clone() for name, parameter in [*encoder.named_parameters(), *objective.named_parameters()] if parameter.grad is not None
    }
    return result.last, result.progress.history, gradients


def worker(rank: int, size: int, root: str, method: MethodSettings) -> None:
    dist.init_process_group("gloo", init_method=f"file://{root}/meeting", rank=rank, world_size=size)
    torch.save([trained(Path(root), method, World(rank, size), steps) for steps in (STEPS, None)], Path(root) / f"rank{rank}.pt")
    dist.destroy_process_group()


PRIMUS = MethodSettings(lambda_ss=1, lambda_mm=1, lambda_nn=1)
CASES = [
    pytest.param(PRIMUS, 2, id="primus-2"),
    pytest.param(PRIMUS, 3, id="primus-3", marks=pytest.mark.slow),
    pytest.param(MethodSettings(objective="multitask"), 2, id="multitask-2", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("method", "size"), CASES)
def test_gradients_and_training_equal_one_process(tmp_path: Path, method: MethodSettings, size: int) -> None:
    write_corpus(tmp_path)
    mp.spawn(worker, (size, str(tmp_path), method), nprocs=size)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(size)]
    for turn, steps in enumerate((STEPS, None)):
        alone, first = trained(tmp_path, method, World(), steps), ranks[0][turn]
        for other in ranks[1:]:
            assert all(torch.equal(value, other[turn][0][name]) for name, value in first[0].items()), "processes drifted apart"
        for mine, theirs in zip(alone[1], first[1], strict=True):
            assert theirs["train/total"] == pytest.approx(mine["train/total"], rel=1e-3)
        if steps is not None:
            if method == PRIMUS:
                assert alone[1][-1]["neighbours/found"] > 0.5
            scale = max(float(gradient.abs().max()) for gradient in alone[2].values())
            for name, gradient in alone[2].items():
                assert float((gradient - first[2][name]).abs().max()) <= 1e-5 * scale, name


def test_shares_cover_everything_once() -> None:
    for size in (1, 2, 3, 7):
        for rows in (7, 8, 30, 31):
            parts = [np.arange(rows)[World(rank, size).share(rows)] for rank in range(size)]
            assert np.concatenate(parts).tolist() == list(range(rows))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
