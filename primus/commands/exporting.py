"""Commands that take an encoder out of PyTorch."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primus.commands import encoding_options as encoding
from primus.commands import labelled_options as labelling
from primus.commands.options import AsJson, Model, file_to_write
from primus.errors import UserError

if TYPE_CHECKING:
    from primus.models.encoder import ImuEncoder

ENDINGS = {"onnx": ".onnx", "executorch": ".pte"}
TARGETS = {
    "onnx": "ONNX, a batch of any size, run by ONNX Runtime",
    "executorch": "an ExecuTorch program for phones, one window at a time (needs the extra `mobile`)",
}


def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write.")],
    target: Annotated[str, typer.Option(help="; ".join(f"{name}: {words}" for name, words in TARGETS.items()) + ".")] = "onnx",
    feature_only: Annotated[bool, typer.Option("--feature-only", help="Leave the projection out.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit weights, kept only if that shrinks the file and costs a probe on --labelled <= 1 point.")
    ] = False,
    labelled: Annotated[Path | None, typer.Option(help="Labelled recordings that 8 bits are judged on.")] = None,
    labels: labelling.Labels = None,
    participants: labelling.Participants = None,
    match: labelling.Match = None,
    share: labelling.Share = 0.5,
    as_json: AsJson = False,
) -> None:
    """Write the encoder for another runtime.

    What is written is run and compared with the encoder at batches of 1, 3, 7 and 33; a difference above 1e-4 leaves nothing behind.
    """
    from primus.inference.contract import open_encoder

    if target not in TARGETS:
        raise UserError(f"--target is {target}; expected {', '.join(TARGETS)}")
    file_to_write(out, ENDINGS[target])
    if int8 and target != "onnx":
        raise UserError(f"--int8 is for --target onnx, not {target}; leave it out")
    if int8 and labelled is None:
        raise UserError("--int8 is judged on labels; give --labelled with recordings whose activity is known, or leave --int8 out")
    if labelled is not None and not int8:
        raise UserError(f"--labelled {labelled} is for --int8; add that, or leave it out")
    encoding.one_thread()
    encoding.sum_up_guesses()
    encoder = open_encoder(model)
    if int8:
        where = labelling.label_source(labels, participants, match, share)
        assert labelled is not None
        facts = _int8(encoder, model, out, labelled, where, not feature_only)
    else:
        facts = _float(encoder, out, target, not feature_only)
    document = {"out": str(out), "target": target, **facts}
    if as_json:
        print(json.dumps(document, indent=1))
        return
    for name, value in facts.items():
        print(f"{name:26}{value}")
    print(f"wrote {out}", file=sys.stderr)


def _float(encoder: "ImuEncoder", out: Path, target: str, projection: bool) -> dict[str, Any]:
    from primus.deploy.executorch_file import write_executorch
    from primus.deploy.onnx_file import write_onnx

    parity = write_executorch(encoder, out, projection) if target == "executorch" else write_onnx(encoder, out, "gru", projection)
    return {"bytes": out.stat().st_size, "max_error": parity.worst, "weights": "float32"}


def _int8(encoder: "ImuEncoder", name: str, out: Path, labelled: Path, where: Any, projection: bool) -> dict[str, Any]:
    from primus.adapt.labelled import read_labelled
    from primus.adapt.probe_training import ProbeSettings
    from primus.deploy.int8 import write_int8
    from primus.inference.policy import Policy

    rows = read_labelled(labelled, encoder.inputs, where, Policy(short="reflect"))
    for line in rows.said:
        print(line, file=sys.stderr)
    check = write_int8(encoder, out, rows, ProbeSettings(), projection)
    loss = {f"{metric}_lost": round(value, 6) for metric, value in check.loss.items()}
    facts = {"bytes": check.int8_bytes, "float_bytes": check.float_bytes, "max_error": check.parity.worst, "weights": "int8"}
    return {**facts, **loss, "windows": check.windows, "groups": check.groups}
