"""Whole Ego-Exo4D takes, file by file as the release lays them out, through the path of the segment stage: which samples, and which rejects.

The IMU is a known function of device time, and a take's device time is known from the rows its timesync.csv was written from. So what each
segment must hold is computed here from those two alone, never from the code under test.
"""

import importlib.util
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primus.engine import map_takes
from primus.io.files import FileSet
from primus.keyed_arrays import KeyedArrays
from primus.segments.kept import CachedSegmenter
from primus.segments.plan import plan_takes, require_unique_takes
from primus.segments.splits import leakage_report, make_splits
from primus.segments.summary import TakeCounts, summarise
from primus.segments.writer import SegmentWriter
from tests.io import vrs_files
from tests.io.video_files import write_clip
from tests.segments.memory_dataset import settings_with

TAKE_S = 40.0
ROWS = round(TAKE_S * 30)
FIRST_ROW = 77
WINDOW_S, RATE_HZ = 5.0, 50.0
SAMPLE_S = 1 / RATE_HZ
STARTUP_NS = 284_324_000_000  # device time of row 0: Aria clocks do not start at zero
NARRATED = (0.7, 6.25, 11.3333, 14.123, 19.9, 23.05, 30.0, 33.333, 39.95)
HERTZ = np.array([0.9, 1.7, 3.1, 0.6, 2.3, 4.1])
OFFSET = np.array([0.5, -1.0, 9.7, 0.0, 0.1, -0.2])


def force_and_rate(device_ns: np.ndarray) -> np.ndarray:
    """(N, 6) at device times: every channel moves by more than 0.05 in one sample of 20 ms, most of the time."""
    seconds = (np.asarray(device_ns, np.int64) - STARTUP_NS) * 1e-9
    return OFFSET + np.sin(2 * np.pi * HERTZ * seconds[:, None] + np.arange(6))


@dataclass
class Made:
    """One take as it is written: what of it differs from a take without fault."""

    uid: str
    camera: str = "aria01"
    start_s: float = 0.0  # what the IMU covers, in seconds of the take
    end_s: float = TAKE_S
    gap: tuple[float, float] | None = None
    invalid: tuple[tuple[float, float], ...] = ()
    left_only: bool = False
    second_generation: bool = False
    empty_rows: tuple[int, ...] = ()  # of timesync.csv, counted from the take's first
    timesync: bool = True
    frames: int | None = ROWS
    video: str = "448"
    vrs: bool = True
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"cmu_bike{sum(self.uid.encode()):04d}_2"

    @property
    def origin_ns(self) -> int:
        """Device time of the take's first row, each take recorded at another time of the same clock."""
        return STARTUP_NS + round((FIRST_ROW + 31 * (sum(self.uid.encode()) % 50)) * 1e9 / 30)

    def clock(self) -> np.ndarray:
        """1000 Hz with jitter, from a little before the take to a little after it."""
        jitter = np.random.default_rng(len(self.uid)).normal(0, 3e4, round((self.end_s - self.start_s + 0.2) * 1000))
        steps = np.arange(len(jitter)) * 1e6 + np.clip(jitter, -2e5, 2e5)
        stamps = self.origin_ns + round((self.start_s - 0.1) * 1e9) + np.round(steps).astype(np.int64)
        if self.gap:
            seconds = (stamps - self.origin_ns) * 1e-9
            stamps = stamps[(seconds < self.gap[0]) | (seconds >= self.gap[1])]
        return stamps

    def bad(self, stamps: np.ndarray) -> np.ndarray:
        seconds = (stamps - self.origin_ns) * 1e-9
        marked = np.zeros(len(stamps), bool)
        for begin, end in self.invalid:
            marked |= (seconds >= begin) & (seconds < end)
        return marked

    def holes(self) -> list[tuple[float, float]]:
        """Stretches of the take that no valid sample covers and that are too long to bridge."""
        return [hole for hole in (*([self.gap] if self.gap else []), *self.invalid) if hole[1] - hole[0] > 0.05]


