"""Train a probe: features of labelled windows, cross-validation by group, a baseline on the same folds, and the head that is kept."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from primus.adapt.cross_validation import Plan, Scores, cross_validate, gain, lonely_classes, plan_folds, require_classes
from primus.adapt.head import Head, fit_logistic
from primus.adapt.label_source import LabelSource
from primus.adapt.labelled import LabelledRows, read_labelled
from primus.adapt.labelled_features import is_feature_file, labelled_features
from primus.errors import UserError
from primus.evaluation.probes.forest import ForestProbe
from primus.evaluation.probes.probe import ShotBatch
from primus.evaluation.statistics import Estimate
from primus.evaluation.window_statistics import window_statistics
from primus.inference.encoding import encode_windows
from primus.inference.policy import Policy
from primus.models.digest import weights_digest
from primus.models.encoder import ImuEncoder, InputContract
from primus.schema import CHANNELS

BASELINE = "hand-made statistics and a random forest"


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is trained and scored.

    Attributes:
        c: inverse penalty of the logistic regression, as in scikit-learn.
        folds: at most; where there are no more groups than that, each is tested by itself.
        seed: of folds, intervals and the baseline.
        baseline: score hand-made statistics with a random forest on the same folds (where windows are known, not features alone).
        scored: cross-validate; without, only the head is made.
        trees: of the baseline.

    Raises:
        UserError: a value makes no sense.
    """

    c: float = 1.0
    folds: int = 10
    seed: int = 0
    baseline: bool = True
    scored: bool = True
    trees: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.c < 1e9:
            raise UserError(f"c is {self.c}; expected an inverse penalty above 0")
        if self.folds < 2:
            raise UserError(f"folds is {self.folds}; expected 2 or more")


@dataclass(frozen=True)
class Trained:
    """A head with its scores.

    Attributes:
        head: trained on all rows.
        rows: what it was trained on.
        plan, scores: of the cross-validation; None where it was left out.
        baseline: scores of the baseline on the same folds; None where there is none.
    """

    head: Head
    rows: LabelledRows
    plan: Plan | None = None
    scores: Scores | None = None
    baseline: Scores | None = None


def open_labelled(path: Path, encoder: ImuEncoder, name: str, where: LabelSource, policy: Policy) -> LabelledRows:
    """Labelled rows of recordings, or of a file of features of this very model.

    Raises:
        UserError: see `read_labelled` and `labelled_features`.
    """
    if is_feature_file(path):
        given = [option for option, value in (("--labels", where.labels), ("--participants", where.participants), ("--match", where.match)) if value]
        if given:
            raise UserError(f"{path} is a file of features, whose labels are in its column label; leave out {', '.join(given)}")
        return labelled_features(path, encoder, name)
    return read_labelled(path, encoder.inputs, where, policy)


def with_features(rows: LabelledRows, encoder: ImuEncoder, threads: int = 1) -> LabelledRows:
    """The rows with their features."""
    if rows.feature is not None:
        return rows
    assert rows.imu is not None
    return replace(rows, feature=encode_windows(encoder, rows.imu, threads=threads)[0])


def train_probe(rows: LabelledRows, encoder: ImuEncoder, name: str, settings: ProbeSettings, threads: int = 1) -> Trained:
    """Train on all rows after testing each group on the others.

    Args:
        rows: labelled windows or features.
        encoder: whose features they are (to be).
        name: what the person calls the model; kept in the head.

    Raises:
        UserError: one class, or one group where scores are asked for.
    """
    require_classes(rows)
    plan = plan_folds(rows, settings.folds, settings.seed) if settings.scored else None
    rows = with_features(rows, encoder, threads)
    scores = baseline = None
    if plan is not None:
        scores = probe_scores(rows, plan, settings.c)
        if settings.baseline and rows.imu is not None:
            baseline = cross_validate(rows, plan, _forest(rows, encoder.inputs, settings))
    assert rows.feature is not None
    head = fit_logistic(rows.feature, rows.numbers(), rows.classes, settings.c)
    about = {"model": model_facts(encoder, name), "trained": trained_facts(rows, {"kind": "logistic", "c": settings.c, "seed": settings.seed})}
    about |= score_facts(rows, plan, scores, baseline)
    return Trained(replace(head, about=about), rows, plan, scores, baseline)


