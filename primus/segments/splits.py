"""Who is in which split: people, where known, else takes, are never shared between pretraining's validation, shots and test.

A *group* is a participant, or a take of unknown participant. Participants carry their population ("<population>/<id>"), so two data sets of
the same people share groups. In every fold:

- groups with probe takes are divided into shots and test; with several folds each of them is tested exactly once;
- a group in test has no other take in the fold, whatever its data set;
- a group in shots keeps its pretraining takes of *other* data sets (a watch may be pretrained on the people whose phone gives the shots), not
  those of the same one;
- a share of the pretraining groups is its validation, and they give no shots.

Takes left out of a fold by these rules have no row in it, and are counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from primus.errors import UserError
from primus.seeds import generator
from primus.segments.groups import group_of

PARTS = ("train", "val", "shots", "test")

VAL_FROM_GROUPS = 3
"""Pretraining groups from which validation is by group; with fewer it is by take."""


@dataclass(frozen=True)
class SplitTake:
    """What a split needs to know of a take.

    Attributes:
        labels: its segments by class (one entry, None, where they have none).
        digests: of its segments' samples, so that the same recording under two names is noticed; it takes no part in the split.
    """

    dataset: str
    take_uid: str
    participant: str | None
    purpose: str
    labels: Mapping[str | None, int]
    site: str | None = None
    digests: frozenset[int] = frozenset()

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return sum(self.labels.values())

    @property
    def group(self) -> str:
        """The participant, or the take itself where nobody is known."""
        return group_of(self.dataset, self.take_uid, self.participant)


@dataclass(frozen=True)
class SplitRow:
    """One row of splits.parquet."""

    fold: int
    dataset: str
    take_uid: str
    participant: str | None
    split: str


def make_splits(takes: Sequence[SplitTake], seed: int, folds: int, val_fraction: float, test_fraction: float) -> list[SplitRow]:
    """Splits of every fold, ordered by fold, data set and take.

    Args:
        takes: takes with at least one segment, in any order; the result does not depend on it.
        seed: of the draw.
        folds: 1 draws `test_fraction` of the probe groups for test; more rotate, and are reduced to the number of probe groups.
        val_fraction: share of the pretraining segments that validates, as near as groups drawn one by one come to it, and at least one group.
        test_fraction: share of the probe segments that is tested when `folds` is 1.

    Raises:
        UserError: there are probe takes, but of one group only.
    """
    takes = sorted(takes, key=lambda take: (take.dataset, take.take_uid))
    probe = _by_group(take for take in takes if take.purpose == "probe")
    pretrain = [take for take in takes if take.purpose == "pretrain"]
    if len(probe) == 1:
        raise UserError(
            f"the probe's takes all belong to {next(iter(probe))}; expected at least two participants (or takes of unknown participants), "
            "since nobody may give both shots and test: add recordings of other people, or leave `probe` out of the data set's purpose"
        )
    folds = max(1, min(folds, len(probe)))
    if folds > 1:
        tested = divide(_strata(probe), [1 / folds] * folds, generator(seed, "splits", "folds"))
    else:
        tested = divide(_strata(probe), [test_fraction, 1 - test_fraction], generator(seed, "splits", "test"))
    rows: list[SplitRow] = []
    for fold in range(folds):
        test = {group for group, number in tested.items() if number == fold}
        rows += _fold(fold, takes, pretrain, probe, test, val_fraction, generator(seed, "splits", "val", fold))
    return rows


def _fold(
    fold: int,
    takes: Sequence[SplitTake],
    pretrain: Sequence[SplitTake],
    probe: Mapping[str, Sequence[SplitTake]],
    test: set[str],
    val_fraction: float,
    random: np.random.Generator,
) -> list[SplitRow]:
    own_probe = {(take.dataset, group) for group, members in probe.items() for take in members}
    usable = [take for take in pretrain if take.group not in test and (take.dataset, take.group) not in own_probe]
    usable_ids = {(take.dataset, take.take_uid) for take in usable}
    shots = set(probe) - test
    val_groups, val_takes = _validation(usable, shots, val_fraction, random)
    rows: list[SplitRow] = []
    for take in takes:
        split: str | None = None
        if take.purpose == "probe":
            split = "test" if take.group in test else None if take.group in val_groups else "shots"
        elif (take.dataset, take.take_uid) in usable_ids:
            split = "val" if take.group in val_groups or (take.dataset, take.take_uid) in val_takes else "train"
        if split is not None:
            rows.append(SplitRow(fold, take.dataset, take.take_uid, take.participant, split))
    return rows


def _validation(usable: Sequence[SplitTake], shots: set[str], fraction: float, random: np.random.Generator) -> tuple[set[str], set[tuple[str, str]]]:
    """The validation groups, or, with fewer than three groups, validation takes; nothing where there is one take.

    Data sets with fewer than three groups stay in training whole, if another can give the validation; every data set keeps a group to train on, and
    at least one group is left for shots.
    """
    if fraction <= 0:
        return set(), set()
    groups = _by_group(usable)
    if len(groups) < VAL_FROM_GROUPS:
        unshared = [take for take in usable if take.group not in shots]
        if len(usable) < 2 or not unshared:
            return set(), set()
        chosen = unshared[int(random.integers(len(unshared)))]
        return set(), {(chosen.dataset, chosen.take_uid)}
    sizes = Counter(dataset for members in groups.values() for dataset in {take.dataset for take in members})
    large = {dataset for dataset, size in sizes.items() if size >= VAL_FROM_GROUPS}
    eligible = sorted(group for group, members in groups.items() if {take.dataset for take in members} & large) or sorted(groups)
    if shots and shots <= set(eligible):
        eligible.remove(sorted(shots)[int(random.integers(len(shots)))])
    if not eligible:
        return set(), set()
    target = fraction * sum(take.segments for take in usable)
    validation: set[str] = set()
    reached = 0
    for group in random.permutation(np.array(eligible, dtype=object)).tolist():
        datasets = {take.dataset for take in groups[group]}
        if any(sizes[dataset] == 1 for dataset in datasets):
            continue  # the last of its data set to train on, perhaps the last with video and text
        weight = sum(take.segments for take in groups[group])
        if validation and abs(reached + weight - target) >= abs(reached - target):
            break
        validation.add(group)
        reached += weight
        sizes.subtract(datasets)
    return validation, set()


def _by_group(takes: Iterable[SplitTake]) -> dict[str, list[SplitTake]]:
    groups: dict[str, list[SplitTake]] = defaultdict(list)
    for take in takes:
        groups[take.group].append(take)
    return dict(sorted(groups.items()))


def _strata(groups: Mapping[str, Sequence[SplitTake]]) -> dict[str, Counter[str]]:
    """Segments of each group by data set and class."""
    counts: dict[str, Counter[str]] = {}
    for group, takes in groups.items():
        counts[group] = Counter()
        for take in takes:
            for label, count in take.labels.items():
                counts[group][f"{take.dataset}\x1f{label}"] += count
    return counts


def divide(groups: Mapping[str, Mapping[str, int]], fractions: Sequence[float], random: np.random.Generator) -> dict[str, int]:
    """Assign each group to one of the parts so that every class is shared out in the wanted `fractions`, as far as whole groups allow.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), for groups: the class with the fewest unassigned groups goes first, its
    largest group first, to the part that is least full of the group's classes. No part stays empty while there are groups enough. Every group
    has at least one class with a positive count, and fractions are positive.
    """
    order = {name: rank for rank, name in enumerate(random.permutation(np.array(sorted(groups), dtype=object)).tolist())}
    ties = random.permutation(len(fractions)).tolist()
    totals: Counter[str] = Counter()
    queues: dict[str, list[str]] = defaultdict(list)
    for name, counts in groups.items():
        for label, count in counts.items():
            totals[label] += count
            queues[label].append(name)
    for label, queue in queues.items():
        queue.sort(key=lambda name: (-groups[name][label], order[name]))
    waiting = {label: len(queue) for label, queue in sorted(queues.items())}
    given: list[Counter[str]] = [Counter() for _ in fractions]

    def filled(part: int, name: str) -> float:
        """How full the part is of the group's classes: 1 when it has its fraction of each."""
        weights = {label: count / totals[label] for label, count in groups[name].items() if count}
        full = sum(weight * given[part][label] / (fractions[part] * totals[label]) for label, weight in weights.items())
        return round(full / sum(weights.values()), 9)

    assigned: dict[str, int] = {}
    while len(assigned) < len(groups):
        label = min((label for label, count in waiting.items() if count), key=lambda label: waiting[label])
        name = next(name for name in queues[label] if name not in assigned)
        empty = set(range(len(fractions))) - set(assigned.values())
        parts = empty if len(groups) - len(assigned) <= len(empty) else range(len(fractions))
        part = min(parts, key=lambda number: (filled(number, name), -fractions[number], ties[number]))
        assigned[name] = part
        given[part].update(groups[name])
        for other in groups[name]:
            waiting[other] -= 1
    return assigned


