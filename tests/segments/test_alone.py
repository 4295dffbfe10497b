"""Windows resampled by themselves: against the documented polyphase algorithm written out in loops, and its known faults."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from primus.io.recording import ImuRecording
from primus.segments.alone import ROLLOFF, ZERO_CROSSINGS, resample_alone, source_rate
from primus.segments.imu import cut
from tests.segments.signals import GRAVITY, Tones, clock, recording, sample

MS = 1_000_000


def polyphase(signal: list[float], source_hz: int, rate_hz: int, samples: int) -> list[float]:
    """Output k is phase k mod `new` of the kernel bank at input block k div `new`, over a signal with zeros on both sides."""
    shared = math.gcd(source_hz, rate_hz)
    orig, new = source_hz // shared, rate_hz // shared
    base = min(orig, new) * ROLLOFF
    width = math.ceil(ZERO_CROSSINGS * orig / base)
    padded = [0.0] * width + signal + [0.0] * (width + orig)
    made = math.ceil(Fraction(new * len(signal), orig))
    out = [0.0] * samples
    for k in range(min(samples, made)):
        block, phase = divmod(k, new)
        for tap in range(2 * width + orig):
            t = ((tap - width) / orig - phase / new) * base
            t = min(max(t, -ZERO_CROSSINGS), ZERO_CROSSINGS)
            hann = math.cos(t * math.pi / ZERO_CROSSINGS / 2) ** 2
            sinc = 1.0 if t == 0 else math.sin(math.pi * t) / (math.pi * t)
            out[k] += sinc * hann * base / orig * padded[block * orig + tap]
    return out


@settings(max_examples=15, deadline=None)
@given(source=st.integers(20, 400), rate=st.sampled_from([20, 50, 64, 100]), count=st.integers(2, 60), seed=st.integers(0, 99))
def test_it_is_the_documented_algorithm(source: int, rate: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(count, 6))
    stamps = np.rint(np.arange(count) * 1e9 / (source + 0.4)).astype(np.int64)  # cut to `source`
    assert source_rate(stamps) == source
    samples = round(count / source * rate) + 3
    found = resample_alone(stamps, values, rate, samples)
    assert found.shape == (6, samples)
    np.testing.assert_allclose(found[4], polyphase(values[:, 4].tolist(), source, rate, samples), atol=1e-12)


def standing(rate_hz: float, seconds: float) -> ImuRecording:
    stamps = np.arange(round(seconds * rate_hz), dtype=np.int64) * round(1e9 / rate_hz)
    return recording(stamps, np.tile([[0.0], [0.0], [GRAVITY], [0.0], [0.0], [0.0]], len(stamps)))


def test_a_standing_device_sags_to_half_of_gravity_at_both_ends_and_nowhere_else() -> None:
    """What the paper's encoder saw of 9.81 m/s^2; windows cut from a resampled recording show nothing of it."""
    still = standing(1000, 20)
    alone, _ = cut(still, [5.0, 10.0], 50, 5.0, resampling="window")
    assert alone[0, 2, 0] == pytest.approx(GRAVITY / 2 * (1 + ROLLOFF * 50 / 1000), abs=0.01)  # 5.15: half, and half of the tap at zero
    assert 9.9 < alone[0, 2, 1:12].max() < 11
    assert alone[0, 2, 12:-12] == pytest.approx(9.81, rel=0.01)
    assert alone[0, 2, -12:].max() > 9.9
    np.testing.assert_array_equal(alone[0], alone[1])
    whole, _ = cut(still, [5.0, 10.0], 50, 5.0)
    assert whole[:, 2] == pytest.approx(9.81, abs=1e-3)


def test_a_rate_is_cut_and_not_rounded() -> None:
    assert source_rate(np.arange(5000, dtype=np.int64) * MS) == 1000
    assert source_rate(np.arange(5000, dtype=np.int64) * (MS + 1)) == 999
    slow = np.arange(5000, dtype=np.int64) * (MS + 900)  # 999.1 Hz taken for 999: 0.5 ms of five seconds
    assert source_rate(slow) == 999


def test_inside_a_window_both_ways_agree_on_a_slow_signal() -> None:
    stamps = clock(200.0, 20.0, "even")
    tones = Tones.draw(0.5, 8.0, 2, seed=3)
    imu = sample(tones, stamps, int(stamps[0]))
    alone, _ = cut(imu, [3.0], 50, 5.0, resampling="window")
    whole, _ = cut(imu, [3.0], 50, 5.0)
    inside = slice(25, -25)
    scale = float(np.abs(whole).max())
    assert np.abs(alone[0, :, inside] - whole[0, :, inside]).max() < 0.02 * scale
    assert np.abs(alone[0, 2, 0] - whole[0, 2, 0]) > 0.1 * abs(float(whole[0, 2, 0]))


def test_gaps_and_ends_are_refused_as_ever() -> None:
    stamps = clock(200.0, 20.0, "even")
    keep = (stamps - stamps[0] < 8_000 * MS) | (stamps - stamps[0] > 9_000 * MS)
    imu = recording(stamps[keep], np.tile([[0.0], [0.0], [GRAVITY], [0.0], [0.0], [0.0]], int(keep.sum())))
    starts: NDArray[np.float64] = np.array([0.0, 6.0, 10.0, 18.0])
    for resampling in ("recording", "window"):
        kept, rejects = cut(imu, starts, 50, 5.0, resampling=resampling)  # type: ignore[arg-type]
        assert len(kept) == 2
        assert [reject.reason for reject in rejects] == ["gap", "imu_short"]


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(ValueError, match="whole number of hertz"):
        cut(standing(200, 10), [0.0], 62.5, 2.0, resampling="window")
    _, rejects = cut(standing(25, 10), [1.0, 2.0], 100, 0.05, resampling="window")  # windows of a sample and a quarter
    assert {reject.reason for reject in rejects} <= {"imu_short"}
