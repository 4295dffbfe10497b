"""Encoder, heads, feature queue and weight files (pure PyTorch; nothing here reads params)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "EncoderOutput": "primus.models.encoder",
    "FeatureQueue": "primus.models.feature_queue",
    "ImuEncoder": "primus.models.encoder",
    "InputContract": "primus.models.encoder",
    "Neighbours": "primus.models.feature_queue",
    "Rows": "primus.models.rows",
    "load_released_checkpoint": "primus.models.weights",
}

__all__ = sorted(_EXPORTS)

if TYPE_CHECKING:
    from primus.models.encoder import EncoderOutput as EncoderOutput
    from primus.models.encoder import ImuEncoder as ImuEncoder
    from primus.models.encoder import InputContract as InputContract
    from primus.models.feature_queue import FeatureQueue as FeatureQueue
    from primus.models.feature_queue import Neighbours as Neighbours
    from primus.models.rows import Rows as Rows
    from primus.models.weights import load_released_checkpoint as load_released_checkpoint


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
