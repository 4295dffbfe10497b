"""Splits: people are never shared where they must not be, whatever the data."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.errors import UserError
from primus.segments.splits import SplitRow, SplitTake, divide, leakage_report, make_splits

CLASSES = ["cook", "dance", "climb rock"]


def people_of(takes: list[SplitTake], rows: list[SplitRow], fold: int) -> dict[str, set[str]]:
    group = {(take.dataset, take.take_uid): take.group for take in takes}
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.fold == fold:
            found[row.split].add(group[row.dataset, row.take_uid])
    return found


@st.composite
def corpora(draw: st.DrawFn) -> list[SplitTake]:
    """Takes of up to three data sets that may share people, some of whom are unknown."""
    takes = []
    for dataset, purposes in (("ego", ["pretrain", "probe"]), ("watch", ["pretrain"]), ("phone", ["probe"])):
        for number in range(draw(st.integers(0, 14))):
            person = draw(st.sampled_from([None, *(f"people/{k}" for k in range(6))]))
            label = draw(st.sampled_from([*CLASSES, None]))
            purpose = draw(st.sampled_from(purposes))
            takes.append(SplitTake(dataset, f"{dataset}{number}", person, purpose, {label: draw(st.integers(1, 30))}, draw(st.sampled_from("xyz"))))
    return takes


@settings(max_examples=300, deadline=None)
@given(corpora(), st.integers(0, 5), st.sampled_from([1, 2, 4, 50]), st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.sampled_from([0.2, 0.5]))
def test_split_laws(takes: list[SplitTake], seed: int, folds: int, val_fraction: float, test_fraction: float) -> None:
    probe = {take.group for take in takes if take.purpose == "probe"}
    if len(probe) == 1:
        with pytest.raises(UserError, match="at least two participants"):
            make_splits(takes, seed, folds, val_fraction, test_fraction)
        return
    rows = make_splits(takes, seed, folds, val_fraction, test_fraction)
    assert rows == make_splits(takes[::-1], seed, folds, val_fraction, test_fraction)
    assert len({(row.fold, row.dataset, row.take_uid) for row in rows}) == len(rows)
    purpose = {(take.dataset, take.take_uid): take.purpose for take in takes}
    for row in rows:
        assert (row.split in ("shots", "test")) == (purpose[row.dataset, row.take_uid] == "probe")
    numbers = sorted({row.fold for row in rows})
    tested: Counter[str] = Counter()
    for fold in numbers:
        people = people_of(takes, rows, fold)
        assert not people["test"] & (people["train"] | people["val"] | people["shots"])
        assert not people["val"] & people["shots"]
        shots_of = {(row.dataset, row.participant) for row in rows if row.fold == fold and row.split == "shots" and row.participant}
        trained_on = {(row.dataset, row.participant) for row in rows if row.fold == fold and row.split == "train" and row.participant}
        assert not shots_of & trained_on
        if probe:
            assert people["test"]
            assert people["shots"]
        usable = people["train"] | people["val"]
        if len(usable) >= 3 and val_fraction:
            assert people["val"]
            assert people["train"]
            assert not people["train"] & people["val"]
        tested.update(people["test"])
    if probe and folds > 1:
        assert numbers == list(range(min(folds, len(probe))))
        assert tested == Counter(dict.fromkeys(probe, 1))
    report = leakage_report(takes, rows)
    for pair in ("train_test", "val_test", "shots_test", "val_shots"):
        assert report[f"participants_{pair}"] == 0
        assert report[f"takes_{pair}"] == 0
    assert 0 <= report["site_share"] <= 1


def ego_corpus(people: int = 24) -> list[SplitTake]:
    takes = []
    for person in range(people):
        purpose = "pretrain" if person % 2 else "probe"
        for number in range(3):
            takes.append(SplitTake("ego", f"p{person}t{number}", f"ego/{person}", purpose, {CLASSES[(person // 2) % 3]: 20}, f"site{person % 4}"))
    return takes


def test_one_fold_with_official_splits_keeps_all_four_groups_apart() -> None:
    takes = ego_corpus()
    people = people_of(takes, make_splits(takes, 0, 1, 0.1, 0.5), 0)
    names = ["train", "val", "shots", "test"]
    assert all(people[name] for name in names)
    assert not any(people[a] & people[b] for a in names for b in names if a < b)
    assert sum(map(len, people.values())) == 24


def test_every_class_gives_shots_and_is_tested() -> None:
    takes = ego_corpus()
    labels = {take.take_uid: next(iter(take.labels)) for take in takes}
    for seed in range(5):
        rows = make_splits(takes, seed, 1, 0.1, 0.5)
        counts = Counter((row.split, labels[row.take_uid]) for row in rows if row.split in ("shots", "test"))
        assert counts == Counter({(split, label): 6 for split in ("shots", "test") for label in CLASSES})


def test_the_seed_matters_and_nothing_else_does() -> None:
    takes = ego_corpus()
    draws = {tuple(make_splits(takes, seed, 1, 0.1, 0.5)) for seed in range(6)}
    assert len(draws) > 1
    assert make_splits(takes, 3, 1, 0.1, 0.5) == make_splits(takes, 3, 1, 0.1, 0.5)


def test_watch_and_phone_of_the_same_people_rotate() -> None:
    takes = [SplitTake("watch", f"w{p}{n}", f"har/{p}", "pretrain", {None: 7}) for p in range(12) for n in range(4)]
    takes += [SplitTake("phone", f"p{p}{n}", f"har/{p}", "probe", {"walk": 3, "sit": 1}) for p in range(12) for n in range(4)]
    takes += [SplitTake("clips", name, None, "pretrain", {None: 4}) for name in ("karma", "max")]
    rows = make_splits(takes, 0, 4, 0.1, 0.5)
    for fold in range(4):
        people = people_of(takes, rows, fold)
        assert len(people["test"]) == 3
        assert len(people["shots"]) == 8
        assert people["shots"] <= people["train"]
        assert {"take:clips/karma", "take:clips/max"} <= people["train"]
        assert len(people["val"]) == 1
    assert leakage_report(takes, rows)["participants_train_shots"] == 8
    assert leakage_report(takes, rows)["takes_left_out"] == 3 * 4 + 4


def test_few_groups_validate_by_take() -> None:
    takes = [SplitTake("own", f"t{n}", "own/me", "pretrain", {None: 5}) for n in range(4)]
    assert Counter(row.split for row in make_splits(takes, 0, 1, 0.2, 0.5)) == Counter({"train": 3, "val": 1})
    assert [row.split for row in make_splits(takes[:1], 0, 1, 0.2, 0.5)] == ["train"]


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.dictionaries(st.sampled_from("xyz"), st.integers(1, 20), min_size=1), max_size=12),
    st.integers(2, 5),
)
def test_divide_gives_every_group_one_part_and_leaves_none_empty(groups: dict[str, dict[str, int]], parts: int) -> None:
    assigned = divide(groups, [1 / parts] * parts, np.random.default_rng(0))
    assert set(assigned) == set(groups)
    assert len(set(assigned.values())) == min(parts, len(groups))


def test_divide_shares_out_sizes() -> None:
    random = np.random.default_rng(1)
    groups = {f"g{n}": {"a": int(random.integers(1, 40)), "b": int(random.integers(1, 40))} for n in range(60)}
    assigned = divide(groups, [0.2, 0.8], np.random.default_rng(0))
    for label in "ab":
        total = sum(counts[label] for counts in groups.values())
        share = sum(counts[label] for name, counts in groups.items() if assigned[name] == 0) / total
        assert abs(share - 0.2) < 0.03


def test_divide_is_fast_for_thousands_of_takes() -> None:
    groups = {f"g{n}": {CLASSES[n % 3]: 10} for n in range(5000)}
    sizes = Counter(divide(groups, [0.5, 0.5], np.random.default_rng(0)).values())
    assert abs(sizes[0] - 2500) <= len(CLASSES)
