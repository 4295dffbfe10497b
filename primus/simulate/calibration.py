"""The synthetic factory calibration of a simulated Aria device: where its inertial sensors sit, in Aria's JSON format.

The head frame (x forward, y left, z up) has its origin at the RGB camera. Aria's device frame is by definition that of the left SLAM camera;
a simulated device has one camera, which is both.
"""

from typing import Any, Final

import numpy as np

from primus.seeds import derived_seed

CAMERA_FROM_HEAD: Final = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""Rotation from the head frame to the camera's (x right, y down, z forward)."""

LEVER_ARM_M: Final[dict[str, tuple[float, float, float]]] = {"imu-right": (-0.035, -0.07, -0.005), "imu-left": (-0.03, 0.07, -0.005)}
"""Position of each sensor in the head frame."""


def _orientation(up: tuple[float, float, float], forward_hint: tuple[float, float, float]) -> np.ndarray:
    """Rotation head -> sensor whose third column (the image of 'up') is `up` and whose first is as near as can be to the hint."""
    z = np.array(up) / np.linalg.norm(up)
    x = np.array(forward_hint) - np.dot(forward_hint, z) * z
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


SENSOR_FROM_HEAD: Final = {
    "imu-right": _orientation((-0.90, -0.09, 0.42), (0.42, 0.05, 0.90)),
    "imu-left": _orientation((0.27, -0.95, 0.12), (0.12, 0.15, 0.98)),
}
"""Head -> sensor rotations, with 'up' where a worn Gen1 device has it in each sensor's own axes."""


def device_calibration(serial: str) -> dict[str, Any]:
    """Calibration of the device `serial`: intrinsics near identity, extrinsics as above."""
    rng = np.random.Generator(np.random.PCG64(derived_seed(0, "simulate", "calibration", serial)))
    imus = []
    for label in ("imu-right", "imu-left"):
        accel = np.triu(np.eye(3) + rng.normal(0, 2e-3, (3, 3)))
        gyro = np.eye(3) + rng.normal(0, 2e-3, (3, 3))
        imus.append(
            {
                "Accelerometer": {
                    "Bias": {"Name": "Constant", "Offset": rng.normal(0, 0.05, 3).tolist()},
                    "Model": {"Name": "Linear", "RectificationMatrix": accel.tolist()},
                    "TimeOffsetSec_Device_Accel": 0.0,
                },
                "Calibrated": True,
                "Gyroscope": {
                    "Bias": {"Name": "Constant", "Offset": rng.normal(0, 2e-3, 3).tolist()},
                    "Model": {"Name": "Linear", "RectificationMatrix": gyro.tolist()},
                    "TimeOffsetSec_Device_Gyro": 0.0,
                },
                "Label": label,
                "SerialNumber": "simulated",
                "T_Device_Imu": {
                    "Translation": (CAMERA_FROM_HEAD @ np.array(LEVER_ARM_M[label])).tolist(),
                    "UnitQuaternion": _quaternion(CAMERA_FROM_HEAD @ SENSOR_FROM_HEAD[label].T),
                },
            }
        )
    return {
        "AlgorithmName": "primus.simulate",
        "AlgorithmVersion": "1",
        "BaroCalibrations": [],
        "CalibrationSource": "Factory",
        "CameraCalibrations": [],
        "DeviceClassInfo": {"BuildVersion": "DVT-S", "DeviceClass": "Aria"},
        "FileFormat": {"Tags": [], "Timestamp": "2022-01-01T00:00:00Z", "UnixTime": 1640995200, "Version": 3},
        "ImuCalibrations": imus,
        "MagCalibrations": [],
        "MicCalibrations": [],
        "OriginSpecification": {"ChildLabel": "camera-slam-left", "Type": "Custom"},
        "Serial": serial,
    }


def _quaternion(rotation: np.ndarray) -> list[Any]:
    """[w, [x, y, z]] of a rotation matrix, by the eigenvector of its quaternion matrix (stable for every angle)."""
    m = rotation
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    w, x, y, z = np.linalg.eigh(k)[1][:, -1]
    sign = 1.0 if w >= 0 else -1.0
    return [float(sign * w), [float(sign * x), float(sign * y), float(sign * z)]]
