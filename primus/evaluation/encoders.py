"""The encoders of a run by method: what each says of itself, and why a method has none that can be compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from primus.artifacts import read_json
from primus.errors import UserError
from primus.evaluation.features import REPRESENTATIONS
from primus.run_folder import read_skipped, require_name, run_folders


@dataclass(frozen=True)
class SavedEncoder:
    """One encoder.

    Attributes:
        folder: `seed<k>`, or `seed<k>-fold<f>` where there are folds.
        seed, fold: of its pretraining.
        representation: the output that its method is judged by.
        head: the head that its method names for itself, "" where it takes the probe on frozen features that all methods take.
        text_trained: whether its multimodal projection was trained against text.
    """

    folder: Path
    seed: int
    fold: int
    representation: str
    head: str
    text_trained: bool


class OfFold(Protocol):
    """An encoder, or its features."""

    @property
    def fold(self) -> int:
        """Of the splits it was pretrained on."""


T = TypeVar("T", bound=OfFold)


@dataclass(frozen=True)
class Comparable:
    """Methods with an encoder in every fold asked for, and the reason for each of the others."""

    encoders: dict[str, list[SavedEncoder]]
    skipped: dict[str, str]

    def multimodal(self) -> "Comparable":
        """Those whose multimodal projection was trained; of the others the projection means nothing."""
        trained = {method: found for method, found in self.encoders.items() if all(encoder.representation == "multimodal" for encoder in found)}
        untrained = {method: "its multimodal projection is not trained" for method in self.encoders if method not in trained}
        return Comparable(trained, self.skipped | untrained)

    def frozen(self) -> "Comparable":
        """Those judged by a probe on frozen features; a head of a method's own has no features to degrade."""
        heads = {method: found[0].head for method, found in self.encoders.items()}
        own = {method: f"it is judged by its own head ({head}), not by a probe on frozen features" for method, head in heads.items() if head}
        return Comparable({method: found for method, found in self.encoders.items() if not heads[method]}, self.skipped | own)


def comparable_encoders(models: Path, methods: Iterable[str], folds: Iterable[int]) -> Comparable:
    """Read what `models/<method>/` holds for every method; see `serving_every_fold`.

    Raises:
        UserError: there is no folder of models, or a model does not say its seed, fold and representation.
    """
    if not models.is_dir():
        raise UserError(f"{models} does not exist; run `dvc repro pretrain`")
    found: dict[str, list[SavedEncoder] | str] = {}
    for method in methods:
        reason = read_skipped(models / method)
        found[method] = [read_encoder(folder) for folder in run_folders(models / method)] if reason is None else reason
    return Comparable(*serving_every_fold(found, folds))


def serving_every_fold(found: Mapping[str, Sequence[T] | str], folds: Iterable[int]) -> tuple[dict[str, list[T]], dict[str, str]]:
    """Encoders (or their features) of the folds asked for, by method, and why each of the other methods is left out.

    A method that lacks an encoder for a fold is left out as a whole: it would be compared on fewer people than the others.

    Args:
        found: of every method what it has, or the reason for which it was skipped.
        folds: asked for.
    """
    served: dict[str, list[T]] = {}
    skipped: dict[str, str] = {}
    wanted = set(folds)
    for method, of_method in found.items():
        if isinstance(of_method, str):
            skipped[method] = of_method
        elif lacking := sorted(wanted - {one.fold for one in of_method}):
            skipped[method] = f"it has no encoder for fold {', '.join(map(str, lacking))}"
        else:
            served[method] = [one for one in of_method if one.fold in wanted]
    return served, skipped


def read_encoder(folder: Path) -> SavedEncoder:
    """What the encoder in `folder` says of itself in its config.json; weights are not read.

    Raises:
        UserError: config.json does not say its seed, fold and representation, or the folder is called by another seed or fold.
    """
    config = read_json(folder / "config.json")
    try:
        training = config["training"]
        objective = training.get("objective") or {}
        where = int(training["seed"]), int(training["fold"]), str(training["representation"])
        encoder = SavedEncoder(folder, *where, str(objective.get("probe") or ""), trained_with_text(objective))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{folder}/config.json does not state training.seed, .fold and .representation; rerun pretraining") from None
    if encoder.representation not in REPRESENTATIONS:
        known = ", ".join(REPRESENTATIONS)
        raise UserError(f"{folder}/config.json: training.representation is {encoder.representation!r}, expected one of {known}; rerun pretraining")
    require_name(folder, encoder.seed, encoder.fold)
    return encoder


def trained_with_text(objective: Mapping[str, Any]) -> bool:
    """Whether the multimodal projection was trained against text, by the objective's settings as config.json keeps them.

    A model file may be older or newer than `MethodSettings`, so its settings are read, not loaded; a test holds the two together.
    """
    neighbours = float(objective.get("lambda_nn", 0)) > 0 and (objective.get("nn") or {}).get("terms") == "both"
    aligned = float(objective.get("lambda_mm", 0)) > 0 or neighbours
    return objective.get("objective") == "released" or (aligned and "text" in objective.get("modalities", ()))
