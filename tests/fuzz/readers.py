"""The readers as targets: each data set from its folder to segments, and each single file to a recording."""

import shutil
import struct
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from primus.errors import Rejected, UserError
from primus.io.archives import MEMBER_LIMIT
from primus.io.datasets import open_dataset
from primus.io.ego4d_imu import read_ego4d_csv
from primus.io.files import FileSet
from primus.io.imu_file import read_imu
from primus.io.imu_parquet import write_imu_parquet
from primus.io.recording import build_recording
from primus.io.takes import Take
from primus.io.video import Backend, frames_at, probe
from primus.io.vrs import IMU_TYPE, read_imu_vrs
from primus.io.vrs_layout import DATA_RECORD
from primus.segments.quality import Thresholds
from primus.segments.segmenter import Policy, SegmentSettings, segment_take
from primus.segments.segmenter import TakeJob as SegmentJob
from tests.conftest import SHARED
from tests.fuzz import invariants
from tests.fuzz.target import Target
from tests.io import egoexo4d_root, insv_file, realworld_tree, test_ego4d, test_table, video_files, vrs_files

SETTINGS = SegmentSettings(50.0, 1.0, 1.0, 0.05, 0.5, ("C", None), 0.1, Thresholds())
CONFIGS: dict[str, dict[str, Any]] = {
    "egoexo4d": {"reader": "egoexo4d"},
    "ego4d": {"reader": "ego4d"},
    "realworld": {"reader": "realworld"},
    "labelled_csv": {"reader": "labelled_csv", "spec": "sp-sw-har-phone"},
    "own_tables": {"reader": "table"},
    "action_camera": {"reader": "action_camera"},
}
POLICIES: dict[str, Policy] = {"egoexo4d": "narration", "labelled_csv": "labelled"}


def read_dataset(name: str, root: Path) -> int:
    """What the segment stage does with a data set: list its takes, cut each of them. A root that gives nothing says so."""
    dataset = open_dataset(name, CONFIGS[name], files := FileSet.scan(root))
    takes, rejects = dataset.takes()
    invariants.check_rejects(rejects)
    first: Rejected | None = None
    segments = 0
    for take in takes:
        invariants.check_take(take)
        try:
            segments += _segments_of(name, dataset, files, take)
        except Rejected as rejected:
            first = first or rejected
    if segments:
        return segments
    if first is not None:
        raise first
    if rejects:
        raise Rejected(rejects[0].reason, rejects[0].detail)
    raise UserError("the data set holds no take")


def _segments_of(name: str, dataset: Any, files: FileSet, take: Take) -> int:
    found = segment_take(dataset, files, SegmentJob(take, "pretrain", POLICIES.get(name, "tile")), SETTINGS)
    imu = dataset.read_imu(take)
    invariants.check_recording(imu.recording)
    invariants.check_rejects(list(found.rejects))
    invariants.check_segments(found, imu, SETTINGS)
    if name == "labelled_csv":
        invariants.check_only_cells(imu.recording, files.path(str(take.imu_path)).read_bytes())
    return len(found.intervals) or (1 if found.rejects else 0)


def read_file(root: Path) -> int:
    """`read_imu` on the one file there is, and on the members an archive is said to have."""
    file = sorted(path for path in root.iterdir())[0]
    name = f"{file}::part/uid.csv" if file.suffix == ".zip" else str(file)
    invariants.check_recording(read_imu(name))
    return 1


def read_vrs(root: Path) -> int:
    path = root / "a.vrs"
    recording = read_imu_vrs(path)
    invariants.check_recording(recording)
    if recording.accel.dtype == np.float32 and not (root / "unchecked").exists():
        invariants.check_only_bytes(recording, path)
    return 1


def read_ego4d_file(root: Path) -> int:
    recording = read_ego4d_csv(root / "a.csv", 3.0)
    invariants.check_recording(recording)
    invariants.check_only_cells(recording, (root / "a.csv").read_bytes())
    return 1


def read_video(root: Path) -> int:
    """Probe, and frames on a grid with both decoders, which must agree where both give one."""
    path = next(path for path in sorted(root.iterdir()) if path.suffix in (".mp4", ".mkv"))
    info = probe(path)
    assert info.n_frames > 0
    assert 0 <= info.duration_s < 1e6, f"a video of {info.duration_s} s"
    assert np.isfinite(info.fps)
    counts = {}
    backends: tuple[Backend, ...] = ("auto", "pyav")
    for backend in backends:
        stream = frames_at(path, np.arange(0, min(info.duration_s, 20.0), 0.1), backend=backend)
        counts[backend] = 0
        for _, frame in stream:
            assert frame.ndim == 3
            assert frame.shape[2] == 3
            assert frame.dtype == np.uint8
            counts[backend] += 1
    return max(counts.values())


