"""What the columns of an unknown table are, by their names, and in what units, by name or by size. Whatever is guessed is returned as such."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected, UserError
from primus.io.recording import NS_PER_UNIT
from primus.io.units import how_to_state

_TIME_WORDS = ("timestamp", "time", "epoch", "datetime", "ts", "t")  # in order of preference
_ACCEL_WORDS = {"a", "acc", "accl", "accel", "accelerometer", "acceleration"}
_GYRO_WORDS = {"g", "gyr", "gyro", "gyroscope", "w", "omega", "angular", "rotation"}
_OTHER_WORDS = {"linear", "lin", "user", "gravity", "mag", "magn", "magnetometer"}  # without gravity, or another sensor
_LABEL_WORDS, _PERSON_WORDS = ("label", "activity", "class"), ("participant", "subject", "person", "user")
_TIME_TAILS: dict[tuple[str, ...], str] = {
    ("s",): "s", ("sec",): "s", ("secs",): "s", ("second",): "s", ("seconds",): "s", ("ms",): "ms", ("msec",): "ms", ("millis",): "ms",
    ("milliseconds",): "ms", ("us",): "us", ("usec",): "us", ("micros",): "us", ("microseconds",): "us", ("ns",): "ns", ("nsec",): "ns",
    ("nanos",): "ns", ("nanoseconds",): "ns",
}  # fmt: skip
_SENSOR_TAILS: dict[tuple[str, ...], str] = {
    ("m", "s", "2"): "m/s^2", ("ms", "2"): "m/s^2", ("mps", "2"): "m/s^2", ("m", "s"): "m/s^2", ("g",): "g", ("mg",): "mg", ("rad", "s"): "rad/s",
    ("rads",): "rad/s", ("radps",): "rad/s", ("deg", "s"): "deg/s", ("dps",): "deg/s", ("degps",): "deg/s", ("mdps",): "mdeg/s",
}  # fmt: skip
_RATES_HZ = (8.0, 4000.0)  # of IMUs; less than a factor of 1000, so that a step of time fits one unit at most
_EPOCH_S = (946_684_800, 2_524_608_000)  # 2000 to 2050
_FAST_RAD_S = 20.0
_USUAL = {"time": "it to time_s", "accel": "them to acc_x, acc_y, acc_z"}


class CannotTell(UserError):
    """A person has to state what a table's columns or units are; `reason` refuses the table where others are read beside it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Columns:
    """Columns of a table; None where it has none of the kind."""

    time: str
    accel: tuple[str, str, str]
    gyro: tuple[str, str, str] | None = None
    label: str | None = None
    participant: str | None = None


def guess_columns(names: Sequence[str], source: str, known: dict[str, Any] | None = None) -> Columns:
    """Find time, accelerometer, gyroscope, label and participant among column names; what `known` gives is not guessed.

    Raises:
        UserError: time or the accelerometer is not among them.
        CannotTell: two columns would do.
    """
    given = dict(known or {})
    sensors = _sensor_columns(names)
    for kind in ("accel", "gyro"):
        if kind in given:
            continue
        found = sensors[kind]
        if len(found) > 1:
            choices = " or ".join("/".join(axes) for axes in found)
            raise CannotTell("unreadable_imu", f"{source}: {kind} may be {choices}; rename the others, or state columns.{kind} in params.yaml")
        given[kind] = found[0] if found else None
    reason = "unreadable_imu" if given["accel"] else "no_imu"
    if "time" not in given:
        given["time"] = _best(names, _TIME_WORDS, source, "time", reason)
    for kind, words in (("label", _LABEL_WORDS), ("participant", _PERSON_WORDS)):
        given.setdefault(kind, _best(names, words, source, kind, reason))
    for kind in ("time", "accel"):
        if not given[kind]:
            raise UserError(f"{source}: which column is {kind}? rename {_USUAL[kind]}, or state columns.{kind} in params.yaml; found {listed(names)}")
    return Columns(given["time"], tuple(given["accel"]), tuple(given["gyro"]) if given["gyro"] else None, given["label"], given["participant"])


def listed(names: Sequence[str]) -> str:
    """Column names for a message: the first dozen, shortened, without what is no printable text (they are a stranger's)."""
    shown = ["".join(letter if letter.isprintable() else "?" for letter in name[:40]) for name in names[:12]]
    return ", ".join(shown + (["..."] if len(names) > 12 else [])) or "none"


def unit_in_name(name: str, time: bool = False) -> str | None:
    """The unit a column's name ends in: "timestamp_ms", "Accelerometer X (m/s^2)", "gx_dps"; None where it states none."""
    return _split(name, _TIME_TAILS if time else _SENSOR_TAILS)[1]


