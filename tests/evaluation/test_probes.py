import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from primus.evaluation.probes.choose import ProbeName, choose_probe
from primus.evaluation.probes.nearest_neighbours import NearestNeighboursProbe
from primus.evaluation.probes.probe import ShotBatch
from primus.evaluation.probes.prototype import PrototypeProbe
from primus.evaluation.probes.standardise import FLOOR, moments, unit_rows
from primus.seeds import generator

NAMES: tuple[ProbeName, ...] = ("logistic", "knn", "prototype", "forest")


def batch(episodes: int = 3, each: int = 6, classes: int = 4, width: int = 10) -> tuple[ShotBatch, torch.Tensor]:
    rng = generator(0, "probes")
    labels = np.tile(np.repeat(np.arange(classes), each), (episodes, 1))
    features = rng.normal(size=(episodes, classes * each, width)) + labels[..., None] * 0.5
    test = rng.normal(size=(1, 50, width)) + 0.7
    weights = torch.ones(labels.shape, dtype=torch.float64)
    return ShotBatch(torch.from_numpy(features), torch.from_numpy(labels), weights, classes), torch.from_numpy(test)


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_knn_is_scikit_learns_where_votes_do_not_tie(neighbours: int) -> None:
    shots, test = batch()
    found = NearestNeighboursProbe(neighbours)(shots, test).argmax(dim=2).numpy()
    for row in range(len(found)):
        theirs = KNeighborsClassifier(neighbours).fit(shots.features[row], shots.labels[row])
        votes = theirs.predict_proba(test[0])
        clear = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
        assert clear.sum() > 10
        np.testing.assert_array_equal(found[row][clear], theirs.predict(test[0])[clear])


def test_knn_breaks_a_tie_in_favour_of_the_nearer() -> None:
    features = torch.tensor([[[0.0], [1.0], [3.0], [4.0]]], dtype=torch.float64)
    shots = ShotBatch(features, torch.tensor([[0, 1, 0, 1]]), torch.ones(1, 4, dtype=torch.float64), 2)
    assert NearestNeighboursProbe(4)(shots, torch.tensor([[[0.9], [3.2]]], dtype=torch.float64)).argmax(dim=2).tolist() == [[1, 0]]


def test_prototype_is_the_nearest_centroid() -> None:
    shots, test = batch()
    found = PrototypeProbe()(shots, test).argmax(dim=2).numpy()
    for row in range(len(found)):
        np.testing.assert_array_equal(found[row], NearestCentroid().fit(shots.features[row], shots.labels[row]).predict(test[0]))


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(name: ProbeName) -> None:
    shots, test = batch()
    probe = choose_probe(name, c=1.0, neighbours=3)
    padded = ShotBatch(
        torch.nn.functional.pad(shots.features, (0, 0, 0, 5)),
        torch.nn.functional.pad(shots.labels, (0, 5)),
        torch.nn.functional.pad(shots.weights, (0, 5)),
        shots.classes,
    )
    assert torch.equal(probe(shots, test), probe(padded, test))


@pytest.mark.parametrize("name", NAMES)
def test_one_hot_features_are_classified_without_error(name: ProbeName) -> None:
    labels = torch.arange(4).repeat_interleave(3)[None]
    features = torch.nn.functional.one_hot(labels, 4).double()
    shots = ShotBatch(features, labels, torch.ones(1, 12, dtype=torch.float64), 4)
    assert torch.equal(choose_probe(name, c=1.0, neighbours=3)(shots, features).argmax(dim=2), labels)


def test_standardised_rows_have_zero_mean_unit_deviation_and_a_floor() -> None:
    rng = generator(1, "rows")
    features = torch.from_numpy(rng.normal(size=(40, 5)) * np.array([1.0, 2.0, 3.0, 1e-9, 0.0]))
    mean, deviation = moments(features, torch.ones(40, dtype=torch.float64))
    scaled = (features - mean) / deviation
    torch.testing.assert_close(scaled[:, :3].mean(0), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(scaled[:, :3].std(0, correction=0), torch.ones(3, dtype=torch.float64))
    assert scaled[:, 3].abs().max() < 1e-6, "a near-constant dimension must not be blown up"
    rms = features.std(0, correction=0).square().mean().sqrt()
    torch.testing.assert_close(deviation[0, 4], FLOOR * rms)
    constant = moments(torch.ones(3, 2, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    assert constant[1].tolist() == [[1.0, 1.0]]


def test_moments_ignore_rows_without_weight_and_unit_rows_keep_zero() -> None:
    features = torch.tensor([[1.0, 5.0], [3.0, 5.0], [99.0, -99.0]], dtype=torch.float64)
    mean, _ = moments(features, torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64))
    assert mean.tolist() == [[2.0, 5.0]]
    assert unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]