def take_record(made: Made) -> dict[str, Any]:
    videos = {made.camera: {"rgb": {"cam_id": made.camera, "relative_path": f"frame_aligned_videos/{made.camera}_214-1.mp4"}}}
    return {
        "take_uid": made.uid, "take_name": made.name, "root_dir": f"takes/{made.name}", "take_idx": 2, "participant_uid": sum(made.uid.encode()),
        "university_name": "cmu", "task_id": 4001, "task_name": "Remove a Wheel", "parent_task_id": 4000, "parent_task_name": "Bike Repair",
        "duration_sec": ROWS / 30, "timesync_start_idx": FIRST_ROW, "timesync_end_idx": FIRST_ROW + ROWS, "is_dropped": False,
        "has_trimmed_vrs": made.vrs, "vrs_relative_path": f"{made.camera}_noimagestreams.vrs" if made.vrs else None,
        "capture": {"capture_name": made.name.rpartition("_")[0], "cameras": [
            {"cam_id": made.camera, "is_ego": True, "device_type": "aria"}, {"cam_id": "gp05", "is_ego": True}, {"cam_id": "cam01", "is_ego": False},
        ]},
        "frame_aligned_videos": videos | {"cam01": {"0": {}}, "collage": {"0": {"relative_path": "ego_preview.mp4"}}, "best_exo": {}},
    } | made.record  # fmt: skip


def write_timesync(path: Path, made: Made) -> None:
    """Rows of the whole capture, 30 a second; the glasses' dropped frames are empty cells."""
    path.parent.mkdir(parents=True)
    lines = [f"cam01_pts,cam01_frame_number,{made.camera}_214-1_pts,{made.camera}_214-1_capture_timestamp_ns"]
    for row in range(FIRST_ROW + ROWS + 40):
        stamp = made.origin_ns + round((row - FIRST_ROW) * 1e9 / 30)
        lines.append(f"{row * 512},{row},{row},{'' if row - FIRST_ROW in made.empty_rows else f'{stamp}.0'}")
    path.write_text("\n".join(lines) + "\n")


def write_vrs(make_vrs: Any, template: Path, path: Path, made: Made) -> None:
    stamps = made.clock()
    values = force_and_rate(stamps)
    bad = made.bad(stamps)
    values[bad] = 1e6  # whatever an invalid sample holds must never be seen
    stream = (stamps, values[:, :3], values[:, 3:])
    other = (stamps, np.full((len(stamps), 3), 5.0), np.zeros((len(stamps), 3)))
    if made.second_generation:  # its stream 1202-2 is the right one
        vrs_files.write(path, {1: vrs_files.imu_rows(*other), 2: vrs_files.imu_rows(*stream, valid=~bad)}, device="Oatmeal")
    elif made.left_only:
        make_vrs.write(path, template, left=stream)
    else:
        make_vrs.write(path, template, right=stream, left=other, invalid=bad)


def described(text: str, time: Any, **changes: Any) -> dict[str, Any]:
    return {"text": text, "timestamp": time, "subject": "C", "ego_visible": True, "unsure": False, "best_exo": None} | changes


def passes(made: Made) -> list[dict[str, Any]]:
    """Two accepted passes, each in one of the dialects in circulation, and a rejected one in front."""
    rejected = {"rejected": True, "reject_reason": "other", "descriptions": [described("C was rejected.", 2.0)]}
    first = {"rejected": False, "reject_reason": None, "descriptions": [described(f"C does {time}.", time) for time in NARRATED]}
    others = [described("O walks by.", 17.0, subject="O"), described("A ball bounces.", 26.0, subject=None, ego_visible=None, best_exo=None)]
    strings = [
        {"text": f"C again {time}.", "timestamp": str(time), "narration_subject": "C", "ego_visible": "0", "unsure": "1"} for time in NARRATED[1:3]
    ]
    refused = {"rejected": "1", "descriptions": [described("C was rejected as well.", 3.0)]}
    return [rejected, first | {"descriptions": [*first["descriptions"], *others]}, {"rejected": "0", "descriptions": strings}, refused]


