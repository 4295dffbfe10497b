"""The `primus` command: for people with a model or recordings in hand. The pipeline itself is run with `dvc repro`.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

import sys
from typing import Annotated

import typer

from primus.commands import comparing, experiments, exporting, features, fetching, finetuning, probing, prompting, recordings, repository, weights
from primus.errors import Rejected, UserError
from primus.system_faults import lacked_memory

app = typer.Typer(
    name="primus",
    help="Pretrain, compare and use IMU encoders. The pipeline is run with `dvc repro`; these commands serve your own files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it would take "[texts]" of a help string for markup, and drop it
)


def _say_version(asked: bool) -> None:
    if asked:
        from primus import __version__

        print(f"primus {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_say_version)] = False,
) -> None:
    """Options before any command."""


app.command()(repository.doctor)
app.command()(repository.mend)
app.command()(repository.leakage)
app.command()(recordings.inspect)
app.command()(features.encode)
app.add_typer(probing.probe, name="probe")
app.command()(finetuning.finetune)
app.command()(prompting.zeroshot)
app.command()(prompting.retrieve)
app.command()(exporting.export)
app.command()(comparing.compare)
app.command()(experiments.ablations)
app.command()(experiments.figures)
app.command("extract-imu")(fetching.extract_imu)
app.command("fetch-plan")(fetching.fetch_plan)
app.command("import-checkpoint")(weights.import_checkpoint)
app.command("convert-clip")(weights.convert_clip)


def main() -> None:
    """Run the command; a mistake, or a lack of memory, is one line on stderr and exit status 1, never a traceback."""
    try:
        app(standalone_mode=True)
    except (UserError, Rejected) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        if not lacked_memory(error):
            raise
        said = " ".join(str(error).split())[:120] or "no more was given"
        print(f"error: out of memory ({said}); free some and run the command again", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
