import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from primus.evaluation.metrics import accuracy, balanced_accuracy, confusion_counts, macro_f1


@settings(max_examples=150, deadline=None)
@given(data=st.data(), classes=st.integers(2, 6), count=st.integers(1, 40))
def test_equal_to_scikit_learn_also_where_classes_are_absent(data: st.DataObject, classes: int, count: int) -> None:
    labels = st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)
    truth, predicted = np.array(data.draw(labels)), np.array(data.draw(labels))
    confusion = confusion_counts(truth, predicted[None], np.zeros(count, dtype=int), classes, 1)[0, 0]
    assert confusion.sum() == count
    np.testing.assert_allclose(accuracy(confusion), accuracy_score(truth, predicted))
    np.testing.assert_allclose(macro_f1(confusion), f1_score(truth, predicted, average="macro", zero_division=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of predicted classes that the truth lacks, and leaves them out as we do
        np.testing.assert_allclose(balanced_accuracy(confusion), balanced_accuracy_score(truth, predicted))


def test_counts_are_kept_apart_by_batch_and_group() -> None:
    truth, group = np.array([0, 1, 1]), np.array([0, 0, 1])
    counts = confusion_counts(truth, np.array([[0, 0, 1], [1, 1, 0]]), group, classes=2, groups=2)
    assert counts.shape == (2, 2, 2, 2)
    assert counts[0].tolist() == [[[1, 0], [1, 0]], [[0, 0], [0, 1]]]
    assert counts[1].tolist() == [[[0, 1], [0, 1]], [[0, 0], [1, 0]]]


def test_leading_axes_are_scored_at_once_and_emptiness_is_zero() -> None:
    stack = np.stack([np.eye(3, dtype=int), np.zeros((3, 3), dtype=int)])
    for metric in (accuracy, balanced_accuracy, macro_f1):
        assert metric(stack).tolist() == [1.0, 0.0]
