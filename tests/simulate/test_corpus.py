"""The corpus as a whole: equal bytes, the published layouts, balanced sites, disjoint people, and every defect in its place."""

import hashlib
import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primus.errors import Rejected
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.schema import REASONS, SCOPES
from primus.simulate.config import EGO4D_DEFECTS, EGOEXO4D_DEFECTS, CorpusConfig, EgoExo4DConfig
from primus.simulate.corpus import TINY, write_corpus, write_empty
from primus.simulate.egoexo4d import jobs
from primus.simulate.egoexo4d_plan import plan_takes
from primus.simulate.egoexo4d_take import TakeJob
from primus.simulate.people import draw_person
from tests.simulate.tiny_corpus import Corpus


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_same_bytes_also_from_two_processes_and_from_the_cache(tiny: Corpus, tmp_path: Path) -> None:
    truth = digests(tiny.root)
    write_corpus(tmp_path / "two", TINY, workers=2, cache_root=tmp_path / "cache")
    assert digests(tmp_path / "two") == truth
    entries = list((tmp_path / "cache").rglob("*.entry"))
    assert entries
    entries[0].write_bytes(b"broken")
    write_corpus(tmp_path / "cached", TINY, cache_root=tmp_path / "cache")
    assert digests(tmp_path / "cached") == truth


def test_another_seed_gives_another_corpus() -> None:
    assert {take.take_uid for take in plan_takes(TINY.egoexo4d, 0)}.isdisjoint(take.take_uid for take in plan_takes(TINY.egoexo4d, 1))


def test_every_kind_of_defect_is_injected_and_listed(tiny: Corpus) -> None:
    found = Counter((row["dataset"], row["reason"]) for row in tiny.injected)
    assert found == Counter([("egoexo4d", kind) for kind in EGOEXO4D_DEFECTS] + [("ego4d", kind) for kind in EGO4D_DEFECTS])
    assert json.loads((tiny.root / "injected.json").read_text()) == tiny.injected
    for row in tiny.injected:
        assert row["reason"] in REASONS
        assert row["scope"] in SCOPES
        assert ("start_s" in row) == (row["reason"] == "gap")


def test_readers_refuse_exactly_the_takes_that_cannot_be_read(tiny: Corpus) -> None:
    """Defects that show only in the samples (gap, duplicate axis) or in the video are found by later stages."""
    for name in ("egoexo4d", "ego4d"):
        dataset = open_dataset(name, {"reader": name}, FileSet.scan(tiny.root / name))
        takes, rejects = dataset.takes()
        found = {(reject.take_uid, reject.reason) for reject in rejects}
        for take in takes:
            try:
                imu = dataset.read_imu(take)
            except Rejected as error:
                found.add((take.take_uid, error.reason))
                continue
            seconds = (imu.recording.timestamps_ns - imu.origin_ns) * 1e-9
            assert seconds[0] < 0.1
            assert take.duration_s is not None
            assert seconds[-1] > take.duration_s - 0.1
        at_reading = {"no_imu", "imu_short", "timesync_invalid", "not_in_takes", "missing_axis"}
        expected = {(row["take_uid"], row["reason"]) for row in tiny.injected if row["dataset"] == name and row["reason"] in at_reading}
        assert found == expected


def test_gaps_lie_where_they_are_said_to_lie(tiny: Corpus) -> None:
    for row in tiny.injected:
        if row["reason"] != "gap":
            continue
        dataset = open_dataset(row["dataset"], {"reader": row["dataset"]}, FileSet.scan(tiny.root / row["dataset"]))
        take = next(take for take in dataset.takes()[0] if take.take_uid == row["take_uid"])
        imu = dataset.read_imu(take)
        seconds = (imu.recording.timestamps_ns - imu.origin_ns) * 1e-9
        hole = int(np.argmax(np.diff(seconds)))
        assert seconds[hole] == pytest.approx(row["start_s"], abs=0.02)
        assert seconds[hole + 1] == pytest.approx(row["end_s"], abs=0.02)