def _vrs(folder: Path) -> None:
    t, accel, gyro = vrs_files.signal(1.5, 200.0)
    rows = vrs_files.imu_rows(t, accel, gyro)
    for name in ("plain", "foreign", "index", "left"):
        (folder / name).mkdir(parents=True)
    vrs_files.write(folder / "plain/a.vrs", {1: rows, 2: rows[::2]})
    vrs_files.write(folder / "foreign/a.vrs", {1: rows, 2: rows[::2]}, other=b"\x07" * 300)
    vrs_files.write(folder / "index/a.vrs", {1: rows}, index_at_end=True)
    vrs_files.write(folder / "left/a.vrs", {2: rows}, device="Oatmeal")
    sample = SHARED / "data/aria/recording.vrs"
    if sample.is_file():
        for name in ("real", "compressed") if find_spec("projectaria_tools") else ("real",):
            (folder / name).mkdir()
            (folder / name / "unchecked").write_text("")  # searching its 3.6 MB for samples is slow; what is packed cannot be found
        shutil.copyfile(sample, folder / "real/a.vrs")
    if (folder / "compressed").is_dir():
        whole = folder / "compressed/a.vrs"
        sys.path.insert(0, str(SHARED / "tools"))
        try:
            import_module("make_vrs").write(whole, sample, right=vrs_files.signal(0.2))
        finally:
            sys.path.pop(0)
        whole.write_bytes(_packed(whole.read_bytes()))


def _packed(data: bytes) -> bytes:
    """A recording with its IMU records compressed: what only projectaria_tools reads."""
    position, previous = struct.unpack_from("<q", data, 40)[0], None
    out = bytearray(data[:position])
    while position < len(data):
        head = list(vrs_files.RECORD.unpack_from(data, position))
        payload = data[position + vrs_files.RECORD.size : position + head[0]]
        position += head[0]
        if (head[2], head[6]) == (IMU_TYPE, DATA_RECORD):
            head[8], payload, head[7] = len(payload), pa.compress(payload, codec="zstd", asbytes=True), 2
        head[0], head[1] = vrs_files.RECORD.size + len(payload), previous or head[1]
        previous = head[0]
        out += vrs_files.RECORD.pack(*head) + payload
    return bytes(out)


