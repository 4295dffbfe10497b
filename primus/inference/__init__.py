"""A trained encoder in use: any recording to windows under the model's input contract, to features, in files, in memory or live."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Policy": "primus.inference.policy",
    "Stream": "primus.inference.live",
    "StreamFeature": "primus.inference.live",
    "Windows": "primus.inference.recording_windows",
    "encode_paths": "primus.inference.feature_file",
    "encode_windows": "primus.inference.encoding",
    "open_encoder": "primus.inference.contract",
    "preprocess": "primus.inference.samples",
    "weights_digest": "primus.models.digest",
    "windows": "primus.inference.recording_windows",
}
__all__ = [
    "Policy",
    "Stream",
    "StreamFeature",
    "Windows",
    "encode_paths",
    "encode_windows",
    "open_encoder",
    "preprocess",
    "weights_digest",
    "windows",
]

if TYPE_CHECKING:
    from primus.inference.contract import open_encoder
    from primus.inference.encoding import encode_windows
    from primus.inference.feature_file import encode_paths
    from primus.inference.live import Stream, StreamFeature
    from primus.inference.policy import Policy
    from primus.inference.recording_windows import Windows, windows
    from primus.inference.samples import preprocess
    from primus.models.digest import weights_digest


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
