"""The clock check finds injected offsets, says how sure it is, and keeps quiet where nothing can be told."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from primus.errors import Rejected, UserError
from primus.inspection.clocks import check_clocks, verdict
from primus.inspection.optical import OpticalMotion, optical_motion
from primus.inspection.sync import LEAST_SHIFT, Sync, estimate_lag
from primus.inspection.takes import open_recording
from primus.simulate import mp4
from primus.simulate.config import EgoExo4DConfig
from tests.inspection.conftest import Signals, simulated
from tests.io.video_files import write_clip

WITHIN_S = 0.040
TINY_TAKES = EgoExo4DConfig(pretrain_participants=16, pretrain_takes=4, pretrain_take_s=14.0, pixels=64)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> list[Signals]:
    """Twelve takes as long and as small as those of the profile `tiny`, of all eight activities."""
    return list(simulated(tmp_path_factory.mktemp("takes"), TINY_TAKES, seed=11, count=12))


def offsets(count: int, seed: int) -> np.ndarray:
    """Offsets of 0.1 to 1 s, every second one negative."""
    sizes = np.random.default_rng(seed).uniform(0.1, 1.0, count)
    return sizes * np.where(np.arange(count) % 2, -1, 1)


def found(takes: Sequence[Signals], shifts: np.ndarray) -> list[Sync]:
    return [estimate_lag(take.times_s + shift, take.gyro, take.motion) for take, shift in zip(takes, shifts, strict=True)]


def share_found(syncs: Sequence[Sync], shifts: np.ndarray) -> float:
    """Share of the takes that move whose lag is within `WITHIN_S`; none may be sure of a wrong one, and most must move."""
    moving = [(sync, shift) for sync, shift in zip(syncs, shifts, strict=True) if sync.moves]
    assert len(moving) >= 0.8 * len(syncs), "hardly any take moves: the threshold hides the failures"
    errors = np.array([abs(sync.lag_s - shift) for sync, shift in moving])
    share = float((errors <= WITHIN_S).mean())
    print(
        f"{len(moving)} of {len(syncs)} takes move; {share:.1%} within 40 ms; median {np.median(errors) * 1e3:.1f} ms, worst {errors.max() * 1e3:.1f}"
    )
    assert all(abs(sync.lag_s - shift) <= WITHIN_S for sync, shift in moving if sync.sure), "it was sure of a wrong lag"
    return share


def test_injected_offsets_are_found(takes: list[Signals]) -> None:
    shifts = offsets(len(takes), seed=1)
    assert share_found(found(takes, shifts), shifts) >= 0.95


def test_another_takes_video_leaves_it_unsure(takes: list[Signals]) -> None:
    syncs = [estimate_lag(other.times_s, other.gyro, take.motion) for take, other in zip(takes, takes[5:] + takes[:5], strict=True)]
    assert sum(sync.sure for sync in syncs) <= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_injected_offsets_are_found_in_many_takes(tmp_path: Path) -> None:
    """Takes as in the profiles tiny (14 s, 64 pixels) and demo (34 s, 96 pixels); then every video against another take's IMU."""
    for config, seed, count in ((TINY_TAKES, 23, 40), (EgoExo4DConfig(), 24, 24)):
        takes = list(simulated(tmp_path / str(seed), config, seed, count))
        shifts = offsets(count, seed)
        assert share_found(found(takes, shifts), shifts) >= 0.95
        wrong = [estimate_lag(other.times_s, other.gyro, take.motion) for take, other in zip(takes, takes[7:] + takes[:7], strict=True)]
        print(f"{sum(sync.sure for sync in wrong)} of {len(wrong)} mismatched pairs believed")
        assert sum(sync.sure for sync in wrong) <= 0.05 * count


