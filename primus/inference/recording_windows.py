"""One recording to windows under a model's input contract: the same checks and the same resampling as in pretraining."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primus.errors import Rejected
from primus.inference.contract import Model, contract_of, to_contract
from primus.inference.policy import Policy
from primus.inference.regular_clock import RegularStretch, regular_rate
from primus.io.imu_file import read_imu
from primus.io.recording import NS_PER_UNIT, ImuRecording
from primus.io.table_file import guess_note
from primus.io.units import ACCEL_UNITS, GYRO_UNITS
from primus.models.encoder import InputContract
from primus.schema import CHANNELS, Reject
from primus.segments.grid import tile_intervals
from primus.segments.imu import Resampler
from primus.segments.quality import SegmentChecks, check_recording

BLOCK = 256  # windows handed out at a time
REGULAR_S = 30.0  # a shorter recording is not worth the weights of its clock
LEAST_SHARE = 0.05  # of a window that a recording must cover to be mirrored
MISSING_GYRO, REFLECTED, SLOWER = "gyroscope_zeros", "mirrored_to_a_window", "slower_than_the_model"
SLOWER_SHARE = 0.9  # of the model's rate, below which a recording lacks a part of its band
_UNITS = {"time": tuple(NS_PER_UNIT), "accel": tuple(ACCEL_UNITS), "gyro": tuple(GYRO_UNITS)}
_GUESSES = {guess_note(key, unit): f"{key} in {unit}" for key, units in _UNITS.items() for unit in units}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Windows:
    """Windows of one recording.

    Attributes:
        imu: (N, 6, T) float32 as the contract declares.
        start_s, end_s: (N,) float64, on the recording's own clock.
        rejects: windows that were refused, with their reasons.
        notes: repairs and policies that were applied, counted.
        source: what was read.
    """

    imu: NDArray[np.float32]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    rejects: tuple[Reject, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    source: str = ""

    def __len__(self) -> int:
        return len(self.imu)


class GridResampler(Resampler):
    """Cuts windows that start whole output periods after the first sample; a long stretch on a regular clock is resampled by fixed weights."""

    _regular: RegularStretch | None = None

    def whole(self, starts_ns: NDArray[np.int64], window_s: float) -> NDArray[np.bool_]:
        """Which windows (N,) bool `refusal` would pass, where that is plain: a recording without gaps and holes, all at once."""
        if len(self.bounds) > 2 or len(self.excluded_ns):
            return np.zeros(len(starts_ns), bool)
        last_ns = starts_ns + round(window_s * 1e9) - round(1e9 / self.rate_hz)
        return (starts_ns >= self.stamps_ns[0] - self.slack_ns) & (last_ns <= self.stamps_ns[-1] + self.slack_ns)

    def prepare(self, starts_ns: NDArray[np.int64]) -> None:
        """Resample the stretches that windows from `starts_ns` lie in, so that `window` only reads."""
        begin, end = int(self.bounds[0]), int(self.bounds[1])
        first_ns = int(self.stamps_ns[begin])
        periods = (starts_ns - first_ns) * 1e-9 * self.rate_hz
        long = int(self.stamps_ns[end - 1]) - first_ns >= REGULAR_S * 1e9
        if long and np.allclose(periods, np.rint(periods), rtol=0, atol=1e-6):
            source_hz = regular_rate(self.stamps_ns[begin:end], self.rate_hz)
            if source_hz is not None:
                self._regular = RegularStretch(self._values(begin, end).astype(np.float64), source_hz, self.rate_hz, self.slack_ns * 1e-9)
        for start in starts_ns[np.unique([self._stretch_of(int(start)) for start in starts_ns], return_index=True)[1]].tolist():
            self.window(start, 1)

    def window(self, start_ns: int, samples: int) -> NDArray[np.floating]:  # type: ignore[override]
        """Channels (6, samples) at start_ns + k / rate_hz; only for windows that `refusal` passes."""
        if self._regular is not None and self._stretch_of(start_ns) == 0:
            return self._regular.window((start_ns - int(self.stamps_ns[0])) * 1e-9, samples)
        return super().window(start_ns, samples)


class PreparedRecording:
    """A recording that has been checked and resampled; windows are read from it in any order and from any thread.

    Attributes:
        starts_ns: (N,) int64, starts of the windows that passed, on the recording's clock.
        rejects: the others.
        notes: repairs and policies that were applied, counted.

    Raises:
        Rejected: the recording as a whole cannot be used.
    """

    def __init__(self, recording: ImuRecording, contract: InputContract, policy: Policy) -> None:
        if not len(recording.timestamps_ns):
            raise Rejected("no_imu", f"{recording.source}: no sample")
        self.source = recording.source
        self.contract = contract
        self.notes: Counter[str] = Counter(recording.notes)
        check_recording(recording, policy.thresholds)
        checks = SegmentChecks(recording, policy.thresholds)
        if recording.gyro is None:
            recording = self._without_gyro(recording, policy)
        first_ns = int(recording.timestamps_ns[0])
        self._cover_ns = round(contract.window_s * 1e9)  # what of a window is the recording's own
        resampler = GridResampler(recording, contract.rate_hz, policy.thresholds.gap_s)
        if resampler.source_hz < SLOWER_SHARE * contract.rate_hz:
            self.notes[SLOWER] = 1
        end_s = (int(recording.timestamps_ns[-1]) - first_ns + resampler.after_ns) * 1e-9
        if end_s < contract.window_s - 1e-9:
            recording = self._lengthened(recording, end_s, policy)
            resampler = GridResampler(recording, contract.rate_hz, policy.thresholds.gap_s)
            self._cover_ns = min(self._cover_ns, round(end_s * 1e9))
            end_s = contract.window_s
        grid = tile_intervals(contract.window_s, contract.window_s if policy.hop_s is None else policy.hop_s, 0.0, end_s)
        kept: list[int] = []
        self.rejects: list[Reject] = []
        starts_ns = np.array([first_ns + round(interval.start_s * 1000) * 1_000_000 for interval in grid.intervals], np.int64)
        for start_ns, whole in zip(starts_ns.tolist(), resampler.whole(starts_ns, contract.window_s).tolist(), strict=True):
            refused = None if whole else resampler.refusal(start_ns, contract.window_s)
            refused = refused or checks.refusal(start_ns, start_ns + self._cover_ns)
            if refused is None:
                kept.append(start_ns)
            else:
                begin_s = start_ns / 1e9
                self.rejects.append(Reject("", self.source, *refused, scope="segment", start_s=begin_s, end_s=begin_s + contract.window_s))
        self.starts_ns: NDArray[np.int64] = np.array(kept, np.int64)
        if kept:
            resampler.prepare(self.starts_ns)
        self._resampler = resampler

    def __len__(self) -> int:
        return len(self.starts_ns)

    def windows(self, begin: int = 0, end: int | None = None) -> Windows:
        """Windows `begin` to `end` of those that passed."""
        starts = self.starts_ns[begin:end]
        imu = np.empty((len(starts), len(CHANNELS), self.contract.samples), np.float32)
        for row, start in zip(imu, starts.tolist(), strict=True):
            row[:] = self._resampler.window(start, self.contract.samples)
        start_s, end_s = self.times_s(begin, end)
        return Windows(to_contract(imu, self.contract), start_s, end_s, source=self.source)

    def times_s(self, begin: int = 0, end: int | None = None) -> NDArray[np.float64]:
        """Start and end (2, n) of those windows, in seconds on the recording's clock; the end is that of the samples, not of what mirrors them."""
        starts = self.starts_ns[begin:end]
        return np.stack([starts, starts + self._cover_ns]) / 1e9

    def _without_gyro(self, recording: ImuRecording, policy: Policy) -> ImuRecording:
        if policy.missing_gyro == "refuse":
            raise Rejected(
                "missing_axis",
                f"{self.source}: no gyroscope, and the model takes six channels; --missing-gyro zeros (in Python missing_gyro='zeros') encodes it "
                "with zeros there",
            )
        self.notes[MISSING_GYRO] = 1
        return replace(recording, gyro=np.zeros_like(recording.accel))

    def _lengthened(self, recording: ImuRecording, end_s: float, policy: Policy) -> ImuRecording:
        """The recording followed by itself backwards, forwards, ... until a window is full."""
        window_s = self.contract.window_s
        said = f"{self.source}: {end_s:.3f} s for windows of {window_s:g} s"
        if policy.short == "refuse":
            raise Rejected("too_short", f"{said}; --short reflect (in Python short='reflect') mirrors it in time to fill one")
        if end_s < LEAST_SHARE * window_s or len(recording.timestamps_ns) < 3:
            raise Rejected("too_short", f"{said}; at least {LEAST_SHARE * window_s:g} s are needed to mirror it")
        self.notes[REFLECTED] = 1
        stamps, order = recording.timestamps_ns, np.arange(len(recording.timestamps_ns))
        span = int(stamps[-1] - stamps[0])
        times, rows = [stamps], [order]
        while times[-1][-1] - stamps[0] <= window_s * 1e9:
            turned = len(times) % 2 == 1
            steps = (stamps[-1] - stamps[::-1] if turned else stamps - stamps[0])[1:]
            times.append(stamps[0] + len(times) * span + steps)
            rows.append((order[::-1] if turned else order)[1:])
        index = np.concatenate(rows)
        assert recording.gyro is not None
        return replace(recording, timestamps_ns=np.concatenate(times), accel=recording.accel[index], gyro=recording.gyro[index])


