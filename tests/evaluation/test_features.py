import numpy as np
import pytest
import torch

from primus.errors import UserError
from primus.evaluation.features import BATCH, REPRESENTATIONS, encode_batches
from primus.models.encoder import ImuEncoder
from primus.seeds import generator


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return generator(0, "imu").normal(size=(BATCH + 3, 6, 250)).astype(np.float32)


def encode(encoder: ImuEncoder, windows: np.ndarray, threads: int = 1) -> dict[str, np.ndarray]:
    batches = list(encode_batches(encoder, lambda start, stop: windows[start:stop], len(windows), threads))
    assert [len(batch["feature"]) for batch in batches] == [BATCH, 3]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def test_every_representation_equals_the_encoder_called_directly_in_eval_mode(windows: np.ndarray) -> None:
    torch.manual_seed(0)
    encoder = ImuEncoder(head="mlp").train()
    found = encode(encoder, windows)
    assert not encoder.training
    assert tuple(found) == REPRESENTATIONS
    with torch.no_grad():
        direct = encoder(torch.from_numpy(windows))
    for name, value in zip(direct._fields, direct, strict=True):
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], value.numpy(), atol=1e-5)
    again = encode(encoder, windows, threads=3)
    assert all(np.array_equal(found[name], again[name]) for name in found), "the number of threads must not matter"


def test_a_model_without_heads_has_only_features(windows: np.ndarray) -> None:
    assert tuple(encode(ImuEncoder(heads=False), windows)) == ("feature",)


def test_an_output_that_is_not_finite_is_named(windows: np.ndarray) -> None:
    broken = windows.copy()
    broken[BATCH + 1, 2, 17] = np.nan
    with pytest.raises(UserError, match=f"segment number {BATCH + 1} is not finite"):
        encode(ImuEncoder(), broken)
