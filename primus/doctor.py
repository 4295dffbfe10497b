"""Check that this machine can run the pipeline, and say what to do where it cannot."""

import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from primus.engine import engine_name, map_takes
from primus.errors import UserError
from primus.params import load_value, profile_name
from primus.work_cache import cache_root, survey

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
    "mobile": ("executorch", "export for phones"),
}
ROOTS = {
    "EGOEXO4D_ROOT": ("profile egoexo4d: the folder that holds takes.json", ("takes.json", "annotations")),
    "EGO4D_ROOT": ("profile egoexo4d: the folder that holds v2/ego4d.json", ("v2/ego4d.json",)),
    "REALWORLD_ROOT": ("profile egoexo4d: the folder that holds proband1 ... proband15", ("proband1",)),
    "CLIP_WEIGHTS": ("profile egoexo4d: CLIP4Clip weights as `primus convert-clip` writes them, a folder or a .safetensors file", ()),
    "PRIMUS_SAMPLES": ("profile samples: the folder that holds actioncam/ and sp-sw-har/", ("actioncam", "sp-sw-har")),
    "PRIMUS_OWN": ("profile own: your own recordings, in pretrain/ and probe/", ("pretrain", "probe")),
}
"""Variables that name data, what for, and what must lie there."""
DISK_GIB = {"demo": (3.0, 1.0), "tiny": (0.5, 0.1), "samples": (1.0, 0.5), "egoexo4d": (12.0, 14.0)}
"""What a run leaves in the checkout (data and DVC's copy of it) and in the work cache, by profile; docs/scale.md has the reckoning."""
MEMORY_GIB = 4.0
ENTRIES_READ = 200


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
        return Check("accelerator", "ok", f"{torch.cuda.get_device_name(0)} (CUDA {torch.version.cuda}), {torch.cuda.device_count()} in all")
    if Path("/dev/nvidiactl").exists():
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        remedy = "install the PyTorch build for your driver (pytorch.org), or update the driver; until then leave pretrain.device=cpu"
        return Check("accelerator", "wrong", f"an NVIDIA GPU that torch {torch.__version__}, built {built}, cannot use", remedy)
    return Check("accelerator", "note", "none: everything runs on the CPU")


def _decode(backend: str) -> str:
    """Decode a clip of eight frames that was made for it, and say so; run in a worker, since native decoders can crash."""
    import numpy as np

    from primus.io.video import frames_at
    from primus.simulate.mp4 import FPS, encode

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        shades = [np.full((64, 64, 4), 25 * number, np.uint8) for number in range(8)]
        encode(clip, shades, 64)
        frames = [frame for _, frame in frames_at(clip, np.arange(8) / FPS, backend=backend)]  # type: ignore[arg-type]
    seen = [float(frame.mean()) for frame in frames]
    if len(seen) != 8 or max(abs(level - 25 * number) for number, level in enumerate(seen)) > 10:
        raise ValueError(f"it gave {len(seen)} of 8 frames, of brightness {', '.join(f'{level:.0f}' for level in seen)}")
    return "decodes H.264"


def _decoders() -> list[Check]:
    """Decoders that are installed, tried in a process of their own."""
    there = [name for name, module in (("pyav", "av"), ("decord", "decord")) if importlib.util.find_spec(module)]
    checks = []
    for outcome in map_takes(_decode, there if importlib.util.find_spec("av") else [], workers=1, timeout_s=120):
        name, remedy = f"decoder {outcome.item}", "reinstall it: pip install --force-reinstall " + ("av" if outcome.item == "pyav" else "decord")
        status = "missing" if outcome.item == "pyav" else "wrong"
        checks.append(Check(name, "ok", outcome.value) if outcome.value else Check(name, status, f"fails: {outcome.refused}", remedy))
    return checks


def _variables() -> dict[str, tuple[str, tuple[str, ...]]]:
    """ROOTS, and what profiles that somebody added to params.yaml name as roots."""
    try:
        profiles = load_value("profiles")
    except UserError:
        return ROOTS
    named = dict(ROOTS)
    for profile, settings in profiles.items() if isinstance(profiles, dict) else ():
        datasets = (settings or {}).get("datasets") if isinstance(settings, dict) else None
        for name, config in datasets.items() if isinstance(datasets, dict) else ():
            root = str(config.get("root", "")) if isinstance(config, dict) else ""
            if root.startswith("$"):
                named.setdefault(root[1:].partition("/")[0], (f"profile {profile}: the recordings of {name}", ()))
    return named


def _roots() -> list[Check]:
    checks = []
    for variable, (purpose, parts) in _variables().items():
        value = os.environ.get(variable)
        place = Path(os.environ.get("DVC_ROOT", ".")) / (value or "")
        if not value:
            checks.append(Check(variable, "note", "not set", purpose))
        elif not place.exists():
            checks.append(Check(variable, "wrong", f"{value} does not exist", f"correct it ({purpose})"))
        elif not os.access(place, os.R_OK | (os.X_OK if place.is_dir() else 0)):
            checks.append(Check(variable, "wrong", f"{value} may not be read", "ask its owner for read access; writing is not needed"))
        elif absent := [part for part in parts if not (place / part).exists()]:
            checks.append(Check(variable, "wrong", f"{value} has no {' and no '.join(absent)}", f"correct it ({purpose})"))
        else:
            writable = "" if os.access(place, os.W_OK) else " (read-only, which suffices)"
            checks.append(Check(variable, "ok", f"{value}{writable}"))
    return checks


