"""Sentences that go with the numbers, shared by the terminal, the page and the summary."""

from primus.evaluation.statistics import FEW_PARTICIPANTS
from primus.reporting.results import Interval, Results

SIMULATED = (
    "These numbers come from a simulated corpus and frozen random embeddings. They show that the machinery works, "
    "not that the method does: nothing about real people can be concluded from them."
)

RANDOM_EMBEDDINGS = (
    "The frozen video and text embeddings come from an untrained random network: what multimodal pretraining gains or loses here "
    "says nothing about pretraining with CLIP."
)


def percent(value: Interval) -> str:
    """`61.2 [57.0, 65.1]`, in percent."""
    return f"{100 * value.mean:.1f} [{100 * value.lo:.1f}, {100 * value.hi:.1f}]"


def points(value: Interval) -> str:
    """`+12.1 [+8.3, +15.9]`, in percentage points."""
    return f"{100 * value.mean:+.1f} [{100 * value.lo:+.1f}, {100 * value.hi:+.1f}]"


def size_of(results: Results, dataset: str) -> str:
    """`8 classes, chance 12.5 %, 640 test segments of 4 participants, 1 fold`."""
    facts = results.datasets[dataset]
    folds = "" if facts.folds == 1 else f" in {facts.folds} folds"
    return f"{facts.classes} classes, chance {100 / facts.classes:.1f} %, {facts.segments} test segments of {facts.participants} participants{folds}"


def caveats(results: Results) -> list[str]:
    """What a reader must know before believing an interval or comparing columns."""
    found = []
    if results.random_embeddings and not results.simulated:
        found.append(RANDOM_EMBEDDINGS)
    if results.seeds == 1:
        found.append("One pretraining seed: the intervals do not contain the variation between pretraining runs.")
    few = [name for name, facts in results.datasets.items() if facts.participants < FEW_PARTICIPANTS]
    if few:
        found.append(f"Fewer than {FEW_PARTICIPANTS} test participants in {', '.join(few)}: the intervals are too narrow there.")
    empty = [name for name, entry in results.segments.get("datasets", {}).items() if not entry.get("segments", 1)]
    if empty:
        found.append(f"No segment of {', '.join(empty)} could be used; metrics/segment.json counts why.")
    for name in results.datasets:
        unknown = results.segments.get("datasets", {}).get(name, {}).get("takes_of_unknown_people", 0)
        if unknown:
            found.append(f"{name}: {unknown} takes name no participant; they were split by take, so a person may be both in shots and in test.")
    for dataset in results.datasets:
        short = results.short_classes(dataset)
        if short:
            names = sorted({name for classes in short.values() for name in classes})
            found.append(
                f"{dataset}: at {', '.join(map(str, short))} shots (marked *) all segments of {', '.join(names)} were used, fewer than asked for."
            )
    if results.skipped:
        found.append(f"Not run on this corpus: {', '.join(results.skipped)} (see their pretraining metrics).")
    return found