def test_takes_have_labels_people_and_videos_where_they_should(tiny: Corpus) -> None:
    dataset = open_dataset("egoexo4d", {"reader": "egoexo4d"}, FileSet.scan(tiny.root / "egoexo4d"))
    takes, _ = dataset.takes()
    truth = {job.plan.take_uid: job.plan for job in jobs(TINY)}
    for take in takes:
        plan = truth[take.take_uid]
        assert take.label == plan.label
        assert take.participant == f"egoexo4d/{plan.participant}"
        assert take.official_split == plan.split
        assert (take.video_path is not None) == plan.has_video
        assert take.narrations
    people = {split: {take.participant for take in takes if take.official_split == split} for split in ("train", "val")}
    assert people["train"].isdisjoint(people["val"])


def test_unreadable_video_does_not_decode(tiny: Corpus) -> None:
    av = pytest.importorskip("av")
    plan = next(job.plan for job in jobs(TINY) if job.plan.defect == "unreadable_video")
    videos = list((tiny.root / "egoexo4d" / "takes" / plan.take_name).rglob("*.mp4"))
    assert len(videos) == 1
    with pytest.raises(av.error.FFmpegError):
        av.open(str(videos[0]))


def test_full_corpus_is_balanced_and_large_enough() -> None:
    config = EgoExo4DConfig()
    takes = [take for take in plan_takes(config, 0) if take.defect is None]
    for split in ("train", "val"):
        counts = Counter((take.site, take.label) for take in takes if take.split == split)
        assert len({site for site, _ in counts}) >= 4
        assert len(set(counts.values())) == 1, "site must not tell the class"
        assert len(counts) == config.sites * config.classes
    assert len({take.participant for take in takes}) >= 12
    pool = [take for take in takes if take.split == "val"]
    people = sorted({take.participant for take in pool})
    for half in (people[: len(people) // 2], people[len(people) // 2 :]):
        windows = Counter(take.label for take in pool if take.participant in half for _ in range(int(take.duration_s // 5)))
        assert min(windows.values()) >= 50
    assert len({take.take_uid for take in takes}) == len(takes)
    assert len({take.take_name for take in takes}) == len(takes)
    assert len({take.capture_name for take in takes}) == len(takes)
    assert any(take.aria_id != "aria01" for take in takes)


def test_without_a_link_look_and_words_do_not_know_the_activity() -> None:
    """Exact independence: the take's label can be changed without changing what is seen and said."""
    job = next(job for job in jobs(TINY) if job.plan.has_video)
    other = replace(job.plan, label=next(label for label in ("climb rock", "repair bike", "medical test") if label != job.plan.label))
    person = draw_person(0, "egoexo4d", job.plan.participant)

    def seen(link: str, changed: bool) -> tuple[object, object]:
        made = TakeJob(other if changed else job.plan, 0, link, job.pixels)  # type: ignore[arg-type]
        motion, performance, look = made.performances(person)
        if link == "none":
            assert performance is not motion
        else:
            assert performance is motion
        return performance.events, look

    assert seen("none", False) == seen("none", True)
    assert seen("natural", False) != seen("natural", True)


def test_without_a_link_look_and_words_do_not_tell_the_takes_apart() -> None:
    """One place, one set of things and one person for all takes: what is seen names neither the activity nor the take."""
    videos = [job for job in jobs(TINY) if job.plan.has_video][:3]

    def scenes(link: str) -> list[bytes]:
        found = []
        for job in videos:
            made = TakeJob(job.plan, 0, link, job.pixels)  # type: ignore[arg-type]
            _, seen, look = made.performances(draw_person(0, "egoexo4d", job.plan.participant))
            scene = made.scene(seen, look)
            found.append(scene.atlas.tobytes() + repr((scene.place, scene.half, scene.boxes, scene.things)).encode())
        return found

    assert len(set(scenes("none"))) == 1
    assert len(set(scenes("natural"))) == len(videos)


def test_without_a_link_neighbouring_segments_look_no_more_alike_than_any_two() -> None:
    """A camera that stays near where it was would name the take; the natural one does, the unlinked one must not."""

    def nearest_is_of_the_same_take(link: str) -> float:
        looks, takes = [], []
        for number, job in enumerate([job for job in jobs(TINY) if job.plan.has_video][:6]):
            plan = replace(job.plan, n_frames=6000)
            seen = TakeJob(plan, 0, link, 64).performances(draw_person(0, "egoexo4d", plan.participant))[1]  # type: ignore[arg-type]
            values = seen.trajectory.values(np.arange(0, 200, 0.05)).reshape(40, 100, 6)
            gaze = np.concatenate([np.cos(values[:, :, 3]), np.sin(values[:, :, 3]), 3 * values[:, :, 4]], axis=1)
            looks.append(np.sort(gaze.reshape(40, 3, 100), axis=2).reshape(40, -1))
            takes += [number] * 40
        flat, take = np.concatenate(looks), np.array(takes)
        distance = ((flat[:, None] - flat[None]) ** 2).sum(axis=2)
        np.fill_diagonal(distance, np.inf)
        return float((take[distance.argmin(axis=1)] == take).mean())

    chance = 39 / 239
    assert nearest_is_of_the_same_take("natural") > 2.5 * chance
    assert nearest_is_of_the_same_take("none") < 1.5 * chance


def test_the_link_leaves_the_motion_alone() -> None:
    plan = jobs(TINY)[0].plan
    person = draw_person(0, "egoexo4d", plan.participant)
    motions = [TakeJob(plan, 0, link, 64).performances(person)[0] for link in ("natural", "none")]  # type: ignore[arg-type]
    assert motions[0].events == motions[1].events


def test_realworld_archives_keep_the_published_names(tiny: Corpus) -> None:
    data = tiny.root / "realworld2016" / "proband4" / "data"
    with zipfile.ZipFile(data / "acc_climbingup_csv.zip") as archive:
        assert set(archive.namelist()) == {f"acc_climbingup_{part}_csv.zip" for part in (1, 2, 3)}
    with zipfile.ZipFile(data / "gyr_climbingup_csv.zip") as archive:
        assert "gyr_climbingup_csv.zip" in archive.namelist()
        with zipfile.ZipFile(archive.open("gyr_climbingup_2_csv.zip")) as inner:
            assert "Gyroscope_climbingup_2_head.csv" in inner.namelist()
    with zipfile.ZipFile(tiny.root / "realworld2016" / "proband1" / "data" / "acc_climbingup_csv.zip") as archive:
        rows = archive.read("acc_climbingup_head.csv").decode().splitlines()
    assert rows[0] == "id,attr_time,attr_x,attr_y,attr_z"
    times = np.array([int(row.split(",")[1]) for row in rows[1:]])
    assert abs(np.diff(times).mean() - 20) < 0.5


def test_an_empty_corpus_says_so(tmp_path: Path) -> None:
    write_empty(tmp_path / "raw")
    assert json.loads((tmp_path / "raw" / "simulation.json").read_text()) == {"simulated": False}
    assert json.loads((tmp_path / "raw" / "injected.json").read_text()) == []


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EgoExo4DConfig(pixels=33), "egoexo4d.pixels must be even and >= 32, found 33"),
        (lambda: EgoExo4DConfig(sites=0), "egoexo4d.sites must be >= 1, found 0"),
        (lambda: EgoExo4DConfig(probe_take_s=3), "egoexo4d.probe_take_s must be >= 10, found 3"),
        (lambda: CorpusConfig(link="loose"), "link must be 'natural' or 'none', found 'loose'"),
    ],
)
def test_sizes_out_of_range_are_named(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]
