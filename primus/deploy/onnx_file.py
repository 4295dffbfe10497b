"""ONNX: written with a batch of any size, run by ONNX Runtime, and kept only if it says what the encoder says."""

import contextlib
import io
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from primus.artifacts import atomic_path
from primus.deploy.parity import Parity, motion_windows, require_parity
from primus.deploy.portable import PortableEncoder, Recurrence
from primus.errors import UserError
from primus.models.digest import weights_digest
from primus.models.encoder import ImuEncoder

INPUT = "imu"
TRACED = 3  # windows of the batch that is traced: none of the sizes whose handling is special


class OnnxEncoder:
    """An exported file, run on one core by default.

    Raises:
        UserError: the extra `export` is not installed, or the file is none that ONNX Runtime reads.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        runtime = required("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own kinds, which it does not publish
            raise UserError(f"{path} is no ONNX file that can be run ({' '.join(str(error).split())[:240]})") from None
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of windows (B, 6, T) float32 under the contract."""
        found = self._session.run(None, {INPUT: np.ascontiguousarray(windows, dtype=np.float32)})
        return dict(zip(self._names, found, strict=True))


def required(module: str, extra: str = "export") -> Any:
    """A module of an extra.

    Raises:
        UserError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{module} is not installed ({error}); install the extra: pip install 'primus-imu[{extra}]'") from None


def write_onnx(encoder: ImuEncoder, path: Path, recurrence: Recurrence = "gru", projection: bool = True) -> Parity:
    """Write and verify an ONNX file: input imu (batch, 6, T), outputs feature and projection, the input contract in its metadata.

    Raises:
        UserError: the extra is missing, the exporter fails, or the file does not say what the encoder says; nothing is left behind.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        required(module)
    with atomic_path(path) as temporary:
        temporary.touch()  # a folder that cannot be written is said before the long work
        _export(PortableEncoder(encoder, recurrence, projection), encoder, temporary)
        _describe(temporary, encoder)
        return require_parity(encoder, OnnxEncoder(temporary), path.name)


def quantise_onnx(float_file: Path, path: Path) -> None:
    """Write a copy whose products have 8-bit weights and inputs (dynamic quantisation)."""
    quantization = required("onnxruntime.quantization")
    with tempfile.TemporaryDirectory(prefix="primus-") as folder, quiet():
        target = Path(folder) / "int8.onnx"
        quantization.quantize_dynamic(str(float_file), str(target), weight_type=quantization.QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
        with atomic_path(path) as temporary:
            shutil.copyfile(target, temporary)


def _export(module: PortableEncoder, encoder: ImuEncoder, path: Path) -> None:
    """Translate by torch.export, on the CPU."""
    example = torch.from_numpy(motion_windows(encoder.inputs, TRACED, 0))
    batch = torch.export.Dim("batch", min=1, max=65536)
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (example,),
                input_names=[INPUT],
                output_names=module.names,
                dynamic_shapes={INPUT: {0: batch}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            assert program is not None
    except Exception as error:  # torch.export and the translation raise kinds of their own
        raise UserError(f"PyTorch {torch.__version__} cannot export this encoder ({' '.join(str(error).split())[:240]}); nothing was kept") from None
    program.save(str(path), external_data=False)


def _describe(path: Path, encoder: ImuEncoder) -> None:
    """Put the input contract and the model's identity into the file."""
    onnx = required("onnx")
    model = onnx.load(str(path))
    facts = {"input": asdict(encoder.inputs), "weights_sha256": weights_digest(encoder), "options": encoder.options()}
    onnx.helper.set_model_props(model, {"primus": json.dumps(facts, sort_keys=True)})
    model.graph.doc_string = model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        with contextlib.suppress(AttributeError):
            del value.metadata_props[:]
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what exporters print and log to themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        said = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
