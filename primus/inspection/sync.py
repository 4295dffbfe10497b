"""How far the IMU's clock lies from the video's, found by comparing the gyroscope with the motion of the picture.

The lag is positive where the IMU shows an event later than the video does: an event at second t of the video lies at second t + lag of the IMU's
stamps. To put them right, subtract the lag from the IMU's times.

For every lag within two seconds the three rates of the picture (right, down, turn) are compared with the three of the gyroscope, both averaged over
the same intervals and limited to the same band. The score is the information the two carry about each other, -1/2 sum log(1 - r^2) over their
canonical correlations r: the log-likelihood of the lag when nothing is known of how the camera sits on the sensor, of its focal length, or of which
axis is which. Magnitudes alone, which need no axes either, err by more than 40 ms in one take of ten: what walking adds to the picture is in phase
with the step and not with the turn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter1d

from primus.errors import UserError
from primus.inspection.optical import OpticalMotion

LARGEST_LAG_S = 2.0
GRID_HZ = 100
SHARP_S, DRIFT_S = 0.02, 1.0
"""Standard deviations of the two Gaussians whose difference is the band: about 0.2 to 8 Hz."""

LEAST_S = 5.0
NEIGHBOURHOOD_S = 0.3
"""Scores this close to the peak belong to it; the second peak is the highest beyond."""

LEAST_TURN = float(np.radians(2.0))
LEAST_SHIFT = 0.02
"""A take moves enough when, within the band, the gyroscope's magnitude has this root mean square (rad/s), and the picture's points that of this much
of its shorter side a second: ten times a gyroscope's noise, and several times what is measured on still pictures."""

_MEAN_RADIUS = 6**-0.5  # root mean square distance of a square's points from its middle, in sides: how far a turn moves them

SURE_RATIO, SURE_Z, SURE_CORRELATION = 2.0, 8.0, 0.8
"""What a peak must have to be believed. Of 432 pairs of a simulated video and the IMU of another take two had all three."""

_GAP_S = 0.1


@dataclass(frozen=True)
class Sync:
    """The estimate.

    Attributes:
        lag_s: IMU stamp minus video time of one event, seconds; meaningful where `sure`.
        z: how many standard deviations the peak's score lies above the mean score of the lags away from it.
        ratio: the peak's score over that of the second peak.
        correlation: largest canonical correlation at the peak, 0 to 1.
        turn_rms: of the gyroscope within the band, rad/s.
        picture_rms: of the picture's points within the band, shorter sides a second.
        used_s: seconds of video compared.
        at_edge: whether the highest score is the one of the largest lag looked at, so that the true one may lie beyond.
    """

    lag_s: float
    z: float
    ratio: float
    correlation: float
    turn_rms: float
    picture_rms: float
    used_s: float
    at_edge: bool

    @property
    def moves(self) -> bool:
        """Whether there is enough motion to tell."""
        return self.turn_rms >= LEAST_TURN and self.picture_rms >= LEAST_SHIFT

    @property
    def sure(self) -> bool:
        """Whether the peak is high and stands alone."""
        alone = self.ratio >= SURE_RATIO and self.z >= SURE_Z and not self.at_edge
        return self.moves and alone and self.correlation >= SURE_CORRELATION


