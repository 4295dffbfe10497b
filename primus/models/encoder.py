"""The IMU encoder: a window of accelerometer and gyroscope -> one feature and two projections.

Architecture of IMU2CLIP (arXiv 2210.14395) as used by PRIMUS (arXiv 2411.15127): three strided
convolution blocks without activations, a group normalisation and a GRU whose last state is the feature.
Parameter names are those of the authors' released checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from huggingface_hub import ModelHubMixin
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, conv2d, max_pool2d

from primus.models.heads import HeadKind, projection_head
from primus.models.recurrence import applies_to, last_state

Layout = Literal["channels", "time"]
InputNorm = Literal["published", "fixed"]

CHANNELS_IN = 6  # accelerometer x, y, z then gyroscope x, y, z
WIDTH = 32  # channels of every convolution, and time bins entering the GRU
MIN_SAMPLES = 123  # the shortest window that leaves one step before the adaptive pool
STANDARD_GRAVITY = 9.80665  # m/s^2


@dataclass(frozen=True)
class InputContract:
    """What a window must be for a model to mean anything; stored beside the weights.

    Attributes:
        channels: order of the six rows of a window: the three axes of each sensor, in any order.
        accel_unit, gyro_unit: physical units of the accelerometer's ("m/s^2" or "g") and the gyroscope's rows ("rad/s" or "deg/s").
        gravity: whether the accelerometer includes gravity; nothing else is supported.
        rate_hz, window_s: sampling rate and length the model was trained on.
        layout: axes of a batch of windows; "channels_first" is (N, 6, T).

    Raises:
        ValueError: a value is not one of those.
    """

    channels: tuple[str, ...] = ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z")
    accel_unit: str = "m/s^2"
    gyro_unit: str = "rad/s"
    gravity: bool = True
    rate_hz: float = 50.0
    window_s: float = 5.0
    layout: str = "channels_first"

    def __post_init__(self) -> None:
        if sorted(self.channels) != sorted(InputContract.channels):
            raise ValueError(f"input.channels must be {', '.join(InputContract.channels)} in some order, found {', '.join(map(str, self.channels))}")
        for name, known in (("accel_unit", ("m/s^2", "g")), ("gyro_unit", ("rad/s", "deg/s")), ("layout", ("channels_first",)), ("gravity", (True,))):
            if getattr(self, name) not in known:
                raise ValueError(f"input.{name} must be {' or '.join(map(str, known))}, found {getattr(self, name)!r}")
        for name in ("rate_hz", "window_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not (0 < value < math.inf):
                raise ValueError(f"input.{name} must be a positive number, found {value!r}")
        if self.samples < MIN_SAMPLES:
            raise ValueError(f"input.window_s * input.rate_hz must be at least {MIN_SAMPLES} samples, found {self.samples}")

    @property
    def samples(self) -> int:
        """Number of samples in a window."""
        return round(self.rate_hz * self.window_s)


class EncoderOutput(NamedTuple):
    """Rows of one batch: feature (B, feature_dim); projections (B, projection_dim), not normalised, None without heads."""

    feature: Tensor
    self_supervised: Tensor | None
    multimodal: Tensor | None

    def map(self, function: Callable[[Tensor], Tensor]) -> EncoderOutput:
        """The same output with `function` applied to every part that is there."""
        heads = (None if part is None else function(part) for part in self[1:])
        return EncoderOutput(function(self.feature), *heads)


class FixedScale(nn.Module):
    """Divide by physical constants instead of the window's own statistics: (B, 6, T) -> (B, 6, T).

    The published input normalisation is per window and per sensor, so it cannot see intensity. Here the
    accelerometer is expressed in standard gravity and the gyroscope stays in rad/s, followed by the same
    learned per-channel weight and bias as a GroupNorm has (same parameter names and count).
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(CHANNELS_IN))
        self.bias = nn.Parameter(torch.zeros(CHANNELS_IN))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * self.weight.new_tensor([1 / STANDARD_GRAVITY] * 3 + [1.0] * 3)
        return x * scale[:, None] + self.bias[:, None]


class ConvBlock(nn.Module):
    """Dilated convolution without bias, then a pooling layer: (B, C, T) -> (B, 32, T').

    On a CPU both run with the channels last in memory, which their kernels are faster in; the weights keep their layout.
    """

    def __init__(self, channels: int, kernel: int, pool: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(channels, WIDTH, kernel, dilation=2, bias=False), pool)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return self.net(x)
        (weight,), pool = self.net[0].parameters(), self.net[1]
        image = x.unsqueeze(2).to(memory_format=torch.channels_last)  # (B, C, 1, T)
        image = conv2d(image, weight.unsqueeze(2).to(memory_format=torch.channels_last), dilation=(1, 2))
        if isinstance(pool, nn.MaxPool1d):
            return max_pool2d(image, (1, 3)).squeeze(2)
        return adaptive_avg_pool2d(image, (1, WIDTH)).squeeze(2)


