"""The renderer against a slow twin, and what the camera sees against what the gyroscope says."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from primus.io.vrs import read_imu_vrs
from primus.seeds import generator
from primus.simulate.activities import EGOEXO4D
from primus.simulate.calibration import CAMERA_FROM_HEAD
from primus.simulate.config import TINY
from primus.simulate.egoexo4d import jobs
from primus.simulate.egoexo4d_take import TakeJob, take_origin_ns, video_relative_path
from primus.simulate.imu import ARIA_RIGHT
from primus.simulate.mp4 import FPS, encode
from primus.simulate.people import draw_person, mounting_rotation
from primus.simulate.render import CAMERA_TILT, FIELD_OF_VIEW, NEAREST_M, Camera
from primus.simulate.scene import TEXELS, Scene, draw_scene
from primus.simulate.trajectory import rotation_matrices
from tests.simulate.tiny_corpus import Corpus


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw_scene(EGOEXO4D["cook"], ("pan", "bowl", "knife"), generator(3, "test", "scene"))


def cast(scene: Scene, origin: np.ndarray, ray: np.ndarray) -> int:
    """Packed colour seen along one ray: every face of every box and wall as a plane, the nearest hit wins."""
    best, colour = np.inf, 0
    solids = [(np.array([0, 0, scene.half[2]]), np.array(scene.half), 0.0, None)]
    solids += [(np.array(box.centre), np.array(box.half), box.yaw, box.texture) for box in scene.boxes]
    for centre, half, yaw, texture in solids:
        turn = rotation_matrices(np.array([[-yaw, 0.0, 0.0]]))[0]
        start, along = turn @ (origin - centre), turn @ ray
        for axis in range(3):
            for side in (-1, 1):
                t = (side * half[axis] - start[axis]) / along[axis]
                hit = start + t * along
                others = [other for other in range(3) if other != axis]
                entering = side * along[axis] < 0
                if t < NEAREST_M or t >= best or entering == (texture is None) or any(abs(hit[other]) > half[other] for other in others):
                    continue
                u_axis = {0: 1, 1: 0, 2: 0}[axis]
                v_axis = (1 if axis == 2 else 2) if texture is None else 2
                u, v = ((hit[a] + half[a]) / (2 * half[a]) * TEXELS for a in (u_axis, v_axis))
                face = 2 * axis + (side > 0) if texture is None else texture
                best, colour = t, int(scene.atlas[face * TEXELS**2 + min(int(v), TEXELS - 1) * TEXELS + min(int(u), TEXELS - 1)])
    return colour


def test_frames_agree_with_casting_one_ray_at_a_time(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    pixels = 48
    camera = Camera(scene, pixels)
    agree = total = 0
    for _ in range(6):
        position = np.array([*rng.uniform(-0.5, 0.5, 2), 1.5])
        rotation = rotation_matrices(rng.uniform([-3, -0.4, -0.3], [3, 0.9, 0.3])[None])[0]
        frame = camera.frame(position, rotation, np.array([0.5, 2.0, 0.5, 2.0])).copy().view("<u4")[..., 0]
        tilt = rotation_matrices(np.array([[0.0, 0.0, -CAMERA_TILT]]))[0]  # about the camera's x axis (right)
        focal = pixels / 2 / np.tan(FIELD_OF_VIEW / 2)
        for row, column in rng.integers(0, pixels, (60, 2)):
            pixel = np.array([(column + 0.5 - pixels / 2) / focal, (row + 0.5 - pixels / 2) / focal, 1.0])
            ray = rotation @ CAMERA_FROM_HEAD.T @ tilt @ pixel
            agree += cast(scene, position, ray) == frame[row, column]
            total += 1
    assert agree > 0.97 * total, f"{agree} of {total} pixels agree; only texel borders may differ by rounding"


def test_hands_are_drawn_over_the_scene(scene: Scene) -> None:
    camera = Camera(scene, 48)
    pose = np.array([0.0, 0.0, 1.6]), np.eye(3)
    without = camera.frame(*pose, np.array([0.7, 1.5, 0.3, 1.5])).copy()
    with_hands = camera.frame(*pose, np.array([0.7, 0.7, 0.3, 0.7])).copy()
    changed = (without != with_hands).any(axis=-1).mean()
    assert 0.02 < changed < 0.3


def test_encoding_is_deterministic_and_counts_frames(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (45, 64, 64, 4)).astype(np.uint8)
    for name in ("a.mp4", "b.mp4"):
        assert encode(tmp_path / name, frames, 64) == 45
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert float(stream.average_rate) == 30
        assert sum(1 for _ in container.decode(stream)) == 45


def shifts(video: Path) -> np.ndarray:
    """Horizontal image shift between consecutive frames in pixels, (n - 1,): least squares on the brightness constancy equation."""
    import av

    with av.open(str(video)) as container:
        luma = np.stack([gaussian_filter(frame.to_ndarray(format="gray").astype(float), 2.0) for frame in container.decode(video=0)])
    found = []
    for before, after in pairwise(luma):
        down, across = np.gradient((before + after) / 2)
        slopes = np.stack([across.ravel(), down.ravel()], axis=1)
        found.append(np.linalg.lstsq(slopes, (before - after).ravel(), rcond=None)[0][0])
    return np.array(found)


def with_video() -> list[TakeJob]:
    return [job for job in jobs(TINY) if job.plan.has_video and job.plan.defect is None]


def test_optical_motion_follows_the_gyroscope(tiny: Corpus) -> None:
    correlations = []
    for job in with_video():
        folder = tiny.root / "egoexo4d" / "takes" / job.plan.take_name
        seen = shifts(folder / video_relative_path(job.plan))
        recording = read_imu_vrs(folder / f"{job.plan.aria_id}_noimagestreams.vrs", "imu-right")
        person = draw_person(job.seed, "egoexo4d", job.plan.participant)
        head = recording.gyro @ np.array(ARIA_RIGHT.rotated(mounting_rotation(person)).sensor_from_head)
        seconds = (recording.timestamps_ns - take_origin_ns(job.plan)) * 1e-9
        between = (np.arange(len(seen)) + 0.5) / FPS
        turning = np.interp(between, seconds, np.convolve(head[:, 2], np.ones(33) / 33, mode="same"))
        correlations.append(np.corrcoef(seen, turning)[0, 1])
    # Turning left (positive yaw rate) moves the picture to the right.
    assert np.median(correlations) > 0.7, correlations