def _disk(folder: Path, profile: str) -> list[Check]:
    """Free space against what a run of the profile leaves; the work cache apart where it has a disk of its own."""
    status = "missing" if profile == "demo" else "wrong"
    derived, kept = DISK_GIB.get(profile, (0.0, 0.0))
    cache = next(path for path in (cache_root(), *cache_root().absolute().parents) if path.exists())
    apart = cache.stat().st_dev != folder.stat().st_dev
    needs = [("free disk", folder, derived if apart else derived + kept)] + ([("free disk of the work cache", cache, kept)] if apart else [])
    checks = []
    for name, place, gib in needs:
        free = shutil.disk_usage(place).free / 2**30
        if gib == 0:
            remedy = f"profile {profile} takes about 20 kB a segment, and 10 kB a second of video at 10 frames per second"
            checks.append(Check(name, "note", f"{free:.1f} GiB", remedy))
        elif free < gib:
            remedy = "free some, or set PRIMUS_CACHE to a folder on another disk"
            checks.append(Check(name, status, f"{free:.1f} GiB; profile {profile} takes about {gib:g} GiB", remedy))
        else:
            checks.append(Check(name, "ok", f"{free:.1f} GiB; profile {profile} takes about {gib:g} GiB"))
    return checks


def _memory() -> Check:
    try:
        gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError):
        return Check("memory", "note", "unknown")
    if gib < MEMORY_GIB:
        return Check("memory", "wrong", f"{gib:.1f} GiB; stages take up to {MEMORY_GIB:g} GiB", "set compute.workers=1, or use a larger machine")
    return Check("memory", "ok", f"{gib:.1f} GiB, {os.cpu_count()} processors")


def _cache() -> list[Check]:
    """Whether the work cache can be written, and whether a sample of its entries is sound."""
    root = cache_root()
    standing = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not standing.is_dir():
        return [Check("work cache", "missing", f"{standing} is a file", "set PRIMUS_CACHE to a folder")]
    if not os.access(standing, os.W_OK | os.X_OK):
        return [Check("work cache", "missing", f"{root} is not writable", "set PRIMUS_CACHE to a writable folder")]
    seen = survey(root, ENTRIES_READ)
    checks = [Check("work cache", "ok", f"{root} ({seen.entries} entries, about {seen.size / 2**30:.1f} GiB)")]
    if seen.corrupt:
        found = f"{len(seen.corrupt)} of {seen.read} entries that were read were damaged and are removed, the first {seen.corrupt[0]}"
        checks.append(Check("work cache entries", "wrong", found, "nothing: stages compute them again; if it recurs, check the disk"))
    elif seen.read:
        checks.append(Check("work cache entries", "ok", f"checksums of {seen.read} agree"))
    group = "who shares a cache needs one group and umask 002 (docs/scale.md)"
    if seen.closed:
        found = f"{len(seen.closed)} of {seen.read} entries may not be read, the first {seen.closed[0]}"
        checks.append(Check("work cache sharing", "wrong", found, group))
    if seen.locked:
        found = f"{len(seen.locked)} of its folders may not be written, the first {seen.locked[0]}"
        checks.append(Check("work cache sharing", "wrong", found, group))
    return checks


def _engine() -> Check:
    try:
        name = engine_name()
    except UserError as error:
        return Check("engine", "wrong", str(error), "correct or unset PRIMUS_ENGINE")
    if name == "local":
        return Check("engine", "ok", "local: processes of this machine")
    if _version("ray") is None:
        return Check("engine", "wrong", "PRIMUS_ENGINE is ray, which is not installed", "pip install 'primus-imu[ray]', or unset PRIMUS_ENGINE")
    address = os.environ.get("RAY_ADDRESS")
    return Check("engine", "ok", f"ray at {address}" if address else "ray on this machine only: RAY_ADDRESS names no cluster")


def _profile() -> str:
    """The profile params.yaml chooses, `demo` outside a repository."""
    try:
        return profile_name()
    except UserError:
        return "demo"


def examine(folder: str | Path = ".") -> list[Check]:
    """All checks, in a fixed order; `folder` is where outputs would be written."""
    python = ".".join(map(str, sys.version_info[:3]))
    checks = [Check("python", "ok", python) if sys.version_info >= (3, 11) else Check("python", "missing", python, "install Python 3.11 or newer")]
    git = shutil.which("git")
    checks.append(Check("git", "ok", git) if git else Check("git", "missing", "not found", "install git: DVC compares versions with it"))
    checks += _packages()
    checks += [_device(), *_decoders(), _memory(), *_disk(Path(folder).absolute(), _profile()), *_cache(), _engine()]
    return checks + _roots()


def as_rows(checks: list[Check]) -> list[dict[str, Any]]:
    """The findings as plain dicts, for `--json`."""
    return [asdict(check) for check in checks]
