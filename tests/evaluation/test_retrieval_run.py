"""Galleries of a corpus and what retrieval on them comes to, without the stage."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.encoders import Comparable
from primus.evaluation.gallery import Gallery, draw_galleries, gallery_sizes, gallery_table, stored_modalities
from primus.evaluation.retrieval import same
from primus.evaluation.retrieval_run import (
    RANK_COLUMNS,
    RetrievalParams,
    chance_of,
    curve_table,
    directions,
    estimates_of,
    rank_table,
    reason_for_nothing,
    retrieval_metrics,
)
from tests.evaluation.test_evaluation_stages import write_segments, write_stores


def gallery(fold: int, rng: np.random.Generator) -> Gallery:
    """Ten segments of five people with video embeddings, all different."""
    table = pd.DataFrame({"fold": fold, "segment_id": [f"{fold}-{place}" for place in range(10)], "group": [f"p{place // 2}" for place in range(10)]})
    return Gallery(fold, table, {"video": rng.standard_normal((10, 4))}, {"video": same(np.arange(10))})


def test_a_perfect_encoder_finds_everything_and_chance_stays_chance() -> None:
    rng = np.random.default_rng(0)
    galleries = [gallery(fold, rng) for fold in (0, 1)]
    found = {"perfect": {seed: {one.fold: directions(one, one.embeddings["video"]) for one in galleries} for seed in (0, 1)}}
    scores = {"perfect": estimates_of(found["perfect"], galleries, RetrievalParams(gallery=10, bootstrap=20, seed=0))}
    chance = chance_of(galleries)
    numbers = retrieval_metrics(scores)["perfect"]
    assert sorted(numbers) == ["imu_to_video", "video_to_imu"]
    assert numbers["imu_to_video"]["r1"] == numbers["imu_to_video"]["r1_lo"] == 1
    assert chance["imu_to_video"]["r1"] == pytest.approx(0.1)
    curves = curve_table(scores, chance)
    assert curves.query("metric == 'r1'")["chance"].to_numpy() == pytest.approx([0.1, 0.1])
    ranks = rank_table(found, galleries)
    assert len(ranks) == 2 * 2 * 2 * 10
    assert (ranks["rank"] == 1).all()
    assert (ranks["correct"] == 1).all()
    assert list(gallery_table(galleries)["place"]) == [*range(10), *range(10)]
    assert gallery_sizes(galleries, 12) == {
        "segments": 10, "asked": 12, "complete": 0, "folds": 2, "queries": 20, "participants": 5, "distinct_video": 10,
    }  # fmt: skip


def test_a_gallery_holds_validation_segments_with_every_modality(tmp_path: Path) -> None:
    table, _ = write_segments(tmp_path)
    films = table[table["dataset"] == "films"]
    write_stores(tmp_path, films["segment_id"].tolist())
    assert stored_modalities(tmp_path) == ("video", "text")
    (found,) = draw_galleries(tmp_path, ("video", "text"), 8, 0)
    assert len(found.table) == 8
    assert set(found.table["take_uid"]) <= {"films-2", "films-3"}, "the validation split"
    said = found.table["texts"].map(lambda texts: texts[0]).to_numpy()
    assert found.same["text"][said[:, None] == said[None]].all(), "the same narration is the same answer"
    np.testing.assert_array_equal(found.same["video"], np.eye(8, dtype=bool))


def test_nothing_to_retrieve_has_a_reason() -> None:
    nobody, someone = Comparable({}, {}), Comparable({"primus": []}, {})
    galleries = [gallery(0, np.random.default_rng(0))]
    assert reason_for_nothing([], (), someone) == "the corpus has neither narrations nor video"
    assert "fewer than two validation segments with video and text" in reason_for_nothing([], ("video", "text"), someone)
    assert reason_for_nothing(galleries, ("video",), nobody) == "no method has a trained multimodal projection"
    assert reason_for_nothing(galleries, ("video",), someone) == ""
    assert list(rank_table({}, [])) == RANK_COLUMNS
    assert chance_of([]) == {}
