"""Features while samples arrive: the windows, checks and numbers of the batch path, a fraction of a second behind the newest sample."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primus.errors import Rejected, UserError
from primus.inference.contract import Model, open_encoder, to_contract
from primus.inference.policy import MissingGyro
from primus.inference.regular_clock import regular_clock
from primus.inference.single_window import SingleWindow
from primus.io.recording import ImuRecording
from primus.io.units import ACCEL_UNITS, GYRO_UNITS, factor
from primus.models.encoder import ImuEncoder
from primus.schema import CHANNELS
from primus.segments.quality import SegmentChecks, Thresholds, check_recording

LOOKED_AT = 500  # samples of a window, evenly taken, for a quick look ...
MARGIN = 0.02  # ... which calls the checks themselves this much before their thresholds
_PAIRS = ((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5))  # axes of one sensor; the first three pairs are the accelerometer's
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamFeature:
    """What one hop gave.

    Attributes:
        start_s, end_s: the window, in seconds from the first sample.
        feature: (D,) float32; None where the window was refused.
        projection: (P,) float32; None where it was refused, or the model has no heads.
        refused: reason and detail, None where the window passed.
    """

    start_s: float
    end_s: float
    feature: NDArray[np.float32] | None
    projection: NDArray[np.float32] | None
    refused: str | None = None


class Stream:
    """Takes samples of a regular clock as they come, and gives a feature per hop.

    The windows are those of `primus.preprocess` with the same hop: the first starts at the first sample. A window's feature comes `latency_s`
    after its end, because its last samples are low-passed with what follows them; `finish` gives those that still wait, as the batch path computes
    the end of a recording. Each window is checked as in the batch path, except that the checks of a whole recording look at the window alone.

    Args:
        model: an encoder, its folder or id.
        rate_hz: of the samples.
        hop_s: seconds between windows, a whole number of the model's sampling periods; None for the window's length.
        accel_unit, gyro_unit: of the samples; they are stated, never guessed.
        missing_gyro: whether (n, 3) samples are refused, or encoded with zeros for the gyroscope.
        thresholds: of the quality checks.

    Attributes:
        latency_s: seconds of samples after a window's end that its feature needs.

    Raises:
        UserError: a value does not fit the model's contract.
    """

    def __init__(
        self,
        model: Model,
        rate_hz: float,
        hop_s: float | None = None,
        *,
        accel_unit: str = "m/s^2",
        gyro_unit: str = "rad/s",
        missing_gyro: MissingGyro = "refuse",
        thresholds: Thresholds | None = None,
    ) -> None:
        encoder: ImuEncoder = open_encoder(model)
        self.contract = encoder.inputs
        self._thresholds = thresholds or Thresholds()
        if not self._thresholds.min_rate_hz <= rate_hz <= 1e5:
            raise UserError(f"rate_hz is {rate_hz}; expected samples per second, at least {self._thresholds.min_rate_hz:g}")
        hop = (self.contract.window_s if hop_s is None else hop_s) * self.contract.rate_hz
        if hop < 1 - 1e-6 or abs(hop - round(hop)) > 1e-6:
            raise UserError(f"hop_s is {hop_s}; expected a whole number of the model's sampling periods of {1 / self.contract.rate_hz:g} s")
        self.hop_s = round(hop) / self.contract.rate_hz
        self.rate_hz = float(rate_hz)
        self._hop = round(hop)
        self._missing_gyro = missing_gyro
        self._factors = np.repeat([factor(accel_unit, ACCEL_UNITS, "accel_unit"), factor(gyro_unit, GYRO_UNITS, "gyro_unit")], 3)
        self._clock = regular_clock(self.rate_hz, self.contract.rate_hz)
        self._encode = SingleWindow(encoder)
        self._said: str | None = None
        self.reset()

    @property
    def latency_s(self) -> float:
        """Seconds of samples after a window's last one that its feature needs."""
        return self._clock.latency_s

    def reset(self) -> None:
        """Forget everything: the next sample is the first. For a pause in the signal, or another recording."""
        self._samples = np.empty((4 * self._clock.reach, len(CHANNELS)))  # raw samples from number `_first` on, the first `_count` of them filled
        self._first = self._count = 0
        self._outputs = np.empty((len(CHANNELS), 4 * self.contract.samples), np.float32)  # from output number `_begin` on
        self._begin = self._made = 0
        self._window = 0  # number of the next window
        self._finished = False

    def push(self, samples: ArrayLike) -> list[StreamFeature]:
        """Take samples and return what they completed.

        Args:
            samples: (n, 6) accelerometer then gyroscope, or (n, 3), or one sample (6,); NaN where a value is missing, never left out.

        Raises:
            UserError: the samples have another shape, or the stream is finished.
        """
        if self._finished:
            raise UserError("the stream is finished; reset it to begin another")
        self._keep(self._checked(samples))
        total = self._first + self._count
        if self._made == 0:
            if total < self._clock.reach:
                return []
            self._add(self._clock.beginning(self._samples[: self._count]))
        ready = ((total - self._clock.half - 1) * self._clock.ratio.denominator) // self._clock.ratio.numerator + 1
        if ready > self._made:
            self._add(self._clock.outputs(self._samples[: self._count], self._first, self._made, ready - self._made))
        return self._complete()

    def finish(self) -> list[StreamFeature]:
        """The windows that still waited for what follows them, computed without it; then the stream takes no more samples."""
        self._finished = True
        total, rate_hz, source_hz = self._first + self._count, self.contract.rate_hz, self._clock.source_hz
        if total < 3:
            return []
        last_s = (total - 1) / source_hz
        slack_s = min(1 / source_hz, 0.25 / rate_hz)  # as `Resampler` lets the last output lie this far after the last sample ...
        end_s = last_s + min(1 / source_hz, 1 / rate_hz + slack_s)  # ... and a window end this far after it
        last = int((last_s + slack_s) * rate_hz + 1e-6)
        if last + 1 > self._made:
            self._add(self._clock.ending(self._samples[: self._count], total, self._made, last + 1 - self._made))
        windows = int(np.floor((end_s - self.contract.window_s) / self.hop_s + 1e-9)) + 1
        return self._complete(windows)

    def _checked(self, samples: ArrayLike) -> NDArray[np.float64]:
        try:
            found = np.atleast_2d(np.asarray(samples, np.float64))
        except (TypeError, ValueError) as error:
            raise UserError(f"samples are no numbers ({error}); expected (n, 6)") from None
        if found.size == 0:
            return np.empty((0, len(CHANNELS)))
        if found.ndim == 2 and found.shape[1] == 3:
            if self._missing_gyro != "zeros":
                raise UserError(
                    "samples are (n, 3), and the model takes six channels; missing_gyro='zeros' encodes them with zeros for the gyroscope"
                )
            found = np.concatenate([found, np.zeros_like(found)], axis=1)
        elif found.ndim != 2 or found.shape[1] != len(CHANNELS):
            raise UserError(f"samples have shape {np.shape(samples)}; expected (n, 6): accelerometer x y z, gyroscope x y z")
        elif self._missing_gyro == "zeros":
            raise UserError("samples have six channels, but missing_gyro='zeros' was stated; leave it out")
        return found * self._factors

    def _keep(self, samples: NDArray[np.float64]) -> None:
        needed = self._count + len(samples)
        if needed > len(self._samples):
            oldest = min(self._clock.place(self._made)[0] - self._clock.half, self._window_samples()[0]) if self._made else 0
            oldest = min(oldest, self._first + self._count - self._clock.reach)
            drop = max(0, oldest - self._first)
            kept = self._samples[drop : self._count]
            grown = np.empty((max(len(self._samples), 2 * (len(kept) + len(samples))), len(CHANNELS)))
            grown[: len(kept)] = kept
            self._samples, self._first, self._count = grown, self._first + drop, len(kept)
        self._samples[self._count : self._count + len(samples)] = samples
        self._count += len(samples)

    def _add(self, outputs: NDArray[np.float64]) -> None:
        held, count = self._made - self._begin, outputs.shape[1]
        if held + count > self._outputs.shape[1]:
            drop = min(held, self._window * self._hop - self._begin)
            kept = self._outputs[:, max(0, drop) : held]
            grown = np.empty((len(CHANNELS), max(self._outputs.shape[1], 2 * (kept.shape[1] + count))), np.float32)
            grown[:, : kept.shape[1]] = kept
            self._outputs, self._begin, held = grown, self._begin + max(0, drop), kept.shape[1]
        self._outputs[:, held : held + count] = outputs
        self._made += count

    def _complete(self, windows: int | None = None) -> list[StreamFeature]:
        """The windows that all outputs are there for, up to a number of them in all."""
        found = []
        while self._window * self._hop + self.contract.samples <= self._made and (windows is None or self._window < windows):
            found.append(self._next())
            self._window += 1
        return found

    def _window_samples(self) -> tuple[int, int]:
        """Numbers of the next window's first sample, and of the one after its last."""
        begin = self._window * self.hop_s * self.rate_hz
        return int(np.ceil(begin - 1e-6)), int(np.ceil(begin + self.contract.window_s * self.rate_hz - 1e-6))

    def _next(self) -> StreamFeature:
        start_s = self._window * self.hop_s
        first = self._window * self._hop - self._begin
        window = self._outputs[:, first : first + self.contract.samples]
        refused = self._refusal(window)
        if refused != self._said:
            if refused is not None:
                log.warning("stream: windows from %.3f s on are refused: %s", start_s, refused)
            self._said = refused
        end_s = start_s + self.contract.window_s
        if refused is not None:
            return StreamFeature(start_s, end_s, None, None, refused)
        feature, projection = self._encode(np.ascontiguousarray(to_contract(window[None], self.contract)[0]))
        return StreamFeature(start_s, end_s, feature, projection)

    def _refusal(self, window: NDArray[np.float32]) -> str | None:
        if not np.isfinite(window).all():
            return f"non_finite: a sample without a finite value lies in it, or within {self.latency_s:.2f} s of it"
        begin, end = (number - self._first for number in self._window_samples())
        raw = self._samples[max(0, begin) : min(end, self._count)]
        if not suspicious(raw, self.rate_hz, self._thresholds, self._missing_gyro == "zeros"):
            return None
        stamps = np.rint(np.arange(len(raw)) * (1e9 / self.rate_hz)).astype(np.int64)
        gyro = None if self._missing_gyro == "zeros" else raw[:, 3:]
        recording = ImuRecording(stamps, raw[:, :3], gyro, self.rate_hz, "stream")
        try:
            check_recording(recording, self._thresholds)
            refused = SegmentChecks(recording, self._thresholds).refusal(0, int(stamps[-1]) + 1)
        except Rejected as rejected:
            return f"{rejected.reason}: {rejected.detail}"
        return None if refused is None else f"{refused[0]}: {refused[1]}"


