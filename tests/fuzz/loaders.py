"""The loaders as targets: models, weights, keyed arrays, tables, JSON and params, each as the commands and stages load them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from primus.artifacts import read_json, read_table, write_table
from primus.embeddings.convert import convert_clip
from primus.embeddings.store import Provenance, read_embeddings, write_embeddings
from primus.io.imu_parquet import read_imu_parquet, write_imu_parquet
from primus.io.recording import build_recording
from primus.keyed_arrays import KeyedArrays, write_keyed
from primus.models.encoder import ImuEncoder
from primus.models.weights import load_released_checkpoint
from primus.params import Compute, load, load_datasets, load_value, profile_name
from primus.schema import MANIFEST
from primus.training.method import MethodSettings
from primus.work_cache import WorkCache
from tests.conftest import ROOT
from tests.fuzz.invariants import check_recording
from tests.fuzz.target import Target
from tests.io import vrs_files

WINDOW = torch.zeros(1, 6, 130)


def read_checkpoint(root: Path) -> int:
    encoder = load_released_checkpoint(root / "released.ckpt")
    assert all(bool(torch.isfinite(value).all()) for value in encoder.state_dict().values())
    return 1


def _checkpoint(folder: Path) -> None:
    for name, heads in (("two", True), ("one", False)):
        (folder / name).mkdir(parents=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            encoder = ImuEncoder(heads=heads)
        state = {f"imu_encoder.{key if heads else key.replace('backbone.', 'net.')}": value for key, value in encoder.state_dict().items()}
        state |= {"text_encoder.weight": torch.zeros(3), "mmcl_loss.temperature": torch.tensor(0.1)}
        numbers = {"best": np.float64(0.5), "epoch": np.int64(3), "flag": np.bool_(True)}
        torch.save({"state_dict": state, "epoch": 3, "callbacks": numbers}, folder / name / "released.ckpt")


def read_model(root: Path) -> int:
    encoder = ImuEncoder.from_pretrained(root / "model")
    assert encoder.inputs.samples > 0
    with torch.no_grad():
        out = encoder(WINDOW)
    assert out.feature.shape == (1, encoder.feature_dim)
    encoder.options()
    return 1


def _model(folder: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ImuEncoder(feature_dim=16, projection_dim=8).save_pretrained(folder / "linear/model", method="primus", seed=3)
        ImuEncoder("time", "fixed", feature_dim=8, heads=False).save_pretrained(folder / "bare/model", method="simclr")


def read_keyed(root: Path) -> int:
    with KeyedArrays(root / "a.h5") as file:
        for name in file.names:
            rows = file.rows(name, list(file.keys[:3]))
            assert len(rows) == min(3, len(file.keys))
            mapped = file.memmap(name)
            assert mapped.shape[0] == len(file)
            float(np.nan_to_num(np.asarray(mapped, np.float64)).sum())
        assert all(isinstance(key, str) for key in file.keys)
        count = len(file.names)
    if (root / "embeddings").exists():
        with read_embeddings(root / "a.h5") as file:
            file.memmap("embedding")
    return max(1, count)


def _keyed(folder: Path) -> None:
    draw = np.random.default_rng(0)
    keys = [f"take-{k}_{k * 1000}" for k in range(40)]
    for name in ("imu", "embeddings"):
        (folder / name).mkdir(parents=True)
    write_keyed(folder / "imu/a.h5", keys, {"imu": draw.normal(size=(40, 6, 20)).astype("<f4")}, {"rate_hz": 50.0, "units": "m/s^2"})
    with write_embeddings(folder / "embeddings/a.h5", Provenance("video", "m", "0" * 64, "rgb", 10.0, "clip4clip", 8, "demo")) as writer:
        writer.append(keys, {"embedding": draw.normal(size=(40, 8)).astype("<f2")})
    (folder / "embeddings/embeddings").write_text("")


def read_parquet_table(root: Path) -> int:
    return max(1, len(read_table(root / "a.parquet")))


def _parquet_table(folder: Path) -> None:
    import pyarrow as pa

    (folder / "one").mkdir(parents=True)
    columns = {"dataset": ["egoexo4d"] * 50, "path": [f"takes/{k}" for k in range(50)], "size_bytes": list(range(50))}
    write_table(folder / "one/a.parquet", pa.table(columns, schema=MANIFEST))


def read_imu_file(root: Path) -> int:
    check_recording(read_imu_parquet(root / "a.imu.parquet"))
    return 1


def _imu_file(folder: Path) -> None:
    (folder / "two").mkdir(parents=True)
    t, accel, gyro = vrs_files.signal(1.0, 200.0)
    right, left = (build_recording(t, accel, gyro, "x", {"invalid_samples": 3}) for _ in range(2))
    write_imu_parquet(folder / "two/a.imu.parquet", {"imu-right": right, "imu-left": left})


def read_json_file(root: Path) -> int:
    read_json(root / "a.json")
    return 1


def _json_file(folder: Path) -> None:
    (folder / "one").mkdir(parents=True)
    (folder / "one/a.json").write_text(json.dumps({"model_cfg": {"embed_dim": 64, "text_cfg": {"width": 3.5}}, "list": [1, {"a": None}], "t": "x"}))


@dataclass(frozen=True)
class _Splits:
    seed: int
    folds: int
    val_fraction: float
    test_fraction: float


def read_params_file(root: Path) -> int:
    path = root / "params.yaml"
    profile_name(path)
    load(Compute, "compute", path)
    load(_Splits, "segment.splits", path)
    load(MethodSettings, "loss", path)
    load_datasets(path)
    load_value("pretrain.seeds", path)
    return 1


def _params_file(folder: Path) -> None:
    (folder / "one").mkdir(parents=True)
    (folder / "one/params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())


def read_clip(root: Path) -> int:
    convert_clip(root / "clip", root / "out.safetensors")
    return 1


def _clip(folder: Path) -> None:
    from safetensors.torch import load_file

    from tests.embeddings.clip_folders import SMALLEST, write_folder

    write_folder(folder / "safetensors/clip", SMALLEST)
    write_folder(folder / "bin/clip", SMALLEST)
    weights = folder / "bin/clip/model.safetensors"
    torch.save(load_file(weights), folder / "bin/clip/pytorch_model.bin")
    weights.unlink()


def read_cache_entry(root: Path) -> int:
    """A damaged entry is no error but absent: it is computed again. A sound one is given whole."""
    cache = WorkCache("x", root)
    found = cache.load(_KEY)
    if found is None:
        assert cache.corrupt == 1
        return 1
    arrays, meta = found
    assert meta == _META
    np.testing.assert_array_equal(arrays["imu"], _ARRAY)
    return 1


_KEY, _META, _ARRAY = "ab" + "0" * 62, {"refused": None, "n": [1, 2]}, np.arange(60, dtype=np.float32).reshape(10, 6)


def _cache_entry(folder: Path) -> None:
    WorkCache("x", folder / "one").store(_KEY, {"imu": _ARRAY}, _META)


LOADERS = (
    Target("checkpoint", "loader", 1.0, _checkpoint, read_checkpoint),
    Target("model_folder", "loader", 2.0, _model, read_model),
    Target("keyed_arrays", "loader", 3.0, _keyed, read_keyed),
    Target("tables", "loader", 1.5, _parquet_table, read_parquet_table),
    Target("imu_parquet", "loader", 1.5, _imu_file, read_imu_file),
    Target("json", "loader", 1.0, _json_file, read_json_file),
    Target("params", "loader", 1.5, _params_file, read_params_file),
    Target("clip", "loader", 1.5, _clip, read_clip),
    Target("cache", "loader", 0.5, _cache_entry, read_cache_entry),
)