def policy_words(notes: Mapping[str, int]) -> list[str]:
    """What was assumed or filled in, in words; counted repairs of single samples are not among it."""
    said = [f"unit guessed: {words}" for note, words in _GUESSES.items() if note in notes]
    if MISSING_GYRO in notes:
        said.append("no gyroscope: its channels are zeros")
    if REFLECTED in notes:
        said.append("shorter than a window: mirrored in time to fill one")
    if SLOWER in notes:
        said.append("sampled more slowly than the model's input: brought to its rate, but the upper part of its band is empty")
    if notes.get("missing_values") or notes.get("rows_without_imu"):
        said.append("samples without a value left out; holes shorter than a gap are bridged")
    return said


def summed_words(notes: Mapping[str, int], total: int, what: str) -> list[str]:
    """What was assumed of many recordings, each assumption once with how many it was made of; contradictory guesses are pointed out.

    Args:
        notes: note -> recordings that carry it.
        total: recordings there are.
        what: they are called, in the plural.
    """
    lines = [f"{words} ({count} of {total} {what})" for note, count in notes.items() for words in policy_words({note: count})]
    for key in _UNITS:
        if sum(note in notes for note in (guess_note(key, unit) for unit in _UNITS[key])) > 1:
            lines.append(f"warning: {key} was guessed in different units in different {what}; state --{key}-unit")
    return lines


