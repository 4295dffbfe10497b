"""Live features are those of the batch path: to rounding where the rates are in a simple ratio, to 1e-3 of a feature's spread elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import primus
from primus.errors import Rejected, UserError
from primus.inference import encode_windows
from primus.inference.live import Stream, StreamFeature, suspicious
from primus.inference.regular_clock import RegularClock
from primus.inference.single_window import SingleWindow
from primus.io.recording import ImuRecording
from primus.models.encoder import ImuEncoder
from primus.segments.quality import SegmentChecks, Thresholds, check_recording
from tests.inference.motion import motion

SI = {"accel_unit": "m/s^2", "gyro_unit": "rad/s"}


def live(encoder: ImuEncoder, values: np.ndarray, rate_hz: float, chunk: int, hop_s: float = 0.5) -> tuple[list[StreamFeature], list[int]]:
    """All features of the values pushed in chunks, and how many samples had come before each of those that came before the end."""
    stream, found, seen = Stream(encoder, rate_hz, hop_s), [], []
    for begin in range(0, len(values), chunk):
        new = stream.push(values[begin : begin + chunk])
        seen += [begin + chunk] * len(new)
        found += new
    return found + stream.finish(), seen


@pytest.mark.parametrize(("rate_hz", "tolerance"), [(25, 1e-5), (50, 1e-5), (100, 1e-5), (104, 1e-5), (1000, 1e-5), (59.94, 1e-3), (99.7, 1e-3)])
def test_equal_to_the_batch_path(encoder: ImuEncoder, rate_hz: float, tolerance: float) -> None:
    values = motion(rate_hz, 36.0)
    expected, projection = encode_windows(encoder, primus.preprocess(values, encoder, rate_hz=rate_hz, hop_s=0.5, **SI).imu)
    found, seen = live(encoder, values, rate_hz, chunk=max(1, round(rate_hz * 0.13)))
    assert len(found) == len(expected)
    spread = expected.std()
    assert max(np.abs(one.feature - row).max() for one, row in zip(found, expected, strict=True)) < tolerance * spread
    assert projection is not None
    assert max(np.abs(one.projection - row).max() for one, row in zip(found, projection, strict=True)) < tolerance * projection.std() * 2
    assert [one.start_s for one in found] == pytest.approx([0.5 * k for k in range(len(found))])
    latency = Stream(encoder, rate_hz).latency_s
    for one, samples in zip(found, seen, strict=False):
        assert samples / rate_hz - one.end_s <= latency + 0.15, "a feature comes the stated latency after its window, and a chunk"


@given(chunk=st.integers(1, 700))
@settings(max_examples=8, deadline=None)
def test_how_samples_are_handed_over_changes_nothing(chunk: int) -> None:
    encoder = ImuEncoder(feature_dim=4, heads=False).eval()
    values = motion(100, 12.0)
    expected, _ = live(encoder, values, 100, 1200)
    found, _ = live(encoder, values, 100, chunk)
    np.testing.assert_allclose([one.feature for one in found], [one.feature for one in expected], atol=1e-5)
    assert found[0].projection is None


def test_weights_of_a_regular_clock_hold_a_constant_and_a_tone() -> None:
    clock = RegularClock(104.0, 50.0)
    times = np.arange(2000) / 104.0
    signal = np.stack([np.full(2000, 9.81), np.sin(2 * np.pi * 15 * times), np.sin(2 * np.pi * 40 * times)], axis=1)
    found = clock.outputs(signal, 0, 100, 700)
    np.testing.assert_allclose(found[0], 9.81, rtol=1e-9)
    np.testing.assert_allclose(found[1], np.sin(2 * np.pi * 15 * (100 + np.arange(700)) / 50), atol=1e-3)
    assert np.abs(found[2]).max() < 1e-3, "what would alias is taken out"


@pytest.mark.parametrize("layout", ["channels", "time"])
def test_one_window_at_a_time_gives_the_encoders_numbers(layout: str) -> None:
    encoder = ImuEncoder(layout=layout, feature_dim=40, projection_dim=8).eval()  # type: ignore[arg-type]
    windows = primus.preprocess(motion(50, 11), rate_hz=50, **SI).imu
    feature, projection = encode_windows(encoder, windows)
    single = SingleWindow(encoder)
    for window, row, projected in zip(windows, feature, projection, strict=True):  # type: ignore[arg-type]
        found = single(window)
        np.testing.assert_allclose(found[0], row, atol=2e-6)
        np.testing.assert_allclose(found[1], projected, atol=2e-6)


def test_hops_that_cannot_be_trusted_have_a_reason_and_no_feature(encoder: ImuEncoder, caplog: pytest.LogCaptureFixture) -> None:
    values = motion(100, 60.0)
    values[1000:1200, 4] = 0.5
    values[3000, 1] = np.nan
    values[4500:, :3] /= 9.81
    found, _ = live(encoder, values, 100, 50)
    for one in found:
        assert (one.feature is None) == (one.refused is not None)
    reasons = {one.start_s: (one.refused or "").partition(":")[0] for one in found}
    assert reasons[9.0] == "flat_axis"
    assert reasons[27.0] == "non_finite"
    assert reasons[47.0] == "implausible_gravity"
    assert {reasons[start] for start in (0.0, 15.0, 35.0)} == {""}
    assert "windows from 5" in caplog.text or "windows from 6" in caplog.text or "refused: flat_axis" in caplog.text


@given(defect=st.sampled_from(["none", "flat", "copied", "opposite", "weak", "saturated"]), seed=st.integers(0, 20), share=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_the_quick_look_lets_nothing_pass_that_the_checks_refuse(defect: str, seed: int, share: float) -> None:
    values = motion(100, 5.0, seed)
    part = slice(0, round(share * len(values)))
    if defect == "flat":
        values[part, 4] = 1.0
    elif defect in ("copied", "opposite"):
        values[part, 1] = values[part, 0] * (1 if defect == "copied" else -1)
    elif defect == "weak":
        values[:, :3] *= 0.5 + share
    elif defect == "saturated":
        values[:, 5] = np.clip(values[:, 5] * 20, -5, 5)
    recording = ImuRecording(np.rint(np.arange(len(values)) * 1e7).astype(np.int64), values[:, :3], values[:, 3:], 100.0, "x")
    try:
        check_recording(recording, Thresholds())
        refused = SegmentChecks(recording, Thresholds()).refusal(0, 5_000_000_000) is not None
    except Rejected:
        refused = True
    assert suspicious(values, 100.0, Thresholds()) or not refused


@pytest.mark.parametrize(
    ("options", "samples", "said"),
    [
        ({"rate_hz": 5}, None, "rate_hz is 5"),
        ({"hop_s": 0.013}, None, "hop_s is 0.013; expected a whole number of the model's sampling periods of 0.02 s"),
        ({"accel_unit": "feet"}, None, "unit 'feet' is unknown"),
        ({}, np.zeros((4, 3)), "missing_gyro='zeros'"),
        ({}, np.zeros((6, 400)), r"shape \(6, 400\)"),
        ({}, [["a"] * 6], "no numbers"),
        ({"missing_gyro": "zeros"}, np.zeros((4, 6)), "leave it out"),
    ],
)
def test_mistakes_are_named(encoder: ImuEncoder, options: dict, samples: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Stream(encoder, **({"rate_hz": 100} | options)).push(samples)  # type: ignore[arg-type]


def test_accelerometer_alone_units_reset_and_end(encoder: ImuEncoder) -> None:
    values = motion(100, 8.0)
    stream = Stream(encoder, 100, missing_gyro="zeros", accel_unit="g")
    found = stream.push(values[:, :3] / 9.80665)
    expected, _ = encode_windows(encoder, primus.preprocess(values[:, :3], encoder, rate_hz=100, missing_gyro="zeros", accel_unit="m/s^2").imu)
    np.testing.assert_allclose(found[0].feature, expected[0], atol=1e-3)
    assert stream.push([]) == []
    stream.finish()
    with pytest.raises(UserError, match="finished"):
        stream.push(values[:, :3])
    stream.reset()
    again = stream.push(values[:, :3] / 9.80665)
    np.testing.assert_array_equal(again[0].feature, found[0].feature)
