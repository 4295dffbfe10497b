"""What every command that learns from labelled recordings shares: the options that say where labels stand, and what it says of what was learnt."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primus.commands.encoding_options import stated_units

if TYPE_CHECKING:
    from primus.adapt.label_source import LabelSource

LABELS_HELP = "Where labels stand: column, folder (the first below LABELLED), or a regular expression with (?P<label>...). Default: what there is."
PEOPLE_HELP = (
    "Who it was: column, folder, or a regular expression with (?P<participant>...) for file names. Default: a column, else files are told apart."
)

Labels = Annotated[str | None, typer.Option(help=LABELS_HELP)]
Participants = Annotated[str | None, typer.Option(help=PEOPLE_HELP)]
Match = Annotated[str | None, typer.Option(help="Use only files in whose path this regular expression is found.")]
Share = Annotated[float, typer.Option(help="An activity shorter than a window must cover more than this share of the window centred on it.")]
Folds = Annotated[int, typer.Option(help="Folds of the cross-validation; where there are no more groups, each is tested by itself.", min=2)]
Seed = Annotated[int, typer.Option(help="Of folds, intervals and training.")]


def label_source(
    labels: str | None,
    participants: str | None,
    match: str | None,
    share: float,
    time_unit: str | None = None,
    accel_unit: str | None = None,
    gyro_unit: str | None = None,
) -> "LabelSource":
    """Where labels and people stand, from the options."""
    from primus.adapt.label_source import LabelSource

    return LabelSource(labels, participants, match, stated_units(time_unit, accel_unit, gyro_unit), share=share)


def say_trained(about: Any, out: Path, as_json: bool) -> None:
    """What was trained and how well it does, in words or as JSON."""
    from primus.adapt.report import score_lines

    if as_json:
        print(json.dumps(dict(about) | {"out": str(out)}, indent=1))
        return
    trained = about["trained"]
    for line in trained["said"]:
        print(line, file=sys.stderr)
    left_out = ", ".join(f"{reason} {count}" for reason, count in trained["left_out"].items())
    if left_out:
        print(f"left out: {left_out}", file=sys.stderr)
    print(
        f"{trained['windows']} windows of {len(trained['windows_of_class'])} classes: "
        + ", ".join(f"{k} {n}" for k, n in trained["windows_of_class"].items())
    )
    for line in score_lines(about):
        print(line)
    print(f"wrote {out}", file=sys.stderr)
