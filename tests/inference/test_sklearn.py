"""The transformer keeps scikit-learn's promises and the model's contract."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

import primus
from primus.inference import encode_windows
from primus.models.encoder import ImuEncoder
from primus.sklearn import ImuFeatures
from tests.inference.motion import motion

SI = {"accel_unit": "m/s^2", "gyro_unit": "rad/s"}


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.concatenate([primus.preprocess(motion(50, 41, seed, highest_hz=2 + 4 * (seed % 2)), rate_hz=50, **SI).imu for seed in range(4)])


def test_features_are_those_of_the_encoder(model: Path, encoder: ImuEncoder, windows: np.ndarray) -> None:
    features = ImuFeatures(str(model)).fit_transform(windows)
    np.testing.assert_allclose(features, encode_windows(encoder, windows)[0], atol=1e-6)
    assert ImuFeatures(encoder, output="projection").fit_transform(windows).shape == (32, 8)


def test_inside_a_pipeline_with_cross_validation_and_pandas_output(model: Path, windows: np.ndarray) -> None:
    labels, people = np.repeat([0, 1, 0, 1], 8), np.repeat([0, 0, 1, 1], 8)
    pipeline = make_pipeline(ImuFeatures(model), StandardScaler(), LogisticRegression(max_iter=200))
    assert cross_val_score(pipeline, windows, labels, groups=people, cv=GroupKFold(2)).mean() > 0.7
    fitted = pickle.loads(  # as scikit-learn itself sends estimators to its processes; nothing in the product loads a pickle
        pickle.dumps(pipeline.fit(windows, labels))
    )
    np.testing.assert_array_equal(fitted.predict(windows), pipeline.predict(windows))
    frame = ImuFeatures(model).set_output(transform="pandas").fit_transform(windows)
    assert list(frame.columns[:2]) == ["primus_feature_0", "primus_feature_1"]
    assert frame.shape == (32, 24)


def test_clones_and_parameters(model: Path) -> None:
    transformer = ImuFeatures(model, output="projection", rate_hz=100.0)
    copy = clone(transformer)
    assert copy.get_params() == transformer.get_params()
    assert pickle.loads(pickle.dumps(transformer)).get_params() == transformer.get_params()
    assert "ImuFeatures" in repr(transformer)


@pytest.mark.parametrize(
    "check",
    ["check_no_attributes_set_in_init", "check_get_params_invariance", "check_set_params", "check_estimator_repr", "check_estimator_cloneable",
     "check_estimator_tags_renamed", "check_valid_tag_types", "check_mixin_order", "check_do_not_raise_errors_in_init_or_set_param"],
)  # fmt: skip
def test_scikit_learns_own_checks_that_need_no_table(check: str, model: Path) -> None:
    function = getattr(estimator_checks, check, None)
    if function is None:
        pytest.skip(f"this scikit-learn has no {check}")
    function("ImuFeatures", ImuFeatures(str(model)))


def test_other_rates_and_units_are_brought_to_the_contract(model: Path, windows: np.ndarray) -> None:
    values = motion(100, 21)
    mine = np.stack([values[k * 500 : (k + 1) * 500].T for k in range(4)])
    expected = ImuFeatures(model).fit_transform(primus.preprocess(values, rate_hz=100, **SI).imu)
    found = ImuFeatures(model, rate_hz=100.0).fit_transform(mine)
    assert np.abs(found - expected).max() < 0.1 * expected.std()
    in_g = mine / np.array([9.80665] * 3 + [1] * 3)[:, None]
    np.testing.assert_allclose(ImuFeatures(model, rate_hz=100.0, accel_unit="g").fit_transform(in_g), found, atol=1e-4)
    assert ImuFeatures(model, rate_hz=100.0, missing_gyro="zeros").fit_transform(mine[:, :3]).shape == (4, 24)


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ({}, lambda x: x.transpose(0, 2, 1), "transpose the last two axes"),
        ({}, lambda x: x[:, :3], "three channels lack the gyroscope"),
        ({}, lambda x: x[:, :, ::2], "125 samples are another rate or length"),
        ({}, lambda x: x / 9.81, "another unit, or gravity removed"),
        ({}, lambda x: x.reshape(len(x), -1), r"expected \(N, 6, 250\)"),
        ({"rate_hz": 100.0}, lambda x: x, "last 2.5 s; the model takes 5 s"),
        ({"rate_hz": 50.0}, lambda x: x / 9.81, "window 0: median specific force|implausible_gravity"),
        ({"rate_hz": 50.0}, lambda x: x[:, :3], "no gyroscope"),
        ({"output": "logits"}, lambda x: x, "output is 'logits'"),
        ({"model": "nowhere"}, lambda x: x, "give a folder"),
    ],
)
def test_what_breaks_the_contract_is_a_value_error(model: Path, windows: np.ndarray, options: dict, change, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ImuFeatures(**({"model": model} | options)).fit_transform(change(windows))