def guess_time_unit(stamps: NDArray[Any], source: str) -> str:
    """The unit in which the step of time is that of an IMU, 8 to 4000 samples a second.

    Raises:
        CannotTell: none or more than one fits.
        Rejected: `non_monotonic` where that is so because time runs backwards.
    """
    values = stamps[np.isfinite(stamps)].astype(np.float64)
    steps = np.diff(values)
    backwards = int((steps < 0).sum())
    steps = steps[steps > 0]
    if len(steps):
        step = float(np.median(steps))
        fitting = [unit for unit, ns in NS_PER_UNIT.items() if _RATES_HZ[0] <= 1e9 / (step * ns) <= _RATES_HZ[1]]
        if len(fitting) != 1:
            middle = float(np.median(values))
            fitting = [unit for unit, ns in NS_PER_UNIT.items() if _EPOCH_S[0] <= middle * ns * 1e-9 <= _EPOCH_S[1]]
        if len(fitting) == 1:
            return fitting[0]
    if backwards:
        raise Rejected("non_monotonic", f"{source}: time runs backwards at {backwards} of {len(values)} rows")
    found = f"the median step is {float(np.median(steps)):.6g}" if len(steps) else "no stamp follows another" if len(values) else "it has no value"
    raise CannotTell("unreadable_imu", f"{source}: the unit of time cannot be told ({found}); {how_to_state('time')}: s, ms, us or ns")


def guess_accel_unit(accel: NDArray[np.float64], source: str) -> str:
    """The unit in which the median magnitude is about that of gravity.

    Raises:
        CannotTell: it is in none, as for acceleration without gravity.
        Rejected: `missing_axis` where no sample has all three axes.
    """
    middle = _magnitude(accel, 0.5)
    if np.isnan(middle):
        raise Rejected("missing_axis", f"{source}: no row has a value of every axis of the accelerometer")
    for unit, (low, high) in {"g": (0.4, 2.5), "m/s^2": (4.0, 25.0), "mg": (400.0, 2500.0)}.items():
        if low <= middle <= high:
            return unit
    raise CannotTell(
        "implausible_gravity",
        f"{source}: the accelerometer's median magnitude is {middle:.4g}, which is gravity in no unit; {how_to_state('accel')}: "
        "m/s^2, g or mg, and give the acceleration with gravity",
    )


def guess_gyro_unit(gyro: NDArray[np.float64]) -> str:
    """deg/s where one sample in a hundred exceeds 20, else rad/s: bodies seldom turn at 20 rad/s, and seldom stay below 20 deg/s."""
    return "deg/s" if _magnitude(gyro, 0.99) > _FAST_RAD_S else "rad/s"


def _magnitude(values: NDArray[np.float64], share: float) -> float:
    norms = np.linalg.norm(values, axis=1)
    norms = norms[np.isfinite(norms)]
    return float(np.quantile(norms, share)) if len(norms) else float("nan")


def _sensor_columns(names: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    """Complete triples of columns per sensor; plain x, y, z count as the accelerometer where nothing else does."""
    groups: dict[str, dict[tuple[str, ...], dict[str, str]]] = {"accel": {}, "gyro": {}, "plain": {}}
    for name in names:
        tokens, _ = _split(name, _SENSOR_TAILS)
        told = _axis(tokens)
        if told is None or set(told[0]) & _OTHER_WORDS:
            continue
        words, axis = told
        kind = "gyro" if set(words) & _GYRO_WORDS else "accel" if set(words) & _ACCEL_WORDS else "plain" if words in ((), ("attr",)) else None
        if kind is not None:
            groups[kind].setdefault(words, {}).setdefault(axis, name)
    triples = {kind: [(axes["x"], axes["y"], axes["z"]) for axes in found.values() if len(axes) == 3] for kind, found in groups.items()}
    return {"accel": triples["accel"] or triples["plain"], "gyro": triples["gyro"]}


def _axis(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], str] | None:
    """The words of a column's name without its axis, and the axis."""
    if not tokens:
        return None
    if tokens[-1] in ("x", "y", "z"):
        return tokens[:-1], tokens[-1]
    if tokens[0] in ("x", "y", "z"):
        return tokens[1:], tokens[0]
    fused = tokens[-1][:-1]
    if tokens[-1][-1] in "xyz" and fused in _ACCEL_WORDS | _GYRO_WORDS:
        return (*tokens[:-1], fused), tokens[-1][-1]
    return None


def _split(name: str, tails: dict[tuple[str, ...], str]) -> tuple[tuple[str, ...], str | None]:
    """A column's name as lower-case words without the unit it ends in, and that unit."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("µ", "u").replace("²", "2").replace("°", "deg").lower()
    tokens = tuple(re.findall(r"[a-z]+|\d+", plain))
    for tail, unit in sorted(tails.items(), key=lambda item: -len(item[0])):
        if len(tokens) > len(tail) and tokens[-len(tail) :] == tail:
            return tokens[: -len(tail)], unit
    return tokens, None


def _best(names: Sequence[str], words: Sequence[str], source: str, what: str, reason: str) -> str | None:
    """The column whose name has the earliest of the words; `reason` is for where two have it."""
    for word in words:
        found = [name for name in names if word in _split(name, _TIME_TAILS)[0]]
        if len(found) > 1:
            raise CannotTell(reason, f"{source}: {what} may be {' or '.join(found)}; rename the others, or state columns.{what} in params.yaml")
        if found:
            return found[0]
    return None
