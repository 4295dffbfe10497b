"""The `primus` command: for people with a model or recordings in hand. The pipeline itself is run with `dvc repro`.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from primus.errors import Rejected, UserError

app = typer.Typer(
    name="primus",
    help="Pretrain, compare and use IMU encoders. The pipeline is run with `dvc repro`; these commands serve your own files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@app.callback()
def _version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        from primus import __version__

        print(f"primus {__version__}")
        raise typer.Exit


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check interpreter, packages, extras, data roots, disk and cache, and say what to do. Exits 1 if the demo could not run."""
    from primus.doctor import as_rows, examine

    checks = examine()
    if as_json:
        print(json.dumps(as_rows(checks), indent=1))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            print(f"{check.status:8}{check.name:{width}}  {check.found}{f'  -> {check.remedy}' if check.remedy else ''}")
    if any(check.status == "missing" for check in checks):
        raise typer.Exit(1)


@app.command()
def mend() -> None:
    """After a kill: remove state files that DVC left half written and cannot read. Run it in the repository, with no DVC command running."""
    from primus.mend import mend as mend_repository

    removed = mend_repository(Path.cwd())
    print("\n".join(f"removed the half-written {name}" for name in removed) or "nothing to mend")


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A recording: .vrs, .mp4 and other action-camera files, .csv, .parquet, or archive.zip::member.")],
    stream: Annotated[str | None, typer.Option(help="Sensor stream by label, for VRS: imu-right or imu-left.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the IMU of one recording and say what is in it: samples, rate, duration, gravity, stated repairs."""
    import numpy as np

    from primus.io.imu_file import read_imu

    recording = read_imu(str(path), stream=stream)
    seconds = float(recording.timestamps_ns[-1] - recording.timestamps_ns[0]) * 1e-9 if len(recording.timestamps_ns) > 1 else 0.0
    facts = {
        "source": recording.source,
        "samples": len(recording.timestamps_ns),
        "rate_hz": round(float(recording.rate_hz), 3),
        "duration_s": round(seconds, 3),
        "first_timestamp_ns": int(recording.timestamps_ns[0]) if len(recording.timestamps_ns) else None,
        "mean_specific_force_m_s2": round(float(np.linalg.norm(recording.accel, axis=1).mean()), 3),
        "gyroscope": recording.gyro is not None,
        "notes": dict(recording.notes),
    }
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        print(f"{name:26}{value}")


@app.command("import-checkpoint")
def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="The authors' released Lightning checkpoint (622 MB).")],
    out: Annotated[Path, typer.Argument(help="Folder to write: config.json and model.safetensors (<= 6 MB).")],
) -> None:
    """Turn the released checkpoint into a small folder that `ImuEncoder.from_pretrained` reads. Nothing but tensors is unpickled."""
    from primus.models.weights import load_released_checkpoint

    load_released_checkpoint(file).save_pretrained(out)
    print(f"wrote {out}")


@app.command("convert-clip")
def convert_clip_command(
    folder: Annotated[
        Path, typer.Argument(help="CLIP4Clip (or CLIP) in Hugging Face format: config.json and model.safetensors or pytorch_model.bin.")
    ],
    out: Annotated[Path, typer.Argument(help="Where to write: a folder, or a .safetensors file.")],
) -> None:
    """Convert CLIP4Clip weights from Hugging Face format to open_clip, checking outputs and not only shapes."""
    from primus.embeddings.convert import convert_clip

    print(f"wrote {convert_clip(folder, out)}")


def main() -> None:
    """Run the command; a mistake is one line on stderr and exit status 1, never a traceback."""
    try:
        app(standalone_mode=True)
    except (UserError, Rejected) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
