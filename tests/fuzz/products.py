"""What the project's own commands wrote and read again, as targets: heads, files of features, prompts, converted weights, sweeps, unfinished work."""

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from primus.adapt.head import Head, load_head
from primus.adapt.labelled_features import is_feature_file, labelled_features
from primus.adapt.prediction import predict
from primus.adapt.probe_training import require_head_model
from primus.adapt.prompting import nearest_windows, read_prompts
from primus.artifacts import read_json, read_table, write_table
from primus.embeddings.convert import convert_clip
from primus.embeddings.weights import load_encoder
from primus.errors import UserError
from primus.evaluation.encoders import comparable_encoders
from primus.evaluation.run_comparison import Sweep, compare_numbers, compare_sweeps
from primus.inference.feature_file import feature_schema
from primus.inference.partial_file import PartialFile, Progress
from primus.mend import mend
from primus.models.digest import weights_digest
from primus.models.encoder import ImuEncoder
from primus.schema import Reject
from tests.embeddings.clip_folders import SMALLEST, write_folder
from tests.fuzz.target import Target

CLASSES = ("sit", "stand", "walk")
VOCABULARY = 49408  # that of every text tower, whatever its width: the tokenizer's
ARCHITECTURE = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "layers": 1, "width": 24, "head_width": 8},
    "text_cfg": {"context_length": 16, "vocab_size": VOCABULARY, "layers": 1, "width": 16, "heads": 2},
}
"""Of the converted weights, as open_clip describes it."""


@cache
def encoder() -> ImuEncoder:
    """The small encoder that every head and file of features here belongs to."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ImuEncoder(feature_dim=16, projection_dim=8).eval()


def _about() -> dict[str, Any]:
    return {"projection": "multimodal", "model": {"weights_sha256": weights_digest(encoder()), "training": {"method": "primus"}}}


def read_head(root: Path) -> int:
    head = load_head(root / "head")
    require_head_model(head, encoder(), "the encoder")
    probability = head.probabilities(np.ones((2, len(head.mean))))
    assert probability.shape == (2, len(head.classes))
    assert np.isfinite(probability).all(), "a head that gives no probabilities"
    return 1


def _head(folder: Path) -> None:
    draw = np.random.default_rng(0)
    scale = [np.ones(16, np.float32), np.full(16, 2.0, np.float32)]
    weights, bias = draw.normal(size=(16, 3)).astype(np.float32), np.zeros(3, np.float32)
    (folder / "one/head").mkdir(parents=True)
    Head(CLASSES, scale[0], scale[1], weights, bias, True, _about()).save(folder / "one/head")


def read_features(root: Path) -> int:
    """A file of features, for training, for searching and for predicting."""
    path = root / "a.parquet"
    if not is_feature_file(path):
        raise UserError(f"{path} is no file of features")
    rows = labelled_features(path, encoder(), "the encoder")
    assert rows.feature is not None
    assert np.isfinite(rows.feature).all()
    assert len(rows.feature) == len(rows.label) == len(rows.source)
    found = nearest_windows(path, np.eye(8)[0], 3)
    assert all(np.isfinite(row["similarity"]) for row in found)
    flat = np.zeros((16, 3), np.float32)
    head = Head(CLASSES, flat[:, 0], flat[:, 0] + 1, flat, flat[0], True, _about())
    return predict([path], head, encoder(), "the encoder", root / "predictions.parquet").windows


def _features(folder: Path) -> None:
    draw = np.random.default_rng(1)
    schema = feature_schema(encoder(), {"format": "primus.features/1"} | _about())
    vectors = [pa.FixedSizeListArray.from_arrays(pa.array(draw.normal(size=40 * width).astype(np.float32)), width) for width in (16, 8)]
    columns = [pa.array([f"t{k // 8}.csv" for k in range(40)]), pa.array(np.arange(40.0)), pa.array(np.arange(40.0) + 1), *vectors]
    table = pa.Table.from_arrays(columns, schema=schema)
    labels = pa.array([CLASSES[k % 3] if k % 5 else None for k in range(40)])
    for name, extra in (("labels", {"label": labels}), ("people", {"label": labels, "participant": pa.array([f"p{k // 10}" for k in range(40)])})):
        (folder / name).mkdir(parents=True)
        whole = table
        for column, values in extra.items():
            whole = whole.append_column(column, values)
        pq.write_table(whole, folder / name / "a.parquet", compression="zstd")


def read_prompt_file(root: Path) -> int:
    found = read_prompts(next(iter(sorted(root.iterdir()))))
    assert all(label.strip() == label or label for label in found)
    assert all(isinstance(text, str) and text for texts in found.values() for text in texts)
    return len(found)


def _prompts(folder: Path) -> None:
    plain = {name: [f"a person {name}s", f"{name}ing quietly"] for name in CLASSES}
    worded = {"templates": ["C {}", "a person {}"], "classes": {name: [f"{name}s", f"is {name}ing"] for name in CLASSES}}
    texts = {
        "json": json.dumps(plain),
        "worded.json": json.dumps(worded),
        "yaml": "".join(f"{name}:\n  - {texts[0]}\n  - {texts[1]}\n" for name, texts in plain.items()),
        "txt": "# prompts\n" + "".join(f"{name}: {text}\n" for name, texts in plain.items() for text in texts),
    }
    for name, text in texts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / f"a.{name.rpartition('.')[2]}").write_text(text)


def read_weights(root: Path) -> int:
    """Converted CLIP weights, as the embed stages load them."""
    for name, quick in (("fuzzed", False), ("fuzzed-quickgelu", True)):
        open_clip.factory._MODEL_CONFIGS[name] = ARCHITECTURE | {"quick_gelu": quick}
    (found,) = root.iterdir()
    clip = load_encoder("fuzzed-quickgelu", str(found))
    rows = clip.encode_images(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert rows.shape == (1, 16)
    assert np.isfinite(rows).all(), "embeddings that are no numbers"
    return 1


def _weights(folder: Path) -> None:
    source = folder.with_name("source-of-weights")
    write_folder(source, SMALLEST | {"text_config": SMALLEST["text_config"] | {"vocab_size": VOCABULARY}})
    for name, out in (("file", "clip.safetensors"), ("folder", "clip")):
        (folder / name).mkdir(parents=True)
        convert_clip(source, folder / name / out)
    shutil.rmtree(source)


def read_sweep(root: Path) -> int:
    """A sweep's table of predictions against a sound one, and its metrics against sound ones."""
    numbers = {"accuracy": {"primus": {"20": 0.5}}, "n": 3}
    if (root / "metrics.json").exists():
        return max(1, len(compare_numbers(read_json(root / "metrics.json"), numbers, ("a", "b"))))
    return len(compare_sweeps(Sweep("a", read_table(root / "predictions.parquet")), Sweep("b", _counts()), replicates=50))


