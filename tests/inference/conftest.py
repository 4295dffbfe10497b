"""A small untrained encoder, in memory and in a folder."""

from pathlib import Path

import pytest
import torch

from primus.models.encoder import ImuEncoder


@pytest.fixture(scope="session")
def encoder() -> ImuEncoder:
    torch.manual_seed(0)
    return ImuEncoder(feature_dim=24, projection_dim=8, input_norm="fixed").eval()


@pytest.fixture(scope="session")
def model(encoder: ImuEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    encoder.save_pretrained(folder, method="primus", representation="multimodal")
    return folder
