"""A window resampled by itself, as the released code of arXiv 2411.15127 does: to compare with, and for weights that were trained on such windows.

The samples within the window are taken to come at one whole number of hertz and go through a Hann-windowed sinc that sees nothing before
the first and after the last of them (the algorithm that torchaudio documents for `functional.resample`, with its defaults). Both ends therefore
sag towards zero and ring: a standing accelerometer's 9.81 m/s^2 reads about half of that at either end. `primus.segments.resample` has neither fault.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from primus.segments.kernels import Floats

ZERO_CROSSINGS = 6
"""Of the sinc, on each side."""
ROLLOFF = 0.99
"""Cut-off, as a share of the lower of both Nyquist frequencies."""


def resample_alone(stamps_ns: NDArray[np.int64], values: Floats, rate_hz: int, samples: int) -> Floats:
    """The window (C, samples) that those samples make; what is missing at its end stays zero.

    Args:
        stamps_ns: (N,) device times of the samples in the window, N >= 2.
        values: (N, C) of them.
        rate_hz: output rate.
        samples: of the output.
    """
    source_hz = source_rate(stamps_ns)
    made = min(samples, -(-len(values) * rate_hz // source_hz))
    out = np.zeros((values.shape[1], samples))
    out[:, :made] = (_weights(source_hz, rate_hz, len(values), made) @ values).T
    return out


def source_rate(stamps_ns: NDArray[np.int64]) -> int:
    """Rate of N >= 2 samples in whole hertz, cut and not rounded: 999 where the mean step is a hair over a millisecond."""
    return max(1, int(1e9 * (len(stamps_ns) - 1) / float(stamps_ns[-1] - stamps_ns[0])))


@lru_cache(maxsize=8)
def _weights(source_hz: int, rate_hz: int, count: int, made: int) -> Floats:
    """Weights (made, count) of the samples in each output."""
    band = ROLLOFF * min(source_hz, rate_hz)  # twice the cut-off frequency
    crossings = band * (np.arange(count) / source_hz - np.arange(made)[:, None] / rate_hz)
    hann = np.cos(np.pi / 2 * np.clip(crossings / ZERO_CROSSINGS, -1, 1)) ** 2
    return np.asarray(np.sinc(crossings) * hann * band / source_hz, np.float64)
