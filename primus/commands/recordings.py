"""Commands for people with recordings in hand."""

import json
from pathlib import Path
from typing import Annotated

import typer

from primus.commands.options import AsJson


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
