"""Check that this machine can run the pipeline, and say what to do where it cannot."""

import importlib.util
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from primus.work_cache import cache_root

BASE = ("numpy", "pandas", "pyarrow", "h5py", "torch", "torchvision", "open_clip", "sklearn", "typer", "dvc", "av")
DISTRIBUTIONS = {
    "open_clip": "open_clip_torch",
    "sklearn": "scikit-learn",
    "projectaria_tools": "projectaria-tools",
    "telemetry_parser": "telemetry-parser",
}
EXTRAS = {
    "aria": ("projectaria_tools", "compressed VRS recordings and factory calibration"),
    "actioncam": ("telemetry_parser", "IMU inside GoPro, Insta360, DJI and Sony videos (profile `samples`)"),
    "export": ("onnx", "ONNX export"),
    "ray": ("ray", "segmenting and embedding on a cluster"),
}
ROOTS = {
    "EGOEXO4D_ROOT": "profile egoexo4d: the folder that holds takes.json",
    "EGO4D_ROOT": "profile egoexo4d: the folder that holds v2/ego4d.json",
    "REALWORLD_ROOT": "profile egoexo4d: the folder that holds proband1 ... proband15",
    "CLIP_WEIGHTS": "profile egoexo4d: CLIP4Clip weights as `primus convert-clip` writes them, a folder or a .safetensors file",
    "PRIMUS_SAMPLES": "profile samples: the folder that holds actioncam/ and sp-sw-har/",
    "PRIMUS_OWN": "profile own: your own recordings",
}
DEMO_DISK_GIB = 4.0


@dataclass(frozen=True)
class Check:
    """One finding: `status` is ok, note (not needed by the demo), wrong (set, but not usable) or missing (the demo cannot run)."""

    name: str
    status: str
    found: str
    remedy: str = ""


def _version(module: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return metadata.version(DISTRIBUTIONS.get(module, module))
    except metadata.PackageNotFoundError:
        return "unknown version"


def _packages() -> list[Check]:
    checks = []
    for module in BASE:
        version = _version(module)
        checks.append(
            Check(module, "ok", version) if version else Check(module, "missing", "not installed", "pip install primus-imu (or `make setup`)")
        )
    decord = _version("decord")
    checks.append(
        Check("decord", "ok" if decord else "note", decord or "not installed", "" if decord else "no wheel for this platform: PyAV decodes instead")
    )
    for extra, (module, purpose) in EXTRAS.items():
        version = _version(module)
        remedy = "" if version else f"pip install 'primus-imu[{extra}]' for {purpose}"
        checks.append(Check(f"extra {extra}", "ok" if version else "note", version or "not installed", remedy))
    return checks


def _device() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("accelerator", "note", "unknown without torch")
    import torch

    if torch.cuda.is_available():
        return Check("accelerator", "ok", torch.cuda.get_device_name(0))
    return Check("accelerator", "note", "none: everything runs on the CPU")


def _roots() -> list[Check]:
    checks = []
    for variable, purpose in ROOTS.items():
        value = os.environ.get(variable)
        if not value:
            checks.append(Check(variable, "note", "not set", purpose))
        elif not (Path(os.environ.get("DVC_ROOT", ".")) / value).exists():
            checks.append(Check(variable, "wrong", f"{value} does not exist", f"correct it ({purpose})"))
        else:
            checks.append(Check(variable, "ok", value))
    return checks


def _cache() -> Check:
    root = cache_root()
    entries = sum(1 for _ in root.rglob("*.entry")) if root.exists() else 0
    probe = root if root.exists() else root.parent
    if not os.access(probe, os.W_OK):
        return Check("work cache", "missing", f"{root} is not writable", "set PRIMUS_CACHE to a writable folder")
    return Check("work cache", "ok", f"{root} ({entries} entries)")


def examine(folder: str | Path = ".") -> list[Check]:
    """All checks, in a fixed order; `folder` is where outputs would be written."""
    python = ".".join(map(str, sys.version_info[:3]))
    checks = [Check("python", "ok", python) if sys.version_info >= (3, 11) else Check("python", "missing", python, "install Python 3.11 or newer")]
    git = shutil.which("git")
    checks.append(Check("git", "ok", git) if git else Check("git", "missing", "not found", "install git: DVC compares versions with it"))
    checks += _packages()
    checks.append(_device())
    free = shutil.disk_usage(folder).free / 2**30
    enough = free >= DEMO_DISK_GIB
    checks.append(Check("free disk", "ok" if enough else "missing", f"{free:.1f} GiB", "" if enough else f"the demo needs {DEMO_DISK_GIB:.0f} GiB"))
    checks.append(_cache())
    return checks + _roots()


def as_rows(checks: list[Check]) -> list[dict[str, Any]]:
    """The findings as plain dicts, for `--json`."""
    return [asdict(check) for check in checks]
