"""Sentences that go with the numbers, shared by the terminal, the page and the summary."""

from collections.abc import Iterable

from primus.evaluation.statistics import FEW_PARTICIPANTS
from primus.reporting.how_judged import PROTOCOLS, in_both, listed
from primus.reporting.results import Interval, Results

SIMULATED = (
    "These numbers come from a simulated corpus and frozen random embeddings. They show that the machinery works, "
    "not that the method does: nothing about real people can be concluded from them."
)

RANDOM_EMBEDDINGS = (
    "The frozen video and text embeddings come from an untrained random network: what multimodal pretraining gains or loses here "
    "says nothing about pretraining with CLIP."
)


def percent(value: Interval | None) -> str:
    """`61.2 [57.0, 65.1]`, in percent; `-` where there is no value."""
    return "-" if value is None else f"{100 * value.mean:.1f} [{100 * value.lo:.1f}, {100 * value.hi:.1f}]"


def points(value: Interval | None) -> str:
    """`+12.1 [+8.3, +15.9]`, in percentage points; `-` where there is no value."""
    return "-" if value is None else f"{100 * value.mean:+.1f} [{100 * value.lo:+.1f}, {100 * value.hi:+.1f}]"


def size_of(results: Results, dataset: str) -> str:
    """`8 classes, chance 12.5 %, 640 test segments of 4 participants in 2 folds`."""
    facts = results.datasets[dataset]
    folds = "" if facts.folds == 1 else f" in {facts.folds} folds"
    tested = f"{facts.participants} {'takes' if facts.by_take else 'participants'}"
    return f"{facts.classes} classes, chance {100 / facts.classes:.1f} %, {facts.segments} test segments of {tested}{folds}"


def sizes(counts: Iterable[int]) -> str:
    """`120`, or `100-120` where they differ."""
    found = sorted(set(counts))
    return str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}"


def draws(results: Results) -> str:
    """`5 draws of shots`."""
    return f"{results.episodes} draw{'' if results.episodes == 1 else 's'} of shots"


def seeds_words(results: Results, methods: Iterable[str] | None = None, most: int | None = None) -> str:
    """`3 pretraining seeds (random and statistics: 1)`: of these methods (all), no more than `most` of each; the usual number is a trained one's."""
    known = results.methods if methods is None else [name for name in dict.fromkeys(methods) if name in results.methods]
    numbers = {name: results.seeds_of(name) if most is None else min(results.seeds_of(name), most) for name in known}
    if not numbers:
        return "no pretraining seed"
    usual = min((numbers[name] for name in results.trained if name in numbers), default=max(numbers.values()))
    apart = {number: listed([name for name in known if numbers[name] == number]) for number in sorted({*numbers.values()} - {usual})}
    beside = "; ".join(f"{names}: {number}" for number, names in apart.items())
    return f"{usual} pretraining seed{'' if usual == 1 else 's'}{f' ({beside})' if beside else ''}"


def caveats(results: Results) -> list[str]:
    """What a reader must know before believing an interval or comparing columns."""
    found = []
    if results.random_embeddings and not results.simulated:
        found.append(RANDOM_EMBEDDINGS)
    if results.protocol in PROTOCOLS:
        found.append(PROTOCOLS[results.protocol].format(datasets=in_both(results)))
    shared = [f"{facts.shared} in {name}" for name, facts in results.datasets.items() if facts.shared]
    if shared:
        found.append(f"People who gave shots are tested, too ({', '.join(shared)}): scores there are not those of people never seen.")
    single = [name for name, number in results.other_seeds.items() if number == 1]
    if results.seeds == 1:
        found.append("One pretraining seed: the intervals do not contain the variation between pretraining runs.")
    elif single:
        found.append(f"One seed of {listed(single)}: the intervals there do not contain the variation between seeds.")
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
