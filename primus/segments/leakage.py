"""What the splits share, in words: the report that stands beside the split manifest."""

from collections.abc import Sequence
from itertools import combinations

from primus.segments.splits import PARTS, SplitRow, SplitTake, leakage_report

APART = tuple((first, "test") for first in PARTS[:3]) + (("val", "shots"),)
"""Splits that may have nobody in common. Training and validation may, where there are too few people to validate by person; training and shots may
have the people of one data set's training and another's shots."""
_SHARED = {"participants": "people", "takes": "takes", "segments": "segments with the same samples"}


def leakage_text(takes: Sequence[SplitTake], rows: Sequence[SplitRow]) -> str:
    """How many people, takes and segments each split of each fold has, what any two splits share, and what nobody can tell from the data.

    Args:
        takes: every take with a segment.
        rows: the split manifest.
    """
    known = {(take.dataset, take.take_uid): take for take in takes}
    lines = ["Who and what the splits share", ""]
    for fold in sorted({row.fold for row in rows}):
        mine = [row for row in rows if row.fold == fold]
        lines += [f"Fold {fold}:", f"  {'split':<6}{'takes':>8}{'segments':>10}{'people':>8}{'takes of nobody known':>24}"]
        for split in PARTS:
            inside = [known[row.dataset, row.take_uid] for row in mine if row.split == split]
            people = {take.participant for take in inside if take.participant}
            unknown = sum(take.participant is None for take in inside)
            lines.append(f"  {split:<6}{len(inside):>8}{sum(take.segments for take in inside):>10}{len(people):>8}{unknown:>24}")
        shared = leakage_report(takes, mine)
        for what, words in _SHARED.items():
            counts = ", ".join(f"{first}/{second} {shared[f'{what}_{first}_{second}']}" for first, second in combinations(PARTS, 2))
            lines.append(f"  shared {words}: {counts}")
        leaks = [
            f"{words} of {first} and {second}" for what, words in _SHARED.items() for first, second in APART if shared[f"{what}_{first}_{second}"]
        ]
        lines.append(f"  LEAK: {'; '.join(leaks)}" if leaks else "  Test has nobody and nothing in common with training, validation or shots.")
        lines += [f"  {shared['site_share']:.0%} of the test segments were recorded at a site that also trains or gives shots.", ""]
    return "\n".join([*lines, *_untold(takes)]) + "\n"


def _untold(takes: Sequence[SplitTake]) -> list[str]:
    populations = sorted({take.participant.rpartition("/")[0] for take in takes if take.participant})
    nobody = sum(take.participant is None for take in takes)
    lines = ["What this cannot tell:"]
    if len(populations) > 1:
        lines.append(
            f"- whether a person of one population is also in another ({', '.join(populations)}): data sets that share `population` share people."
        )
    if nobody:
        lines.append(f"- who is in {nobody} takes that name nobody: they are kept apart by take, so one person may be in several splits.")
    return [*lines, "- whether a recording occurs twice with other samples: cut at other times, resampled or filtered."]
