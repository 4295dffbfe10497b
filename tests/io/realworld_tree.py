"""A RealWorld2016 tree in miniature, with the names and nestings of the release."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EPOCH_MS = 1_435_993_000_000
PREFIX = {"acc": "acc", "gyr": "Gyroscope", "mag": "MagneticField"}
Signal = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def acceleration(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) m/s^2."""
    return np.stack([np.sin(2 * np.pi * seconds), 9.81 + np.cos(3 * np.pi * seconds), 0.02 * seconds], axis=1)


def rotation(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) rad/s."""
    return np.stack([np.cos(2 * np.pi * seconds), 0.2 * np.sin(np.pi * seconds), 0.01 * seconds], axis=1)


def stamps(start_s: float, end_s: float, rate_hz: float = 50.0) -> NDArray[np.int64]:
    """Epoch milliseconds (N,)."""
    return EPOCH_MS + np.round(np.arange(start_s, end_s, 1 / rate_hz) * 1000).astype(np.int64)


def csv(times_ms: NDArray[np.int64], signal: Signal) -> bytes:
    """A sensor's file."""
    values = signal((times_ms - EPOCH_MS) / 1000)
    lines = [f"{k + 1},{time},{x:.6f},{y:.6f},{z:.6f}" for k, (time, (x, y, z)) in enumerate(zip(times_ms.tolist(), values.tolist(), strict=True))]
    return ("id,attr_time,attr_x,attr_y,attr_z\n" + "\n".join(lines) + "\n").encode()


def archive(members: Mapping[str, bytes]) -> bytes:
    """A zip with these members."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return sink.getvalue()


def members(
    sensor: str, activity: str, number: int | None = None, positions: Sequence[str] = ("chest", "head"), start_s: float = 0.0, end_s: float = 12.0
) -> dict[str, bytes]:
    """The CSVs of one recording and its readMe."""
    signal = rotation if sensor == "gyr" else acceleration
    tail = "" if number is None else f"_{number}"
    content = csv(stamps(start_s, end_s), signal)
    return {f"{PREFIX[sensor]}_{activity}{tail}_{position}.csv": content for position in positions} | {"readMe": b"frequency: 50 Hz"}


def write(root: Path, proband: int, sensor: str, activity: str, content: Mapping[str, bytes] | bytes) -> Path:
    """proband<N>/data/<sensor>_<activity>_csv.zip."""
    path = root / f"proband{proband}" / "data" / f"{sensor}_{activity}_csv.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else archive(content))
    return path


def write_nested(
    root: Path, proband: int, activity: str, parts: int = 3, positions: Sequence[str] = ("chest", "head"), second_s: float = 10.0
) -> None:
    """Archives in archives, as probands 4, 7 and 14 have for climbing: the first is numbered for the accelerometer alone, its CSVs never."""
    for sensor in ("acc", "gyr"):
        inner = {}
        for part in range(1, parts + 1):
            label = "" if part == 1 and sensor == "gyr" else f"_{part}"
            number = None if part == 1 else part
            recording = members(sensor, activity, number, positions, start_s=100.0 * part, end_s=100.0 * part + second_s * part)
            inner[f"{sensor}_{activity}{label}_csv.zip"] = archive(recording)
        write(root, proband, sensor, activity, inner)
