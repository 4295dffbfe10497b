"""PRIMUS: pretrain IMU encoders from egocentric recordings, and measure them by few-shot activity recognition.

The public names below are imported on first use (PEP 562), so that `import primus` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "ImuEncoder": "primus.models.encoder",
    "InputContract": "primus.models.encoder",
    "Stream": "primus.inference.live",
    "preprocess": "primus.inference.samples",
    "load_released_checkpoint": "primus.models.weights",
    "ImuRecording": "primus.io.recording",
    "read_imu": "primus.io.imu_file",
}
_PACKAGES = ("losses", "models", "segments", "io")
__all__ = ["ImuEncoder", "ImuRecording", "InputContract", "Stream", "__version__", "load_released_checkpoint", "preprocess", "read_imu"]

if TYPE_CHECKING:
    from primus import io as io
    from primus import losses as losses
    from primus import models as models
    from primus import segments as segments
    from primus.inference.live import Stream
    from primus.inference.samples import preprocess
    from primus.io.imu_file import read_imu
    from primus.io.recording import ImuRecording
    from primus.models.encoder import ImuEncoder, InputContract
    from primus.models.weights import load_released_checkpoint


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _PACKAGES:  # so that `import primus; primus.losses.info_nce(...)` works
        return import_module(f"primus.{name}")
    raise AttributeError(f"module 'primus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
