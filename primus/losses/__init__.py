"""The losses: contrastive terms, their weighted sum, and the multitask baseline (pure PyTorch)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "MultitaskObjective": "primus.losses.multitask",
    "PrimusObjective": "primus.losses.objective",
    "Temperature": "primus.losses.temperature",
    "info_nce": "primus.losses.contrastive",
}

__all__ = sorted(_EXPORTS)

if TYPE_CHECKING:
    from primus.losses.contrastive import info_nce as info_nce
    from primus.losses.multitask import MultitaskObjective as MultitaskObjective
    from primus.losses.objective import PrimusObjective as PrimusObjective
    from primus.losses.temperature import Temperature as Temperature


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