def write_root(root: Path, made_takes: Iterable[Made], make_vrs: Any, template: Path) -> None:
    clips: dict[int, Path] = {}
    for made in made_takes:
        folder = root / "takes" / made.name
        folder.mkdir(parents=True)
        if made.vrs:
            write_vrs(make_vrs, template, folder / f"{made.camera}_noimagestreams.vrs", made)
        if made.timesync:
            write_timesync(root / "captures" / made.name.rpartition("_")[0] / "timesync.csv", made)
        if made.frames:
            clips.setdefault(made.frames, root / f"{made.frames}.mp4")
            if not clips[made.frames].exists():
                write_clip(clips[made.frames], n=made.frames, rate=30)
            below = "frame_aligned_videos/downscaled/448" if made.video == "448" else "frame_aligned_videos"
            (folder / below).mkdir(parents=True)
            shutil.copy(clips[made.frames], folder / below / f"{made.camera}_214-1.mp4")
    (root / "annotations").mkdir()
    (root / "takes.json").write_text(json.dumps([take_record(made) for made in made_takes]))
    uids = [made.uid for made in made_takes]
    splits = {"take_uid_to_split": dict.fromkeys(uids, "train"), "split_to_take_uids": {"train": uids}, "take_uid_to_benchmark": {}}
    (root / "annotations/splits.json").write_text(json.dumps(splits))
    descriptions = {made.uid: passes(made) for made in made_takes} | {"never-released": passes(Made("x"))}
    (root / "annotations/atomic_descriptions_train.json").write_text(json.dumps({"ds": "", "take_cam_id_map": {}, "annotations": descriptions}))
    (root / "annotations/atomic_descriptions_val.json").write_text(json.dumps({"ds": "", "annotations": {}}))


TAKES = (
    Made("plain"),
    Made("full-resolution", video="full"),
    Made("gap", gap=(15.0, 15.6)),
    Made("invalid", invalid=((8.0, 8.0031), (21.0, 21.0151), (36.0, 36.4))),
    Made("short", end_s=TAKE_S - 20.0),
    Made("late", start_s=3.0),
    Made("left", left_only=True),
    Made("six", camera="aria06"),
    Made("dropped-frames", empty_rows=(0, 1, 2, 3, 50, 51, 700)),
    Made("no-timesync", timesync=False),
    Made("empty-timesync", empty_rows=tuple(range(-FIRST_ROW, ROWS + 40))),
    Made("second-generation", second_generation=True),
    Made("no-vrs", vrs=False, frames=None),
    Made("few-frames", frames=ROWS - 40),
    Made("no-video", frames=None),
    Made("other-length", record={"duration_sec": ROWS / 30 - 2.0}),
)
BY_UID = {made.uid: made for made in TAKES}
REFUSED = {
    ("short", "take", "imu_short"),
    ("late", "take", "imu_short"),
    ("left", "take", "no_imu"),
    ("empty-timesync", "take", "timesync_invalid"),
    ("other-length", "take", "timesync_invalid"),
    ("no-vrs", "take", "no_imu"),
    ("gap", "segment", "gap"),
    ("invalid", "segment", "gap"),
    ("few-frames", "video", "unreadable_video"),
    ("never-released", "annotation", "not_in_takes"),
}


@dataclass
class Result:
    segments: pd.DataFrame
    takes: pd.DataFrame
    rejects: pd.DataFrame
    imu: dict[str, np.ndarray]
    metrics: dict[str, Any]


def segmented(root: Path, out: Path, **config: Any) -> Result:
    """What stages/segment.py does, in this process."""
    config = {"reader": "egoexo4d", "purpose": ["pretrain"], "root": "unused", **config}
    segmenter = CachedSegmenter({"egoexo4d": config}, {"egoexo4d": FileSet.scan(root)}, settings_with())
    takes, listed = segmenter.dataset("egoexo4d").takes()
    jobs, counts = plan_takes("egoexo4d", config, takes), TakeCounts()
    require_unique_takes(jobs)
    with SegmentWriter(out, settings_with()) as writer:
        writer.rejects += listed
        for outcome in map_takes(segmenter, jobs, 1, timeout_s=200):
            if outcome.value is None:
                assert outcome.refused is not None
                writer.refuse(outcome.item, outcome.refused)
            else:
                writer.add(outcome.item, outcome.value)
                counts.add("egoexo4d", outcome.value)
    writer.write_tables()
    segments = pd.read_parquet(out / "segments.parquet")
    rows = make_splits(writer.split_takes, 0, 1, 0.2, 0.5)
    metrics = summarise(segments, writer.rejects, counts, ["egoexo4d"], rows, leakage_report(writer.split_takes, rows))
    with KeyedArrays(out / "imu.h5") as file:
        imu = dict(zip(map(str, file.keys), file.rows("imu"), strict=True))
    return Result(segments, pd.read_parquet(out / "takes.parquet"), pd.read_parquet(out / "rejects.parquet"), imu, metrics)


