"""Degradations do to windows what they say, and nothing else."""

import numpy as np
import pytest

from primus.evaluation.degrade import GYRO_PER_ACCEL, Degradation, axes_exchanged, seen_for, slower, turned, with_dropouts

RATE = 50.0
TIME = np.arange(250) / RATE
MIDDLE = slice(60, 190)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def windows() -> np.ndarray:
    return rng().standard_normal((40, 6, 250)).astype(np.float32)


def tone(hertz: float) -> np.ndarray:
    return np.broadcast_to(np.sin(2 * np.pi * hertz * TIME + 0.3), (1, 6, 250)).astype(np.float32)


@pytest.mark.parametrize("slow", [10, 20, 25])
def test_a_slower_device_keeps_what_it_can_see_and_loses_the_rest(slow: float) -> None:
    seen, unseen = tone(0.35 * slow), tone(0.7 * slow)
    np.testing.assert_allclose(slower(seen, RATE, slow)[..., MIDDLE], seen[..., MIDDLE], atol=0.01)
    assert np.abs(slower(unseen, RATE, slow)[..., MIDDLE]).max() < 0.01, "aliases"
    np.testing.assert_allclose(slower(np.full((2, 6, 250), 9.81, np.float32), RATE, slow), 9.81, rtol=1e-5)


def test_a_slow_rate_above_the_windows_own_is_refused() -> None:
    with pytest.raises(ValueError, match="below 50 Hz, found 50"):
        slower(tone(1), RATE, 50)


@pytest.mark.parametrize("degrees", [30.0, 180.0, None])
def test_rotations_turn_both_sensors_alike_by_the_angle_asked_for(windows: np.ndarray, degrees: float | None) -> None:
    found = turned(windows, degrees, rng())
    for sensor in (slice(0, 3), slice(3, 6)):
        np.testing.assert_allclose(np.linalg.norm(found[:, sensor], axis=1), np.linalg.norm(windows[:, sensor], axis=1), rtol=1e-4)
    angles = []
    for before, after in zip(windows, found, strict=True):
        both = [np.concatenate([one[:3], one[3:]], axis=1).astype(np.float64) for one in (before, after)]
        matrix = both[1] @ np.linalg.pinv(both[0])
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-4)
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-4)
        angles.append(np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))))
    if degrees is None:
        assert np.mean(angles) == pytest.approx(90 + 360 / np.pi / np.pi, abs=15)  # mean angle of a uniform rotation: pi/2 + 2/pi
    else:
        np.testing.assert_allclose(angles, degrees, atol=0.5)


def test_axes_are_exchanged_alike_in_both_sensors_and_never_left_as_they_were(windows: np.ndarray) -> None:
    found = axes_exchanged(windows, rng())
    seen = set()
    for before, after in zip(windows, found, strict=True):
        order = tuple(next(axis for axis in range(3) if np.array_equal(after[place], before[axis])) for place in range(3))
        np.testing.assert_array_equal(after[3:], before[[3 + axis for axis in order]])
        seen.add(order)
    assert len(seen) == 5
    assert (0, 1, 2) not in seen


def slow_dropouts(window: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Hold the last value that came, sample by sample; before the first, the first."""
    out, last = window.copy(), window[:, int(np.flatnonzero(~lost)[0])]
    for sample in range(window.shape[1]):
        if not lost[sample]:
            last = window[:, sample]
        out[:, sample] = last
    return out


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_dropouts_hold_the_last_value_in_bursts(windows: np.ndarray, share: float) -> None:
    found = with_dropouts(windows, RATE, share, rng())
    for before, after in zip(windows, found, strict=True):
        lost = (after != before).all(axis=0)
        np.testing.assert_array_equal(after, slow_dropouts(before, lost))
        in_burst = lost.reshape(-1, 10).sum(axis=1)
        assert np.isin(in_burst, [0, 10]).sum() >= len(in_burst) - 1, "one burst is cut short, the others are whole"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.25, 0.3, 0.5, 0.77, 0.9])
@pytest.mark.parametrize(("rate", "samples"), [(50.0, 250), (100.0, 250), (50.0, 247), (20.0, 100), (12.5, 31), (3.0, 7), (50.0, 5), (50.0, 1)])
def test_dropouts_lose_the_share_asked_for_up_to_one_sample(share: float, rate: float, samples: int) -> None:
    windows = rng().standard_normal((30, 6, samples)).astype(np.float32)
    found = with_dropouts(windows, rate, share, rng())
    lost = (found != windows).all(axis=1).sum(axis=1)
    assert (np.abs(lost - share * samples) <= 1).all(), sorted(set(lost))
    assert len({tuple(np.flatnonzero((a != b).all(axis=0))) for a, b in zip(found, windows, strict=True)}) > 1 or lost[0] == 0 or samples < 10


def test_gain_bias_and_gyroscope(windows: np.ndarray) -> None:
    gain = Degradation("gain", 0.2).apply(windows, RATE, rng()) / windows
    np.testing.assert_allclose(gain, np.broadcast_to(gain[..., :1], gain.shape), rtol=1e-4)
    assert gain[..., 0].std() == pytest.approx(0.2, rel=0.2)
    bias = Degradation("bias", 2.0).apply(windows, RATE, rng()) - windows
    np.testing.assert_allclose(bias, np.broadcast_to(bias[..., :1], bias.shape), atol=1e-5)
    assert bias[:, :3, 0].std() == pytest.approx(2, rel=0.25)
    assert bias[:, 3:, 0].std() == pytest.approx(2 * GYRO_PER_ACCEL, rel=0.25)
    lost = Degradation("gyro_lost").apply(windows, RATE, rng())
    np.testing.assert_array_equal(lost[:, :3], windows[:, :3])
    assert not lost[:, 3:].any()


def test_a_short_view_is_the_middle_and_is_played_back_and_forth_where_it_is_too_short() -> None:
    windows = np.broadcast_to(np.arange(250, dtype=np.float32), (2, 6, 250))
    np.testing.assert_array_equal(seen_for(windows, 150, 250)[0, 0], np.arange(50, 200))
    short = seen_for(windows, 100, 250)
    assert short.shape == (2, 6, 250)
    np.testing.assert_array_equal(short[0, 0, :100], np.arange(75, 175))
    assert set(short[0, 0]) == set(range(75, 175))
    assert (np.abs(np.diff(short[0, 0])) == 1).all(), "a step that was not there"


@pytest.mark.parametrize("condition", [Degradation("rotation", 30), Degradation("dropout", 0.3), Degradation("gain", 0.2), Degradation("rate", 10)])
def test_equal_draws_give_equal_bytes_and_the_windows_are_left_alone(windows: np.ndarray, condition: Degradation) -> None:
    before = windows.copy()
    first, second = (condition.apply(windows, RATE, rng()) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(windows, before)
    assert first.dtype == np.float32
    assert first.shape == windows.shape


@pytest.mark.parametrize(
    ("name", "severity", "words"),
    [
        ("rate", None, "needs a severity"),
        ("gyro_lost", 1.0, "has no severity"),
        ("dropout", 0.95, r"\[0, 0.9\], found 0.95"),
        ("rotation", 181.0, r"\[0, 180\]"),
    ],
)
def test_severities_out_of_range_are_refused(name: str, severity: float | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Degradation(name, severity)  # type: ignore[arg-type]


def test_labels_say_name_and_severity() -> None:
    assert [Degradation("rate", 10.0).label, Degradation("rotation").label, Degradation("gain", 0.2).label] == ["rate_10", "rotation", "gain_0.2"]
