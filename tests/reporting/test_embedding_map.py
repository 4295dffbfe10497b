"""The map of features: the plane against scikit-learn's, which segments are drawn, equal inputs, equal picture."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from primus.keyed_arrays import write_keyed
from primus.reporting.embedding_map import COLUMNS, drawn_segments, embedding_map, plane
from primus.seeds import generator


def test_the_plane_is_that_of_principal_components_of_rows_at_unit_length() -> None:
    features = generator(0, "plane").normal(size=(40, 7)).astype(np.float32) * np.arange(1, 8)
    places, shares = plane(features)
    twin = PCA(2).fit(features / np.linalg.norm(features, axis=1, keepdims=True))
    expected = twin.transform(features / np.linalg.norm(features, axis=1, keepdims=True))
    np.testing.assert_allclose(np.abs(places), np.abs(expected), atol=1e-5)
    np.testing.assert_allclose(shares, twin.explained_variance_ratio_, atol=1e-6)
    for axis in range(2):
        assert places[np.abs(places[:, axis]).argmax(), axis] > 0
    np.testing.assert_allclose(plane(-features)[0][np.abs(places).argmax(axis=0), [0, 1]], np.abs(places).max(axis=0), atol=1e-5)


@pytest.mark.parametrize("features", [np.ones((5, 3)), np.zeros((1, 4)), np.ones((3, 1))])
def test_features_that_do_not_vary_lie_on_one_point(features: np.ndarray) -> None:
    places, shares = plane(features)
    np.testing.assert_allclose(places, 0, atol=1e-12)
    assert np.isfinite(shares).all()


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [(f"s{take}_{number:03d}", "d", f"t{take}", "probe", "ab"[number % 2]) for take in range(4) for number in range(100)]
    segments = pd.DataFrame([*rows, ("p", "d", "t0", "pretrain", None)], columns=["segment_id", "dataset", "take_uid", "purpose", "label"])
    splits = pd.DataFrame(
        [(fold, "d", f"t{take}", "test" if (take < 2) == (fold == 0) else "shots") for fold in (0, 1) for take in range(4)],
        columns=["fold", "dataset", "take_uid", "split"],
    )
    return segments, splits


def test_some_test_segments_of_the_first_fold_are_drawn_whatever_the_order_of_rows() -> None:
    segments, splits = tables()
    drawn = drawn_segments(segments, splits, most=50)
    assert len(drawn) == 50
    assert drawn["segment_id"].is_unique
    assert drawn["segment_id"].str.match(r"s[01]_").all()
    assert (drawn["tested"] == 200).all()
    pd.testing.assert_frame_equal(drawn_segments(segments[::-1], splits[::-1], most=50), drawn)


def test_every_method_with_features_is_drawn_on_its_own_representation(tmp_path: Path) -> None:
    segments, splits = tables()
    keys = segments["segment_id"].tolist()
    rng = generator(0, "features")
    for method, representation in (("primus", "multimodal"), ("random", "feature")):
        (tmp_path / method).mkdir()
        arrays = {name: rng.normal(size=(len(keys), 8)).astype(np.float32) for name in ("feature", "multimodal")}
        for seed in (1, 0):
            write_keyed(tmp_path / method / f"seed{seed}.h5", keys, arrays, {"representation": representation, "seed": seed})
    (tmp_path / "skipped").mkdir()
    found = embedding_map(tmp_path, ["primus", "random", "skipped"], segments, splits)
    assert list(found.columns) == COLUMNS
    assert dict(zip(found["method"], found["representation"], strict=True)) == {"primus": "multimodal", "random": "feature"}
    pd.testing.assert_frame_equal(found, embedding_map(tmp_path, ["primus", "random", "skipped"], segments, splits))
