"""What to fetch for which modalities, chosen from the facts in `primus.fetch_facts` and put into words."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from primus.fetch_facts import DATASETS, DatasetPlan, Modalities, Note, Step


def fetch_plan(datasets: Sequence[str], modalities: Modalities) -> list[DatasetPlan]:
    """The plans of the named data sets (keys of `DATASETS`), without the steps that the modalities do not need."""
    video = modalities == "imu+text+video"
    return [
        DatasetPlan(
            plan.name,
            plan.title,
            plan.licence,
            plan.prepare,
            tuple(step for step in plan.steps if video or not step.video_only),
            plan.traps,
            plan.afterwards,
            plan.video_note if video else None,
        )
        for plan in (DATASETS[name] for name in datasets)
    ]


def as_rows(plans: Sequence[DatasetPlan]) -> list[dict[str, Any]]:
    """The plans as plain values, for `--json`."""
    return [asdict(plan) | {"known_gb": round(plan.known_gb(), 3), "sizes_unknown": plan.unknown()} for plan in plans]


def render(plans: Sequence[DatasetPlan], modalities: Modalities) -> str:
    """The plans as text to read and commands to paste; DIR stands for a folder of your choice, one for each data set."""
    return "\n\n".join(_rendered(plan, modalities) for plan in plans) + f"\n\n{_CLOSING}"


_CLOSING = """Then
  primus doctor                                          # says which roots are found and what is missing
  dvc exp run --temp -n paper -S data=egoexo4d           # needs CLIP_WEIGHTS as well: primus convert-clip
Sizes are those of the pages named (10^9 bytes); "unknown" means that none states one."""


def _rendered(plan: DatasetPlan, modalities: Modalities) -> str:
    lines = [f"{plan.title}: {modalities}", "", *_note(Note("Licence: " + plan.licence.text, plan.licence.source)), ""]
    lines += [f"  {command}" for command in plan.prepare]
    for step in plan.steps:
        lines += [f"  {step.command}", f"      # {_size(step)}: {step.why} ({step.source})"]
    known, unknown = plan.known_gb(), plan.unknown()
    more = f", and {unknown} of unknown size" if unknown else ""
    lines += ["", f"Together {known:,.0f} GB{more}." if known else "Size unknown."]
    if plan.video_note:
        lines += ["", *_note(plan.video_note)]
    lines += ["", "Known traps"]
    for trap in plan.traps:
        lines += _note(trap, "- ")
    return "\n".join([*lines, "", "When it is there", *(f"  {command}" for command in plan.afterwards)])


def _size(step: Step) -> str:
    if not step.gb:
        return "size unknown" if step.gb is None else "no download"
    return f"{'about ' if step.about else ''}{step.gb:g} GB"


def _note(note: Note, bullet: str = "") -> list[str]:
    text = note.text + (f" ({note.source})" if note.source else "")
    return textwrap.wrap(text, 110, initial_indent=bullet, subsequent_indent=" " * len(bullet), break_long_words=False, break_on_hyphens=False)
