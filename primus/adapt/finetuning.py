"""Fine-tune an encoder and a head together on somebody's labels, tested as a probe is, and against a probe on the same folds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from primus.adapt.cross_validation import Plan, Scores, cross_validate, plan_folds, require_classes
from primus.adapt.head import Head
from primus.adapt.labelled import LabelledRows
from primus.adapt.probe_training import model_facts, probe_scores, score_facts, trained_facts, with_features
from primus.artifacts import atomic_folder
from primus.errors import UserError
from primus.evaluation.finetune import Classifier, FinetuneSettings, chosen_rate, finetuned_scores, train_classifier
from primus.models.encoder import ImuEncoder
from primus.seeds import derived_seed

FROZEN = "a probe on the frozen encoder"


@dataclass(frozen=True)
class Finetuned:
    """An encoder without projection heads (they no longer belong to it), its head, and their scores where they were asked for."""

    encoder: ImuEncoder
    head: Head
    plan: Plan | None = None
    scores: Scores | None = None
    frozen: Scores | None = None

    def save(self, folder: Path) -> None:
        """Write what `ImuEncoder.from_pretrained` and `primus.adapt.head.load_head` read; the folder appears whole or not at all."""
        from primus.adapt.report import write_report

        with atomic_folder(folder) as target:
            self.encoder.save_pretrained(target)
            self.head.save(target)
            write_report(target / "report.html", self.head, "Fine-tuned on your labels")


def finetune(
    rows: LabelledRows, encoder: ImuEncoder, name: str, settings: FinetuneSettings, *, folds: int, seed: int, scored: bool = True, threads: int = 1
) -> Finetuned:
    """Train on all rows after testing each fold with an encoder that was fine-tuned without it; equal arguments give equal weights on one thread.

    Args:
        rows: labelled windows.
        encoder: where training starts; left as it is.
        name: what the person calls it.
        settings: budget and candidates of the learning rate, which is chosen within the training rows.
        folds, seed: of the cross-validation; the seed also orders the rows.

    Raises:
        UserError: one class, one group where scores are asked for, features instead of windows, or training diverged.
    """
    if rows.imu is None:
        raise UserError("fine-tuning needs windows, and a file of features has none; give recordings with labels")
    require_classes(rows)
    plan = plan_folds(rows, folds, seed) if scored else None
    imu, labels = rows.imu, rows.numbers()
    scores = frozen = None
    try:
        if plan is not None:
            tested = plan

            def scorer(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> NDArray[np.float64]:
                return _scores_of(encoder, imu, labels, len(rows.classes), train, test, settings, seed, int(tested.fold[test][0]))

            scores = cross_validate(rows, plan, scorer)
            frozen = probe_scores(with_features(rows, encoder, threads), plan, c=1.0)
        own = derived_seed(seed, "finetune", "all") % 2**31
        windows, truth = torch.from_numpy(np.ascontiguousarray(imu)), torch.from_numpy(labels)
        lr = chosen_rate(encoder, windows, truth, len(rows.classes), settings, own)
        steps = settings.budget(len(imu))
        trained = train_classifier(encoder, windows, truth, len(rows.classes), lr=lr, steps=steps, settings=settings, seed=own)
    except ArithmeticError as error:
        raise UserError(f"{error}; give smaller rates with --lr") from None
    if not all(bool(torch.isfinite(value).all()) for value in trained.state_dict().values()):
        raise UserError(f"fine-tuning diverged at lr {lr:g}; give smaller rates with --lr")
    about = {"trained": trained_facts(rows, {"kind": "finetune", "lr": lr, "steps": steps, "batch_size": settings.batch_size, "seed": seed})}
    about |= score_facts(rows, plan, scores, frozen, FROZEN)
    tuned = _encoder_of(trained, encoder, name, about["trained"])
    head = _head_of(trained, rows.classes, about | {"model": model_facts(tuned, "this folder"), "base": model_facts(encoder, name)})
    return Finetuned(tuned, head, plan, scores, frozen)


def _scores_of(
    encoder: ImuEncoder,
    imu: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
    settings: FinetuneSettings,
    seed: int,
    fold: int,
) -> NDArray[np.float64]:
    """Scores (n_test, classes) of one fold; -inf for classes that its training rows lack."""
    present, compact = np.unique(labels[train], return_inverse=True)
    scores = np.full((int(test.sum()), classes), -np.inf)
    if len(present) == 1:
        scores[:, present] = 0.0
        return scores
    scores[:, present] = finetuned_scores(encoder, imu[train], compact, len(present), imu[test], settings, ("fold", fold), seed).numpy()
    return scores


def _encoder_of(trained: Classifier, base: ImuEncoder, name: str, facts: dict[str, object]) -> ImuEncoder:
    """The fine-tuned encoder without heads, which says where it comes from."""
    encoder = ImuEncoder(base.layout, base.input_norm, base.feature_dim, heads=False, inputs=base.inputs)
    backbone = {key: value for key, value in trained.encoder.state_dict().items() if key.startswith("backbone.")}
    encoder.load_state_dict(backbone)
    method = base.metadata.get("method")
    encoder.metadata = {
        "method": f"{method or 'unknown'}, fine-tuned",
        "representation": "feature",
        "base": model_facts(base, name),
        "finetuned": {key: value for key, value in facts.items() if isinstance(value, str | int | float)},
    }
    return encoder.eval()


def _head_of(trained: Classifier, classes: list[str], about: dict[str, object]) -> Head:
    values = (trained.mean[0], trained.deviation[0], trained.head.weight.T, trained.head.bias)
    mean, deviation, weights, bias = (value.detach().numpy().astype(np.float32).copy() for value in values)
    return Head(tuple(classes), mean, deviation, weights, bias, unit_length=False, about=about)
