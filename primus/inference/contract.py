"""A model's input contract, kept: open a model, bring SI windows to its units and axis order, and refuse windows that are not what it declares."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primus.errors import UserError
from primus.io.units import ACCEL_UNITS, GYRO_UNITS
from primus.models.encoder import ImuEncoder, InputContract
from primus.schema import CHANNELS

Model = ImuEncoder | str | Path


def open_encoder(model: Model) -> ImuEncoder:
    """The encoder itself, or the one in a folder or under a Hugging Face id, in eval mode.

    Raises:
        UserError: the folder holds a probe alone; or see `ImuEncoder.from_pretrained`.
    """
    if not isinstance(model, ImuEncoder) and (Path(model) / "head.json").is_file() and not (Path(model) / "config.json").is_file():
        raise UserError(f"{model} is a probe (primus probe train), not a model; give the model it was trained with")
    return model.eval() if isinstance(model, ImuEncoder) else ImuEncoder.from_pretrained(model)


def contract_of(model: InputContract | Model | None) -> InputContract:
    """A contract itself, that of a model, or the published model's where nothing is given."""
    if model is None:
        return InputContract()
    return model if isinstance(model, InputContract) else open_encoder(model).inputs


def to_contract(windows: NDArray[np.float32], contract: InputContract) -> NDArray[np.float32]:
    """Windows (N, 6, T) in m/s^2 and rad/s, rows as in `CHANNELS`, in the contract's units and axis order."""
    if contract.accel_unit != "m/s^2" or contract.gyro_unit != "rad/s":
        factors = np.repeat([1 / ACCEL_UNITS[contract.accel_unit], 1 / GYRO_UNITS[contract.gyro_unit]], 3)
        windows = windows * factors[:, None].astype(np.float32)
    if contract.channels != CHANNELS:
        windows = windows[:, [CHANNELS.index(name) for name in contract.channels]]
    return windows


def check_windows(windows: ArrayLike, contract: InputContract) -> NDArray[np.float32]:
    """The windows as (N, 6, T) float32, if they are what the contract declares as far as numbers can tell.

    Raises:
        UserError: another shape, axis order or length, not numbers, values that are not finite, a constant channel, or an accelerometer without the
            magnitude of gravity in the contract's unit.
    """
    try:
        found = np.asarray(windows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"windows are no numeric array ({error}); expected (N, 6, {contract.samples}) float32") from None
    expected = f"(N, 6, {contract.samples}): {contract.window_s:g} s at {contract.rate_hz:g} Hz"
    if found.ndim != 3 or found.shape[1:] != (6, contract.samples):
        hint = ""
        if found.ndim == 3 and found.shape[2] == 6:
            hint = "; transpose the last two axes"
        elif found.ndim == 3 and found.shape[1] == 3:
            hint = "; three channels lack the gyroscope: primus.preprocess(..., missing_gyro='zeros') states a policy for it"
        elif found.ndim == 3 and found.shape[1] == 6:
            hint = f"; {found.shape[2]} samples are another rate or length: bring recordings to the contract with primus.preprocess"
        elif found.ndim == 2:
            hint = "; cut a recording (n, 6) into windows with primus.preprocess"
        raise UserError(f"windows have shape {found.shape}; expected {expected}{hint}")
    bad = np.flatnonzero(~np.isfinite(found).all(axis=(1, 2)))
    if len(bad):
        raise UserError(f"{len(bad)} of {len(found)} windows hold NaN or infinite values, first window {bad[0]}; leave them out or mend them")
    if not len(found):
        return found
    constant = np.argwhere(np.ptp(found, axis=2) == 0)
    zero_gyro = [number for number, name in enumerate(contract.channels) if name.startswith("gyro")]
    constant = constant[~(np.isin(constant[:, 1], zero_gyro) & (found[constant[:, 0], constant[:, 1], 0] == 0))]  # missing_gyro="zeros"
    if len(constant):
        window, channel = constant[0]
        raise UserError(f"{contract.channels[channel]} is constant in window {window} ({len(constant)} such channels); a dead sensor says nothing")
    rows = [number for number, name in enumerate(contract.channels) if name.startswith("accel")]
    force = float(np.median(np.linalg.norm(found[:, rows], axis=1))) * ACCEL_UNITS[contract.accel_unit]
    if not 4.0 <= force <= 25.0:
        raise UserError(
            f"the accelerometer's median magnitude is {force:.3g} m/s^2 if its unit is {contract.accel_unit}, as the model declares; "
            "expected about 9.8: another unit, or gravity removed"
        )
    return found
