"""Hand-made statistics of IMU windows: what activity recognition used before encoders, and the floor that an encoder has to beat.

Per signal (six axes and the magnitude of either sensor) location, spread, shape and spectrum, as in the feature sets of Bao and Intille 2004
(doi 10.1007/978-3-540-24646-6_1) and Anguita et al. 2013 (the UCI-HAR set), and the correlations between the axes of a sensor.
"""

import numpy as np

BANDS_HZ = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Edges of the bands whose share of the power is taken; the last band reaches to half the sampling rate."""

PER_SIGNAL = (
    "mean", "deviation", "least", "largest", "median", "quartile_range", "mean_step", "crossings", "skewness", "kurtosis",
    "peak_hz", "peak_share", "spectral_entropy", "log_power",
)  # fmt: skip
AXES = ("x", "y", "z")


def statistic_names() -> list[str]:
    """Names of the columns of `window_statistics`, e.g. "gyro_norm/peak_hz"."""
    signals = [f"{sensor}_{part}" for sensor in ("accel", "gyro") for part in (*AXES, "norm")]
    bands = [f"band{number}" for number in range(len(BANDS_HZ))]
    names = [f"{signal}/{statistic}" for signal in signals for statistic in (*PER_SIGNAL, *bands)]
    pairs = [(a, b) for number, a in enumerate(AXES) for b in AXES[number + 1 :]]
    return names + [f"{sensor}_{a}{b}/correlation" for sensor in ("accel", "gyro") for a, b in pairs]


def window_statistics(imu: np.ndarray, rate_hz: float) -> np.ndarray:
    """Statistics (N, F) float32 of windows (N, 6, T), accelerometer m/s^2 then gyroscope rad/s; columns as `statistic_names`.

    Finite for every finite window: a constant signal has no shape, no peak and no correlation (zeros).
    """
    windows = np.asarray(imu, dtype=np.float64)
    signals = []
    for sensor in (windows[:, :3], windows[:, 3:]):
        signals += [*np.moveaxis(sensor, 1, 0), np.linalg.norm(sensor, axis=1)]
    columns = [column for signal in signals for column in _of_signal(signal, rate_hz)]
    for sensor in (windows[:, :3], windows[:, 3:]):
        columns += [_correlation(sensor[:, a], sensor[:, b]) for a in range(3) for b in range(a + 1, 3)]
    return np.stack(columns, axis=1).astype(np.float32)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, 0 where the denominator vanishes."""
    small = np.abs(denominator) < 1e-12
    return np.where(small, 0.0, numerator / np.where(small, 1.0, denominator))


def _of_signal(signal: np.ndarray, rate_hz: float) -> list[np.ndarray]:
    """The statistics of one signal (N, T), each (N,)."""
    mean, deviation = signal.mean(axis=1), signal.std(axis=1)
    low, median, high = np.quantile(signal, [0.25, 0.5, 0.75], axis=1)
    centred = signal - mean[:, None]
    crossings = (np.diff(np.signbit(centred), axis=1)).mean(axis=1) * rate_hz
    power = np.abs(np.fft.rfft(centred * np.hanning(signal.shape[1]), axis=1)) ** 2
    frequency = np.fft.rfftfreq(signal.shape[1], 1 / rate_hz)
    total = power.sum(axis=1)
    share = _ratio(power, np.broadcast_to(total[:, None], power.shape))
    entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1) / np.log(share.shape[1])
    moving = total > 1e-12
    in_band = [(frequency >= low_hz) & (frequency < high_hz) for low_hz, high_hz in zip(BANDS_HZ, (*BANDS_HZ[1:], np.inf), strict=True)]
    return [
        mean, deviation, signal.min(axis=1), signal.max(axis=1), median, high - low, np.abs(np.diff(signal, axis=1)).mean(axis=1), crossings,
        _ratio((centred**3).mean(axis=1), deviation**3), _ratio((centred**4).mean(axis=1), deviation**4),
        np.where(moving, frequency[power.argmax(axis=1)], 0.0), share.max(axis=1), entropy, np.log10(total + 1e-9),
        *(share[:, band].sum(axis=1) for band in in_band),
    ]  # fmt: skip


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    return _ratio((a * b).mean(axis=1), a.std(axis=1) * b.std(axis=1))
