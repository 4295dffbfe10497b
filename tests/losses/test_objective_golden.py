"""The objective against numbers obtained by running the authors' published training step."""

from pathlib import Path

import pytest
import torch

from primus.losses.contrastive import info_nce
from primus.losses.objective import PrimusObjective
from tests.golden_values import distinct_rows, golden_encoder, load_golden


def close(found: torch.Tensor, expected: torch.Tensor, relative: float = 1e-4) -> None:
    assert (found - expected).abs().max() <= relative * expected.abs().max()


def published(**overrides: object) -> PrimusObjective:
    settings: dict[str, object] = {
        "lambda_ss": 0.5, "lambda_mm": 0.5, "lambda_nn": 0.5, "nn_terms": "coupled", "nn_exclude": "none", "negatives_exclude": "none",
        "shared_neighbours": "keep", "absent": "negatives", "temperature": "raw",
    }  # fmt: skip
    return PrimusObjective(**(settings | overrides))  # type: ignore[arg-type]


def test_info_nce_values_and_gradients(shared_dir: Path) -> None:
    golden = load_golden(shared_dir)
    queries, keys = golden["q"].clone().requires_grad_(), golden["k"].clone().requires_grad_()
    temperature = golden["temperature"].clone().requires_grad_()
    loss = info_nce(queries, keys, temperature)
    loss.backward()
    assert abs(loss.item() - golden["loss"].item()) <= 1e-5
    assert queries.grad is not None
    assert keys.grad is not None
    assert temperature.grad is not None
    close(queries.grad, golden["grad_q"])
    close(keys.grad, golden["grad_k"])
    close(temperature.grad, golden["grad_temp"])
    one_way = info_nce(golden["q"], golden["k"], golden["temperature"], symmetric=False)
    assert abs(one_way.item() - golden["loss_single_dir"].item()) <= 1e-5


def test_published_masking_keeps_absent_rows_as_negatives(shared_dir: Path) -> None:
    golden = load_golden(shared_dir)
    valid = golden["mask"].bool()
    loss = info_nce(golden["q"], golden["k"], 0.1, valid=valid, absent="negatives")
    assert abs(loss.item() - golden["loss_mask"].item()) <= 1e-5
    ours = info_nce(golden["q"], golden["k"], 0.1, valid=valid)
    assert ours.item() == pytest.approx(info_nce(golden["q"][valid], golden["k"][valid], 0.1).item(), abs=1e-6)
    assert ours.item() < loss.item()


def test_whole_objective(shared_dir: Path) -> None:
    golden = load_golden(shared_dir)
    encoder, objective = golden_encoder(golden), published()
    rows = distinct_rows(8)
    queue = objective.make_queue(64, 512, 512)
    queue.enqueue({"imu": golden["queue_imu"], "video": golden["queue_video"], "text": golden["queue_text"]}, distinct_rows(64, first=100))
    first, second = encoder(golden["x"]), encoder(0.5 * golden["x"] + 0.01)
    embeddings = {"video": golden["video"], "text": golden["text"]}
    present = dict.fromkeys(("video", "text"), torch.ones(8, dtype=torch.bool))
    neighbours = objective.retrieve(queue, first, embeddings, present, rows)
    assert torch.equal(neighbours.index, golden["neighbour"])
    terms = objective(first, second, embeddings, present, rows, neighbours)
    for name in ("ss", "mm_video", "mm_text", "nn_imu", "nn_video", "nn_text"):
        assert abs(terms[name].item() - golden[f"term_{name}"].item()) <= 1e-5, name
    assert abs(terms["total"].item() - golden["total_loss"].item()) <= 1e-5
    terms["total"].backward()
    recurrent = encoder.backbone[5].weight_hh_l0.grad
    assert abs(recurrent.norm().item() / golden["grad_gru_hh_norm"].item() - 1) <= 1e-4
    close(encoder.ssl_head.weight.grad[:4], golden["grad_ss_head"])


def test_step_without_neighbours(shared_dir: Path) -> None:
    golden = load_golden(shared_dir)
    encoder, objective = golden_encoder(golden), published(lambda_nn=0.0)
    embeddings = {"video": golden["k"], "text": golden["q"]}
    present = dict.fromkeys(("video", "text"), torch.ones(8, dtype=torch.bool))
    terms = objective(encoder(golden["x"]), encoder(0.5 * golden["x"] + 0.01), embeddings, present, distinct_rows(8))
    assert abs(terms["total"].item() - golden["step_loss"].item()) <= 1e-5
