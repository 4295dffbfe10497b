"""Commands that turn people's recordings into features."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from primus.commands import encoding_options as encoding
from primus.commands.options import AsJson, Model, file_to_write

if TYPE_CHECKING:
    from primus.inference.feature_file import EncodeReport

_LISTED = 20  # refused sources printed one by one; all are in the CSV


def encode(
    paths: Annotated[
        list[Path], typer.Argument(help="Recordings and folders of them: .csv, .parquet, .vrs, .mp4 and other action-camera files, .zip of those.")
    ],
    model: Model,
    out: Annotated[Path, typer.Option(help="Parquet file to write: source, start_s, end_s, feature, projection.")],
    hop: encoding.Hop = None,
    stream: Annotated[str | None, typer.Option(help="Sensor of glasses: imu-right (the default) or imu-left.")] = None,
    time_unit: encoding.TimeUnit = None,
    accel_unit: encoding.AccelUnit = None,
    gyro_unit: encoding.GyroUnit = None,
    missing_gyro: encoding.MissingGyro = "refuse",
    short: encoding.Short = "reflect",
    batch: Annotated[int, typer.Option(help="Windows encoded at once.", min=1, max=65536)] = 128,
    threads: encoding.Threads = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Encode recordings into one Parquet file of features. Interrupted, it continues when started again.

    Times are seconds on each recording's own clock. What is refused is listed with its reason, and in OUT with the ending .rejects.csv.
    """
    import torch

    from primus.errors import UserError
    from primus.inference.contract import open_encoder
    from primus.inference.feature_file import encode_paths
    from primus.inference.window_sequence import EncodeSettings
    from primus.io.vrs import STREAMS

    file_to_write(out, ".parquet")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"--device is {device}; expected cpu, or cuda where PyTorch sees a GPU")
    if stream is not None and stream not in STREAMS["Aria"]:
        raise UserError(f"--stream is {stream}; expected {' or '.join(STREAMS['Aria'])}")
    units = encoding.stated_units(time_unit, accel_unit, gyro_unit)
    settings = EncodeSettings(encoding.window_policy(hop, missing_gyro, short), stream, units, batch)
    encoding.one_thread()
    encoding.sum_up_guesses()
    report = encode_paths(paths, open_encoder(model).to(device), out, settings, encoding.side_by_side(threads), encoding.tracked)
    _say(report, out)
    if as_json:
        print(json.dumps(_document(report, out), indent=1))


def _say(report: "EncodeReport", out: Path) -> None:
    """The report in words, on stderr."""
    refused = report.refused_sources
    for reject in refused[:_LISTED]:
        print(f"refused {reject.take_uid}: {reject.reason}: {reject.detail}", file=sys.stderr)
    if len(refused) > _LISTED:
        print(f"... and {len(refused) - _LISTED} more, all in {out.with_suffix('.rejects.csv')}", file=sys.stderr)
    windows = Counter(reject.reason for reject in report.rejects if reject.scope == "segment")
    if windows:
        print("refused windows: " + ", ".join(f"{reason} {count}" for reason, count in sorted(windows.items())), file=sys.stderr)
    for line in encoding.policy_lines(report):
        print(line, file=sys.stderr)
    resumed = f", {report.resumed_windows} of them by an earlier run" if report.resumed_windows else ""
    used = report.sources - len({reject.take_uid for reject in refused})
    print(f"{report.windows} windows of {used} of {report.sources} sources{resumed}, in {report.seconds:.1f} s: {out}", file=sys.stderr)


def _document(report: "EncodeReport", out: Path) -> dict[str, object]:
    return {
        "out": str(out),
        "sources": report.sources,
        "windows": report.windows,
        "resumed_windows": report.resumed_windows,
        "refused_sources": [{"source": r.take_uid, "reason": r.reason, "detail": r.detail} for r in report.refused_sources],
        "refused_windows": dict(sorted(Counter(r.reason for r in report.rejects if r.scope == "segment").items())),
        "notes": dict(report.notes),
        "seconds": round(report.seconds, 3),
    }
