"""What every command that encodes recordings shares: its options, how it begins, and what it says of what was assumed and refused."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from primus.errors import UserError

if TYPE_CHECKING:
    from primus.inference.feature_file import EncodeReport
    from primus.inference.policy import Policy
    from primus.inference.sources import Source

Hop = Annotated[float | None, typer.Option(help="Seconds from one window to the next; by default the window's length.")]
TimeUnit = Annotated[str | None, typer.Option(help="Of tables: s, ms, us or ns. By default told by name, or guessed and said.")]
AccelUnit = Annotated[str | None, typer.Option(help="Of tables: m/s^2, g or mg. By default told by name, or guessed and said.")]
GyroUnit = Annotated[str | None, typer.Option(help="Of tables: rad/s or deg/s. By default told by name, or guessed and said.")]
MissingGyro = Annotated[str, typer.Option(help="A recording without gyroscope: refuse, or zeros.")]
Short = Annotated[str, typer.Option(help="A recording shorter than a window: reflect (mirror it in time to fill one, and say so), or refuse.")]
Threads = Annotated[
    int | None, typer.Option(help="Batches encoded at a time, one core each; by default every core. Results do not depend on it.", min=1)
]


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


def side_by_side(threads: int | None) -> int:
    """Batches to encode at a time: as many as stated, else one on every core that this process may use.

    A person waits for a command and wants it soon; nothing is lost by taking all cores, since results are the same bytes for any number.
    """
    if threads is not None:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_thread() -> None:
    """Let each operation use one thread, so that results do not depend on the machine's cores and batches side by side do not contend for them.

    For the numeric libraries that are loaded: to be called after a command's imports.
    """
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch.set_num_threads(1)
    threadpool_limits(1)


def sum_up_guesses() -> None:
    """Keep the readers of tables from saying their guesses file by file; a command says them once, summed up."""
    for module in ("table_file", "table"):
        logging.getLogger(f"primus.io.{module}").setLevel(logging.ERROR)


def tracked(sources: Iterator["Source"], total: int) -> Iterator["Source"]:
    """Progress over sources."""
    from primus.stage import progress

    return progress(sources, "encode", total, "source")


def policy_lines(report: "EncodeReport") -> list[str]:
    """What was assumed or filled in, with the number of sources; contradictory guesses are pointed out."""
    from primus.inference.recording_windows import summed_words

    return summed_words(report.notes, report.sources, "sources")


def say_refused(report: "EncodeReport", out: Path) -> None:
    """How many sources were refused, why the first was, and what was assumed of the others, on stderr."""
    for line in policy_lines(report):
        print(line, file=sys.stderr)
    refused = report.refused_sources
    if refused:
        first = refused[0]
        listed = out.with_suffix(".rejects.csv")
        print(f"{len(refused)} of {report.sources} sources refused ({first.take_uid}: {first.reason}), see {listed}", file=sys.stderr)


def say_classes(out: Path, labels: Mapping[str, int], encoded: "EncodeReport | None", said: Sequence[str], as_json: bool) -> None:
    """How many windows got which label, after what was refused and what to be careful with.

    Args:
        out: the file of labels.
        labels: label -> windows.
        encoded: how the recordings were encoded; None where features were given.
        said: warnings.
        as_json: print one JSON document instead of the counts.
    """
    if encoded is not None:
        say_refused(encoded, out)
    for line in said:
        print(f"warning: {line}", file=sys.stderr)
    windows = sum(labels.values())
    if as_json:
        print(json.dumps({"out": str(out), "windows": windows, "labels": dict(labels)}, indent=1))
        return
    for label, count in labels.items():
        print(f"{label:24}{count}")
    print(f"{windows} windows: {out}", file=sys.stderr)
