"""The encoder as an ExecuTorch program, for phones: one window at a time, products on XNNPACK, verified by running the file."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from primus.artifacts import atomic_path
from primus.deploy.onnx_file import quiet, required
from primus.deploy.parity import Parity, motion_windows, require_parity
from primus.deploy.portable import PortableEncoder
from primus.errors import UserError
from primus.models.encoder import ImuEncoder

EXTRA = "mobile"


class _Plain(nn.Module):
    """The encoder's outputs as a plain tuple, which is all that a program can return."""

    def __init__(self, encoder: PortableEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, imu: Tensor) -> tuple[Tensor, ...]:
        return tuple(part for part in self.encoder(imu) if part is not None)


class ExecutorchEncoder:
    """An exported program, run window by window.

    Raises:
        UserError: the extra `mobile` is not installed, or the file is none that ExecuTorch reads.
    """

    def __init__(self, path: str | Path) -> None:
        runtime = required("executorch.runtime", EXTRA)
        try:
            self._method = runtime.Runtime.get().load_program(str(path)).load_method("forward")
        except Exception as error:  # the runtime's own kinds, which it does not publish
            raise UserError(f"{path} is no ExecuTorch program that can be run ({' '.join(str(error).split())[:240]})") from None
        self._names = ("feature", "projection")

    def __call__(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of windows (B, 6, T) float32 under the contract."""
        rows = [self._method.execute([torch.from_numpy(np.ascontiguousarray(window[None]))]) for window in windows]
        parts = [torch.cat([row[number].clone() for row in rows]).numpy() for number in range(len(rows[0]))]
        return dict(zip(self._names, parts, strict=False))


def write_executorch(encoder: ImuEncoder, path: Path, projection: bool = True) -> Parity:
    """Write and verify a program (.pte): input (1, 6, T), outputs feature and projection.

    The recurrence is unrolled: its products go to XNNPACK, which is four times quicker than without.

    Raises:
        UserError: the extra is missing, the exporter fails, or the file does not say what the encoder says; nothing is left behind.
    """
    with quiet():  # its imports talk too
        lowering = required("executorch.exir", EXTRA)
        partitioner = required("executorch.backends.xnnpack.partition.xnnpack_partitioner", EXTRA).XnnpackPartitioner
    module = _Plain(PortableEncoder(encoder, "unrolled", projection)).eval()
    example = (torch.from_numpy(motion_windows(encoder.inputs, 1, 0)),)
    with atomic_path(path) as temporary:
        try:
            with quiet(), torch.no_grad():
                program = lowering.to_edge_transform_and_lower(torch.export.export(module, example), partitioner=[partitioner()]).to_executorch()
            temporary.write_bytes(program.buffer)
        except Exception as error:  # torch.export and the lowering raise kinds of their own
            said = " ".join(str(error).split())[:240]
            raise UserError(f"ExecuTorch cannot lower this encoder with PyTorch {torch.__version__} ({said}); nothing was kept") from None
        return require_parity(encoder, ExecutorchEncoder(temporary), path.name)
