"""The authors' released checkpoint -> an encoder, without executing anything in the file."""

from __future__ import annotations

import codecs
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from primus.errors import UserError
from primus.models.encoder import ImuEncoder

PREFIX = "imu_encoder."
MAX_FILE_BYTES = 8 * 2**30  # the released file is 622 MB, nearly all of it text and video encoder
MAX_PICKLE_BYTES = 32 * 2**20  # its table of names and shapes

# Lightning keeps losses and counters as numpy scalars. These names rebuild such a scalar and can do nothing else.
_NUMBERS = (np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint32, np.uint16, np.uint8, np.bool_)
_SCALAR = np.float64(0).__reduce__()[0]  # named differently by numpy 1 and numpy 2
_SCALAR_GLOBALS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(number)) for number in _NUMBERS),
    (codecs.encode, "_codecs.encode"),
]


def load_released_checkpoint(path: str | Path) -> ImuEncoder:
    """Read the encoder out of a PRIMUS Lightning checkpoint (keys `state_dict["imu_encoder.<name>"]`), in eval mode.

    The file is unpickled with PyTorch's weights-only reader, memory-mapped, with numpy's scalar constructors as the only additions; text and
    video encoder, optimiser and callbacks are ignored. Both released variants are known: with two heads (1,376,204 parameters), and the
    trunk alone under `net.*` (850,892).

    Raises:
        UserError: not such a file, of an unreasonable size, holding anything but tensors and numbers, or tensors missing, of another shape
            or not finite.
    """
    path = Path(path)
    state = _tensors(path, _read(path))
    heads = any(name.startswith(("ssl_head.", "mmcl_head.")) for name in state)
    encoder = ImuEncoder(heads=heads)
    expected = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    missing, extra = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or extra:
        raise UserError(
            f"{path}: {PREFIX}* is not the published encoder: missing {missing or 'nothing'}, unexpected {extra or 'nothing'};"
            " only checkpoints of the PRIMUS code with its default architecture can be read"
        )
    for name, shape in expected.items():
        value = state[name]
        if tuple(value.shape) != shape or not value.is_floating_point():
            raise UserError(f"{path}: {PREFIX}{name} is {value.dtype} {tuple(value.shape)}, expected floating point {shape}: another architecture")
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"{path}: {PREFIX}{name} holds values that are not finite; the file is damaged, download it again")
    encoder.load_state_dict({name: value.float().clone() for name, value in state.items()})
    encoder.metadata = {"method": "released", "representation": "multimodal" if heads else "feature"}
    return encoder.eval()


def _read(path: Path) -> Mapping[str, Any]:
    """The checkpoint's mapping, after bounding what reading it may cost."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UserError(f"{path} has {size} bytes; a released checkpoint has about 622 MB: this is another file")
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED:
                    raise UserError(f"{path} holds compressed members ({member.filename}); a PyTorch checkpoint stores them plainly")
                if member.filename.endswith("data.pkl") and member.file_size > MAX_PICKLE_BYTES:
                    raise UserError(f"{path}: its table of tensors has {member.file_size} bytes, expected at most {MAX_PICKLE_BYTES}")
            damaged = archive.testzip()  # PyTorch's own reader does not compare checksums
            if damaged is not None:
                raise UserError(f"{path}: the checksum of its member {damaged} is wrong; the file is damaged, download it again")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; give the path of the authors' checkpoint (.ckpt)") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; give the checkpoint file, or use ImuEncoder.from_pretrained for a folder") from None
    except UserError:
        raise
    except Exception as error:  # besides BadZipFile, a damaged directory raises errors of text, numbers and methods
        what = "no zip archive" if isinstance(error, zipfile.BadZipFile) else type(error).__name__
        raise UserError(f"{path} is not a PyTorch checkpoint ({what}): damaged, not fully downloaded, or another format") from None
    try:
        with torch.serialization.safe_globals(_SCALAR_GLOBALS):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f"the object {named.group(1)}" if named else "objects other than tensors and numbers"
        raise UserError(f"{path} holds {what}, which is refused because loading it could run code; only released weights are read") from None
    except Exception as error:  # a damaged or hostile archive can fail anywhere inside the reader
        raise UserError(f"{path} is not a readable PyTorch checkpoint ({type(error).__name__}); damaged or not fully downloaded") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        raise UserError(f"{path} has no 'state_dict'; the released file is a Lightning checkpoint with one")
    return content


def _tensors(path: Path, content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The encoder's tensors under this project's names (`net.` is the trunk of the single-head variant)."""
    found: dict[str, Tensor] = {}
    for name, value in content["state_dict"].items():
        if isinstance(name, str) and name.startswith(PREFIX):
            short = name.removeprefix(PREFIX)
            if not isinstance(value, Tensor):
                raise UserError(f"{path}: {name} is a {type(value).__name__}, expected a tensor")
            found["backbone." + short.removeprefix("net.") if short.startswith("net.") else short] = value
    if not found:
        raise UserError(f"{path}: no key of its state_dict starts with {PREFIX!r}; this is not a PRIMUS checkpoint")
    return found