def _egoexo4d(folder: Path) -> None:
    for variant in ("timesync", "plain", "compact"):
        take = egoexo4d_root.record(seconds=3.0)
        passes = [egoexo4d_root.a_pass(*(egoexo4d_root.description(timestamp=0.6 * k) for k in range(1, 5)))]
        root = folder / variant
        egoexo4d_root.write_root(root, [take], {"train": {"uid-1": passes}}, {"uid-1": "train"}, imu=False, timesync=variant != "plain")
        t, accel, gyro = vrs_files.signal(3.2, 200.0, start_ns=egoexo4d_root.START_NS - 50_000_000)
        path = root / take["root_dir"] / take["vrs_relative_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if variant == "compact":
            write_imu_parquet(path.with_suffix(".imu.parquet"), {"imu-right": build_recording(t, accel, gyro, "x")})
        else:
            vrs_files.write(path, {1: vrs_files.imu_rows(t, accel, gyro)})


def _ego4d(folder: Path) -> None:
    said = {"narrations": [{"timestamp_sec": 0.5 * k, "narration_text": "#C C sits", "annotation_uid": "a"} for k in range(1, 5)]}
    entry = {"status": "complete", "narration_pass_1": said, "narration_pass_2": said}
    root = test_ego4d.write_root(folder / "one", [test_ego4d.video("v1", duration_sec=3.0)], {"v1": entry})
    table = test_ego4d.imu_table(3.0)
    table[:, 8] += 9.81
    test_ego4d.write_csv(root / "v2/imu/v1.csv", table)


def _realworld(folder: Path) -> None:
    for sensor in ("acc", "gyr"):
        realworld_tree.write(folder / "plain", 1, sensor, "walking", realworld_tree.members(sensor, "walking", end_s=4.0))
    for sensor in ("acc", "gyr"):
        parts = {f"{sensor}_climbingup_{part}_csv.zip": realworld_tree.members(sensor, "climbingup", part, end_s=4.0) for part in (1, 2)}
        packed = {name: realworld_tree.archive(content) for name, content in parts.items()}
        realworld_tree.write(folder / "nested", 4, sensor, "climbingup", packed)
    whole = {}
    for sensor in ("acc", "gyr"):
        whole[f"proband2/data/{sensor}_running_csv.zip"] = realworld_tree.archive(realworld_tree.members(sensor, "running", end_s=4.0))
    (folder / "whole").mkdir()
    (folder / "whole/realworld2016_dataset.zip").write_bytes(realworld_tree.archive(whole))
    for sensor in ("acc", "gyr"):
        for name, content in realworld_tree.members(sensor, "lying", end_s=4.0).items():
            if name.endswith("_head.csv"):
                path = folder / "unpacked/proband3/data" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    assert MEMBER_LIMIT < 100 << 20  # the bombs of `zips` are beyond it


def _labelled(folder: Path) -> None:
    header = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n"
    draw = np.random.default_rng(3)
    accel, gyro = draw.normal(0, 0.5, (300, 3)) + [0, 0, 9.81], draw.normal(0, 0.5, (300, 3))
    lines = [
        ",".join([*(f"{v:.5f}" for v in (*accel[k], *gyro[k])), str(1_657_533_977_813 + k * 10), ("SEATED", "WALKING", "TURNING")[k // 100]])
        for k in range(300)
    ]
    for number in (1, 2):
        for variant in ("one", "two")[number - 1 :]:
            path = folder / variant / f"s0{number}/s0{number}_01_sp.csv"
            path.parent.mkdir(parents=True)
            path.write_text(header + "\n".join(lines) + "\n")


def _own_tables(folder: Path) -> None:
    draw = np.random.default_rng(4)
    table = test_table.frame(300)
    sensors = [f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]
    table[sensors] += draw.normal(0, 0.05, (300, 6))
    (folder / "csv").mkdir(parents=True)
    (folder / "parquet").mkdir()
    table.assign(label="walk", participant=["anna"] * 150 + ["ben"] * 150).to_csv(folder / "csv/walk.csv", index=False)
    (folder / "csv/narrations.csv").write_text("take,timestamp_s,text\nwalk_anna,0.5,walks\nwalk_ben,1.0,walks on\n")
    table.assign(label="walk").to_parquet(folder / "parquet/walk.parquet")
    stamped = table.assign(timestamp=pd.Timestamp("2024-01-01") + pd.to_timedelta(table["timestamp"], unit="s"))
    stamped.to_parquet(folder / "parquet/run.parquet")


def _action_camera(folder: Path) -> None:
    if not find_spec("telemetry_parser"):
        return
    samples = [(k * 5, (0.01 * (k % 7), 0.02, 1.0), (0.01 * (k % 5), 0.0, 0.1)) for k in range(600)]
    (folder / "insv").mkdir(parents=True)
    clip = video_files.write_clip(folder / "insv/clip.mp4", n=90)
    (folder / "insv/a.insv").write_bytes(clip.read_bytes() + insv_file.trailer("Insta360 OneR", samples, 0))
    (folder / "insv/narrations.csv").write_text("take,timestamp_s,text\na,0.5,turns\na,1.4,stops\n")
    (folder / "raw").mkdir()
    counts = [(k * 5000, (100 * (k % 7), 30, 2048), (5 * (k % 5), 0, 20)) for k in range(600)]
    (folder / "raw/a.insv").write_bytes(clip.read_bytes() + insv_file.trailer("Insta360 X3", counts, 0, (16, 2000)))
    clip.unlink()
    if (SHARED / "data/actioncam/karma.mp4").is_file():
        (folder / "gopro").mkdir()
        shutil.copyfile(SHARED / "data/actioncam/karma.mp4", folder / "gopro/a.mp4")


def _video(folder: Path) -> None:
    for name, suffix, options in (
        ("plain", ".mp4", {}), ("front", ".mp4", {"faststart": True}), ("part4", ".mp4", {"codec": "mpeg4", "b_frames": 0}),
        ("variable", ".mp4", {"stamps": [k * 33 + 7 * (k % 3) for k in range(60)]}), ("matroska", ".mkv", {}),
    ):  # fmt: skip
        (folder / name).mkdir(parents=True)
        clip: Any = options
        video_files.write_clip(folder / name / f"a{suffix}", **clip)


def _files(folder: Path) -> None:
    t, accel, gyro = vrs_files.signal(0.5, 200.0)
    for name in ("parquet", "zip", "table"):
        (folder / name).mkdir(parents=True)
    write_imu_parquet(folder / "parquet/a.imu.parquet", {"imu-right": build_recording(t, accel, gyro, "x", {"invalid_samples": 3})})
    table = test_ego4d.write_csv(folder / "zip/a.csv", test_ego4d.imu_table(1.0))
    (folder / "zip/a.zip").write_bytes(realworld_tree.archive({"part/uid.csv": table.read_bytes(), "other.csv": b"a,b\n1,2\n"}))
    table.unlink()
    test_table.save(test_table.frame(200), folder / "table/a.csv")


def _ego4d_file(folder: Path) -> None:
    test_ego4d.write_csv(folder / "one/a.csv", test_ego4d.imu_table(1.5))


def _dataset(name: str, weight: float, prepare: Any) -> Target:
    return Target(name, "reader", weight, prepare, lambda root: read_dataset(name, root))


READERS = (
    Target("vrs", "reader", 2.0, _vrs, read_vrs),
    _dataset("egoexo4d", 2.0, _egoexo4d),
    _dataset("ego4d", 1.5, _ego4d),
    Target("ego4d_csv", "reader", 1.5, _ego4d_file, read_ego4d_file),
    _dataset("realworld", 2.0, _realworld),
    _dataset("labelled_csv", 2.0, _labelled),
    _dataset("own_tables", 2.0, _own_tables),
    _dataset("action_camera", 2.0, _action_camera),
    Target("video", "reader", 2.0, _video, read_video),
    Target("imu_file", "reader", 2.0, _files, read_file),
)
