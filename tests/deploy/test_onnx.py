"""ONNX files say what the encoder says at any batch, or are not kept; 8 bits shrink them or are refused."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from primus.deploy import int8, onnx_file, parity
from primus.deploy.cost import multiply_accumulates
from primus.deploy.onnx_file import OnnxEncoder, write_onnx
from primus.deploy.parity import compare, motion_windows, require_parity
from primus.deploy.portable import PortableEncoder
from primus.errors import UserError
from primus.models.encoder import ImuEncoder, InputContract


def small(**options: object) -> ImuEncoder:
    torch.manual_seed(0)
    return ImuEncoder(**{"feature_dim": 24, "projection_dim": 8} | options).eval()  # type: ignore[arg-type]


OTHERS = InputContract(channels=("gyro_x", "gyro_y", "gyro_z", "accel_x", "accel_y", "accel_z"), accel_unit="g", rate_hz=100.0, window_s=2.5)


@pytest.mark.parametrize("recurrence", ["gru", "unrolled"])
@pytest.mark.parametrize(
    "options",
    [{}, {"layout": "time", "input_norm": "fixed"}, {"head": "mlp", "inputs": OTHERS}, {"heads": False, "inputs": InputContract(rate_hz=25)}],
)
def test_the_portable_form_is_the_same_function(recurrence: str, options: dict[str, object]) -> None:
    encoder = small(**options)
    portable = PortableEncoder(encoder, recurrence)  # type: ignore[arg-type]

    def run(windows: np.ndarray) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            outputs = portable(torch.from_numpy(windows))
        return {name: rows.numpy() for name, rows in zip(portable.names, outputs, strict=False)}

    assert require_parity(encoder, run, "it").worst < 2e-6


@pytest.mark.slow
def test_a_written_file_runs_at_any_batch(tmp_path: Path) -> None:
    encoder = small()
    path = tmp_path / "encoder.onnx"
    found = write_onnx(encoder, path)
    assert found.worst < 1e-5
    assert set(found.error) == {"feature", "projection"}
    run = OnnxEncoder(path)
    for batch in (1, 7, 33):
        assert run(motion_windows(encoder.inputs, batch, 9))["feature"].shape == (batch, 24)
    facts = {entry.key: entry.value for entry in pytest.importorskip("onnx").load(str(path)).metadata_props}
    assert json.loads(facts["primus"])["input"]["rate_hz"] == 50.0
    assert str(Path(__file__).parent.parent.parent).encode() not in path.read_bytes(), "no path of this machine"


def test_a_frozen_batch_and_another_convention_are_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    encoder = small()

    def frozen(windows: np.ndarray) -> dict[str, np.ndarray]:
        if len(windows) != 3:
            raise RuntimeError("Invalid input shape: {1,3,24}")
        return parity.expected_outputs(encoder, windows)

    with pytest.raises(UserError, match="cannot be run"):
        require_parity(encoder, frozen, "it")

    def wrong_bias(windows: np.ndarray) -> dict[str, np.ndarray]:
        gru = small()
        with torch.no_grad():
            gru.backbone[5].bias_hh_l0[48:] += 0.01  # type: ignore[union-attr, operator]
        return parity.expected_outputs(gru, windows)

    with pytest.raises(UserError, match=r"differs from the encoder by .* more than 0.0001"):
        require_parity(encoder, wrong_bias, "it")

    def only_a_large_batch(windows: np.ndarray) -> dict[str, np.ndarray]:
        rows = parity.expected_outputs(encoder, windows)
        return rows if len(windows) < 33 else {name: value[::-1] for name, value in rows.items()}

    with pytest.raises(UserError, match="at a batch of 33"):
        require_parity(encoder, only_a_large_batch, "it")

    class Nan:
        def __call__(self, windows: np.ndarray) -> dict[str, np.ndarray]:
            return {"feature": np.full((len(windows), 24), np.nan, np.float32)}

    monkeypatch.setattr(onnx_file, "_export", lambda module, encoder, path: path.write_bytes(b""))
    monkeypatch.setattr(onnx_file, "_describe", lambda path, encoder: None)
    monkeypatch.setattr(onnx_file, "OnnxEncoder", lambda path: Nan())
    with pytest.raises(UserError, match="differs from the encoder by inf"):
        write_onnx(encoder, tmp_path / "bad.onnx")
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_what_is_no_onnx_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(UserError, match="no ONNX file"):
        OnnxEncoder(tmp_path / "x.onnx")


def test_multiply_accumulates_of_the_published_encoder() -> None:
    conv = 32 * (6 * 10 * 232 + 32 * 5 * 69 + 32 * 5 * 15)
    gru = 3 * 512 * (32 * 32 + 31 * 512)
    assert multiply_accumulates(ImuEncoder(heads=False)) == conv + 32 * 15 * 32 + gru
    assert multiply_accumulates(ImuEncoder()) == conv + 32 * 15 * 32 + gru + 512 * 512


@pytest.mark.slow
def test_eight_bits_are_kept_only_where_they_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from primus.adapt.label_source import LabelSource
    from primus.adapt.labelled import read_labelled
    from primus.adapt.probe_training import ProbeSettings
    from primus.inference import Policy
    from tests.adapt.activities import labelled_tables

    encoder = small(feature_dim=192, heads=False, input_norm="fixed")
    rows = read_labelled(labelled_tables(tmp_path / "in", people=3, seconds=10.0), encoder.inputs, LabelSource(), Policy(short="reflect"))
    out = tmp_path / "out" / "int8.onnx"
    check = int8.write_int8(encoder, out, rows, ProbeSettings())
    assert check.int8_bytes == out.stat().st_size < 0.6 * check.float_bytes
    assert check.worst_loss <= 0.01
    assert compare(encoder, OnnxEncoder(out)).worst == check.parity.worst > 1e-6
    out.unlink()
    for name, value, said in (("LARGEST_SHARE", 0.1, "do not shrink"), ("LARGEST_LOSS", -1.0, "loses")):
        with monkeypatch.context() as patched, pytest.raises(UserError, match=said):
            patched.setattr(int8, name, value)
            int8.write_int8(encoder, out, rows, ProbeSettings())
        assert list(out.parent.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_export", lambda *_: pytest.fail("worked for nothing"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot create the folder"):
        write_onnx(small(), tmp_path / "file" / "x.onnx")
    gone = tmp_path / ("n" * 300 + ".onnx")  # no file system takes such a name
    with pytest.raises(UserError, match=r"cannot write .*free space or make the folder writable"):
        write_onnx(small(), gone)


def test_a_disk_that_fills_up_is_no_fault_of_the_exporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Program:
        def save(self, path: str, external_data: bool) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: Program())
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        write_onnx(small(), tmp_path / "x.onnx")