def turning(seconds: float, rate_hz: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stamps and a smooth random angular rate (N, 3) up to about 2 Hz; the same motion whatever the rate."""
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(0.3, 2.0, (3, 12)), rng.uniform(0, 6.3, (3, 12))
    times = np.arange(0, seconds, 1 / rate_hz)
    return times, 0.1 * np.sin(2 * np.pi * frequency[:, :, None] * times + phase[:, :, None]).sum(axis=1).T


def seen(seconds: float) -> OpticalMotion:
    """A picture that follows `turning` through an unknown camera."""
    times, rates = turning(seconds, 300)
    frames = np.arange(0, seconds, 1 / 30)
    angles = np.stack([np.interp(frames, times, np.cumsum(column) / 300) for column in rates.T], axis=-1)
    return OpticalMotion(frames, np.diff(angles, axis=0) @ np.array([[0, 0.5, 0.1], [0.6, 0, 0], [0.1, 0, 1.0]]), 10.0)


@pytest.mark.parametrize("lag", [0.25, -0.613])
def test_sign_and_fractions_of_a_frame(lag: float) -> None:
    times, rates = turning(30, 200)
    sync = estimate_lag(times + lag, rates, seen(30))
    assert sync.lag_s == pytest.approx(lag, abs=0.005)
    assert sync.sure
    assert ("later" if lag > 0 else "earlier") in verdict(sync)


def test_a_hole_in_the_recording_is_left_out() -> None:
    times, rates = turning(30, 200)
    kept = (times < 10) | (times > 14)
    sync = estimate_lag(times[kept] + 0.3, rates[kept], seen(30))
    assert sync.lag_s == pytest.approx(0.3, abs=0.005)
    assert sync.used_s < 27


def test_no_motion_is_said_to_be_none() -> None:
    times, rates = turning(30, 200)
    sync = estimate_lag(times, rates * 0.01, seen(30))
    assert not sync.moves
    assert not sync.sure
    assert "too little" in verdict(sync)


def test_constant_signals_are_no_error() -> None:
    motion = dataclasses.replace(seen(30), steps=np.zeros((len(seen(30).times_s) - 1, 3)))
    times, rates = turning(30, 200)
    sync = estimate_lag(times, rates, motion)
    assert (sync.sure, sync.z, sync.ratio) == (False, 0.0, 0.0)


def test_too_little_in_common_is_refused() -> None:
    times, rates = turning(30, 200)
    with pytest.raises(UserError, match="in common"):
        estimate_lag(times + 27.5, rates, seen(30))


def landscape(rng: np.random.Generator) -> np.ndarray:
    return np.stack([gaussian_filter(rng.normal(0, 1, (300, 300)), 2.5) * 400 + 128 for _ in range(3)], axis=-1).clip(0, 255).astype(np.uint8)


def test_shifts_of_the_picture_have_their_direction_and_size(tmp_path: Path) -> None:
    wide = landscape(np.random.default_rng(3))
    frames = [wide[100 - 2 * k : 228 - 2 * k, 60 + 3 * k : 188 + 3 * k] for k in range(20)]  # content moves left by 3 and down by 2
    opaque = [np.concatenate([frame, np.full((128, 128, 1), 255, np.uint8)], axis=-1) for frame in frames]
    mp4.encode(tmp_path / "pan.mp4", opaque, 128)
    motion = optical_motion(tmp_path / "pan.mp4", 60.0)
    assert len(motion.times_s) == 20
    assert np.median(motion.steps[:, 0]) == pytest.approx(-3 / 128, rel=0.05)
    assert np.median(motion.steps[:, 1]) == pytest.approx(2 / 128, rel=0.05)
    assert abs(np.median(motion.steps[:, 2])) < 0.002


def test_still_pictures_stay_below_the_threshold(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    still = landscape(rng)[:96, :96].astype(float)
    noisy = [np.concatenate([(still + rng.normal(0, 2, still.shape)).clip(0, 255), np.full((96, 96, 1), 255)], axis=-1) for _ in range(200)]
    mp4.encode(tmp_path / "still.mp4", [frame.astype(np.uint8) for frame in noisy], 96)
    times, rates = turning(6.6, 200)
    sync = estimate_lag(times, rates, optical_motion(tmp_path / "still.mp4", 60.0))
    assert sync.picture_rms < LEAST_SHIFT / 2
    assert not sync.moves


def test_variable_frame_rate_goes_by_stamps(tmp_path: Path) -> None:
    stamps = np.cumsum(np.random.default_rng(0).integers(20, 90, 60))
    motion = optical_motion(write_clip(tmp_path / "vfr.mp4", stamps=stamps.tolist()), 60.0)
    assert len(motion.times_s) >= 59  # the last frame of such a file is shown for a moment only
    late = motion.times_s - (stamps - stamps[0])[: len(motion.times_s)] / 1000
    assert late.min() > -0.001
    assert late.max() < np.diff(stamps).mean() / 1000 / 4 + 0.001


def test_a_broken_video_is_a_named_reject(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    with pytest.raises(Rejected, match="unreadable_video"):
        optical_motion(tmp_path / "bad.mp4", 60.0)


def test_real_clips_are_reported(shared_dir: Path) -> None:
    pytest.importorskip("telemetry_parser")
    karma = check_clocks(open_recording(str(shared_dir / "data" / "actioncam" / "karma.mp4")))
    assert karma["moves"]
    assert karma["sure"]
    assert abs(karma["lag_ms"]) < 100, "both streams are of one file"
    stabilised = check_clocks(open_recording(str(shared_dir / "data" / "actioncam" / "max-heromode.mp4")))
    assert stabilised["moves"]
    assert not stabilised["sure"], "the picture was steadied in the camera, so that little of the turning is left in it"
