"""One IMU stream as its device wrote it: what is kept of a recording when the file it came in is thrown away."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from primus.io.recording import ImuRecording, build_recording


@dataclass(frozen=True)
class RawImu:
    """Valid samples in file order, before any repair: stamps may repeat or run backwards, values may be missing.

    Attributes:
        timestamps_ns: (N,) int64, device clock.
        accel: (N, 3) float32, specific force in m/s^2, gravity included.
        gyro: (N, 3) float32, angular rate in rad/s.
        notes: counts of what was left out (`invalid_samples`).

    Raises:
        ValueError: shapes or dtypes are not the above.
    """

    timestamps_ns: NDArray[np.int64]
    accel: NDArray[np.float32]
    gyro: NDArray[np.float32]
    notes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.timestamps_ns)
        if self.timestamps_ns.dtype != np.int64 or self.timestamps_ns.ndim != 1:
            raise ValueError(f"timestamps_ns must be (N,) int64, found {self.timestamps_ns.shape} {self.timestamps_ns.dtype}")
        for name, values in (("accel", self.accel), ("gyro", self.gyro)):
            if values.shape != (n, 3) or values.dtype != np.float32:
                raise ValueError(f"{name} must be ({n}, 3) float32, found {values.shape} {values.dtype}")

    def recording(self, source: str) -> ImuRecording:
        """The recording these samples make, by the rules of `primus.io.recording.build_recording`; `source` is for messages.

        Raises:
            Rejected: they make none.
        """
        return build_recording(self.timestamps_ns, self.accel, self.gyro, source, self.notes)

    def equals(self, other: "RawImu") -> bool:
        """Whether every stamp and every value is the same, bit for bit, and so are the counts."""
        pairs = ((self.timestamps_ns, other.timestamps_ns), (self.accel, other.accel), (self.gyro, other.gyro))
        return dict(self.notes) == dict(other.notes) and all(len(a) == len(b) and a.tobytes() == b.tobytes() for a, b in pairs)
