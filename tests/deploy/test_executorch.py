"""ExecuTorch programs say what the encoder says, or are not kept; skipped where the extra `mobile` is not installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from primus.deploy.executorch_file import ExecutorchEncoder, write_executorch
from primus.deploy.parity import TOLERANCE, expected_outputs, motion_windows
from primus.errors import UserError
from primus.models.encoder import ImuEncoder


@pytest.fixture
def encoder() -> ImuEncoder:
    torch.manual_seed(0)
    return ImuEncoder(feature_dim=24, projection_dim=8).eval()


def test_a_program_says_what_the_encoder_says(encoder: ImuEncoder, tmp_path: Path) -> None:
    pytest.importorskip("executorch.runtime", reason="the extra `mobile` is not installed")
    parity = write_executorch(encoder, tmp_path / "model.pte")
    assert parity.worst <= TOLERANCE
    windows = motion_windows(encoder.inputs, 5, 3)
    found, expected = ExecutorchEncoder(tmp_path / "model.pte")(windows), expected_outputs(encoder, windows)
    assert list(found) == ["feature", "projection"]
    for name, rows in expected.items():
        np.testing.assert_allclose(found[name], rows, atol=TOLERANCE)
    write_executorch(encoder, tmp_path / "feature.pte", projection=False)
    assert list(ExecutorchEncoder(tmp_path / "feature.pte")(windows)) == ["feature"]


def test_a_program_that_differs_is_not_kept(encoder: ImuEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("executorch.runtime", reason="the extra `mobile` is not installed")
    monkeypatch.setattr("primus.deploy.executorch_file.ExecutorchEncoder.__call__", lambda self, windows: {"feature": np.ones((len(windows), 24))})
    with pytest.raises(UserError, match="differs from the encoder by"):
        write_executorch(encoder, tmp_path / "model.pte")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_the_remedy_is_named(encoder: ImuEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "executorch", None)
    for name in [name for name in sys.modules if name.startswith("executorch.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match=r"pip install 'primus-imu\[mobile\]'"):
        write_executorch(encoder, tmp_path / "model.pte")
    assert not list(tmp_path.iterdir())


def test_eight_bits_are_for_onnx(encoder: ImuEncoder, tmp_path: Path) -> None:
    encoder.save_pretrained(tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--target", "executorch", "--int8", "--out", str(tmp_path / "x.pte")]
    done = subprocess.run([sys.executable, "-m", "primus", "export", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--int8 is for --target onnx" in done.stderr