class ImuEncoder(nn.Module, ModelHubMixin):
    """Encode IMU windows. `push_to_hub` comes from Hugging Face's mixin.

    Args:
        layout: "channels" feeds the 32 channels as the GRU's sequence, as the published network does (needed for
            released weights); "time" feeds the 32 time bins, the natural reading. Same parameters.
        input_norm: "published" normalises each window and sensor by itself; "fixed" uses physical constants.
        feature_dim: width of the feature (512 published).
        heads: whether the two projection heads exist.
        head: "linear" (released code) or "mlp" (the paper's text).
        projection_dim: width of both projections; equals the width of the frozen embeddings.
        inputs: the windows this model is for; stored in config.json.

    Raises:
        ValueError: an option is not one of those above.
    """

    def __init__(
        self,
        layout: Layout = "channels",
        input_norm: InputNorm = "published",
        feature_dim: int = 512,
        heads: bool = True,
        head: HeadKind = "linear",
        projection_dim: int = 512,
        inputs: InputContract | None = None,
    ) -> None:
        super().__init__()
        if layout not in ("channels", "time"):
            raise ValueError(f"layout must be 'channels' or 'time', found {layout!r}")
        if input_norm not in ("published", "fixed"):
            raise ValueError(f"input_norm must be 'published' or 'fixed', found {input_norm!r}")
        for name, value in (("feature_dim", feature_dim), ("projection_dim", projection_dim)):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65536:
                raise ValueError(f"{name} must be an integer in 1..65536, found {value!r}")
        self.layout: Layout = layout
        self.input_norm: InputNorm = input_norm
        self.feature_dim = feature_dim
        self.head: HeadKind = head
        self.projection_dim = projection_dim
        self.inputs = inputs or InputContract()
        self.metadata: Mapping[str, Any] = {}
        self.backbone = nn.ModuleList(
            [
                nn.GroupNorm(2, CHANNELS_IN) if input_norm == "published" else FixedScale(),
                ConvBlock(CHANNELS_IN, 10, nn.MaxPool1d(3)),
                ConvBlock(WIDTH, 5, nn.MaxPool1d(3)),
                ConvBlock(WIDTH, 5, nn.AdaptiveAvgPool1d(WIDTH)),
                nn.GroupNorm(4, WIDTH),
                nn.GRU(WIDTH, feature_dim, batch_first=True),
            ]
        )
        self.ssl_head = projection_head(head, feature_dim, projection_dim) if heads else None
        self.mmcl_head = projection_head(head, feature_dim, projection_dim) if heads else None

    def options(self) -> dict[str, Any]:
        """Constructor arguments that rebuild this architecture (JSON values; `inputs` as a mapping)."""
        return {
            "layout": self.layout,
            "input_norm": self.input_norm,
            "feature_dim": self.feature_dim,
            "heads": self.ssl_head is not None,
            "head": self.head,
            "projection_dim": self.projection_dim,
            "inputs": asdict(self.inputs) | {"channels": list(self.inputs.channels)},
        }

    def feature(self, x: Tensor) -> Tensor:
        """Features (B, feature_dim) of windows x (B, 6, T), T >= 123; units as in `inputs`; raises as `forward` does."""
        if x.ndim != 3 or x.shape[1] != CHANNELS_IN or x.shape[2] < MIN_SAMPLES:
            raise ValueError(
                f"windows must be (B, {CHANNELS_IN}, T) with T >= {MIN_SAMPLES} samples, found {tuple(x.shape)}"
                + ("; transpose the last two axes" if x.ndim == 3 and x.shape[2] == CHANNELS_IN else "")
            )
        gru = self.backbone[-1]
        assert isinstance(gru, nn.GRU)
        weights = gru.all_weights[0][1].dtype
        if x.dtype != weights and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"windows are {x.dtype}, the encoder's weights {weights}; convert one, for example with windows.to({weights})")
        for block in self.backbone[:-1]:
            x = block(x)
        sequence = x if self.layout == "channels" else x.transpose(1, 2)  # (B, 32 steps, 32 inputs) either way
        if applies_to(gru.all_weights[0][1]):
            return last_state(sequence, *gru.all_weights[0])
        _, state = gru(sequence)
        return state[-1]

    def forward(self, x: Tensor) -> EncoderOutput:
        """Encode windows x (B, 6, T) of the weights' type, T >= 123; raises ValueError on any other shape or type."""
        feature = self.feature(x)
        if self.ssl_head is None or self.mmcl_head is None:
            return EncoderOutput(feature, None, None)
        return EncoderOutput(feature, self.ssl_head(feature), self.mmcl_head(feature))

    def save_pretrained(self, folder: str | Path, *, config: Any = None, model_card_kwargs: Any = None, **metadata: Any) -> None:  # type: ignore[override]
        """Write config.json, model.safetensors and a model card, README.md, into `folder`.

        Args:
            folder: made where it does not exist.
            config, model_card_kwargs: what `push_to_hub` of the mixin passes; not used, both files say what the encoder itself knows.
            metadata: how it was trained (JSON values), for the card and under "training" in config.json; nothing keeps `.metadata`.
        """
        from primus.models.pretrained import save_encoder

        save_encoder(self, Path(folder), metadata or dict(self.metadata))

    @classmethod
    def from_pretrained(cls, folder_or_hub_id: str | Path, revision: str | None = None, **hub: Any) -> ImuEncoder:  # type: ignore[override]
        """Read an encoder written by `save_pretrained`, from a folder or a Hugging Face model id, in eval mode.

        What `save_pretrained` was told beside the weights is in `.metadata`.

        Args:
            folder_or_hub_id: a folder, or "owner/name".
            revision: branch, tag or commit on the hub.
            hub: `token`, `cache_dir`, `local_files_only` or `force_download`, for the hub.

        Raises:
            primus.errors.UserError: folder, file, option or tensor missing or not what this version writes.
        """
        from primus.models.pretrained import load_encoder

        return load_encoder(str(folder_or_hub_id), revision, **hub)
