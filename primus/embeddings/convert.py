"""CLIP weights from Hugging Face's layout to open_clip's, proven by outputs rather than by shapes.

The two store their projections transposed relative to each other. The text projection of ViT-B/32 is square, so a copy that was not transposed
loads without complaint and gives useless embeddings; every conversion is therefore compared with `reference`, and the file it writes carries a
record of what it must give.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import CLIP
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from primus.artifacts import atomic_folder, atomic_path, write_json
from primus.embeddings.clip import state_sha256
from primus.embeddings.hf_clip import ClipFolder, convert_state, read_clip_folder
from primus.embeddings.reference import image_embedding, text_embedding
from primus.errors import UserError
from primus.seeds import generator

CONVERTED = ("open_clip_config.json", "open_clip_model.safetensors")
RECORD = "primus_clip"
TOLERANCE = 1e-4
"""Largest difference of outputs relative to the largest output: float32 against float64 gives 1e-6 to 1e-5, a wrong matrix about 1."""


def build_clip(model_cfg: Mapping[str, Any], state: Mapping[str, torch.Tensor], where: str) -> CLIP:
    """An open_clip model of this architecture with these weights; UserError (naming `where`) if they do not fit each other."""
    try:
        with torch.random.fork_rng(devices=[]):  # the constructor draws weights, which are replaced here
            model = CLIP(**model_cfg)
        model.load_state_dict(state, strict=True)
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{where}: weights do not fit the architecture ({' '.join(str(error).split())[:300]})") from None
    return model.eval().requires_grad_(False)


def load_clip_folder(folder: str | Path) -> tuple[CLIP, ClipFolder]:
    """A Hugging Face CLIP folder as an open_clip model, its outputs compared with the reference (UserError if they differ)."""
    source = read_clip_folder(folder)
    model = build_clip(source.model_cfg, convert_state(source.state), str(folder))
    check_outputs(model, expected_outputs(source), str(folder))
    return model, source


def _probe(side: int, context_length: int, vocab_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two fixed inputs of each kind: pixels (2, 3, side, side) float32 and token ids (2, context_length), one full and one half full."""
    rng = generator(0, "convert", "probe")
    pixels = torch.from_numpy(rng.random((2, 3, side, side), dtype=np.float32) * 4 - 2)
    tokens = torch.zeros(2, context_length, dtype=torch.long)
    for row, length in enumerate((context_length, context_length // 2)):
        tokens[row, :length] = torch.from_numpy(rng.integers(1, vocab_size - 2, length))
        tokens[row, 0], tokens[row, length - 1] = vocab_size - 2, vocab_size - 1
    return pixels, tokens


def expected_outputs(source: ClipFolder) -> dict[str, list[list[float]]]:
    """What the model in `source` gives for the fixed inputs, by the independent implementation: image and text, (2, dim) each."""
    text = source.model_cfg["text_cfg"]
    pixels, tokens = _probe(source.model_cfg["vision_cfg"]["image_size"], text["context_length"], text["vocab_size"])
    return {
        "image": image_embedding(source.state, source.vision, pixels).tolist(),
        "text": text_embedding(source.state, source.text, tokens).tolist(),
    }


def check_outputs(model: CLIP, expected: Mapping[str, list[list[float]]], where: str) -> None:
    """Compare the model's outputs for the fixed inputs with `expected`.

    Raises:
        UserError: they differ; says so when transposing a projection would mend it.
    """
    pixels, tokens = _probe(model.visual.image_size[0], model.context_length, model.vocab_size)
    _check_tower("image", lambda: model.encode_image(pixels), model.visual, "proj", expected["image"], where)
    _check_tower("text", lambda: model.encode_text(tokens), model, "text_projection", expected["text"], where)


def _check_tower(kind: str, encode: Callable[[], torch.Tensor], owner: Any, name: str, expected: list[list[float]], where: str) -> None:
    try:
        target = torch.tensor(expected, dtype=torch.float64)
    except (TypeError, ValueError):
        raise UserError(f"{where}: its record of {kind} embeddings is damaged; convert it again with `primus convert-clip`") from None

    @torch.inference_mode()
    def difference() -> float:
        return float((encode().double() - target).abs().max() / target.abs().max())

    found = difference()
    if found <= TOLERANCE:
        return
    remedy = "the weights are not those of the source, convert them again with `primus convert-clip`"
    projection = getattr(owner, name)
    if projection.shape[0] == projection.shape[1]:
        projection.data = projection.data.T.contiguous()
        if difference() <= TOLERANCE:
            remedy = f"{name} lies the wrong way round (it is square, so its shape cannot tell); convert again with `primus convert-clip`"
        projection.data = projection.data.T.contiguous()
    raise UserError(f"{where}: {kind} embeddings differ from the reference by {found:.2g} of their size, expected <= {TOLERANCE:g}; {remedy}")


def convert_clip(folder: str | Path, out: str | Path) -> Path:
    """Convert a Hugging Face CLIP folder (CLIP4Clip, OpenAI CLIP) to open_clip weights and prove the result before it appears under its name.

    Args:
        folder: holds config.json and model.safetensors or pytorch_model.bin.
        out: a `.safetensors` file, or a folder that `open_clip.create_model("local-dir:...")` reads.

    Returns:
        The path of the weights file.

    Raises:
        UserError: `folder` is not such a model, `out` is a folder with other things in it, or the written weights do not give the reference's
            outputs.
    """
    out = Path(out)
    source = read_clip_folder(folder)
    state = convert_state(source.state)
    build_clip(source.model_cfg, state, str(folder))
    record = {
        "model_cfg": source.model_cfg,
        "preprocess_cfg": source.preprocess_cfg,
        "source_sha256": state_sha256(source.state),
        "expected": expected_outputs(source),
    }
    if out.suffix == ".safetensors":
        with atomic_path(out) as temporary:
            _write_proven(temporary, state, record)
        return out
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - set(CONVERTED)):
        raise UserError(f"{out} exists and is not an earlier conversion; give a new folder, or a file that ends in .safetensors")
    with atomic_folder(out) as temporary:
        _write_proven(temporary / CONVERTED[1], state, record)
        write_json(temporary / CONVERTED[0], {"model_cfg": source.model_cfg, "preprocess_cfg": source.preprocess_cfg})
    return out / CONVERTED[1]


def _write_proven(path: Path, state: dict[str, torch.Tensor], record: dict[str, Any]) -> None:
    save_file(state, path, metadata={RECORD: json.dumps(record, sort_keys=True)})  # one entry: safetensors writes several in any order
    check_outputs(build_clip(record["model_cfg"], load_file(path), str(path)), record["expected"], str(path))


def read_record(path: Path) -> dict[str, Any] | None:
    """What `convert_clip` wrote into a safetensors file about its origin, or None where the file holds no such record."""
    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {})[RECORD])
    except KeyError:
        return None
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise UserError(f"{path} is not a sound safetensors file ({str(error)[:200]}); fetch or convert it again") from None
    parts = [record.get(name) if isinstance(record, dict) else None for name in ("expected", "model_cfg", "preprocess_cfg")]
    if not all(isinstance(part, dict) for part in parts) or not {"image", "text"} <= set(parts[0] or ()):
        raise UserError(f"{path}: the record of its conversion is damaged; convert it again with `primus convert-clip`")
    return record