@pytest.fixture(scope="module")
def make_vrs(shared_dir: Path) -> Any:
    spec = importlib.util.spec_from_file_location("make_vrs", shared_dir / "tools/make_vrs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(shared_dir: Path, make_vrs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("egoexo")
    write_root(folder, TAKES, make_vrs, shared_dir / "data/aria/recording.vrs")
    return folder


@pytest.fixture(scope="module")
def result(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return segmented(root, tmp_path_factory.mktemp("segments"))


def wanted(made: Made) -> list[float]:
    """Starts of the segments of a take: every narration's window inside the take that no hole touches."""
    times = sorted({*NARRATED, 26.0})
    starts = [min(max(round(1000 * (time - WINDOW_S / 2)), 0), round(1000 * (TAKE_S - WINDOW_S))) / 1000 for time in times]
    return [start for start in starts if all(end <= start or begin >= start + WINDOW_S for begin, end in made.holes())]


WHOLE = sorted(set(BY_UID) - {uid for uid, scope, _ in REFUSED if scope == "take"})


@pytest.mark.parametrize("uid", WHOLE)
def test_segments_are_those_narrated_and_whole(result: Result, uid: str) -> None:
    assert result.segments.query("take_uid == @uid")["start_s"].tolist() == pytest.approx(wanted(BY_UID[uid]), abs=1e-9)


@pytest.mark.parametrize("uid", WHOLE)
def test_segments_hold_the_samples_of_their_time_to_one_sample(result: Result, uid: str) -> None:
    made = BY_UID[uid]
    origin = made.origin_ns if made.timesync else int(made.clock()[0])  # without a map of frames, the first sample is the take's start
    for start_s, key in result.segments.query("take_uid == @uid")[["start_s", "segment_id"]].itertuples(index=False):
        at = origin + np.round((start_s + np.arange(250) * SAMPLE_S) * 1e9).astype(np.int64)
        found = result.imu[key].T
        np.testing.assert_allclose(found, force_and_rate(at), atol=2e-2 if made.invalid else 5e-3)  # 15 ms without a sample are bridged
        for wrong in (-1, 1):  # the check above tells one sample from the next, in every channel
            shifted = force_and_rate(at + round(wrong * SAMPLE_S * 1e9))
            assert (np.abs(found - shifted).max(axis=0) > 0.05).all()


def test_segments_equal_a_slow_reading_of_the_raw_samples(result: Result) -> None:
    """Straight lines between the file's own samples, looked up one output at a time."""
    made = BY_UID["invalid"]
    stamps = made.clock()
    stamps = stamps[~made.bad(stamps)]
    raw = force_and_rate(stamps).astype(np.float32).astype(np.float64)
    for start_s, key in result.segments.query("take_uid == 'invalid'")[["start_s", "segment_id"]].itertuples(index=False):
        for k in range(0, 250, 7):
            at = made.origin_ns + round((start_s + k * SAMPLE_S) * 1e9)
            after = int((stamps < at).sum())
            share = (at - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
            slow = (1 - share) * raw[after - 1] + share * raw[after]
            np.testing.assert_allclose(result.imu[key][:, k], slow, atol=2e-2)


def test_each_defect_has_its_reject_and_nothing_else_has(result: Result) -> None:
    found = {(row.take_uid, row.scope, row.reason) for row in result.rejects.itertuples()}
    assert found == REFUSED
    assert set(result.takes["take_uid"]) == set(WHOLE)
    holed = result.rejects.query("reason == 'gap'")
    for row in holed.itertuples():
        assert any(begin < row.end_s and end > row.start_s for begin, end in BY_UID[row.take_uid].holes())
    narrated = len(wanted(BY_UID["plain"]))
    for uid in ("gap", "invalid"):
        assert len(holed.query("take_uid == @uid")) == narrated - len(wanted(BY_UID[uid])) > 0


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("short", ("covers -0.100 to 20.0", "expected 0 to 40.000 s")),
        ("late", ("covers 2.900 to", "expected 0 to 40.000 s")),
        ("left", ("imu-right", "1202-")),
        ("empty-timesync", ("timesync.csv", "aria01_214-1_capture_timestamp_ns has no stamp in rows 77 to 1277")),
        ("other-length", ("duration_sec is 38.000 s", "rows 77 to 1277", "40.000 s")),
        ("no-vrs", ("has_trimmed_vrs",)),
        ("few-frames", ("1160 frames", "1200 rows", "aria01_214-1.mp4")),
    ],
)
def test_rejects_name_what_was_found_and_what_was_expected(result: Result, uid: str, words: tuple[str, ...]) -> None:
    (detail,) = result.rejects.query("take_uid == @uid")["detail"]
    assert all(word in detail for word in words), detail


def test_clocks_and_repairs_are_counted(result: Result) -> None:
    clocks = result.takes.set_index("take_uid")["clock"]
    assert clocks["no-timesync"] == "first_sample"
    assert set(clocks.drop("no-timesync")) == {"timesync"}
    mine = result.metrics["datasets"]["egoexo4d"]
    assert mine["clock"] == {"first_sample": 1, "timesync": len(WHOLE) - 1}
    made = BY_UID["invalid"]
    assert mine["repairs"]["invalid_samples"] == int(made.bad(made.clock()).sum()) == pytest.approx(3 + 15 + 400, abs=3)
    assert mine["takes"] == len(WHOLE)
    assert result.takes.set_index("take_uid")["rate_hz"].drop("gap").to_numpy() == pytest.approx(1000, rel=1e-3)


def test_texts_of_every_accepted_pass_of_either_dialect(result: Result) -> None:
    texts = result.segments.query("take_uid == 'plain'").set_index("start_s")["texts"]
    assert list(texts[3.75]) == ["C does 6.25.", "C again 6.25."]
    assert list(texts[23.5]) == ["A ball bounces."]
    said = [text for row in result.segments["texts"] for text in row]
    assert not any("rejected" in text or text.startswith("O ") for text in said)
    mine = result.metrics["datasets"]["egoexo4d"]
    assert mine["narrations_other_subject"] == len(WHOLE)


def test_the_video_is_the_448_or_the_full_one_or_none(result: Result) -> None:
    paths = {uid: set(rows.dropna()) for uid, rows in result.segments.groupby("take_uid")["video_path"]}
    assert paths["plain"] == {f"takes/{BY_UID['plain'].name}/frame_aligned_videos/downscaled/448/aria01_214-1.mp4"}
    assert paths["full-resolution"] == {f"takes/{BY_UID['full-resolution'].name}/frame_aligned_videos/aria01_214-1.mp4"}
    assert paths["six"] == {f"takes/{BY_UID['six'].name}/frame_aligned_videos/downscaled/448/aria06_214-1.mp4"}
    assert paths["few-frames"] == paths["no-video"] == set()


def test_the_left_stream_when_asked_for(root: Path, tmp_path: Path) -> None:
    result = segmented(root, tmp_path, imu="imu-left")
    left = BY_UID["left"]
    assert result.segments.query("take_uid == 'left'")["start_s"].tolist() == pytest.approx(wanted(left))
    key = result.segments.query("take_uid == 'left'")["segment_id"].iloc[2]
    start = result.segments.query("take_uid == 'left'")["start_s"].iloc[2]
    at = left.origin_ns + np.round((start + np.arange(250) * SAMPLE_S) * 1e9).astype(np.int64)
    np.testing.assert_allclose(result.imu[key].T, force_and_rate(at), atol=5e-3)


def test_factory_calibration_is_a_setting_of_the_data_set(root: Path, tmp_path: Path, result: Result) -> None:
    """Rectified samples are the vendor library's own: M^-1 (raw - bias), which is linear, so it holds for the resampled signal too."""
    library = pytest.importorskip("projectaria_tools.core.data_provider", reason="the extra `aria` is not installed")
    made = BY_UID["plain"]
    path = root / "takes" / made.name / "aria01_noimagestreams.vrs"
    calibration = library.create_vrs_data_provider(str(path)).get_device_calibration().get_imu_calib("imu-right")
    rectified = segmented(root, tmp_path, calibrated=True)
    keys = result.segments.query("take_uid == 'plain'")["segment_id"]
    assert list(rectified.segments.query("take_uid == 'plain'")["segment_id"]) == list(keys)
    for key in keys:
        raw, found = result.imu[key].T.astype(np.float64), rectified.imu[key].T
        for k in range(0, 250, 25):
            np.testing.assert_allclose(found[k, :3], calibration.raw_to_rectified_accel(raw[k, :3]), atol=1e-4)
            np.testing.assert_allclose(found[k, 3:], calibration.raw_to_rectified_gyro(raw[k, 3:]), atol=1e-4)
        assert np.abs(found - raw).max() > 0.01
