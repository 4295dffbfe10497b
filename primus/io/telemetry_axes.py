"""Which way a camera's sensors point, and in which unit they measure, from what its telemetry and telemetry-parser say.

Each sensor is turned into the camera's frame by the orientation telemetry-parser found for it, then named: x to the right, y along the optical
axis (forward), z up, as the camera is held upright; right-handed, so a camera at rest reads +9.81 m/s^2 on z. For GoPro this is the order Z,X,Y that
gpmf-parser documents and the HERO5 names ("up/down, right/left, forward/back"), taking the first of each pair as the positive direction. For
other makes it is telemetry-parser's common orientation, as far as it knows the model.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primus.io.units import ACCEL_UNITS, GYRO_UNITS, canonical_unit

_MODEL_ORIENTATION = {"Fusion": "ZYx", "HERO7": "ZyX"}  # channels -Y,X,Z and Y,-X,Z (gpmf-parser's tables), where the file does not say so


def in_camera_frame(raw: NDArray[np.float64], group: Mapping[str, Any], name: str, camera: str, model: str) -> NDArray[np.float64]:
    """Values (N, 3) in m/s^2 or rad/s, x right, y forward, z up, of a packet's raw values (N, 3).

    Args:
        raw: as telemetry-parser gives them.
        group: the packet's entry for the sensor, which holds orientation, scale and unit where the file states them.
        name: "Accelerometer" or "Gyroscope".
        camera, model: telemetry-parser's names of make and model.

    Raises:
        ValueError: an orientation or a unit that is none.
    """
    letters = _orientation(group, camera, model)
    values = raw[:, ["xyz".index(letter.lower()) for letter in letters]] * [1.0 if letter.isupper() else -1.0 for letter in letters]
    return np.asarray(values[:, [1, 2, 0]] * _to_si(group, name))  # up, right, forward -> x right, y forward, z up


def _orientation(group: Mapping[str, Any], camera: str, model: str) -> str:
    found = (
        group.get("Orientation") or _stated_orientation(group) or next((axes for name, axes in _MODEL_ORIENTATION.items() if name in model), "XYZ")
    )
    if sorted(str(found).lower()) != ["x", "y", "z"]:
        raise ValueError(f"orientation {found!r}")
    if camera == "Sony":  # telemetry-parser's own step to the common orientation: swap the first two, turn the third
        found = found[1] + found[0] + found[2].swapcase()
    return str(found)


def _stated_orientation(group: Mapping[str, Any]) -> str | None:
    """What the camera's own letters for the order of its data (ORIN) and of the common frame (ORIO) come to; None where it states none."""
    given, wanted = str(group.get("OrientationIn") or ""), str(group.get("OrientationOut") or "ZXY")
    if not given:
        return None
    places = [given.lower().find(letter.lower()) for letter in wanted]
    return "".join("XYZ"[place] if given[place] == letter else "xyz"[place] for place, letter in zip(places, wanted, strict=True))


def _to_si(group: Mapping[str, Any], name: str) -> float:
    """Factor from raw values to m/s^2 or rad/s."""
    scale = group.get("Scale", 1)
    scale = float(scale) if isinstance(scale, int | float) and scale else 1.0
    accelerometer = name == "Accelerometer"
    unit = canonical_unit(str(group.get("Unit") or ("m/s^2" if accelerometer else "deg/s")))
    known = ACCEL_UNITS if accelerometer else GYRO_UNITS
    if unit not in known:
        raise ValueError(f"unit {unit!r}")
    return known[unit] / scale
