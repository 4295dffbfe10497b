"""The encoders of a run by method: where their weights and features lie, and why a method has none that can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from primus.artifacts import read_json
from primus.errors import UserError
from primus.evaluation.features import REPRESENTATIONS


@dataclass(frozen=True)
class SavedEncoder:
    """One encoder.

    Attributes:
        folder: `seed<k>`, or `seed<k>-fold<f>` where there are folds.
        seed, fold: of its pretraining.
        representation: the output that its method is judged by.
        head: the head that its method names for itself, "" where it takes the probe on frozen features that all methods take.
    """

    folder: Path
    seed: int
    fold: int
    representation: str
    head: str


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
    """Read what `models/<method>/` holds for every method.

    A method that lacks an encoder for a fold is left out as a whole: it would be compared on fewer people than the others.

    Raises:
        UserError: there is no folder of models, or a model does not say its seed, fold and representation.
    """
    encoders: dict[str, list[SavedEncoder]] = {}
    skipped: dict[str, str] = {}
    wanted = set(folds)
    if not models.is_dir():
        raise UserError(f"{models} does not exist; run `dvc repro pretrain`")
    for method in methods:
        folder = models / method
        if (folder / "skipped.json").exists():
            skipped[method] = _reason(folder / "skipped.json")
            continue
        found = [_described(path) for path in sorted(folder.glob("seed*")) if path.is_dir()]
        lacking = sorted(wanted - {encoder.fold for encoder in found})
        if lacking:
            skipped[method] = f"it has no encoder for fold {', '.join(map(str, lacking))}"
        else:
            encoders[method] = [encoder for encoder in found if encoder.fold in wanted]
    return Comparable(encoders, skipped)


def _reason(path: Path) -> str:
    said = read_json(path)
    if not isinstance(said, dict) or not isinstance(said.get("reason", ""), str):
        raise UserError(f"{path} holds no reason in words; rerun pretraining")
    return said.get("reason") or "pretraining left no model"


def _described(folder: Path) -> SavedEncoder:
    config = read_json(folder / "config.json")
    try:
        training = config["training"]
        head = str((training.get("objective") or {}).get("probe") or "")
        encoder = SavedEncoder(folder, int(training["seed"]), int(training["fold"]), str(training["representation"]), head)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{folder}/config.json does not state training.seed, .fold and .representation; rerun pretraining") from None
    if encoder.representation not in REPRESENTATIONS:
        known = ", ".join(REPRESENTATIONS)
        raise UserError(f"{folder}/config.json: training.representation is {encoder.representation!r}, expected one of {known}; rerun pretraining")
    return encoder
