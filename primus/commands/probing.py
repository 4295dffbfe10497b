"""Commands that put an encoder to work on people's own labels."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primus.commands.options import AsJson, file_to_write, folder_to_write
from primus.errors import UserError

if TYPE_CHECKING:
    from primus.adapt.labelled import LabelSource
    from primus.inference.feature_file import EncodeReport
    from primus.inference.policy import Policy
    from primus.inference.sources import Source

LABELLED_HELP = "A folder of recordings, one recording, or a features.parquet of `primus encode` to which you added a column label."
MODEL_HELP = "Folder of a model (config.json, model.safetensors), or a Hugging Face id."
LABELS_HELP = "Where labels stand: column, folder (the first below LABELLED), or a regular expression with (?P<label>...). Default: what there is."
PEOPLE_HELP = (
    "Who it was: column, folder, or a regular expression with (?P<participant>...) for file names. Default: a column, else files are told apart."
)
MATCH_HELP = "Use only files in whose path this regular expression is found."
HOP_HELP = "Seconds from one window to the next; by default the window's length."

Labelled = Annotated[Path, typer.Argument(help=LABELLED_HELP)]
Model = Annotated[str, typer.Option(help=MODEL_HELP)]
Labels = Annotated[str | None, typer.Option(help=LABELS_HELP)]
Participants = Annotated[str | None, typer.Option(help=PEOPLE_HELP)]
Match = Annotated[str | None, typer.Option(help=MATCH_HELP)]
Share = Annotated[float, typer.Option(help="An activity shorter than a window must cover more than this share of the window centred on it.")]
Hop = Annotated[float | None, typer.Option(help=HOP_HELP)]
TimeUnit = Annotated[str | None, typer.Option(help="Of tables: s, ms, us or ns. By default told by name, or guessed and said.")]
AccelUnit = Annotated[str | None, typer.Option(help="Of tables: m/s^2, g or mg. By default told by name, or guessed and said.")]
GyroUnit = Annotated[str | None, typer.Option(help="Of tables: rad/s or deg/s. By default told by name, or guessed and said.")]
MissingGyro = Annotated[str, typer.Option(help="A recording without gyroscope: refuse, or zeros.")]
Short = Annotated[str, typer.Option(help="A recording shorter than a window: reflect (mirror it in time to fill one), or refuse.")]
Folds = Annotated[int, typer.Option(help="Folds of the cross-validation; where there are no more groups, each is tested by itself.", min=2)]
Seed = Annotated[int, typer.Option(help="Of folds, intervals and training.")]
Threads = Annotated[int, typer.Option(help="Batches encoded at a time, one core each; results do not depend on it.", min=1)]

probe = typer.Typer(help="Train a small classifier on your own labels, and use it.", no_args_is_help=True)


@probe.command("train")
def train(
    labelled: Labelled,
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder to write: head.json, head.safetensors, report.html.")],
    labels: Labels = None,
    participants: Participants = None,
    match: Match = None,
    c: Annotated[float, typer.Option(help="Inverse penalty of the logistic regression.")] = 1.0,
    folds: Folds = 10,
    seed: Seed = 0,
    baseline: Annotated[bool, typer.Option(help="Score hand-made statistics with a random forest on the same folds.")] = True,
    share: Share = 0.5,
    unscored: Annotated[
        bool, typer.Option("--unscored", help="Train without cross-validation: with one participant no honest score can be had.")
    ] = False,
    hop: Hop = None,
    time_unit: TimeUnit = None,
    accel_unit: AccelUnit = None,
    gyro_unit: GyroUnit = None,
    missing_gyro: MissingGyro = "refuse",
    short: Short = "reflect",
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Train a probe on frozen features, tested on people (or files) that it was not trained on."""
    from primus.adapt.head import DESCRIPTION
    from primus.adapt.probe_training import ProbeSettings, open_labelled, train_probe
    from primus.adapt.report import write_report
    from primus.artifacts import atomic_folder
    from primus.inference.contract import open_encoder

    folder_to_write(out, DESCRIPTION)
    settings = ProbeSettings(c, folds, seed, baseline, not unscored)
    where, policy = label_source(labels, participants, match, share, time_unit, accel_unit, gyro_unit), window_policy(hop, missing_gyro, short)
    one_thread()
    encoder = open_encoder(model)
    trained = train_probe(open_labelled(labelled, encoder, model, where, policy), encoder, model, settings, threads)
    with atomic_folder(out) as folder:
        trained.head.save(folder)
        write_report(folder / "report.html", trained.head, "Probe on your labels")
    say_trained(trained.head.about, out, as_json)