def leakage_report(takes: Sequence[SplitTake], rows: Sequence[SplitRow]) -> dict[str, int | float]:
    """What the splits share, as numbers for metrics; each is the worst fold's.

    `participants_*` and `takes_*` count groups and takes common to two splits; by the rules above only `participants_train_shots` and
    `participants_train_val` can exceed zero. `segments_*` counts segments whose samples occur in two splits: the same recording under two names.
    `site_share` is the share of test segments recorded at a site that also gives training or shots; `takes_left_out` counts takes without a row.
    """
    known = {(take.dataset, take.take_uid): take for take in takes}
    pairs = list(combinations(PARTS, 2))
    report = {f"{what}_{first}_{second}": 0 for what in ("participants", "takes", "segments") for first, second in pairs} | {"takes_left_out": 0}
    site_share = 0.0
    for fold in sorted({row.fold for row in rows}):
        mine = [row for row in rows if row.fold == fold]
        uids: dict[str, set[tuple[str, str]]] = {split: {(row.dataset, row.take_uid) for row in mine if row.split == split} for split in PARTS}
        people = {split: {known[uid].group for uid in uids[split]} for split in PARTS}
        samples = {split: set().union(*(known[uid].digests for uid in uids[split])) for split in PARTS}
        for first, second in pairs:
            for what, held in (("participants", people), ("takes", uids), ("segments", samples)):
                name = f"{what}_{first}_{second}"
                report[name] = max(report[name], len(held[first] & held[second]))
        report["takes_left_out"] = max(report["takes_left_out"], len(known) - len(set().union(*uids.values())))
        sites = {known[uid].site for split in ("train", "val", "shots") for uid in uids[split]} - {None}
        tested = [known[uid] for uid in uids["test"]]
        size = sum(take.segments for take in tested)
        if size:
            site_share = max(site_share, sum(take.segments for take in tested if take.site in sites) / size)
    return {**report, "site_share": site_share}
