"""Commands for people with recordings in hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from primus.commands import encoding_options as encoding
from primus.commands.options import AsJson
from primus.errors import UserError

TAKE_HELP = "A take_uid of a segmented profile, or a recording: .vrs, .mp4 and other action-camera files, .csv, .parquet, or archive.zip::member."


def inspect(
    take: Annotated[str | None, typer.Argument(help=TAKE_HELP)] = None,
    data: Annotated[Path | None, typer.Option(help="Data of the profile, e.g. data/demo. Default: of the one that params.yaml chooses.")] = None,
    out: Annotated[Path | None, typer.Option(help="What to write: a page (.html) or, of a take or recording, a picture (.png).")] = None,
    stream: Annotated[str | None, typer.Option(help="Sensor stream by label, for VRS files: imu-right or imu-left.")] = None,
    time_unit: encoding.TimeUnit = None,
    accel_unit: encoding.AccelUnit = None,
    gyro_unit: encoding.GyroUnit = None,
    sync: Annotated[bool, typer.Option("--sync", help="Say how far the IMU's clock lies from the video's.")] = False,
    video: Annotated[Path | None, typer.Option(help="The video for --sync, where take or recording has none of its own.")] = None,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Check the profile's frozen embeddings instead of a take.")] = False,
    count: Annotated[int, typer.Option(min=1, max=64, help="Segments drawn for --embeddings.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed of the draw for --embeddings.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Look at a recording, a take, its clocks, or the frozen embeddings: samples, rate, gravity, stated repairs, and a picture of it all.

    A take is drawn with signals, segments, narrations and rejects, by default to DATA/inspect/TAKE.html; a recording where --out says.

    --sync compares the gyroscope with the motion of the picture (the first three minutes). The lag is positive where the IMU shows an event later
    than the video does: subtract it from the IMU's times to mend them.

    --embeddings lists the texts nearest to a few segments' videos, by default in DATA/inspect/embeddings.html.
    """
    from primus.inspection.takes import names_a_file, open_recording, open_take
    from primus.io.imu_file import TABLE_SUFFIXES
    from primus.params import PARAMS

    if embeddings:
        if take is not None or sync or video is not None:
            raise UserError("--embeddings looks at a whole profile; leave out the take, --sync and --video")
        _inspect_embeddings(data or _chosen_data(), out, count, seed, as_json)
        return
    if take is None:
        raise UserError("nothing to inspect; give a take_uid or a recording, or --embeddings")
    folder = None
    units = encoding.stated_units(time_unit, accel_unit, gyro_unit)
    if data is None and names_a_file(take):
        if units and not take.lower().endswith(TABLE_SUFFIXES):
            raise UserError(f"--{min(units)}-unit is for tables ({', '.join(TABLE_SUFFIXES)}), and {take} states its own; leave it out")
        found = open_recording(take, stream, units)
    elif data is None and (Path(take).is_dir() or not Path(PARAMS).is_file()):
        raise _no_recording(take)
    elif units:
        raise UserError(f"--{min(units)}-unit is for tables, and {take} is not a file; units of a data set's takes are set in params.yaml")
    elif stream is not None:
        raise UserError(f"--stream {stream} is for VRS files, and {take} is not a file; the stream of a data set's takes is set in params.yaml")
    else:
        folder = data or _chosen_data()
        found = open_take(take, folder)
    if sync:
        from primus.inspection.clocks import check_clocks

        if out is not None:
            raise UserError(f"--sync writes no file; leave out --out {out}, or use --json")
        _say(check_clocks(found, video), as_json)
        return
    if video is not None:
        raise UserError(f"--video {video} is for --sync; add that, or leave it out")
    target = out or (folder / "inspect" / f"{take}.html" if folder else None)
    if target is not None:
        from primus.inspection.draw import draw_take

        draw_take(found, target)
    _say(dict(found.facts) | ({"written": str(target)} if target else {}), as_json)


def _no_recording(take: str) -> UserError:
    """What is wrong with a name that is no file's, where there is no repository whose takes it could mean."""
    from primus.inference.sources import SUFFIXES

    folder = Path(take)
    if not folder.is_dir():
        return UserError(f"{take}: no such file; give a recording, or run the command from the repository's root, where it may be a take_uid")
    inside = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.lower().endswith(SUFFIXES))
    example = f", e.g. {inside[0]}" if inside else ""
    return UserError(f"{take} is a folder; give one recording in it{example}, or use `primus encode {take}` for all")


def _chosen_data() -> Path:
    from primus.params import profile_name

    return Path("data") / profile_name()


def _inspect_embeddings(data: Path, out: Path | None, count: int, seed: int, as_json: bool) -> None:
    from primus.inspection.draw import draw_embeddings
    from primus.inspection.neighbours import check_embeddings

    check = check_embeddings(data, count, seed)
    target = out or data / "inspect" / "embeddings.html"
    draw_embeddings(check, target)
    _say(dict(check.facts) | {"written": str(target)}, as_json)


def _say(facts: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        print(f"{name:26}{'none' if value == {} else value}")
