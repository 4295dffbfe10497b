"""What each exported form of an encoder costs: bytes, multiply-accumulates, latency of one window on one core, and its largest error.

Every form is written, verified and timed in this run, turn by turn, beside the encoder itself in PyTorch. Eight bits are judged by the accuracy of a
cross-validated probe on labelled recordings, where they are given.

    python -m benchmarks.export --model data/demo/models/primus/seed0 --json
"""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from primus.adapt.cross_validation import plan_folds
from primus.adapt.label_source import LabelSource
from primus.adapt.labelled import LabelledRows, read_labelled
from primus.adapt.probe_training import ProbeSettings, probe_scores
from primus.deploy.cost import multiply_accumulates
from primus.deploy.onnx_file import OnnxEncoder, quantise_onnx, write_onnx
from primus.deploy.parity import Run, compare, expected_outputs, motion_windows
from primus.inference.policy import Policy
from primus.models.encoder import ImuEncoder

COLUMNS = ("target", "bytes", "macs", "p50_ms", "p95_ms", "max_error", "probe_accuracy", "probe_macro_f1")


def timed(runs: dict[str, Run], window: np.ndarray, repeats: int) -> dict[str, tuple[float, float]]:
    """Milliseconds p50 and p95 per form; forms take turns, so that a busy machine slows all alike."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 20):
        for name, run in runs.items():
            began = time.perf_counter()
            run(window)
            if turn >= 20:
                spent[name].append(1000 * (time.perf_counter() - began))
    return {name: (float(np.median(times)), float(np.quantile(times, 0.95))) for name, times in spent.items()}


def probed(run: Run, rows: LabelledRows) -> dict[str, float]:
    """Cross-validated accuracy and macro F1 of a probe on a form's features."""
    assert rows.imu is not None
    features = np.concatenate([run(rows.imu[begin : begin + 128])["feature"] for begin in range(0, len(rows.imu), 128)])
    settings = ProbeSettings()
    scores = probe_scores(replace(rows, feature=features), plan_folds(rows, settings.folds, settings.seed), settings.c)
    return {name: scores.estimates[name].mean for name in ("accuracy", "macro_f1")}


def main(
    model: Annotated[str, typer.Option(help="folder of a model; without it an untrained encoder of the published size is measured")] = "",
    labelled: Annotated[Path | None, typer.Option(help="labelled recordings that 8 bits are judged on")] = None,
    match: Annotated[str | None, typer.Option(help="only files in whose path this regular expression is found")] = None,
    participants: Annotated[str | None, typer.Option(help="column, folder, or a regular expression")] = None,
    share: Annotated[float, typer.Option(help="of a window that its activity must cover")] = 0.5,
    repeats: Annotated[int, typer.Option(help="timed calls of each form")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
) -> None:
    """Measure and print one row per form."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = ImuEncoder.from_pretrained(model) if model else ImuEncoder().eval()
    rows = None
    if labelled is not None:
        rows = read_labelled(labelled, encoder.inputs, LabelSource(participants=participants, match=match, share=share), Policy(short="reflect"))
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.onnx" for name in ("onnx", "onnx_unrolled", "onnx_int8")}
        write_onnx(encoder, files["onnx"], "gru")
        write_onnx(encoder, files["onnx_unrolled"], "unrolled")
        quantise_onnx(files["onnx_unrolled"], files["onnx_int8"])
        runs: dict[str, Run] = {"pytorch": lambda windows: expected_outputs(encoder, windows)}
        runs |= {name: OnnxEncoder(path) for name, path in files.items()}
        sizes = {"pytorch": sum(value.numel() * value.element_size() for value in encoder.state_dict().values())}
        sizes |= {name: path.stat().st_size for name, path in files.items()}
        times = timed(runs, motion_windows(encoder.inputs, 1, 1), repeats)
        table: list[dict[str, Any]] = []
        for name, run in runs.items():
            row = {"target": name, "bytes": sizes[name], "macs": multiply_accumulates(encoder), "max_error": compare(encoder, run).worst}
            row |= dict(zip(("p50_ms", "p95_ms"), (round(value, 3) for value in times[name]), strict=True))
            scores = probed(run, rows) if rows is not None else {}
            table.append(row | {f"probe_{metric}": round(value, 6) for metric, value in scores.items()})
    print("".join(f"{column:>16}" for column in COLUMNS))
    for row in table:
        print("".join(f"{_shown(row.get(column)):>16}" for column in COLUMNS))
    if as_json:
        facts = {"model": model or "untrained", "torch": torch.__version__, "threads": 1, "repeats": repeats}
        print(json.dumps({"targets": table, **facts, "windows": 0 if rows is None else len(rows)}))


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    typer.run(main)