@probe.command("predict")
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Recordings and folders of them, or one features.parquet of `primus encode`.")],
    probe: Annotated[Path, typer.Option(help="Folder that `primus probe train` or `primus finetune` wrote.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write: source, start_s, end_s, label, probability, and the probability of each class.")],
    model: Annotated[str | None, typer.Option(help=f"{MODEL_HELP} By default the one the probe was trained with.")] = None,
    hop: Hop = None,
    time_unit: TimeUnit = None,
    accel_unit: AccelUnit = None,
    gyro_unit: GyroUnit = None,
    missing_gyro: MissingGyro = "refuse",
    short: Short = "reflect",
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Say for every window of some recordings which class it is, and how sure the probe is. Interrupted, it continues when started again."""
    from primus.adapt.head import load_head
    from primus.adapt.prediction import predict as classify
    from primus.inference.contract import open_encoder
    from primus.inference.feature_file import EncodeSettings

    file_to_write(out, ".parquet")
    head = load_head(probe)
    name = model or (str(probe) if (probe / "config.json").is_file() else str((head.about.get("model") or {}).get("name")))
    units = stated_units(time_unit, accel_unit, gyro_unit)
    settings = EncodeSettings(window_policy(hop, missing_gyro, short), None, units)
    one_thread()
    sum_up_guesses()
    done = classify(paths, head, open_encoder(name), name, out, settings, threads, tracked)
    if done.encoded is not None:
        say_refused(done.encoded, out)
    for line in done.said:
        print(f"warning: {line}", file=sys.stderr)
    if as_json:
        print(json.dumps({"out": str(out), "windows": done.windows, "labels": done.labels}, indent=1))
        return
    for label, count in done.labels.items():
        print(f"{label:24}{count}")
    print(f"{done.windows} windows: {out}", file=sys.stderr)


def label_source(
    labels: str | None,
    participants: str | None,
    match: str | None,
    share: float,
    time_unit: str | None,
    accel_unit: str | None,
    gyro_unit: str | None,
) -> "LabelSource":
    """Where labels and people stand, from the options."""
    from primus.adapt.labelled import LabelSource

    return LabelSource(labels, participants, match, stated_units(time_unit, accel_unit, gyro_unit), share=share)


def stated_units(time_unit: str | None, accel_unit: str | None, gyro_unit: str | None) -> dict[str, str]:
    """The units that were stated, in canonical spelling; an unknown one is said with its option."""
    from primus.io.table_file import checked_units

    found: dict[str, str] = {}
    for key, unit in (("time", time_unit), ("accel", accel_unit), ("gyro", gyro_unit)):
        try:
            found |= checked_units({key: unit} if unit is not None else None, "options")
        except UserError as error:
            raise UserError(str(error).replace(f"options: units.{key}", f"--{key}-unit")) from None
    return found


def window_policy(hop: float | None, missing_gyro: str, short: str) -> "Policy":
    """How recordings become windows, from the options."""
    from primus.inference.policy import Policy

    try:
        return Policy(hop, missing_gyro, short)  # type: ignore[arg-type]
    except UserError as error:
        said = str(error)
        for name, option in (("hop_s", "--hop"), ("missing_gyro", "--missing-gyro"), ("short", "--short")):
            said = option + said.removeprefix(name) if said.startswith(f"{name} is") else said
        raise UserError(said) from None


def one_thread() -> None:
    """Let each tensor operation use one thread, so that results do not depend on the machine's cores."""
    import torch

    torch.set_num_threads(1)


def tracked(sources: Iterator["Source"], total: int) -> Iterator["Source"]:
    """Progress over sources."""
    from primus.stage import progress

    return progress(sources, "encode", total, "source")


def sum_up_guesses() -> None:
    """Keep the reader of tables from saying its guesses file by file; `policy_lines` says them once."""
    logging.getLogger("primus.io.table_file").setLevel(logging.ERROR)


def policy_lines(report: "EncodeReport") -> list[str]:
    """What was assumed or filled in, with the number of sources; contradictory guesses are pointed out."""
    from primus.inference.recording_windows import policy_words

    lines = [f"{words} ({count} of {report.sources} sources)" for note, count in report.notes.items() for words in policy_words({note: count})]
    for key in ("time", "accel", "gyro"):
        units = [note for note in report.notes if note.startswith(f"guessed_{key}_")]
        if len(units) > 1:
            lines.append(f"warning: {key} was guessed in different units in different sources; state --{key}-unit")
    return lines


def say_refused(report: "EncodeReport", out: Path) -> None:
    """How many sources were refused, why the first was, and what was assumed of the others, on stderr."""
    for line in policy_lines(report):
        print(line, file=sys.stderr)
    refused = report.refused_sources
    if refused:
        first = refused[0]
        listed = out.with_suffix(".rejects.csv")
        print(f"{len(refused)} of {report.sources} sources refused ({first.take_uid}: {first.reason}), see {listed}", file=sys.stderr)


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
