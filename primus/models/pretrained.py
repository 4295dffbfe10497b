"""An encoder's folder: config.json (architecture, input contract, how it was trained), model.safetensors, and README.md, the model card."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from primus.errors import UserError
from primus.models.encoder import ImuEncoder, InputContract
from primus.models.model_card import is_model_card, model_card

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
HUB_OPTIONS = ("token", "cache_dir", "local_files_only", "force_download")
FORMAT = 1
MAX_WEIGHT_BYTES = 2**30
MAX_CONFIG_BYTES = 2**20
log = logging.getLogger(__name__)


def save_encoder(encoder: ImuEncoder, folder: Path, metadata: Mapping[str, Any]) -> None:
    """Write the three files (each whole or not at all); `metadata` must be JSON values.

    Raises:
        UserError: the folder cannot be written, or its README.md is no model card of ours, which is somebody's work.
    """
    options = encoder.options()
    inputs = options.pop("inputs")
    config = {"format": FORMAT, "model_type": "primus-imu-encoder", "model": options, "input": inputs, "training": dict(metadata)}
    weights = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    contents = {
        WEIGHTS: save(weights, metadata={"format": "pt"}),
        CONFIG: (json.dumps(config, indent=1, sort_keys=True, allow_nan=False) + "\n").encode(),
        CARD: model_card(encoder, metadata).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CARD).exists() and not is_model_card((folder / CARD).read_text(encoding="utf-8", errors="replace")):
            raise UserError(f"{folder / CARD} is no model card of this project and would be replaced by one; give a new folder, or move it away")
        for name, content in contents.items():
            temporary = folder / f".{name}.{os.getpid()}.tmp"
            try:
                temporary.write_bytes(content)
                os.replace(temporary, folder / name)
            finally:
                temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise UserError(f"{folder} is a file; give a folder to write the model to") from None
    except OSError as error:
        raise UserError(f"cannot write the model to {folder}: {error.strerror or error}; free space, or give a folder that can be written") from error


def load_encoder(source: str, revision: str | None = None, **hub: Any) -> ImuEncoder:
    """Read configuration and weights from a folder or from the Hugging Face hub; see `ImuEncoder.from_pretrained`."""
    if unknown := sorted(set(hub) - set(HUB_OPTIONS)):
        raise UserError(f"from_pretrained: unknown option {', '.join(unknown)}; expected revision, {', '.join(HUB_OPTIONS)}")
    folder = Path(source)
    if folder.is_dir():
        paths = {name: folder / name for name in (CONFIG, WEIGHTS)}
    elif folder.is_file():
        raise UserError(f"{source} is a file; give the folder that holds {CONFIG} and {WEIGHTS}, or `primus import-checkpoint` for a .ckpt")
    else:
        paths = _from_hub(source, revision, hub)
    config = _config(paths[CONFIG])
    encoder = _build(paths[CONFIG], config)
    _fill(encoder, paths[WEIGHTS])
    encoder.metadata = config.get("training", {})
    return encoder.eval()


def _from_hub(source: str, revision: str | None, options: Mapping[str, Any]) -> dict[str, Path]:
    if source.count("/") != 1 or source.startswith((".", "/")):
        raise UserError(f"no folder {source!r}; give a folder with {CONFIG} and {WEIGHTS}, or a Hugging Face id like owner/name")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return {name: Path(hf_hub_download(source, name, revision=revision, **options)) for name in (CONFIG, WEIGHTS)}
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"no folder {source!r} here, and it could not be fetched from the hub either ({reason}); check the name or go online"
        ) from None


def _config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise UserError(f"{path} has {path.stat().st_size} bytes; a model's configuration is a few kilobytes")
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; the folder must hold {CONFIG} and {WEIGHTS} (written by the pretrain stage)") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, or a number of thousands of digits
        raise UserError(f"{path} is not valid JSON ({' '.join(str(error).split())}); write the model again") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT or not isinstance(config.get("model"), dict):
        found = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise UserError(f"{path}: format is {found!r}, expected {FORMAT} with a 'model' section: not an encoder of this project")
    return config


def _build(path: Path, config: Mapping[str, Any]) -> ImuEncoder:
    try:
        contract = _contract(path, dict(config.get("input") or {}))
        with torch.device("meta"):  # a size that is nonsense costs nothing here and is refused against the weights
            encoder = ImuEncoder(**config["model"], inputs=contract)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())[:300]}; it was written by another version, or edited") from None
    return encoder


def _contract(path: Path, inputs: dict[str, Any]) -> InputContract:
    """The input contract a folder declares; what it leaves out is assumed to be as the published model has it, and said."""
    usual = InputContract()
    missing = [item.name for item in fields(InputContract) if item.name not in inputs]
    if missing:
        assumed = ", ".join(f"{name} {getattr(usual, name)}" for name in missing)
        log.warning("%s states no %s of its input; assumed: %s", path, ", ".join(missing), assumed)
    return InputContract(**(inputs | {"channels": tuple(inputs.get("channels", usual.channels))}))


def _fill(encoder: ImuEncoder, path: Path) -> None:
    try:
        if path.stat().st_size > MAX_WEIGHT_BYTES:
            raise UserError(f"{path} has {path.stat().st_size} bytes; an encoder has about 6 MB")
        state = load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; the folder must hold {CONFIG} and {WEIGHTS}") from None
    except (SafetensorError, OSError, ValueError, TypeError) as error:  # TypeError: a kind of number that PyTorch does not have
        raise UserError(f"{path} is not a readable safetensors file ({' '.join(str(error).split())}); copy or write the model again") from None
    expected = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if expected != found:
        differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        first = differing[0]
        raise UserError(f"{path}: {first} is {found.get(first)}, {CONFIG} asks for {expected.get(first)} ({len(differing)} tensors differ)")
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"{path}: {name} holds values that are not finite; the model diverged or the file is damaged")
    encoder.to_empty(device="cpu")
    encoder.load_state_dict(state)
