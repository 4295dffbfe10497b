"""The stages zeroshot, retrieval and robustness on a small project: what they write, also without data, and that no number depends on threads."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from primus.artifacts import write_json, write_table
from primus.embeddings.demo_clip import demo_encoder
from primus.embeddings.store import Provenance, write_embeddings
from primus.embeddings.text import CLEANING
from primus.keyed_arrays import write_keyed
from primus.models.encoder import ImuEncoder
from primus.schema import SEGMENTS, SPLITS

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("cook", "dance", "climb rock")
STAGES = ("zeroshot", "retrieval", "robustness")
WRITTEN = [f"metrics/{name}.json" for name in STAGES] + [f"metrics/plots/{name}.csv" for name in STAGES]


def params(threads: int = 1) -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content |= {"data": "small", "compute": {"threads": threads, "workers": 1}}
    content["methods"] = {"primus": {"section": "loss"}, "imu2clip": {"section": "loss"}, "random": {"section": "baselines.random"}}
    content["fewshot"] |= {"episodes": 2, "bootstrap": 50}
    content["retrieval"]["bootstrap"] = 50
    content["robustness"]["conditions"] = [
        {"name": "rate", "severity": 10}, {"name": "rate", "severity": 60}, {"name": "gyro_lost"}, {"name": "rotation"},
        {"name": "window", "severity": 2}, {"name": "window", "severity": 10},
    ]  # fmt: skip
    content["profiles"]["small"] = {
        "corpus": "simulation",
        "embed": {"encoder": {"model": "primus-demo", "weights": "fixed-random"}, "video": {"fps": 2}},
        "fewshot": {"shots": [1, 2], "site_shots": 0},
        "retrieval": {"gallery": 6},
        "robustness": {"shots": 2, "windows": 24},
    }
    return content


def write_segments(root: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Table and windows: one pretraining set and two probe sets, of 4 people each, 12 contiguous segments a take."""
    rng = np.random.default_rng(0)
    rows, splits, windows = [], [], []
    time = np.arange(250) / 50
    for dataset, purpose in (("films", "pretrain"), ("egoexo4d", "probe"), ("unprompted", "probe")):
        for person in range(4):
            take = f"{dataset}-{person}"
            role = ("train", "train", "val", "val") if purpose == "pretrain" else ("shots", "shots", "test", "test")
            splits.append((0, dataset, take, f"{dataset}/{person}", role[person]))
            for index in range(12):
                label = CLASSES[index // 4]
                texts = [f"C does part {index % 5}."] if purpose == "pretrain" else []
                common = (f"{take}_{index * 5000}", dataset, take, f"{dataset}/{person}", "s", "d", purpose, "tile", index * 5.0, index * 5.0 + 5)
                rows.append((*common, label, texts, None))
                wave = np.sin(2 * np.pi * (index // 4 + 1) * time + rng.uniform(0, 6, (6, 1)))
                windows.append(wave + 0.3 * rng.standard_normal((6, 250)) + np.array([0, 0, 9.81, 0, 0, 0])[:, None])
    table = pd.DataFrame(rows, columns=SEGMENTS.names)
    write_table(root / "segments" / "segments.parquet", table, SEGMENTS)
    write_table(root / "segments" / "splits.parquet", pd.DataFrame(splits, columns=SPLITS.names), SPLITS)
    imu = np.array(windows, dtype=np.float32)
    write_keyed(root / "segments" / "imu.h5", table["segment_id"].tolist(), {"imu": imu}, {"rate_hz": 50.0, "window_s": 5.0})
    return table, imu


def write_stores(root: Path, ids: list[str]) -> None:
    """Embeddings of the demo's encoder for `ids`; every fifth narration is the same."""
    identity, rng = demo_encoder().identity, np.random.default_rng(1)
    for name, preprocessing in (("text", f"{CLEANING}; {identity.context_length} tokens"), ("video", identity.preprocessing)):
        vectors = rng.standard_normal((len(ids), identity.dim))
        vectors = vectors[np.arange(len(ids)) % 5] if name == "text" else vectors
        provenance = Provenance(name, identity.model, identity.weights_sha256, preprocessing, 0.0, "clip4clip", identity.dim, "small")
        with write_embeddings(root / "embeddings" / f"{name}.h5", provenance) as writer:
            writer.append(ids, {"embedding": vectors / np.linalg.norm(vectors, axis=1, keepdims=True)})


def write_encoders(root: Path, ids: list[str], windows: np.ndarray) -> None:
    """An encoder called multimodal, an untrained one, and a method that was skipped; features of segments `ids` under the first two."""
    for number, (method, representation) in enumerate((("primus", "multimodal"), ("random", "feature"))):
        torch.manual_seed(number)
        encoder = ImuEncoder().eval()
        encoder.save_pretrained(root / "models" / method / "seed0", representation=representation, seed=0, fold=0)
        with torch.no_grad():
            output = encoder(torch.from_numpy(windows))
        arrays = {name: value.numpy() for name, value in output._asdict().items() if value is not None}
        attrs = {"method": method, "seed": 0, "fold": 0, "representation": representation}
        write_keyed(root / "features" / method / "seed0.h5", ids, arrays, attrs)
    write_json(root / "models" / "imu2clip" / "skipped.json", {"reason": "no training segment has video or text"})


def run(project: Path, name: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", f"stages.{name}"], cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """(a project after the three stages, what each printed)."""
    project = tmp_path_factory.mktemp("project")
    root = project / "data" / "small"
    (project / "params.yaml").write_text(yaml.safe_dump(params()))
    table, imu = write_segments(root)
    probe = (table["purpose"] == "probe").to_numpy()
    write_stores(root, table.loc[~probe, "segment_id"].tolist())
    write_encoders(root, table.loc[probe, "segment_id"].tolist(), imu[probe])
    return project, {name: run(project, name) for name in STAGES}


def read(project: Path, name: str) -> dict[str, Any]:
    return json.loads((project / "metrics" / f"{name}.json").read_text())


def test_zeroshot_scores_prompted_sets_under_trained_projections(project: tuple[Path, dict[str, str]]) -> None:
    found = read(project[0], "zeroshot")
    assert found["skipped"] == 0
    assert found["skipped_methods"] == {"imu2clip": 1, "random": 1}
    assert found["skipped_datasets"] == {"unprompted": 1}
    scores = found["egoexo4d"]["primus"]
    assert scores["accuracy_lo"] <= scores["accuracy"] <= scores["accuracy_hi"]
    assert scores["accuracy_wording_min"] <= scores["accuracy_wording_max"]
    assert found["egoexo4d"]["chance"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["egoexo4d"]["test_segments"] == 24
    curve = pd.read_csv(project[0] / "metrics/plots/zeroshot.csv")
    assert curve[["dataset", "method", "representation", "shots", "complete"]].to_numpy().tolist() == [["egoexo4d", "primus", "multimodal", 0, 1]]
    folder = project[0] / "data/small/zeroshot"
    assert pd.read_parquet(folder / "predictions.parquet")["count"].sum() == 24
    assert len(pd.read_parquet(folder / "wordings.parquet")) == found["egoexo4d"]["wordings"] == 12
    assert "unprompted: skipped, no prompts; write primus/evaluation/class_prompts/unprompted.json" in project[1]["zeroshot"]


def test_retrieval_states_gallery_and_chance(project: tuple[Path, dict[str, str]]) -> None:
    found = read(project[0], "retrieval")
    gallery = found["gallery"]
    sizes = {"asked": 6, "complete": 1, "distinct_video": 6, "folds": 1, "participants": 2, "queries": 6, "segments": 6}
    assert gallery == sizes | {"distinct_text": gallery["distinct_text"]}
    assert gallery["distinct_text"] <= 5
    assert found["chance"]["imu_to_video"]["r1"] == pytest.approx(1 / 6, abs=1e-6)
    assert found["chance"]["imu_to_text"]["r1"] > found["chance"]["imu_to_video"]["r1"], "six segments have at most five narrations"
    for direction in ("imu_to_video", "video_to_imu", "imu_to_text", "text_to_imu"):
        scores = found["primus"][direction]
        assert scores["r1"] <= scores["r5"] <= scores["r10"] == 1
        assert scores["median_rank_lo"] <= scores["median_rank"] <= scores["median_rank_hi"]
    ranks = pd.read_parquet(project[0] / "data/small/retrieval/ranks.parquet")
    assert len(ranks) == 4 * 6
    assert (ranks.loc[ranks["direction"] == "imu_to_text", "correct"] >= 1).all()


def test_robustness_compares_the_same_segments(project: tuple[Path, dict[str, str]]) -> None:
    found = read(project[0], "robustness")
    assert found["skipped_conditions"] == {"egoexo4d": {"rate_60": 1}, "unprompted": {"rate_60": 1}}
    of_method = found["egoexo4d"]["random"]
    assert set(of_method) == {"matched", "rate_10", "gyro_lost", "rotation", "window_2", "window_10"}
    assert of_method["matched"]["test_segments"] == 24
    assert of_method["window_10"]["test_segments"] == 18, "the last of the four segments of a class in a take has no follower"
    assert "retention" not in of_method["matched"]
    gyro = of_method["gyro_lost"]
    assert gyro["retention"] == pytest.approx(gyro["accuracy"] / of_method["matched"]["accuracy"], abs=1e-5)
    assert "egoexo4d, rate_60: skipped, the segments have 50 Hz" in project[1]["robustness"]
    assert len(pd.read_csv(project[0] / "metrics/plots/robustness.csv")) == 2 * 2 * 6


def test_few_people_are_tested_in_turn_by_every_stage(project: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    turns = tmp_path / "turns"
    shutil.copytree(project[0], turns)
    settings = params()
    settings["fewshot"]["few_people"] = "leave_user_out"
    settings["profiles"]["small"]["robustness"]["windows"] = 30
    (turns / "params.yaml").write_text(yaml.safe_dump(settings))
    for name in ("zeroshot", "robustness"):
        run(turns, name)
    zeroshot, robustness = read(turns, "zeroshot")["egoexo4d"], read(turns, "robustness")["egoexo4d"]
    everybody = {"test_participants": 4, "folds": 1, "parts": 4}
    assert {name: zeroshot[name] for name in everybody} == {name: robustness[name] for name in everybody} == everybody
    assert zeroshot["test_segments"] == 48
    predictions = pd.read_parquet(turns / "data/small/zeroshot/predictions.parquet")
    assert predictions.groupby("participant")["count"].sum().to_dict() == {f"egoexo4d/{person}": 12 for person in range(4)}
    assert robustness["test_segments"] == robustness["random"]["matched"]["test_segments"] == 30
    assert 0 < robustness["random"]["window_10"]["test_segments"] < 30


def test_results_do_not_depend_on_threads(project: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(project[0], again)
    (again / "params.yaml").write_text(yaml.safe_dump(params(threads=3)))
    for name in STAGES:
        run(again, name)
    for name in WRITTEN:
        assert (again / name).read_bytes() == (project[0] / name).read_bytes(), name


def test_a_corpus_without_video_and_narrations_is_skipped_with_a_reason(project: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(project[0], bare)
    root = bare / "data" / "small"
    for name in ("text", "video"):
        provenance = Provenance(name, "primus-demo", "none: nothing to embed", "", 0.0, "clip4clip", 512, "small")
        with write_embeddings(root / "embeddings" / f"{name}.h5", provenance):
            pass
    shutil.rmtree(root / "models" / "primus")
    write_json(root / "models" / "primus" / "skipped.json", {"reason": "no training segment has video or text"})
    for name in STAGES[:2]:
        assert "the corpus has neither narrations nor video" in run(bare, name)
        assert read(bare, name)["skipped"] == 1
        assert pd.read_csv(bare / f"metrics/plots/{name}.csv").empty
    assert "primus: skipped, no training segment has video or text" in run(bare, "robustness")
    assert read(bare, "robustness")["skipped_methods"] == {"primus": 1, "imu2clip": 1}
