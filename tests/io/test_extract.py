"""VRS recordings to compact files: nothing is lost, nothing is deleted that was not compared, and a killed run continues."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.engine import map_takes
from primus.errors import Rejected, UserError
from primus.io import extract as extract_module
from primus.io.extract import Job, extract
from primus.io.extract_tree import Tally, copy_metadata, plan_extraction
from primus.io.files import FileSet
from primus.io.imu_parquet import SUFFIX, read_imu_file, write_imu_parquet
from primus.io.raw_imu import RawImu
from primus.io.vrs import read_imu_vrs, read_raw_vrs
from primus.segments.kept import CachedSegmenter
from primus.segments.plan import plan_takes
from primus.segments.quality import Thresholds
from primus.segments.segmenter import SegmentSettings
from primus.segments.writer import SegmentWriter
from primus.simulate import egoexo4d
from primus.simulate.corpus import TINY
from primus.simulate.vrs import ImuStream, write_aria_vrs
from tests.io import vrs_files
from tests.io.egoexo4d_root import record, write_root

SETTINGS = SegmentSettings(50, 5.0, 5.0, 0.05, 0.5, ("C", None), 0.1, Thresholds())


def write_vrs(path: Path, seconds: float = 1.0, seed: int = 0, left: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    streams = [ImuStream(*vrs_files.signal(seconds, rate, seed=seed + i)) for i, rate in enumerate((1000.0, 800.0))]
    write_aria_vrs(path, f"serial{seed}", streams[0], streams[1] if left else None)
    return path


def run(sources: list[Path], out: Path, **options) -> dict:
    plan = plan_extraction(sources, out, **options)
    tally = Tally(plan.done, plan.take_seconds, copy_metadata(plan.copies))
    for outcome in map_takes(extract, plan.jobs, 1):
        tally.add(outcome)
    return tally.facts()


def job(source: Path, out: Path, **options) -> Job:
    return Job(source, source.parent, out / f"{source.stem}{SUFFIX}", **options)


def files(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob(pattern)) if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for i in range(3):
        write_vrs(tmp_path / f"tree/takes/t{i}/aria0{i + 1}_noimagestreams.vrs", seed=i)
    (tmp_path / "tree/takes/t0/notes.txt").write_text("mine")
    return tmp_path / "tree"


@pytest.mark.parametrize("calibrated", [False, True])
def test_every_stream_reads_as_it_did(tmp_path: Path, calibrated: bool) -> None:
    from primus.io.imu_file import read_imu

    source = write_vrs(tmp_path / "a.vrs")
    done = extract(job(source, tmp_path))
    assert (done.state, done.samples, done.deleted) == ("extracted", 1800, False)
    assert done.seconds == pytest.approx(1.0, abs=0.01)
    for label in ("imu-right", "imu-left"):
        before, after = (read_imu(tmp_path / name, stream=label, calibrated=calibrated) for name in ("a.vrs", "a.imu.parquet"))
        for name in ("timestamps_ns", "accel", "gyro"):
            assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
            assert getattr(before, name).dtype == getattr(after, name).dtype
        assert (before.notes, before.rate_hz) == (after.notes, after.rate_hz)


def test_real_recording(tmp_path: Path, shared_dir: Path) -> None:
    source = shared_dir / "data/aria/recording.vrs"
    extract(Job(source, source, tmp_path / "recording.imu.parquet"))
    held = read_imu_file(tmp_path / "recording.imu.parquet")
    assert {label: len(samples.timestamps_ns) for label, samples in held.streams.items()} == {"imu-right": 400, "imu-left": 319}
    assert all(samples.equals(read_raw_vrs(source, label)) for label, samples in held.streams.items())
    assert json.loads(held.calibration or "")["ImuCalibrations"]


def test_defects_of_a_recording_are_kept_for_the_reader(tmp_path: Path) -> None:
    t, accel, gyro = vrs_files.signal(1.0)
    backwards = t.copy()
    backwards[400:] -= 50_000_000
    valid = np.arange(len(t)) % 7 != 0
    rows = {1: vrs_files.imu_rows(backwards, accel, gyro), 2: vrs_files.imu_rows(np.sort(np.r_[t[:500], t[:500]]), accel, gyro, valid)}
    source = tmp_path / "a.vrs"
    source.write_bytes(b"")
    vrs_files.write(source, rows)
    from primus.io.imu_parquet import read_imu_parquet

    extract(job(source, tmp_path))
    for label in ("imu-right", "imu-left"):
        outcomes = []
        for read, name in ((read_imu_vrs, "a.vrs"), (read_imu_parquet, "a.imu.parquet")):
            try:
                found = read(tmp_path / name, label)
                outcomes.append((found.timestamps_ns.tolist(), dict(found.notes)))
            except Rejected as refused:
                outcomes.append((refused.reason, refused.detail.partition(": ")[2]))
        assert outcomes[0] == outcomes[1]


def segmented(root: Path, folder: Path, **config) -> Path:
    config = {"reader": "egoexo4d", "purpose": ["pretrain", "probe"], **config}
    segmenter = CachedSegmenter({"egoexo4d": config}, {"egoexo4d": FileSet.scan(root)}, SETTINGS)
    takes, refused = segmenter.dataset("egoexo4d").takes()
    with SegmentWriter(folder, SETTINGS) as writer:
        writer.rejects += refused
        for outcome in map_takes(segmenter, plan_takes("egoexo4d", config, takes), 1):
            writer.add(outcome.item, outcome.value) if outcome.value else writer.refuse(outcome.item, outcome.refused)
    writer.write_tables()
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    work = egoexo4d.jobs(TINY)
    egoexo4d.write_metadata(root, TINY, work, [one.run(root, None) for one in work])
    return root


@pytest.mark.parametrize("config", [{}, {"imu": "imu-left"}, {"calibrated": True}])
def test_segments_of_the_extracted_tree_are_the_same_bytes(corpus: Path, tmp_path: Path, config: dict) -> None:
    expected = segmented(corpus, tmp_path / "from_vrs", **config)
    in_place = tmp_path / "root"
    shutil.copytree(corpus, in_place)
    facts = run([in_place], in_place, delete_source=True)
    assert facts["refused"] == facts["sources_kept"] == []
    assert facts["sources_deleted"] == facts["extracted"] == len(list(corpus.rglob("*.vrs"))) > 10
    assert not list(in_place.rglob("*.vrs"))
    found = segmented(in_place, tmp_path / "from_parquet", **config)
    for name in ("imu.h5", "segments.parquet"):
        assert (found / name).read_bytes() == (expected / name).read_bytes()
    before, after = (pd.read_parquet(folder / "takes.parquet") for folder in (expected, found))
    pd.testing.assert_frame_equal(before.drop(columns="imu_path"), after.drop(columns="imu_path"))
    assert before["imu_path"].str.replace(".vrs", SUFFIX).tolist() == after["imu_path"].tolist()
    before, after = (pd.read_parquet(folder / "rejects.parquet") for folder in (expected, found))
    pd.testing.assert_frame_equal(before.drop(columns="detail"), after.drop(columns="detail"))
    if not config:
        assert len(pd.read_parquet(expected / "segments.parquet")) > 10


def test_another_folder_becomes_a_root_of_its_own(corpus: Path, tmp_path: Path) -> None:
    before = files(corpus)
    facts = run([corpus], tmp_path / "out")
    assert facts["metadata_files"] == 5 - 1 + len(list(corpus.rglob("timesync.csv"))) + (corpus / "annotations/splits.json").is_file()
    assert facts["takes_listed"] > facts["recordings"]
    assert facts["gb_of_all_takes_listed"] > facts["extracted_bytes"] * 1e-9
    expected, found = segmented(corpus, tmp_path / "a"), segmented(tmp_path / "out", tmp_path / "b")
    assert (found / "imu.h5").read_bytes() == (expected / "imu.h5").read_bytes()
    assert files(corpus) == before


def test_what_is_there_and_whole_is_skipped(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run([tree], out)
    assert (first["extracted"], first["samples"]) == (3, 3 * 1800)
    assert first["extracted_bytes"] == sum(len(data) for data in files(out).values())
    assert first["bytes_per_sample"] == round(first["extracted_bytes"] / 5400, 2)
    assert first["gb_left_of_1_tb"] == round(1000 * first["extracted_bytes"] / first["source_bytes"], 2)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob(f"*{SUFFIX}")}
    again = run([tree], out)
    assert (again["extracted"], again["skipped"]) == (0, 3)
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob(f"*{SUFFIX}")}
    assert again["bytes_per_sample"] == first["bytes_per_sample"]


def test_a_damaged_or_outdated_file_is_made_again(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run([tree], out)
    whole = files(out)
    flipped, cut, outdated = sorted(out.rglob(f"*{SUFFIX}"))
    data = bytearray(flipped.read_bytes())
    data[len(data) // 3] ^= 1
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:-30])
    write_vrs(tree / outdated.relative_to(out).with_name("aria03_noimagestreams.vrs"), seed=99)
    assert run([tree], out)["extracted"] == 3
    now = files(out)
    assert [now[name] == whole[name] for name in sorted(whole)] == [True, True, False]


def test_streams_can_be_chosen_and_more_replace_fewer(tree: Path, tmp_path: Path) -> None:
    out, source = tmp_path / "out", tree / "takes/t0/aria01_noimagestreams.vrs"
    target = out / "aria01_noimagestreams.imu.parquet"
    run([source], out, streams=["imu-left"])
    assert list(read_imu_file(target).streams) == ["imu-left"]
    assert run([source], out)["extracted"] == 1
    assert sorted(read_imu_file(target).streams) == ["imu-left", "imu-right"]
    assert run([source], out, streams=["imu-right"])["skipped"] == 1
    assert sorted(read_imu_file(target).streams) == ["imu-left", "imu-right"]
    with pytest.raises(UserError, match="imu-right, imu-left"):
        run([source], out, streams=["imu"])


def test_unreadable_recordings_are_listed_and_never_stop_the_run(tree: Path, tmp_path: Path) -> None:
    whole = write_vrs(tree / "takes/cut/aria01.vrs", seed=7)
    whole.write_bytes(whole.read_bytes()[:-100])
    (tree / "takes/empty.vrs").touch()
    (tree / "takes/noise.vrs").write_bytes(os.urandom(4000))
    vrs_files.write(tree / "takes/silent.vrs", {})
    facts = run([tree], tmp_path / "out", delete_source=True)
    assert facts["extracted"] == facts["sources_deleted"] == 3
    assert {Path(row["source"]).name: row["reason"] for row in facts["refused"]} == {
        "aria01.vrs": "unreadable_imu",
        "empty.vrs": "unreadable_imu",
        "noise.vrs": "unreadable_imu",
        "silent.vrs": "no_imu",
    }
    assert sorted(path.name for path in tree.rglob("*") if path.is_file()) == ["aria01.vrs", "empty.vrs", "noise.vrs", "notes.txt", "silent.vrs"]
    assert len(files(tmp_path / "out")) == 3


def test_one_stream_is_enough_to_keep_and_to_delete(tmp_path: Path) -> None:
    source = write_vrs(tmp_path / "a.vrs", left=False)
    assert extract(job(source, tmp_path, delete_source=True)).deleted
    assert list(read_imu_file(tmp_path / "a.imu.parquet").streams) == ["imu-right"]


@pytest.mark.parametrize("already", [False, True])
def test_a_source_that_changes_meanwhile_is_refused_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, already: bool) -> None:
    source = write_vrs(tmp_path / "a.vrs")
    if already:
        extract(job(source, tmp_path))

    def read_while_written(path: Path, label: str) -> RawImu:
        found = read_raw_vrs(path, label)
        write_vrs(path, seconds=1.2, seed=5)
        return found

    monkeypatch.setattr(extract_module, "read_raw_vrs", read_while_written)
    with pytest.raises(Rejected, match="changed while it was read"):
        extract(job(source, tmp_path, delete_source=True))
    assert source.exists()
    assert (tmp_path / "a.imu.parquet").exists() == already


@pytest.mark.parametrize("spoil", ["sample", "stamp", "stream", "calibration", "cut"])
def test_nothing_is_deleted_when_the_file_does_not_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str) -> None:
    source = write_vrs(tmp_path / "a.vrs")

    def write_wrongly(path: Path, streams: dict, calibration: str | None, origin: str | None) -> None:
        write_imu_parquet(path, tampered(streams, spoil), "{}" if spoil == "calibration" else calibration, origin)
        if spoil == "cut":
            path.write_bytes(path.read_bytes()[:-9])

    monkeypatch.setattr(extract_module, "write_imu_parquet", write_wrongly)
    with pytest.raises(UserError, match="does not read back"):
        extract(job(source, tmp_path, delete_source=True))
    assert source.exists()
    assert not (tmp_path / "a.imu.parquet").exists()


@pytest.mark.parametrize("spoil", ["sample", "stamp", "stream"])
def test_a_forged_file_of_the_right_origin_does_not_cost_the_source(tmp_path: Path, spoil: str) -> None:
    source = write_vrs(tmp_path / "a.vrs")
    extract(job(source, tmp_path))
    out = tmp_path / "a.imu.parquet"
    held = read_imu_file(out)
    forged = held._replace(streams=tampered(dict(held.streams), spoil))
    origin = json.loads(held.origin or "") | {"samples_sha256": extract_module._checksum(forged)}
    write_imu_parquet(out, forged.streams, forged.calibration, json.dumps(origin))
    facts = run([source], tmp_path, delete_source=True)
    assert (facts["skipped"], facts["sources_deleted"]) == (1, 0)
    assert "not those of" in facts["sources_kept"][0]["detail"]
    assert source.exists()
    out.unlink()
    assert run([source], tmp_path, delete_source=True)["sources_deleted"] == 1


def tampered(streams: dict, how: str) -> dict:
    right = streams["imu-right"]
    stamps, accel = right.timestamps_ns.copy(), right.accel.copy()
    if how == "sample":
        accel[-1, 2] = np.nextafter(accel[-1, 2], np.float32(100))
    if how == "stamp":
        stamps[500] += 1
    changed = {"imu-right": RawImu(stamps, accel, right.gyro, right.notes)}
    return changed if how == "stream" else streams | changed


def test_links_are_read_but_what_they_point_to_stays(tree: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write_vrs(elsewhere / "linked.vrs", seed=8)
    write_vrs(elsewhere / "folder/aria01.vrs", seed=9)
    (tree / "takes/link.vrs").symlink_to(elsewhere / "linked.vrs")
    (tree / "takes/more").symlink_to(elsewhere / "folder")
    before = files(elsewhere)
    facts = run([tree], tmp_path / "out", delete_source=True)
    assert (facts["extracted"], facts["sources_deleted"]) == (5, 3)
    assert sorted(Path(row["source"]).name for row in facts["sources_kept"]) == ["aria01.vrs", "link.vrs"]
    assert files(elsewhere) == before
    assert (tree / "takes/link.vrs").is_symlink()
    assert run([tree / "takes/link.vrs"], tmp_path / "single", delete_source=True)["sources_deleted"] == 0
    (tmp_path / "root").symlink_to(tree)  # naming a link to a folder means that folder
    write_vrs(tree / "takes/t0/aria01_noimagestreams.vrs")
    assert run([tmp_path / "root"], tmp_path / "out", delete_source=True)["sources_deleted"] == 1


def test_plans_that_make_no_sense_are_refused(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other/takes"
    shutil.copytree(tree / "takes", other)
    with pytest.raises(UserError, match="would both become"):
        plan_extraction([tree, other.parent], tmp_path / "out")
    roots = [write_root(tmp_path / name, [record()], imu=False) for name in ("r1", "r2")]
    write_vrs(roots[0] / "x.vrs")
    with pytest.raises(UserError, match="would both become"):
        plan_extraction(roots, tmp_path / "out")
    for wrong, said in (("absent", "does not exist"), ("tree/takes/t0/notes.txt", r"no \.vrs file")):
        with pytest.raises(UserError, match=said):
            plan_extraction([tmp_path / wrong], tmp_path / "out")
    (tmp_path / "bare").mkdir()
    with pytest.raises(UserError, match="take_vrs_noimagestream"):
        plan_extraction([tmp_path / "bare"], tmp_path / "out")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "primus", "extract-imu", *map(str, arguments)]


def test_the_command_reports_and_continues_when_all_sources_are_gone(tree: Path, tmp_path: Path) -> None:
    (tree / "takes/empty.vrs").touch()
    done = subprocess.run(command(tree, "--out", tree, "--delete-source"), capture_output=True, text=True, check=True)
    assert "3 extracted, 0 already there, 1 refused, 3 sources deleted" in done.stdout
    assert "bytes a sample" in done.stdout
    assert "empty.vrs: unreadable_imu" in done.stdout
    (tree / "takes/empty.vrs").unlink()
    facts = json.loads(subprocess.run(command(tree, "--out", tree, "--json"), capture_output=True, text=True, check=True).stdout)
    assert (facts["recordings"], facts["extracted_earlier_source_gone"]) == (0, 3)
    (tmp_path / "noise.vrs").write_bytes(b"x" * 200)
    hopeless = subprocess.run(command(tmp_path / "noise.vrs", "--out", tmp_path / "o"), capture_output=True, text=True, check=False)
    assert (hopeless.returncode, hopeless.stderr.count("Traceback")) == (1, 0)
    mistaken = subprocess.run(command(tmp_path / "none", "--out", tmp_path / "o"), capture_output=True, text=True, check=False)
    assert mistaken.returncode == 1
    assert mistaken.stderr.startswith("error: ")
    assert mistaken.stderr.count("\n") == 1


def test_killed_at_any_time_the_same_command_continues(tmp_path: Path) -> None:
    tree, clean = tmp_path / "tree", tmp_path / "clean"
    for i in range(24):
        write_vrs(tree / f"t{i:02}/aria01.vrs", seconds=8.0, seed=i)
    run([tree], clean)
    expected, out = files(clean), tmp_path / "out"
    for least in (1, 6, 11, 16):
        running = subprocess.Popen(command(tree, "--out", out, "--delete-source"), start_new_session=True, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        while running.poll() is None and len(list(out.rglob(f"*{SUFFIX}"))) < least and time.monotonic() < limit:
            time.sleep(0.002)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        visible = files(out, f"[!.]*{SUFFIX}")
        assert all(expected[name] == data for name, data in visible.items())
        for i in range(24):  # a recording is gone only when its samples are there
            assert (tree / f"t{i:02}/aria01.vrs").exists() or f"t{i:02}/aria01{SUFFIX}" in visible
    assert visible
    subprocess.run(command(tree, "--out", out, "--delete-source"), check=True, capture_output=True)
    assert files(out, f"[!.]*{SUFFIX}") == expected
    assert not list(tree.rglob("*.vrs"))


def test_what_a_dead_process_left_is_swept_though_nothing_is_written(tree: Path, tmp_path: Path) -> None:
    run([tree], tmp_path / "out")
    expected = files(tmp_path / "out")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f"out/takes/t0/.aria01_noimagestreams.imu.parquet.{socket.gethostname()}-{dead.pid}.tmp").write_bytes(b"PAR1")
    assert run([tree], tmp_path / "out")["skipped"] == 3
    assert files(tmp_path / "out") == expected
