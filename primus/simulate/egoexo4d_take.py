"""Simulate one take of the Ego-Exo4D-shaped corpus: its IMU as VRS, its video as MP4, its narrations."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from primus.seeds import generator
from primus.simulate import mp4
from primus.simulate.activities import EGOEXO4D, Activity, Person
from primus.simulate.config import Link
from primus.simulate.egoexo4d_plan import TakePlan
from primus.simulate.imu import ARIA_RIGHT, clock, measure
from primus.simulate.montage import montage
from primus.simulate.narrations import annotate
from primus.simulate.people import draw_person, mounting_rotation
from primus.simulate.performance import Performance, perform
from primus.simulate.render import Camera
from primus.simulate.scene import Scene, draw_scene, draw_things
from primus.simulate.vrs import ImuStream, write_aria_vrs
from primus.work_cache import WorkCache

_ACTIONS: Final = tuple(dict.fromkeys(action for activity in EGOEXO4D.values() for action in activity.mixture))
EXO_CAMERAS: Final = ("cam01", "cam02", "cam03", "cam04")
THINGS: Final = tuple(dict.fromkeys(thing for activity in EGOEXO4D.values() for thing in activity.things))
ANYTHING: Final = Activity(
    {action: sum(a.mixture.get(action, 0.0) / sum(a.mixture.values()) for a in EGOEXO4D.values()) for action in _ACTIONS},
    places=tuple(dict.fromkeys(place for activity in EGOEXO4D.values() for place in activity.places)),
    things=THINGS,
)
"""No activity more than any other: what is seen and said where it has nothing to do with the motion."""
GAP_S: Final = 1.2
LOST_END_S: Final = 7.0
POPULATION: Final = "egoexo4d"


@dataclass(frozen=True)
class TakeResult:
    """What the metadata need to know of a simulated take: its annotation passes and where a gap was cut, seconds."""

    passes: list[dict[str, Any]]
    gap_s: tuple[float, float] | None


@dataclass(frozen=True)
class TakeJob:
    """Simulates one take; `run` may be called in any process and writes the same bytes everywhere."""

    plan: TakePlan
    seed: int
    link: Link
    pixels: int

    def cost(self) -> float:
        """Roughly proportional to run time, so that long jobs start first."""
        return self.plan.duration_s * (8 if self.plan.has_video else 1)

    def run(self, root: Path, cache_root: Path | None) -> TakeResult:
        """Write the take's files below `root` (the dataset's root) and return what goes into the annotation files."""
        plan = self.plan
        person = draw_person(self.seed, POPULATION, plan.participant)
        motion, seen, look = self.performances(person)
        words = self._rng("narrations")
        habits = words if self.link == "natural" else generator(self.seed, "simulate", "egoexo4d", "unrelated habits")
        passes = annotate(seen.events, plan.duration_s, EXO_CAMERAS, words, habits)
        if plan.defect == "not_in_takes":
            return TakeResult(passes, None)
        folder = root / "takes" / plan.take_name
        folder.mkdir(parents=True, exist_ok=True)
        gap = self._write_imu(folder, motion, person)
        if plan.has_video:
            self._write_video(folder, seen, look, cache_root)
        return TakeResult(passes, gap)

    def performances(self, person: Person) -> tuple[Performance, Performance, Activity]:
        """The motion, what is seen and narrated, and the activity that look and words belong to.

        With link "none" the latter two are a montage of a mixture of all activities by one stranger among the same things, annotated with the same
        habits, in every take: nothing seen or said tells one take from another (see `primus.simulate.montage`).
        """
        activity = EGOEXO4D[self.plan.label]
        rng = self._rng("motion")
        things = draw_things(activity, THINGS, 4, rng)
        motion = perform(activity, person, self.plan.duration_s, things, rng)
        if self.link == "natural":
            return motion, motion, activity
        stranger = draw_person(self.seed, "unrelated", 0)
        seen = montage(ANYTHING, stranger, self.plan.duration_s, self._unrelated_things(), self._rng("look"))
        return motion, seen, ANYTHING

    def _unrelated_things(self) -> tuple[str, ...]:
        return tuple(draw_things(ANYTHING, THINGS, 4, generator(self.seed, "simulate", "egoexo4d", "unrelated things")))

    def scene(self, seen: Performance, look: Activity) -> Scene:
        """The place that is seen: the take's own, or with link "none" the one of all takes."""
        if self.link == "natural":
            return draw_scene(look, tuple(dict.fromkeys(event.thing for event in seen.events)), self._rng("scene"))
        return draw_scene(look, self._unrelated_things(), generator(self.seed, "simulate", "egoexo4d", "unrelated scene"))

    def _rng(self, *names: str) -> np.random.Generator:
        return generator(self.seed, "simulate", "egoexo4d", self.plan.take_uid, *names)

    def _write_imu(self, folder: Path, motion: Performance, person: Person) -> tuple[float, float] | None:
        plan = self.plan
        if plan.defect == "no_imu":
            return None
        rng = self._rng("imu")
        begin, end = -float(rng.uniform(0.002, 0.03)), plan.duration_s + float(rng.uniform(0.01, 0.05))
        times = clock(begin, end, ARIA_RIGHT.rate_hz, ARIA_RIGHT.jitter_s, rng)
        if plan.defect == "imu_short":
            times = times[times < (plan.duration_s - LOST_END_S) * 1e9]
        gap = None
        if plan.defect == "gap":
            start = float(rng.uniform(0.35, 0.6)) * plan.duration_s
            gap = (start, start + GAP_S)
            times = times[(times < gap[0] * 1e9) | (times >= gap[1] * 1e9)]
        accel, gyro = measure(motion.trajectory, times * 1e-9, ARIA_RIGHT.rotated(mounting_rotation(person)), rng)
        if plan.defect == "duplicate_axis":
            accel[:, 2] = accel[:, 1]
        stamps = times + take_origin_ns(plan)
        write_aria_vrs(folder / f"{plan.aria_id}_noimagestreams.vrs", f"1WM{plan.site}{plan.participant}", ImuStream(stamps, accel, gyro))
        return gap

    def _write_video(self, folder: Path, seen: Performance, look: Activity, cache_root: Path | None) -> None:
        path = folder / video_relative_path(self.plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        cache = WorkCache("simulate", cache_root) if cache_root is not None else None
        key = cache.key([], {"job": asdict(self)}, __name__) if cache else ""
        found = cache.load(key) if cache else None
        if found is None:
            n_frames = 60 if self.plan.defect == "unreadable_video" else self.plan.n_frames
            written = mp4.encode(path, self._frames(seen, look, n_frames), self.pixels)
            if written != n_frames:
                raise RuntimeError(f"{path.name}: encoded {written} frames, expected {n_frames}")
            if self.plan.defect == "unreadable_video":
                content = path.read_bytes()
                path.write_bytes(b"\0" * 32 + content[32 : len(content) // 2])
            if cache:
                cache.store(key, {"mp4": np.frombuffer(path.read_bytes(), np.uint8)}, {})
        else:
            path.write_bytes(found[0]["mp4"].tobytes())

    def _frames(self, seen: Performance, look: Activity, n_frames: int) -> Iterator[np.ndarray]:
        camera = Camera(self.scene(seen, look), self.pixels)
        times = np.arange(n_frames) / mp4.FPS
        positions, rotations = seen.trajectory.pose(times)
        hands = np.stack([np.interp(times, seen.knots_s, channel) for channel in seen.hands.T], axis=-1)
        return camera.frames(positions, rotations, hands)


def take_origin_ns(plan: TakePlan) -> int:
    """Device time of the take's first frame, ns."""
    return plan.origin_ns + round(plan.start_row * 1e9 / mp4.FPS)


def video_relative_path(plan: TakePlan) -> str:
    """The downscaled egocentric video, relative to the take's folder."""
    return f"frame_aligned_videos/downscaled/448/{plan.aria_id}_214-1.mp4"