def probe_scores(rows: LabelledRows, plan: Plan, c: float) -> Scores:
    """Cross-validated scores of a logistic probe on the rows' features."""
    assert rows.feature is not None
    feature, labels, classes = rows.feature, rows.numbers(), rows.classes
    return cross_validate(rows, plan, lambda train, test: fit_logistic(feature[train], labels[train], classes, c).scores(feature[test]))


def _forest(
    rows: LabelledRows, contract: InputContract, settings: ProbeSettings
) -> Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.float64]]:
    assert rows.imu is not None
    order = [contract.channels.index(channel) for channel in CHANNELS]
    values = torch.from_numpy(window_statistics(rows.imu[:, order], contract.rate_hz)).double()
    labels, classes = torch.from_numpy(rows.numbers()), len(rows.classes)

    def score(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> NDArray[np.float64]:
        seen = torch.from_numpy(train)
        shots = ShotBatch(values[seen][None], labels[seen][None], torch.ones(1, int(train.sum()), dtype=torch.float64), classes)
        return ForestProbe(settings.trees, settings.seed)(shots, values[torch.from_numpy(test)][None])[0].numpy()

    return score


def model_facts(encoder: ImuEncoder, name: str) -> dict[str, Any]:
    """Which model a head belongs to, as JSON values."""
    method = encoder.metadata.get("method")
    return {
        "name": name,
        "weights_sha256": weights_digest(encoder),
        "feature_dim": encoder.feature_dim,
        "method": method if isinstance(method, str) else None,
    }


def require_head_model(head: Head, encoder: ImuEncoder, name: str) -> None:
    """Refuse a head of another model's features.

    Raises:
        UserError: naming both models.
    """
    model = head.about.get("model") or {}
    theirs, ours = str(model.get("weights_sha256")), weights_digest(encoder)
    if theirs != ours:
        raise UserError(
            f"the probe was trained on features of {model.get('name')} (weights {theirs[:12]}), but {name} has weights {ours[:12]}; "
            "give that model with --model, or train the probe again with this one"
        )


def trained_facts(rows: LabelledRows, how: Mapping[str, Any]) -> dict[str, Any]:
    """What a head was trained on and how, as JSON values."""
    counts = Counter(rows.label.tolist())
    facts = {"windows": len(rows), "windows_of_class": dict(sorted(counts.items())), "left_out": dict(rows.left_out), "said": list(rows.said)}
    return {**how, **facts, "groups": len(set(rows.group.tolist())), "group_kind": rows.group_kind}


def score_facts(rows: LabelledRows, plan: Plan | None, scores: Scores | None, baseline: Scores | None, what: str = BASELINE) -> dict[str, Any]:
    """The scores, beside those of a baseline that is called `what`, as JSON values; says so where nothing was cross-validated."""
    if plan is None or scores is None:
        return {"scores": None, "scored": "not cross-validated: nothing is known of how well it does on people it has not seen"}
    facts: dict[str, Any] = {
        "scores": bounds(scores.estimates),
        "scored": plan.words(),
        "folds": plan.folds,
        "confusion": {"classes": rows.classes, "counts": scores.counts.sum(axis=0).tolist()},
        "classes_of_one_group": lonely_classes(rows),
    }
    if baseline is not None:
        facts["baseline"] = {"what": what, "scores": bounds(baseline.estimates), "gain_over_it": bounds(gain(scores, baseline))}
    return facts


def bounds(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """Metric -> mean, lo, hi."""
    return {name: {"mean": value.mean, "lo": value.lo, "hi": value.hi} for name, value in estimates.items()}