def estimate_lag(times_s: NDArray[np.float64], gyro: NDArray[np.floating], motion: OpticalMotion) -> Sync:
    """Compare a gyroscope with the motion of a video that should run on the same clock.

    Args:
        times_s: (N,) stamps of the samples in seconds of the video, as far as they are known; strictly increasing.
        gyro: (N, 3) rad/s.
        motion: of the video.

    Raises:
        UserError: the two have less than five seconds in common, or one of them does not change at all.
    """
    picture, picture_start = _rates(motion.times_s, np.vstack([np.zeros(3), np.cumsum(motion.steps, axis=0)]))
    steps = np.diff(times_s)
    angles = np.vstack([np.zeros(3), np.cumsum((gyro[1:] + gyro[:-1]) / 2 * steps[:, None], axis=0)])
    turns, turns_start = _rates(times_s, angles)
    sound = _without_gaps(times_s, turns_start, len(turns))
    picture, turns = _band(picture), _band(turns)
    turn_rms, picture_rms = _rms(turns), _rms(picture * [1.0, 1.0, _MEAN_RADIUS])
    ahead = round((picture_start - turns_start) * GRID_HZ)
    rest_s = turns_start - picture_start + ahead / GRID_HZ
    lags = np.arange(-round(LARGEST_LAG_S * GRID_HZ), round(LARGEST_LAG_S * GRID_HZ) + 1)
    found = [_compare(picture, turns, sound, ahead + int(lag)) for lag in lags]
    scores = np.array([score for score, _, _ in found])
    if not np.isfinite(scores).any():
        spans = f"{times_s[0]:.1f} to {times_s[-1]:.1f} s of gyroscope and {motion.times_s[0]:.1f} to {motion.times_s[-1]:.1f} s of video"
        raise UserError(f"{spans} have less than {LEAST_S:g} s in common; is this the video of that recording?")
    scores = np.where(np.isfinite(scores), scores, 0.0)
    best = int(scores.argmax())
    far = scores[np.abs(lags - lags[best]) > NEIGHBOURHOOD_S * GRID_HZ]
    spread = float(far.std())
    _, correlation, used = found[best]
    return Sync(
        lag_s=float(lags[best] + _summit(scores, best)) / GRID_HZ + rest_s,
        z=float(scores[best] - far.mean()) / spread if spread > 0 else 0.0,
        ratio=float(scores[best] / far.max()) if far.max() > 0 else 0.0,
        correlation=correlation,
        turn_rms=turn_rms,
        picture_rms=picture_rms,
        used_s=used / GRID_HZ,
        at_edge=best in (0, len(lags) - 1),
    )


def _rates(times_s: NDArray[np.float64], angles: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Mean rates (M, 3) over the steps of a regular grid, and the middle of its first step."""
    grid = np.arange(times_s[0], times_s[-1], 1 / GRID_HZ)
    rates = np.stack([np.diff(np.interp(grid, times_s, column)) * GRID_HZ for column in angles.T], axis=-1)
    return rates, float(times_s[0]) + 0.5 / GRID_HZ


def _without_gaps(times_s: NDArray[np.float64], start_s: float, count: int) -> NDArray[np.bool_]:
    """Which steps of the grid (count,) lie where samples are dense, and not so close to a hole that the smoothing reaches into it."""
    middle = start_s + np.arange(count) / GRID_HZ
    after = np.clip(np.searchsorted(times_s, middle), 1, len(times_s) - 1)
    holes = (times_s[after] - times_s[after - 1]) > _GAP_S
    reach = round(3 * SHARP_S * GRID_HZ)
    return ~binary_dilation(holes, np.ones(2 * reach + 1, bool))


def _band(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    sharp = gaussian_filter1d(rates, SHARP_S * GRID_HZ, axis=0, mode="nearest")
    return sharp - gaussian_filter1d(sharp, DRIFT_S * GRID_HZ, axis=0, mode="nearest")


def _rms(rates: NDArray[np.float64]) -> float:
    return float(np.sqrt((rates**2).sum(axis=1).mean()))


def _compare(picture: NDArray[np.float64], turns: NDArray[np.float64], sound: NDArray[np.bool_], ahead: int) -> tuple[float, float, int]:
    """Score, largest canonical correlation and number of steps of picture[i] against turns[i + ahead]; NaN where they hardly overlap."""
    first, last = max(0, -ahead), min(len(picture), len(turns) - ahead)
    kept = sound[first + ahead : last + ahead] if last > first else np.zeros(0, bool)
    if kept.sum() < LEAST_S * GRID_HZ:
        return float("nan"), 0.0, 0
    x, y = picture[first:last][kept], turns[first + ahead : last + ahead][kept]
    correlations = np.linalg.svd(_basis(x).T @ _basis(y), compute_uv=False).clip(0, 1 - 1e-9)
    if not len(correlations):
        return 0.0, 0.0, int(kept.sum())
    return float(-0.5 * np.log(1 - correlations**2).sum()), float(correlations[0]), int(kept.sum())


def _basis(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal columns spanning the centred rates; axes that do not move are left out."""
    left, strength, _ = np.linalg.svd(rates - rates.mean(axis=0), full_matrices=False)
    return left[:, strength > 1e-6 * max(float(strength[0]), 1e-9)]


def _summit(scores: NDArray[np.float64], best: int) -> float:
    """Where the parabola through the peak and its neighbours is highest, in steps from `best`."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, peak, after = scores[best - 1 : best + 2]
    bend = before - 2 * peak + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0