def suspicious(raw: NDArray[np.float64], rate_hz: float, thresholds: Thresholds, accel_only: bool = False) -> bool:
    """Whether the quality checks could refuse samples (n, 6): a quick look that lets nothing pass that they refuse.

    As they do with long recordings, it judges gravity and copied axes by samples evenly taken.
    """
    channels = raw[:, :3] if accel_only else raw
    limits = (thresholds.accel_limit_min, thresholds.gyro_limit_min)
    extremes = np.maximum(channels.max(axis=0), -channels.min(axis=0))
    if extremes[:3].max() >= limits[0] or (not accel_only and extremes[3:].max() >= limits[1]):
        return True
    if ((channels[1:] == channels[:-1]).sum(axis=0).max() + 1) / rate_hz > thresholds.flat_s:
        return True
    some = channels[:: max(1, len(channels) // LOOKED_AT)]
    force = float(np.median(np.sqrt(np.einsum("nc,nc->n", some[:, :3], some[:, :3]))))
    if not thresholds.gravity_min * (1 + MARGIN) <= force <= thresholds.gravity_max * (1 - MARGIN):
        return True
    size = np.abs(some)
    pairs = [(size[:, a] == size[:, b]).mean() for a, b in _PAIRS[: channels.shape[1]]]
    return max(pairs) > thresholds.duplicate_share * (1 - MARGIN)
