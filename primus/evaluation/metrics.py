"""Scores from confusion counts, as scikit-learn defines them, for any leading axes at once.

A confusion array has shape (..., C, C): truth along the last but one axis, prediction along the last. Averages over classes leave out
what scikit-learn leaves out: balanced accuracy runs over the classes that occur in the truth, macro-F1 over those that occur in the truth
or among the predictions. An array without any count scores 0.
"""

from collections.abc import Callable

import numpy as np


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(np.broadcast(numerator, denominator).shape), where=denominator > 0)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of correct predictions, (...,) in [0, 1]."""
    correct = np.trace(confusion, axis1=-2, axis2=-1)
    return _ratio(correct, confusion.sum(axis=(-2, -1)))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean recall over the classes present in the truth, (...,) in [0, 1]."""
    truth = confusion.sum(axis=-1)
    recall = _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), truth)
    return _ratio(recall.sum(axis=-1), (truth > 0).sum(axis=-1))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes present in truth or prediction, (...,) in [0, 1]."""
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    f1 = _ratio(2 * np.diagonal(confusion, axis1=-2, axis2=-1), both)
    return _ratio(f1.sum(axis=-1), (both > 0).sum(axis=-1))


Metric = Callable[[np.ndarray], np.ndarray]
METRICS: dict[str, Metric] = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}


def confusion_counts(truth: np.ndarray, predicted: np.ndarray, group: np.ndarray, classes: int, groups: int) -> np.ndarray:
    """Count (group, truth, prediction) triples: (B, T) predictions against (T,) truth and group -> (B, groups, classes, classes) int64."""
    batch = predicted.shape[0]
    cell = (group * classes + truth)[None, :] * classes + predicted
    size = groups * classes * classes
    flat = (np.arange(batch)[:, None] * size + cell).ravel()
    return np.bincount(flat, minlength=batch * size).reshape(batch, groups, classes, classes)
