"""Takes to segments: which intervals, their IMU, their quality, and who is in which split. `cut` is loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primus.segments.imu import cut as cut

__all__ = ["cut"]


def __getattr__(name: str) -> Any:
    if name == "cut":
        return import_module("primus.segments.imu").cut
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
