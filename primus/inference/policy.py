"""What is done where a recording is not quite what a model expects: every answer is a setting with a stated default, and what was done is said."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from primus.errors import UserError
from primus.segments.quality import Thresholds

MissingGyro = Literal["refuse", "zeros"]
Short = Literal["refuse", "reflect"]


@dataclass(frozen=True)
class Policy:
    """How a recording becomes windows.

    Attributes:
        hop_s: seconds from one window's start to the next; None for the window's length.
        missing_gyro: a recording without gyroscope is refused, or its gyroscope channels are zeros.
        short: a recording shorter than a window is refused, or mirrored in time at its end until it fills one.
        thresholds: of the quality checks; by default those of the class, whatever `segment.quality` was when a model was trained.

    Raises:
        UserError: a value is not one of those.
    """

    hop_s: float | None = None
    missing_gyro: MissingGyro = "refuse"
    short: Short = "refuse"
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        if self.hop_s is not None and not 1e-3 <= self.hop_s < 1e6:
            raise UserError(f"hop_s is {self.hop_s}; expected seconds between window starts, at least 0.001")
        for name, known in (("missing_gyro", get_args(MissingGyro)), ("short", get_args(Short))):
            if getattr(self, name) not in known:
                raise UserError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")

    def stated(self) -> dict[str, Any]:
        """The policy as JSON values."""
        return asdict(self)