def _counts() -> pd.DataFrame:
    draw = np.random.default_rng(2)
    keys = [(seed, episode, person) for seed in range(2) for episode in range(3) for person in ("p1", "p2", "p3")]
    rows = [
        {"dataset": "demo", "method": "primus", "representation": "feature", "head": "logistic", "fold": 0, "seed": seed, "episode": episode,
         "shots": 20, "participant": person, "label": label, "predicted": predicted, "count": int(draw.integers(1, 9))}
        for seed, episode, person in keys for label in CLASSES for predicted in CLASSES
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _sweep(folder: Path) -> None:
    for name in ("table", "metrics"):
        (folder / name).mkdir(parents=True)
    write_table(folder / "table/predictions.parquet", _counts())
    (folder / "metrics/metrics.json").write_text(json.dumps({"accuracy": {"primus": {"20": 0.4, "50": 0.6}}, "n": 4}))


def read_models(root: Path) -> int:
    """The folder of models that the evaluation stages list."""
    found = comparable_encoders(root / "models", ["primus", "clip"], [0])
    assert set(found.encoders) | set(found.skipped) == {"primus", "clip"}
    return max(1, len(found.encoders))


def _models(folder: Path) -> None:
    models = folder / "one/models"
    encoder().save_pretrained(models / "primus/seed0", method="primus", seed=0, fold=0, representation="feature")
    (models / "clip").mkdir()
    (models / "clip/skipped.json").write_text(json.dumps({"reason": "no video"}))


def read_partial(root: Path) -> int:
    """An interrupted run's work is continued when it is whole, and otherwise done again."""
    schema = pa.schema([("source", pa.string()), ("value", pa.float64())])
    with PartialFile(root / "a.parquet", schema, {"model": "m"}) as partial:
        found = partial.progress
        if found == Progress():
            partial.append(_group(schema), Progress(source=1))
        partial.finish(found.rejects, root / "a.rejects.csv")
    rows = pq.read_table(root / "a.parquet")
    assert rows["value"].to_pylist() == [1.0, 2.0], "another run's rows"
    return 1


def _group(schema: pa.Schema) -> pa.Table:
    return pa.table({"source": ["x", "x"], "value": [1.0, 2.0]}, schema=schema)


def _partial(folder: Path) -> None:
    schema = pa.schema([("source", pa.string()), ("value", pa.float64())])
    (folder / "one").mkdir(parents=True)
    with PartialFile(folder / "one/a.parquet", schema, {"model": "m"}) as partial:
        rejects = [Reject("mine", "t1", "gap", "a gap")]
        partial.append(_group(schema), Progress(source=1, rejects=rejects, notes={"spread": 1}))


def read_dvc_state(root: Path) -> int:
    """Sound files of DVC stay, others go; never an error."""
    gone = mend(root)
    return 1 + len(gone)


def _dvc_state(folder: Path) -> None:
    root = folder / "one"
    (root / ".dvc/tmp").mkdir(parents=True)
    (root / ".dvc/tmp/rwlock").write_text(json.dumps({"/a": {"write": {"pid": 7, "cmd": "dvc repro"}}}))
    stage = "    cmd: python -m stages.segment\n    deps:\n    - path: a.py\n      hash: md5\n      md5: abc\n      size: 3\n"
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  segment:\n{stage}  embed:\n{stage}")


PRODUCTS = (
    Target("head", "loader", 1.5, _head, read_head),
    Target("features", "loader", 2.0, _features, read_features),
    Target("prompts", "loader", 1.0, _prompts, read_prompt_file),
    Target("weights", "loader", 1.0, _weights, read_weights),
    Target("sweep", "loader", 1.0, _sweep, read_sweep),
    Target("models", "loader", 0.5, _models, read_models),
    Target("partial", "loader", 0.5, _partial, read_partial),
    Target("dvc_state", "loader", 0.5, _dvc_state, read_dvc_state),
)