def windows(
    path: str | Path | ImuRecording,
    model: InputContract | Model | None = None,
    hop_s: float | None = None,
    *,
    stream: str | None = None,
    policy: Policy | None = None,
    block: int = BLOCK,
    **hints: Any,
) -> Iterator[Windows]:
    """Windows of one file (or recording), a block at a time; the first block carries the rejects and notes of the whole recording.

    Args:
        path: any kind of IMU file, or a recording.
        model: whose contract to follow: an encoder, its folder or id, or the contract itself; None for the published model's.
        hop_s: seconds between windows, in place of the policy's.
        stream, hints: see `primus.io.imu_file.read_imu`.
        policy: see `Policy`.
        block: windows in a block, at most.

    Yields:
        Blocks in order of time; one empty block where every window was refused.

    Raises:
        UserError: the file is missing, or of an unknown kind.
        Rejected: the recording as a whole cannot be used.
    """
    recording = path if isinstance(path, ImuRecording) else read_imu(path, stream, **hints)
    chosen = policy or Policy()
    prepared = PreparedRecording(recording, contract_of(model), chosen if hop_s is None else replace(chosen, hop_s=hop_s))
    for words in policy_words(prepared.notes):
        log.warning("%s: %s", prepared.source, words)
    for begin in range(0, max(1, len(prepared)), block):
        found = prepared.windows(begin, begin + block)
        yield replace(found, rejects=tuple(prepared.rejects), notes=dict(prepared.notes)) if begin == 0 else found
