"""Units of accelerometers and gyroscopes, as they are spelt in the wild, and their factors to m/s^2 and rad/s."""

import math

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError

STANDARD_GRAVITY = 9.80665
MAX_ACCEL, MAX_GYRO = 5_000.0, 500.0
"""Beyond the range of any IMU's axis, m/s^2 (500 g) and rad/s (28 000 deg/s): a larger value is damage, not motion."""
_DAMAGED_SHARE = 0.01
_FASTEST_RAD_S = 40.0  # a little beyond the 2000 deg/s that sensors measure on an axis
ACCEL_UNITS = {"m/s^2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY * 1e-3}
GYRO_UNITS = {"rad/s": 1.0, "deg/s": math.pi / 180, "mdeg/s": math.pi / 180e3}
_SPELLINGS = {
    "m/s2": "m/s^2", "m/s²": "m/s^2", "ms-2": "m/s^2", "m/s/s": "m/s^2", "m/s**2": "m/s^2", "mps2": "m/s^2",
    "rads": "rad/s", "rad/sec": "rad/s", "radps": "rad/s", "rps": "rad/s",
    "dps": "deg/s", "°/s": "deg/s", "deg/sec": "deg/s", "degps": "deg/s", "mdps": "mdeg/s",
}  # fmt: skip


class UnlikelyUnit(Rejected):
    """A recording whose values say that its stated unit is wrong: likely that of its whole data set."""


def how_to_state(*keys: str) -> str:
    """How a person states the unit of "time", "accel" or "gyro", for messages of readers that commands, Python and the pipeline share."""
    flags, entries, hints = (", ".join(pattern.format(key) for key in keys) for pattern in ("--{}-unit", "{}_unit", '"{}": ...'))
    return f"state it ({flags}; in Python units={{{hints}}}; in params.yaml under units, or as {entries} of a specification)"


def canonical_unit(unit: str) -> str:
    """The usual spelling of a unit; an unknown one comes back as it is."""
    plain = unit.strip().lower().replace(" ", "")
    return _SPELLINGS.get(plain, plain)


def factor(unit: str, known: dict[str, float], what: str) -> float:
    """What to multiply values in `unit` with to get the first unit of `known`.

    Raises:
        UserError: the unit is unknown.
    """
    spelt = canonical_unit(unit)
    if spelt not in known:
        raise UserError(f"{what}: unit {unit!r} is unknown; expected one of {', '.join(known)}")
    return known[spelt]


def measurable(values: NDArray[np.floating], limit: float, source: str) -> NDArray[np.bool_]:
    """Which values a sensor can have measured: finite, and not beyond `limit`. What is not counts as missing.

    Args:
        values: (N, 3) m/s^2 or rad/s.
        limit: `MAX_ACCEL` or `MAX_GYRO`.
        source: for messages.

    Raises:
        Rejected: `unreadable_imu` when more than one sample in a hundred lies beyond the limit: the file, or its stated unit, is wrong.
    """
    with np.errstate(invalid="ignore"):
        inside = np.abs(values) <= limit
    if not inside.all():
        beyond = int((np.isfinite(values) & ~inside).any(axis=1).sum())
        if beyond > _DAMAGED_SHARE * len(values):
            what = f"accelerometer beyond {limit:g} m/s^2" if limit == MAX_ACCEL else f"gyroscope beyond {limit:g} rad/s"
            raise Rejected(
                "unreadable_imu", f"{source}: {what} in {beyond} of {len(values)} samples, more than any sensor measures; is the unit right?"
            )
    return np.asarray(inside, dtype=bool)


def require_plausible_rotation(gyro: NDArray[np.floating], source: str) -> None:
    """Refuse angular rates no body-worn sensor reaches, the sign of deg/s taken for rad/s.

    Args:
        gyro: (N, 3) said to be rad/s.

    Raises:
        UnlikelyUnit: `unreadable_imu` when one sample in a hundred turns faster than any sensor measures.
    """
    rate = float(np.quantile(np.linalg.norm(gyro, axis=1), 0.99)) if len(gyro) else 0.0
    if rate > _FASTEST_RAD_S * math.sqrt(3):
        raise UnlikelyUnit("unreadable_imu", f"{source}: the gyroscope reaches {rate:.0f} rad/s; is it deg/s? {how_to_state('gyro')}")
