"""Any rate and unit to the contract; whatever cannot be trusted is refused with a clear line, or treated by a policy that is said."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import primus
from primus.errors import Rejected, UserError
from primus.inference.contract import check_windows
from primus.inference.policy import Policy
from primus.inference.recording_windows import windows
from primus.io.recording import ImuRecording, build_recording
from primus.io.units import STANDARD_GRAVITY
from primus.models.encoder import ImuEncoder, InputContract
from primus.segments.imu import cut
from tests.inference.motion import NAMES, motion

SI = {"accel_unit": "m/s^2", "gyro_unit": "rad/s"}


def recording(rate_hz: float, seconds: float, first_ns: int = 0) -> ImuRecording:
    values = motion(rate_hz, seconds)
    stamps = first_ns + np.rint(np.arange(len(values)) * 1e9 / rate_hz).astype(np.int64)
    return build_recording(stamps, values[:, :3], values[:, 3:], "motion")


RATES = [40.0, 59.94, 100.0, 104.0, 200.0]


@given(rate_hz=st.sampled_from(RATES), accel=st.sampled_from(["m/s^2", "g", "mg"]), gyro=st.sampled_from(["rad/s", "deg/s"]))
@settings(max_examples=8, deadline=None)
def test_any_rate_and_unit_give_the_same_windows(rate_hz: float, accel: str, gyro: str) -> None:
    expected = primus.preprocess(motion(1000, 16), rate_hz=1000, **SI).imu
    factors = {"m/s^2": 1.0, "g": 1 / STANDARD_GRAVITY, "mg": 1000 / STANDARD_GRAVITY, "rad/s": 1.0, "deg/s": 180 / np.pi}
    values = motion(rate_hz, 16) * np.repeat([factors[accel], factors[gyro]], 3)
    found = primus.preprocess(values, rate_hz=rate_hz, accel_unit=accel, gyro_unit=gyro)
    assert found.imu.shape == (3, 6, 250)
    assert found.imu.dtype == np.float32
    np.testing.assert_allclose(found.start_s, [0, 5, 10])
    assert np.abs(found.imu - expected)[:, :, 25:-25].max() < 2e-2


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0, 104.0, 1000.0])
def test_the_windows_are_those_of_pretraining(rate_hz: float) -> None:
    """A long regular recording goes through fixed weights, which differ from `cut` by less than 1e-3 of the signal, its ends by less than 1e-2."""
    read = recording(rate_hz, 60.0, first_ns=284_000_000_000)
    found = next(windows(read, hop_s=0.5))
    expected, _ = cut(read, np.rint(found.start_s * 1e9).astype(np.int64))
    error = np.abs(found.imu - expected) / motion(rate_hz, 60.0).std()
    assert error[1:-2].max() < 1e-3
    assert error.max() < 1e-2


def test_a_jittered_recording_is_cut_exactly_as_in_pretraining() -> None:
    values = motion(100, 40)
    stamps = np.rint(np.arange(len(values)) * 1e7).astype(np.int64) + np.random.default_rng(0).integers(0, 2_000_000, len(values))
    read = build_recording(stamps, values[:, :3], values[:, 3:], "jittered")
    found = next(windows(read))
    np.testing.assert_array_equal(found.imu, cut(read, np.rint(found.start_s * 1e9).astype(np.int64))[0])


def test_tables_by_column_names_index_and_stated_columns() -> None:
    values = motion(100, 11)
    expected = primus.preprocess(values, rate_hz=100, **SI).imu
    table = pd.DataFrame(values, columns=NAMES)
    timed = table.assign(time_s=np.arange(len(table)) / 100)
    dated = table.set_index(pd.date_range("2026-01-01", periods=len(table), freq="10ms"))
    renamed = timed.rename(columns={"accel_x": "a", "accel_y": "b", "accel_z": "c"})
    for found in (
        primus.preprocess(timed, **SI),
        primus.preprocess(dated, **SI),
        primus.preprocess(table, rate_hz=100, **SI),
        primus.preprocess(table, timestamps=np.arange(len(table)) * 10, time_unit="ms", **SI),
        primus.preprocess(renamed, columns={"accel": ["a", "b", "c"]}, **SI),
        primus.preprocess((values[:, :3], values[:, 3:]), rate_hz=100, **SI),
    ):
        np.testing.assert_allclose(found.imu, expected, atol=1e-4)


def test_the_contract_decides_units_order_and_length() -> None:
    values = motion(100, 8)
    usual = primus.preprocess(values, rate_hz=100, **SI).imu
    order = ("gyro_x", "gyro_y", "gyro_z", "accel_z", "accel_y", "accel_x")
    other = primus.preprocess(values, InputContract(channels=order, accel_unit="g", gyro_unit="deg/s"), rate_hz=100, **SI).imu
    np.testing.assert_allclose(other[:, :3], np.degrees(usual[:, 3:]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(other[:, 3:], usual[:, 2::-1] / STANDARD_GRAVITY, rtol=1e-5, atol=1e-6)
    assert primus.preprocess(values, InputContract(rate_hz=100, window_s=2), rate_hz=100, **SI).imu.shape == (4, 6, 200)


def test_guessed_units_are_said(caplog: pytest.LogCaptureFixture) -> None:
    values = motion(100, 6)
    found = primus.preprocess(values / np.repeat([STANDARD_GRAVITY, 1.0], 3), rate_hz=100)
    np.testing.assert_allclose(found.imu, primus.preprocess(values, rate_hz=100, **SI).imu, rtol=1e-4, atol=1e-4)
    assert "unit guessed: accel in g" in caplog.text
    assert "unit guessed: gyro in rad/s" in caplog.text


def test_accelerometer_alone_is_refused_or_served_by_a_stated_policy(caplog: pytest.LogCaptureFixture) -> None:
    values = motion(100, 6)[:, :3]
    with pytest.raises(Rejected, match=r"no gyroscope.*missing_gyro='zeros'"):
        primus.preprocess(values, rate_hz=100, accel_unit="m/s^2")
    found = primus.preprocess(values, rate_hz=100, accel_unit="m/s^2", missing_gyro="zeros")
    assert not found.imu[:, 3:].any()
    assert found.notes["gyroscope_zeros"] == 1
    assert "its channels are zeros" in caplog.text


def test_short_recordings_are_refused_or_mirrored(caplog: pytest.LogCaptureFixture) -> None:
    values = motion(100, 1.0)
    with pytest.raises(Rejected, match=r"too_short.*1\.000 s for windows of 5 s"):
        primus.preprocess(values, rate_hz=100, **SI)
    found = primus.preprocess(values, rate_hz=100, short="reflect", **SI)
    assert len(found) == 1
    assert found.end_s[0] == pytest.approx(1.0)
    np.testing.assert_allclose(found.imu[0, :, 60:90], found.imu[0, :, 10:40][:, ::-1], atol=2e-2)  # the last sample, 0.99 s, is the mirror
    assert "mirrored in time" in caplog.text
    with pytest.raises(Rejected, match=r"at least 0\.25 s"):
        primus.preprocess(values[:20], rate_hz=100, short="reflect", **SI)


def spoilt(change: Callable[[Any], Any], **options: Any) -> Callable[[], Any]:
    def run() -> Any:
        return primus.preprocess(change(motion(100, 11)), **({"rate_hz": 100, **SI} | options))

    return run


def constant(values: Any) -> Any:
    values[:, 4] = 0.25
    return values


def nan_run(values: Any) -> Any:
    values[200:700] = np.nan
    return values


CASES: list[tuple[str, Callable[[], Any], str]] = [
    ("g taken for m/s^2", spoilt(lambda v: v / 9.81), "implausible_gravity.*values in g"),
    ("gravity removed", spoilt(lambda v: v - [0, 0, 9.81, 0, 0, 0]), "implausible_gravity"),
    (
        "no unit fits",
        spoilt(lambda v: v * 17, accel_unit=None),
        "gravity in no unit; state it .--accel-unit; in Python units=.*; in params.yaml under units",
    ),
    ("deg/s taken for rad/s", spoilt(lambda v: v * [1, 1, 1, 180, 180, 180]), "is it deg/s"),
    ("unknown unit", spoilt(lambda v: v, accel_unit="feet"), "unit 'feet' is unknown; expected one of m/s"),
    ("no rate", spoilt(lambda v: v, rate_hz=None), "neither rate_hz nor timestamps"),
    ("rate of zero", spoilt(lambda v: v, rate_hz=0), "rate_hz is 0"),
    ("rate against stamps", spoilt(lambda v: v, timestamps=np.arange(1100) / 50, time_unit="s"), "rate_hz is 100, but the timestamps say 50 Hz"),
    ("too low a rate", spoilt(lambda v: v, rate_hz=10), "low_rate.*10.00 Hz"),
    ("constant channel", spoilt(constant), "flat_axis.*all 2 windows are refused.*gyro_y repeats one value"),
    ("copied axis", spoilt(lambda v: v[:, [0, 0, 2, 3, 4, 5]]), "duplicate_axis.*accel_x and accel_y"),
    ("NaN run", spoilt(nan_run), "gap.*all 2 windows are refused"),
    ("all NaN", spoilt(lambda v: v * np.nan), "none of its 1100 samples has a value"),
    ("one axis NaN", spoilt(lambda v: v * [1, 1, np.nan, 1, 1, 1]), "missing_axis.*accel_z"),
    ("empty", spoilt(lambda v: v[:0]), "no_imu.*no sample"),
    ("empty list", spoilt(lambda v: []), "no_imu.*no sample"),
    ("transposed", spoilt(lambda v: v.T), r"shape \(6, 1100\); expected \(n, 6\).*transpose it"),
    ("windows already", spoilt(lambda v: v[None]), "these are windows already"),
    ("five columns", spoilt(lambda v: v[:, :5]), r"shape \(1100, 5\)"),
    ("words", spoilt(lambda v: [["a"] * 6]), "not numbers"),
    ("time backwards", spoilt(lambda v: v, rate_hz=None, timestamps=-np.arange(1100) / 100, time_unit="s"), "non_monotonic"),
    ("other length of time", spoilt(lambda v: v, timestamps=[1, 2, 3]), "3 timestamps for 1100 samples"),
    ("columns of an array", spoilt(lambda v: v, columns={"time": "t"}), "the data is no table"),
    ("units of a recording", lambda: primus.preprocess(recording(100, 6), rate_hz=100), "has its own time and units; leave out rate_hz"),
    ("bad policy", lambda: primus.preprocess(recording(100, 6), missing_gyro="mean"), "missing_gyro is 'mean'"),  # type: ignore[arg-type]
    ("bad hop", lambda: primus.preprocess(recording(100, 6), hop_s=0), "hop_s is 0"),
]


@pytest.mark.parametrize(("run", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_cannot_be_trusted_is_one_clear_line(run: Callable[[], Any], said: str) -> None:
    with pytest.raises((UserError, Rejected), match=said) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_some_windows_refused_are_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    values = motion(100, 21)
    values[700:900, 5] = 0.5
    found = primus.preprocess(values, rate_hz=100, **SI)
    assert [(reject.reason, reject.start_s) for reject in found.rejects] == [("flat_axis", 5.0)]
    assert found.start_s.tolist() == [0.0, 10.0, 15.0]
    assert "1 of 4 windows refused: flat_axis 1" in caplog.text


def test_a_short_run_of_nan_is_bridged_and_said(caplog: pytest.LogCaptureFixture) -> None:
    values = motion(100, 6)
    expected = primus.preprocess(values, rate_hz=100, **SI).imu
    values[200:203] = np.nan
    found = primus.preprocess(values, rate_hz=100, **SI)
    assert np.abs(found.imu - expected).max() < 0.5
    assert found.notes["rows_without_imu"] == 3
    assert "samples without a value left out" in caplog.text


GOOD = primus.preprocess(motion(50, 21), rate_hz=50, **SI).imu


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: x.transpose(0, 2, 1), "transpose the last two axes"),
        (lambda x: x[:, :3], "three channels lack the gyroscope"),
        (lambda x: x[:, :, :125], "125 samples are another rate or length"),
        (lambda x: x[0], "cut a recording"),
        (lambda x: x / 9.81, "another unit, or gravity removed"),
        (lambda x: np.where(np.arange(250) == 7, np.nan, x), "NaN or infinite values, first window 0"),
        (lambda x: x * np.array([1, 1, 1, 0, 1, 1])[:, None] + np.array([0, 0, 0, 2, 0, 0])[:, None], "gyro_x is constant in window 0"),
        (lambda x: [["a"]], "no numeric array"),
    ],
)
def test_windows_that_break_the_contract_are_refused(spoil: Callable[[Any], Any], said: str) -> None:
    assert check_windows(GOOD, InputContract()) is not None
    with pytest.raises(UserError, match=said):
        check_windows(spoil(GOOD), InputContract())


def test_features_need_the_contract(encoder: ImuEncoder) -> None:
    from primus.inference import encode_windows

    feature, projection = encode_windows(encoder, GOOD, batch=2, threads=2)
    assert (feature.shape, projection.shape if projection is not None else None) == ((4, 24), (4, 8))
    with pytest.raises(UserError, match="transpose"):
        encode_windows(encoder, GOOD.transpose(0, 2, 1))


def test_policies_are_checked() -> None:
    with pytest.raises(UserError, match="short is 'pad'"):
        Policy(short="pad")  # type: ignore[arg-type]
