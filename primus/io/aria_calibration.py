"""Factory calibration of an Aria recording's IMUs, applied: sensor axes made orthogonal, scale and bias corrected.

The model is projectaria_tools' linear rectification, rectified = M^-1 (raw - bias), read from the recording's own `calib_json` tag. It corrects
up to about 0.1 m/s^2 and 0.004 rad/s, and leaves the IMU's frame as it is.
"""

import json
import mmap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.io.recording import ImuRecording
from primus.io.vrs_layout import read_description


@dataclass(frozen=True)
class ImuCalibration:
    """Rectification matrices (3, 3) and biases (3,) of one IMU, in m/s^2 and rad/s."""

    accel_matrix: NDArray[np.float64]
    accel_bias: NDArray[np.float64]
    gyro_matrix: NDArray[np.float64]
    gyro_bias: NDArray[np.float64]


def read_calibration(path: Path, label: str) -> ImuCalibration:
    """The calibration of the IMU `label` in a VRS file.

    Raises:
        Rejected: `unreadable_imu` when the file carries no usable calibration of that IMU.
    """
    return parse_calibration(calibration_text(path), label, path.name)


def calibration_text(path: Path) -> str | None:
    """The `calib_json` tag of a VRS file, None where it has none.

    Raises:
        Rejected: `unreadable_imu` when it is no VRS file.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return read_description(data, path.name).tags.get("calib_json")


def parse_calibration(text: str | None, label: str, source: str) -> ImuCalibration:
    """The calibration of the IMU `label` in a `calib_json`; `source` is for messages.

    Raises:
        Rejected: `unreadable_imu` when there is no usable calibration of that IMU in it.
    """
    if text is None:
        raise Rejected("unreadable_imu", f"{source}: no factory calibration (calib_json); read it without")
    try:
        imus = {imu["Label"]: imu for imu in json.loads(text)["ImuCalibrations"]}
        parts = [imus[label][sensor] for sensor in ("Accelerometer", "Gyroscope")]
        accel, gyro = (
            (np.array(part["Model"]["RectificationMatrix"], np.float64).reshape(3, 3), np.array(part["Bias"]["Offset"], np.float64).reshape(3))
            for part in parts
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Rejected("unreadable_imu", f"{source}: no usable factory calibration of {label} ({type(error).__name__}: {error})") from error
    if not all(np.isfinite(part).all() for part in (*accel, *gyro)) or min(abs(np.linalg.det(accel[0])), abs(np.linalg.det(gyro[0]))) < 0.5:
        raise Rejected("unreadable_imu", f"{source}: the factory calibration of {label} is not finite or not invertible")
    return ImuCalibration(*accel, *gyro)


def rectify(recording: ImuRecording, calibration: ImuCalibration) -> ImuRecording:
    """The recording with the calibration applied, in float64."""
    gyro = recording.gyro
    return replace(
        recording,
        accel=_rectified(recording.accel, calibration.accel_matrix, calibration.accel_bias),
        gyro=None if gyro is None else _rectified(gyro, calibration.gyro_matrix, calibration.gyro_bias),
    )


def _rectified(raw: NDArray[np.floating], matrix: NDArray[np.float64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(np.linalg.solve(matrix, (raw.astype(np.float64) - bias).T).T)
