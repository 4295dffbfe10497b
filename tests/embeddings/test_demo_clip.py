"""The demo's encoder is fixed, fast enough to build anywhere, and good enough to tell pictures and sentences apart."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from primus.embeddings.clip import FrozenClip, single_threaded
from primus.embeddings.demo_clip import demo_encoder
from primus.embeddings.pool import Pool, normalise, pool_segments
from primus.io.video import frames_at
from primus.seeds import generator


@pytest.fixture(scope="module")
def demo() -> FrozenClip:
    return demo_encoder()


def textures(rng: np.random.Generator, number: int, side: int) -> np.ndarray:
    """Pictures made of random tiles, stripes and a tint: nothing of the calibration set's noise, discs and boxes."""
    out = np.empty((number, side, side, 3), np.float64)
    rows, columns = np.mgrid[:side, :side] / 96
    for i in range(number):
        tile = rng.integers(6, 30)
        tiles = np.kron(rng.random((side // tile + 1, side // tile + 1, 3)), np.ones((tile, tile, 1)))[:side, :side]
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(2, 14)
        stripes = 0.5 + 0.5 * np.sin(2 * np.pi * frequency * (np.cos(angle) * rows + np.sin(angle) * columns))
        share = rng.random()
        out[i] = 0.6 * (share * tiles + (1 - share) * stripes[..., None] * rng.random(3)) + 0.4 * rng.random(3)
    return out


def views(rng: np.random.Generator, picture: np.ndarray, number: int) -> np.ndarray:
    """Looks into a larger picture: shifted by up to half a frame, brightness and sensor noise of their own."""
    out = np.empty((number, 96, 96, 3), np.uint8)
    for i in range(number):
        top, left = rng.integers(0, picture.shape[0] - 96, 2)
        cut = picture[top : top + 96, left : left + 96] * rng.uniform(0.8, 1.2) + rng.normal(0, 0.02, (96, 96, 3))
        out[i] = np.clip(cut * 255, 0, 255)
    return out


def encode(encoder: FrozenClip, frames: np.ndarray) -> np.ndarray:
    return normalise(encoder.encode_images(torch.from_numpy(frames).permute(0, 3, 1, 2)))


def test_places_are_told_apart(demo: FrozenClip) -> None:
    rng = generator(7, "places")
    pictures = textures(rng, 24, 144)
    vectors = np.concatenate([encode(demo, views(rng, picture, 6)) for picture in pictures])
    place = np.repeat(np.arange(24), 6)
    cosine = vectors @ vectors.T
    same = (place[:, None] == place) & ~np.eye(len(place), dtype=bool)
    different = place[:, None] != place
    assert cosine[different].mean() < 0.3, "bare random features have 0.6 and more here"
    assert cosine[same].mean() > cosine[different].mean() + 1.5 * cosine[different].std()
    np.fill_diagonal(cosine, -1)
    assert (place[cosine.argmax(1)] == place).mean() > 0.6, "chance is 1 in 24"


def test_the_same_picture_with_noise_stays_close(demo: FrozenClip) -> None:
    rng = generator(8, "noise")
    frames = (textures(rng, 20, 96) * 255).astype(np.uint8)
    noisy = np.clip(frames + rng.normal(0, 4, frames.shape), 0, 255).astype(np.uint8)
    assert (encode(demo, frames) * encode(demo, noisy)).sum(1).min() > 0.9


def test_texts_that_share_words_are_closer(demo: FrozenClip) -> None:
    groups = [
        ("opens a tap", "opens the tap with her right hand", "opens a tap slowly"),
        ("kicks the ball", "kicks the ball with his foot", "kicks a ball to the wall"),
        ("cuts an onion", "cuts the onion on a board", "cuts an onion with a knife"),
        ("tightens a bolt", "tightens the bolt of the wheel", "tightens a bolt with a wrench"),
    ]
    vectors = normalise(demo.encode_texts([text for group in groups for text in group]))
    cosine = vectors @ vectors.T
    group = np.repeat(np.arange(4), 3)
    same = (group[:, None] == group) & ~np.eye(12, dtype=bool)
    different = group[:, None] != group
    assert cosine[same].mean() > cosine[different].mean() + 0.3
    assert cosine[different].mean() < 0.2
    assert cosine[same].min() > cosine[different].max()


@pytest.mark.slow
def test_built_alike_in_another_process_and_touching_no_global_state(demo: FrozenClip, tmp_path: Path, repo_root: Path) -> None:
    before = torch.random.get_rng_state()
    again = demo_encoder()
    assert torch.equal(before, torch.random.get_rng_state())
    assert again.identity == demo.identity
    frames = torch.from_numpy((textures(generator(9), 5, 96) * 255).astype(np.uint8)).permute(0, 3, 1, 2)
    code = (
        "import torch, numpy as np, sys; torch.manual_seed(99); torch.set_num_threads(2)\n"
        "from primus.embeddings.demo_clip import demo_encoder\n"
        "e = demo_encoder(); torch.set_num_threads(1); np.save(sys.argv[1] + '.out.npy', e.encode_images(torch.from_numpy(np.load(sys.argv[1]))))\n"
        "print(e.identity.weights_sha256)"
    )
    path = str(tmp_path / "frames.npy")
    np.save(path, frames.numpy())
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, cwd=repo_root, check=True)
    assert done.stdout.strip() == demo.identity.weights_sha256
    assert np.array_equal(np.load(path + ".out.npy"), again.encode_images(frames))


@pytest.mark.parametrize("pool", ["clip4clip", "published"])
@pytest.mark.parametrize("clip", ["karma", "max-heromode"])
def test_half_precision_on_real_clips_moves_unit_vectors_little(shared_dir: Path, demo: FrozenClip, clip: str, pool: Pool) -> None:
    """Measured: 2.3e-4 at most, and 8e-5 on the cosine of two segments."""
    times = np.arange(0, 10, 0.2)
    with single_threaded():
        pictures = [demo.preprocessing.apply(frame) for _, frame in frames_at(shared_dir / "data" / "actioncam" / f"{clip}.mp4", times)]
        frames = demo.encode_images(torch.stack(pictures))
    start, grid = np.arange(0, 4.5, 0.5), np.arange(len(frames))
    exact = pool_segments(grid, frames, start, start + 5, 5, pool)[1]
    stored = pool_segments(grid, frames.astype(np.float16), start, start + 5, 5, pool)[1].astype(np.float16).astype(np.float32)
    assert np.linalg.norm(exact - stored, axis=1).max() < 5e-4
    assert np.abs(exact @ exact.T - stored @ stored.T).max() < 2e-4
