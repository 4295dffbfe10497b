"""The report of what the splits share: numbers that are zero when they must be, and words for what no number can tell."""

from pathlib import Path

import numpy as np

from primus.io.takes import Take
from primus.segments.grid import Interval
from primus.segments.leakage import leakage_text
from primus.segments.segmenter import TakeJob, TakeSegments
from primus.segments.splits import SplitRow, SplitTake, leakage_report, make_splits
from primus.segments.writer import SegmentWriter
from tests.segments.memory_dataset import settings_with


def take(dataset: str, uid: str, participant: str | None, purpose: str, digests: tuple[int, ...] = (), site: str | None = None) -> SplitTake:
    return SplitTake(dataset, uid, participant, purpose, {"walk": 4}, site, frozenset(digests))


def corpus() -> list[SplitTake]:
    takes = [take("ego", f"t{n}", f"ego/{n}", "pretrain", (10 * n, 10 * n + 1), f"site{n % 2}") for n in range(8)]
    takes += [take("phone", f"p{n}", f"har/{n}", "probe", (1000 + n,), "site0") for n in range(6)]
    return [*takes, take("clips", "karma", None, "pretrain", (5000,))]


def test_splits_of_different_people_leak_nothing() -> None:
    takes = corpus()
    rows = make_splits(takes, 0, 1, 0.2, 0.5)
    report = leakage_report(takes, rows)
    assert not any(count for name, count in report.items() if name.startswith(("participants", "takes_t", "takes_v", "takes_s", "segments")))
    text = leakage_text(takes, rows)
    assert "LEAK" not in text
    assert "Test has nobody and nothing in common with training, validation or shots." in text
    assert "shared people: train/val 0, train/shots 0, train/test 0, val/shots 0, val/test 0, shots/test 0" in text
    assert "whether a person of one population is also in another (ego, har)" in text
    assert "who is in 1 takes that name nobody" in text
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("  ") and line.split()[0] in ("shots", "test")}
    assert lines == {"shots": ["3", "12", "3", "0"], "test": ["3", "12", "3", "0"]}
    assert text == leakage_text(list(reversed(takes)), rows)


def test_one_recording_under_two_names_is_a_leak() -> None:
    takes = corpus()
    rows = make_splits(takes, 0, 1, 0.2, 0.5)
    tested = next(row.take_uid for row in rows if row.split == "test")
    trained = next(row.take_uid for row in rows if row.split == "train" and row.dataset == "ego")
    samples = next(one.digests for one in takes if one.take_uid == tested)
    takes = [take(one.dataset, one.take_uid, one.participant, one.purpose, tuple(samples)) if one.take_uid == trained else one for one in takes]
    assert leakage_report(takes, rows)["segments_train_test"] == 1
    assert "LEAK: segments with the same samples of train and test" in leakage_text(takes, rows)


def test_a_manifest_that_tests_a_trained_person_says_so() -> None:
    takes = [take("a", "one", "p/1", "pretrain"), take("a", "two", "p/1", "probe")]
    rows = [SplitRow(0, "a", "one", "p/1", "train"), SplitRow(0, "a", "two", "p/1", "test"), SplitRow(1, "a", "one", "p/1", "train")]
    text = leakage_text(takes, rows)
    assert "LEAK: people of train and test" in text.split("Fold 1:")[0]
    assert "LEAK" not in text.split("Fold 1:")[1]


def test_people_of_training_may_give_the_shots_of_another_device() -> None:
    takes = [take("watch", f"w{p}", f"har/{p}", "pretrain") for p in range(8)] + [take("phone", f"p{p}", f"har/{p}", "probe") for p in range(8)]
    text = leakage_text(takes, make_splits(takes, 0, 1, 0.2, 0.5))
    assert "LEAK" not in text
    assert "train/shots 0" not in text.split("shared takes")[0]


def test_the_writer_tells_equal_samples_and_only_those(tmp_path: Path) -> None:
    settings = settings_with()
    draw = np.random.default_rng(0)
    first = draw.normal(size=(3, 6, settings.samples)).astype(np.float32)
    second = np.concatenate((first[:1], first[1:2] + np.float32(1e-3)))
    intervals = tuple(Interval(5.0 * k) for k in range(3))
    facts = {"clock": "file", "n_imu_samples": 1, "rate_hz": 50.0, "duration_s": 20.0}
    with SegmentWriter(tmp_path, settings) as writer:
        for name, imu in (("a", first), ("b", second)):
            result = TakeSegments(intervals[: len(imu)], (False,) * len(imu), imu, (), facts)
            writer.add(TakeJob(Take("d", name), "pretrain", "tile"), result)
    a, b = (one.digests for one in writer.split_takes)
    assert (len(a), len(b), len(a & b)) == (3, 2, 1)
