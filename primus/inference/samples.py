"""Samples in memory - a table, arrays, a recording - of any rate and unit to windows under a model's input contract."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from primus.errors import Rejected, UserError
from primus.inference.contract import Model, contract_of
from primus.inference.policy import MissingGyro, Policy, Short
from primus.inference.recording_windows import PreparedRecording, Windows, policy_words
from primus.io.csv_columns import as_numbers
from primus.io.imu_rows import recording_from_rows, require_values
from primus.io.recording import NS_PER_UNIT, ImuRecording
from primus.io.table_file import guess_note
from primus.io.table_guess import guess_accel_unit, guess_columns, guess_gyro_unit, guess_time_unit, unit_in_name
from primus.io.units import ACCEL_UNITS, GYRO_UNITS, factor
from primus.models.encoder import InputContract
from primus.schema import CHANNELS

RATE_AGREEMENT = 0.05  # stated rate and stamps may differ by this share
_STAMPED = "timestamps"
log = logging.getLogger(__name__)


def preprocess(
    data: pd.DataFrame | ImuRecording | ArrayLike | tuple[ArrayLike, ArrayLike],
    model: InputContract | Model | None = None,
    *,
    rate_hz: float | None = None,
    timestamps: ArrayLike | None = None,
    time_unit: str | None = None,
    accel_unit: str | None = None,
    gyro_unit: str | None = None,
    columns: Mapping[str, Any] | None = None,
    hop_s: float | None = None,
    missing_gyro: MissingGyro = "refuse",
    short: Short = "refuse",
    policy: Policy | None = None,
    source: str = "data",
) -> Windows:
    """Bring samples of any rate and unit to windows (N, 6, T) float32 that a model can be fed.

    Args:
        data: a table with columns for the axes; an array (n, 6), accelerometer then gyroscope, or (n, 3), accelerometer alone; a pair of arrays
            (n, 3); or a recording. The accelerometer includes gravity.
        model: whose contract to follow: an encoder, its folder or id, or the contract itself; None for the published model's.
        rate_hz: of the samples, where they carry no time; beside timestamps it must agree with them.
        timestamps: (n,) numbers in `time_unit`, or datetimes; a table may carry them in a column, or as its index.
        time_unit: "s", "ms", "us" or "ns"; None to guess.
        accel_unit: "m/s^2", "g" or "mg"; None to take it from the column's name, or to guess.
        gyro_unit: "rad/s", "deg/s" or "mdeg/s"; None likewise.
        columns: of a table: {"time": name, "accel": [x, y, z], "gyro": [x, y, z]}; what is left out is guessed.
        hop_s, missing_gyro, short: see `Policy`; not beside `policy`.
        policy: all of it, for other thresholds.
        source: name of the data, for messages.

    Returns:
        The windows that passed, and those that did not with their reasons. Guesses and policies applied are logged as warnings.

    Raises:
        UserError: shapes, columns, units or rates are missing, contradictory or cannot be told.
        Rejected: the data as a whole, or every window of it, cannot be trusted; the reason says why.
    """
    chosen = policy or Policy(hop_s, missing_gyro, short)
    stated = {"rate_hz": rate_hz, "timestamps": timestamps, "time_unit": time_unit, "accel_unit": accel_unit, "gyro_unit": gyro_unit}
    if isinstance(data, ImuRecording):
        if given := [name for name, value in stated.items() if value is not None]:
            raise UserError(f"{data.source} is a recording, which has its own time and units; leave out {', '.join(given)}")
        recording = data
    else:
        recording = to_recording(
            data,
            rate_hz=rate_hz,
            timestamps=timestamps,
            time_unit=time_unit,
            accel_unit=accel_unit,
            gyro_unit=gyro_unit,
            columns=columns,
            source=source,
        )
    prepared = PreparedRecording(recording, contract_of(model), chosen)
    for words in policy_words(prepared.notes):
        log.warning("%s: %s", prepared.source, words)
    refused = prepared.rejects
    if not len(prepared):
        first = refused[0]
        raise Rejected(first.reason, f"{prepared.source}: all {len(refused)} windows are refused, the first because {first.detail}")
    if refused:
        reasons = [reject.reason for reject in refused]
        counts = ", ".join(f"{reason} {reasons.count(reason)}" for reason in sorted(set(reasons)))
        log.warning("%s: %d of %d windows refused: %s", prepared.source, len(refused), len(refused) + len(prepared), counts)
    return replace(prepared.windows(), rejects=tuple(refused), notes=dict(prepared.notes))


def to_recording(
    data: Any,
    *,
    rate_hz: float | None = None,
    timestamps: ArrayLike | None = None,
    time_unit: str | None = None,
    accel_unit: str | None = None,
    gyro_unit: str | None = None,
    columns: Mapping[str, Any] | None = None,
    source: str = "data",
) -> ImuRecording:
    """A table or arrays to a recording in SI units; what is guessed is in its notes. Arguments and errors are those of `preprocess`."""
    if rate_hz is not None and not (np.isfinite(rate_hz) and 0 < rate_hz <= 1e5):
        raise UserError(f"rate_hz is {rate_hz}; expected samples per second, above 0")
    notes: dict[str, int] = {}
    axes: Sequence[str] = CHANNELS
    names: Mapping[str, str] = {}
    if isinstance(data, pd.DataFrame):
        values, axes, found, names = _of_table(data, timestamps is not None or rate_hz is not None, columns, source)
        timestamps = found if timestamps is None else timestamps
    else:
        if columns is not None:
            raise UserError(f"{source}: columns were named, but the data is no table (found {type(data).__name__})")
        values = _of_arrays(data, source)
    if not len(values):
        raise Rejected("no_imu", f"{source}: no sample")
    if not np.isfinite(values).any():
        raise Rejected("no_imu", f"{source}: none of its {len(values)} samples has a value")
    require_values(np.isfinite(values), axes[: values.shape[1]], source)
    named_time = unit_in_name(names["time"], time=True) if "time" in names else None
    stamps, unit, guessed = _stamps(timestamps, rate_hz, time_unit or named_time, len(values), source)
    if guessed:
        notes[guess_note("time", unit)] = 1
    values = values.copy()
    for key, slot, stated, known in (("accel", slice(0, 3), accel_unit, ACCEL_UNITS), ("gyro", slice(3, 6), gyro_unit, GYRO_UNITS)):
        if values.shape[1] < slot.stop:
            continue
        named = unit_in_name(names[key]) if key in names else None
        unit_of = stated or (named if named in known else None)
        if unit_of is None:
            unit_of = guess_accel_unit(values[:, slot], source) if key == "accel" else guess_gyro_unit(values[:, slot])
            notes[guess_note(key, unit_of)] = 1
        values[:, slot] *= factor(unit_of, known, f"{source}: {key}_unit")
    recording = recording_from_rows(stamps, unit, values, axes[: values.shape[1]], source, notes)[0]
    if rate_hz is not None and timestamps is not None and abs(recording.rate_hz / rate_hz - 1) > RATE_AGREEMENT:
        raise UserError(f"{source}: rate_hz is {rate_hz:g}, but the timestamps say {recording.rate_hz:.4g} Hz; state one of them, or mend the other")
    return recording


def _of_table(
    table: pd.DataFrame, timed: bool, columns: Mapping[str, Any] | None, source: str
) -> tuple[NDArray[np.float64], Sequence[str], Any, Mapping[str, str]]:
    """Values (n, 3) or (n, 6), their columns' names, the time column or index (None where time was given apart), and the names units may stand in."""
    known = dict(columns or {})
    indexed = isinstance(table.index, pd.DatetimeIndex) and "time" not in known
    if (timed or indexed) and "time" not in known:
        known["time"] = _STAMPED
    found = guess_columns([str(name) for name in table.columns], source, known)
    axes = [*found.accel, *(found.gyro or ())]
    frame = table.rename(columns=str)
    wanted = [*axes, *([found.time] if found.time != _STAMPED else [])]
    if missing := [name for name in wanted if name not in frame.columns]:
        raise UserError(f"{source}: no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    values = np.stack([as_numbers(frame[axis]).astype(np.float64) for axis in axes], axis=1)
    names = {"accel": found.accel[0]} | ({"gyro": found.gyro[0]} if found.gyro else {})
    if found.time == _STAMPED:
        return values, axes, table.index if indexed and not timed else None, names
    return values, axes, frame[found.time], names | {"time": found.time}


def _of_arrays(data: Any, source: str) -> NDArray[np.float64]:
    """(n, 3) or (n, 6) float64 of an array, or of a pair of arrays."""
    try:
        if isinstance(data, tuple) and len(data) == 2:
            values = np.concatenate([np.asarray(part, np.float64) for part in data], axis=1)
        else:
            values = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{source}: not numbers of the expected shape ({error}); expected (n, 6), (n, 3) or a pair of (n, 3)") from None
    if values.ndim == 1 and not len(values):
        return np.empty((0, 6))
    if values.ndim != 2 or values.shape[1] not in (3, 6):
        hint = "; transpose it" if values.ndim == 2 and values.shape[0] in (3, 6) else ""
        hint = "; these are windows already: check them with primus.inference.contract.check_windows" if values.ndim == 3 else hint
        raise UserError(f"{source} has shape {values.shape}; expected (n, 6): accelerometer x y z, gyroscope x y z, or (n, 3){hint}")
    return values


def _stamps(timestamps: Any, rate_hz: float | None, unit: str | None, count: int, source: str) -> tuple[NDArray[Any], str, bool]:
    """Stamps (n,), their unit, and whether it was guessed."""
    if timestamps is None:
        if rate_hz is None:
            raise UserError(f"{source}: neither rate_hz nor timestamps are known; state one of them")
        return np.rint(np.arange(count) * (1e9 / rate_hz)).astype(np.int64), "ns", False
    series = pd.Series(np.asarray(timestamps) if not isinstance(timestamps, pd.Series | pd.Index) else timestamps).reset_index(drop=True)
    if len(series) != count:
        raise UserError(f"{source}: {len(series)} timestamps for {count} samples")
    if unit is not None and unit not in NS_PER_UNIT:
        raise UserError(f"{source}: time_unit {unit!r} is unknown; expected one of {', '.join(NS_PER_UNIT)}")
    if pd.api.types.is_datetime64_any_dtype(series):
        plain = series.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(series.dt, "tz", None) is not None else series
        if plain.isna().any():
            raise UserError(f"{source}: {int(plain.isna().sum())} of {count} timestamps are missing")
        return plain.to_numpy(dtype="datetime64[ns]").astype(np.int64), "ns", False
    numbers = as_numbers(series)
    return numbers, unit or guess_time_unit(numbers, source), unit is None
