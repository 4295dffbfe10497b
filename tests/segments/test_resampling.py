"""Resampling against analytic signals: pass band, stop band, ends, gaps, torn clocks, and the laws a linear filter keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from primus.segments.imu import cut
from tests.segments.signals import GRAVITY, Tones, clock, recording, sample

RATES = [199.0, 200.0, 201.0, 800.0, 1000.0, 1001.0]
KINDS = ["walk", "white", "even"]
MINUS_60_DB = 1e-3


def expected(tones: Tones, starts: NDArray[np.float64], rate_hz: float, samples: int) -> NDArray[np.float64]:
    return np.stack([tones.at(start + np.arange(samples) / rate_hz) for start in starts])


def starts_over(duration_s: float, window_s: float) -> NDArray[np.float64]:
    """Both ends, next to them, and odd places between."""
    last = duration_s - window_s
    return np.array([0.0, 0.0137, 0.25, 0.777, 3.3333, 7.1001, last - 0.4, last - 0.003, last])


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("kind", KINDS)
def test_pass_band_errs_by_less_than_minus_60_db_ends_included(rate_hz: float, kind: str) -> None:
    stamps = clock(rate_hz, 20.0, kind)
    origin = int(stamps[0])
    duration = (int(stamps[-1]) - origin) * 1e-9
    tones = Tones.draw(0.05, 20.0, 2, seed=int(rate_hz))
    starts = starts_over(duration, 4.98)
    imu, rejects = cut(sample(tones, stamps, origin), starts, 50, 5.0)
    assert rejects == []
    error = np.abs(imu - expected(tones, np.rint(starts * 1e9) / 1e9, 50, 250))
    assert error.max() < MINUS_60_DB, f"{20 * np.log10(error.max()):.1f} dB"


@pytest.mark.parametrize("tone_hz", [1.0, 5.0, 10.0, 15.0, 20.0])
@pytest.mark.parametrize("rate_hz", RATES)
def test_every_single_tone_of_the_pass_band(tone_hz: float, rate_hz: float) -> None:
    stamps = clock(rate_hz, 15.0, "walk", seed=5)
    origin = int(stamps[0])
    tones = Tones(np.full((6, 1), tone_hz), np.linspace(0, 2, 6)[:, None], np.zeros(6))
    starts = starts_over((int(stamps[-1]) - origin) * 1e-9, 4.98)
    imu, _ = cut(sample(tones, stamps, origin), starts, 50, 5.0)
    assert np.abs(imu - expected(tones, np.rint(starts * 1e9) / 1e9, 50, 250)).max() < MINUS_60_DB


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate_hz", RATES)
def test_stop_band_is_60_db_down(rate_hz: float, kind: str) -> None:
    stamps = clock(rate_hz, 20.0, kind)
    origin = int(stamps[0])
    for tone_hz in [25.5, 30.0, 40.0, 60.0, 0.3 * rate_hz if rate_hz < 500 else 0.2 * rate_hz]:
        tones = Tones(np.full((6, 1), tone_hz), np.linspace(0, 2, 6)[:, None], np.zeros(6))
        imu, _ = cut(sample(tones, stamps, origin), [2.0, 5.123, 9.0], 50, 5.0)
        size = np.sqrt(np.mean(imu.astype(np.float64) ** 2)) * np.sqrt(2)  # amplitude of what is left of an amplitude of one
        assert size < MINUS_60_DB, f"{tone_hz} Hz: {20 * np.log10(size):.1f} dB"


@pytest.mark.parametrize("rate_hz", [25.0, 100.0, 199.0, 1000.0])
def test_a_constant_stays_that_constant(rate_hz: float) -> None:
    stamps = clock(rate_hz, 12.0, "walk")
    imu, rejects = cut(recording(stamps, np.full((6, len(stamps)), GRAVITY)), [0.0, 3.3, 6.9], 50, 5.0)
    assert rejects == []
    np.testing.assert_array_equal(imu, np.float32(GRAVITY))


@pytest.mark.parametrize(("rate_hz", "target_hz", "top_hz"), [(25.0, 50.0, 6.0), (50.0, 50.0, 12.0), (100.0, 100.0, 30.0), (104.0, 100.0, 30.0)])
def test_slow_clocks_are_interpolated_band_limited(rate_hz: float, target_hz: float, top_hz: float) -> None:
    stamps = clock(rate_hz, 20.0, "walk")
    origin = int(stamps[0])
    tones = Tones.draw(0.2, top_hz, 3)
    imu, _ = cut(sample(tones, stamps, origin), [3.0, 7.7777], target_hz, 5.0)
    error = np.abs(imu - expected(tones, np.array([3.0, 7.7777]), target_hz, round(5 * target_hz)))
    assert error.max() < 3 * MINUS_60_DB


def test_a_gap_is_never_crossed_and_nothing_leaks_over_it() -> None:
    stamps = clock(1000.0, 20.0, "walk")
    seconds = (stamps - stamps[0]) * 1e-9
    kept = (seconds < 8.0) | (seconds > 8.6)
    values = Tones.draw(0.5, 15.0, 2).at(seconds)
    loud = values.copy()
    loud[:, seconds > 8.3] += 1000.0
    starts = [0.0, 2.9, 2.999, 3.05, 5.0, 7.9, 8.59, 8.61, 14.9]
    one, rejects = cut(recording(stamps[kept], values[:, kept]), starts, 50, 5.0)
    two, _ = cut(recording(stamps[kept], loud[:, kept]), starts, 50, 5.0)
    assert [(round(r.start_s or 0.0, 3), r.reason) for r in rejects] == [(3.05, "gap"), (5.0, "gap"), (7.9, "gap"), (8.59, "gap")]
    np.testing.assert_array_equal(one[:3], two[:3])
    np.testing.assert_allclose(one[3:], two[3:] - 1000.0, atol=1e-3)


def test_a_torn_clock_never_invents_large_values() -> None:
    random = np.random.default_rng(0)
    stamps = clock(100.0, 30.0, "white")
    steps = np.diff(stamps)
    steps[random.random(len(steps)) < 0.3] = 300_000  # bursts, as phones deliver them
    steps[random.random(len(steps)) < 0.02] = 180_000_000
    stamps = stamps[0] + np.concatenate(([0], np.cumsum(steps)))
    values = random.uniform(-1, 1, (6, len(stamps)))
    imu, rejects = cut(recording(stamps, values), np.arange(0.0, (stamps[-1] - stamps[0]) * 1e-9 - 2.5, 0.5), 100, 2.5)
    assert rejects == []
    assert np.abs(imu).max() < 3.0


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    period_ns=st.sampled_from([1_000_000, 1_250_000, 5_000_000, 10_000_000, 40_000_000]),
    spread=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    holes=st.sampled_from([0.0, 0.001, 0.05]),
    rate_hz=st.sampled_from([25.0, 50.0, 100.0]),
)
def test_any_clock_gives_finite_values_of_the_signals_size(seed: int, period_ns: int, spread: float, holes: float, rate_hz: float) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(2, max(3, 6_000_000_000 // period_ns)))
    steps = period_ns * random.uniform(1 - spread, 1 + spread, count)
    steps[random.random(count) < holes] *= random.uniform(2, 40)
    stamps = np.cumsum(np.maximum(1, np.rint(steps))).astype(np.int64)
    values = random.uniform(-1, 1, (6, count))
    starts = np.concatenate(([0.0], random.uniform(-0.1, 6, 5)))
    imu, rejects = cut(recording(stamps, values), starts, rate_hz, 2.0)
    assert len(imu) + len(rejects) == len(starts)
    assert np.isfinite(imu).all()
    assert not imu.size or np.abs(imu).max() < 6  # at an end, what lies above the pass band may grow, but not without bound


def test_resampling_ignores_what_is_far_away() -> None:
    stamps = clock(1000.0, 20.0, "walk")
    random = np.random.default_rng(1)
    values = random.standard_normal((6, len(stamps)))
    other = values.copy()
    other[:, 12_000:] = 0.0
    one, two = (cut(recording(stamps, v), [0.0, 5.0], 50, 5.0)[0] for v in (values, other))
    np.testing.assert_array_equal(one, two)


seeds = st.integers(0, 2**32 - 1)
some_rates = st.sampled_from([60.0, 199.0, 640.0, 1000.0])


@settings(max_examples=25, deadline=None)
@given(seed=seeds, rate_hz=some_rates, a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_resampling_is_linear(seed: int, rate_hz: float, a: float, b: float) -> None:
    stamps = clock(rate_hz, 4.0, "walk", seed=seed % 100)
    random = np.random.default_rng(seed)
    x, y = random.standard_normal((2, 6, len(stamps)))
    start = [random.uniform(0, 0.9), 0.0]
    of_x, of_y, of_sum = (cut(recording(stamps, v), start, 50, 3.0)[0] for v in (x, y, a * x + b * y))
    np.testing.assert_allclose(of_sum, a * of_x + b * of_y, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, rate_hz=some_rates, shift=st.integers(-(10**15), 10**15))
def test_only_differences_of_time_matter(seed: int, rate_hz: float, shift: int) -> None:
    stamps = clock(rate_hz, 4.0, "walk", seed=seed % 100)
    random = np.random.default_rng(seed)
    values = random.standard_normal((6, len(stamps)))
    starts = np.array([0, random.integers(0, 900_000_000)])
    one = cut(recording(stamps, values), stamps[0] + starts, 50, 3.0)[0]
    two = cut(recording(stamps + shift, values), stamps[0] + shift + starts, 50, 3.0)[0]
    np.testing.assert_array_equal(one, two)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, rate_hz=some_rates, steps=st.integers(1, 40))
def test_windows_that_overlap_agree_where_they_do(seed: int, rate_hz: float, steps: int) -> None:
    stamps = clock(rate_hz, 6.0, "walk", seed=seed % 100)
    values = np.random.default_rng(seed).standard_normal((6, len(stamps)))
    imu, _ = cut(recording(stamps, values), [0.4, 0.4 + steps / 50], 50, 3.0)
    np.testing.assert_allclose(imu[0][:, steps:], imu[1][:, :-steps], atol=1e-5)
