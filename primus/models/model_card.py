"""The card that lies beside an encoder's weights: what it is, what to feed it, where it comes from, what it must not be taken for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primus.models.encoder import ImuEncoder

PAPER = (
    "A. M. Das, C. I. Tang, F. Kawsar, M. Malekzadeh. PRIMUS: Pretraining IMU Encoders with Multimodal Self-Supervision. ICASSP 2025. "
    "arXiv:2411.15127."
)
_RELEASED = "released"
_LIBRARY = "library_name: primus-imu"
_NESTED = ("objective", "parameters", "metrics")
_USE = """```python
import primus
import torch

encoder = primus.ImuEncoder.from_pretrained("this/folder")
windows = primus.preprocess(table, encoder)  # any rate, any unit
with torch.no_grad():
    features = encoder(torch.from_numpy(windows.imu)).feature
```"""


def model_card(encoder: ImuEncoder, training: Mapping[str, Any]) -> str:
    """The card as Markdown with the front matter of the Hugging Face hub.

    Args:
        encoder: whose options and input contract are described.
        training: what is known of how it was trained (JSON values): `method`, `profile`, `simulated` (None or absent: unknown), `objective`,
            `parameters`, `metrics` and single facts. What is absent is said to be unknown, never made up.
    """
    name = f"PRIMUS IMU encoder ({training['method']})" if training.get("method") else "PRIMUS IMU encoder"
    sections = [
        _front_matter(training),
        f"# {name}",
        f"Turns a window of accelerometer and gyroscope into a feature of {encoder.feature_dim} numbers. Written by `save_pretrained`.",
        "## What to feed it\n\n" + _inputs(encoder),
        "## Use\n\n" + _USE,
        "## Architecture\n\n" + _table(_architecture(encoder)),
        "## Training\n\n" + _origin(training) + "\n\n" + _table(_facts(training)),
    ]
    sections += [f"### {key.capitalize()}\n\n{_table(_flat(training[key]))}" for key in _NESTED if training.get(key)]
    sections += ["## Limits\n\n" + _limits(training), "## Licence\n\n" + _licence(training), "## Citation\n\n" + PAPER]
    return "\n\n".join(section for section in sections if section.strip()) + "\n"


def is_model_card(text: str) -> bool:
    """Whether `model_card` wrote this, perhaps completed by hand since: its front matter names the library."""
    return text.startswith("---") and _LIBRARY in text.split("\n---", 1)[0].splitlines()


def _front_matter(training: Mapping[str, Any]) -> str:
    licence = {True: "apache-2.0"}.get(bool(training.get("simulated")), "cc-by-4.0" if training.get("method") == _RELEASED else "other")
    tags = "".join(f"\n- {tag}" for tag in ("imu", "accelerometer", "gyroscope", "human-activity-recognition", "self-supervised", "model_hub_mixin"))
    return f"---\n{_LIBRARY}\nlicense: {licence}\ntags:{tags}\n---"


def _inputs(encoder: ImuEncoder) -> str:
    inputs = encoder.inputs
    rows = {
        "shape": f"(N, 6, {inputs.samples}), float32",
        "rows": ", ".join(inputs.channels),
        "accelerometer": f"{inputs.accel_unit}, {'with' if inputs.gravity else 'without'} gravity",
        "gyroscope": inputs.gyro_unit,
        "rate": f"{inputs.rate_hz:g} Hz",
        "window": f"{inputs.window_s:g} s",
    }
    seen = "Each window and sensor is normalised by itself" if encoder.input_norm == "published" else "Inputs are divided by physical constants"
    return _table(rows) + f"\n\n{seen}. `primus.preprocess` and `primus encode` bring any rate and unit to this and refuse what cannot be trusted."


def _architecture(encoder: ImuEncoder) -> dict[str, Any]:
    options = {name: value for name, value in encoder.options().items() if name != "inputs"}
    return options | {"parameters": sum(parameter.numel() for parameter in encoder.parameters())}


def _origin(training: Mapping[str, Any]) -> str:
    if training.get("method") == _RELEASED:
        return "These are the weights the paper's authors released, converted; they were trained by them on Ego-Exo4D."
    data = f"Data: the profile `{training['profile']}` of the pipeline." if training.get("profile") else "Data: not recorded."
    if training.get("simulated"):
        return data + " **The corpus is simulated**: these weights show that the machinery works, not that the method does."
    if training.get("simulated") is None:
        return data + " Whether it is a simulation was not recorded."
    return data + " Real recordings."


def _facts(training: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sorted(training.items()) if name not in _NESTED and name not in ("method", "profile", "simulated")}


def _limits(training: Mapping[str, Any]) -> str:
    lines = ["- Features are meant to be compared or classified by a probe trained on labels of your own; they are no activity by themselves."]
    if not training.get("metrics"):
        lines.append("- No measurement came with these weights: measure before relying on them.")
    if training.get("simulated"):
        lines.append("- Trained on simulated motion only: expect little on real sensors.")
    lines.append("- Another placement, device or population than in training changes results; test on people the probe has not seen.")
    return "\n".join(lines)


def _licence(training: Mapping[str, Any]) -> str:
    if training.get("method") == _RELEASED:
        return "The authors' record states CC BY 4.0 for the released checkpoint; check it where you got the file, and credit the paper below."
    if training.get("simulated"):
        return "Code and these weights: Apache-2.0; no third party's data went into them."
    return (
        "The code is Apache-2.0. Weights are bound by the terms of the recordings they were trained on (Ego-Exo4D and Ego4D ask for a signed "
        "licence), and of the frozen video and text encoder: state them here before you publish."
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists as JSON."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, item in sorted(value.items()):
        found |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
    return found


def _table(rows: Mapping[str, Any]) -> str:
    if not rows:
        return ""
    lines = [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text.replace("|", "\\|").replace("\n", " ")
