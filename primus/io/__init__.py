"""Raw files to SI units and device time. The names below are loaded on first use, so that importing a reader never imports the others."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primus.io.imu_file import read_imu as read_imu
    from primus.io.recording import ImuRecording as ImuRecording

_HOMES = {"read_imu": "primus.io.imu_file", "ImuRecording": "primus.io.recording"}
__all__ = ["ImuRecording", "read_imu"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
