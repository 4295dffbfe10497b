"""A pretraining method: which objective with which weights, and the fresh encoder it starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch

from primus.augment import MULTITASK
from primus.losses.contrastive import Absent
from primus.losses.multitask import MultitaskObjective
from primus.losses.negatives import FalseNegatives, SharedNeighbours
from primus.losses.objective import Modality, NeighbourTerms, PrimusObjective, Retrieval
from primus.losses.temperature import TemperatureKind
from primus.models.encoder import ImuEncoder, InputContract, InputNorm, Layout
from primus.models.heads import HeadKind
from primus.models.rows import Relation
from primus.seeds import derived_seed
from primus.training.forward import Objective


@dataclass(frozen=True)
class NeighbourSettings:
    """Nearest-neighbour supervision: see `PrimusObjective` (retrieval, nn_terms, nn_exclude)."""

    retrieval: Retrieval = "video"
    terms: NeighbourTerms = "both"
    exclude: Relation = "overlap"


@dataclass(frozen=True)
class MethodSettings:
    """What distinguishes one method from another.

    Attributes:
        objective: "contrastive" (PRIMUS, SimCLR, IMU2CLIP: by their weights), "multitask" (MultitaskSSL), "none" (an untrained encoder), "released"
            (the authors' checkpoint) or "statistics" (hand-made statistics of a window in place of an encoder).
        probe: the head this method is judged by, and the only one it gets; None leaves the choice to `fewshot.probe`.
        checkpoint: the authors' file, for "released"; `$NAME` stands for an environment variable.
        lambda_ss, lambda_mm, lambda_nn: weights of the three losses of "contrastive".
        modalities: frozen embeddings the multimodal terms use.
        nn: neighbour supervision.
    """

    objective: Literal["contrastive", "multitask", "none", "released", "statistics"] = "contrastive"
    probe: Literal["finetune", "forest"] | None = None
    checkpoint: str = ""
    lambda_ss: float = 0.0
    lambda_mm: float = 0.0
    lambda_nn: float = 0.0
    modalities: tuple[Modality, ...] = ("video", "text")
    nn: NeighbourSettings = field(default_factory=NeighbourSettings)

    def __post_init__(self) -> None:
        for name in ("lambda_ss", "lambda_mm", "lambda_nn"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be >= 0, found {getattr(self, name)}; 0 takes the loss out")
        neighbours = self.lambda_nn if self.nn.terms == "both" else 0  # coupled terms need one of the other two
        if self.objective == "contrastive" and not self.lambda_ss + self.lambda_mm + neighbours:
            raise ValueError(
                f"lambda_ss=0, lambda_mm=0 and lambda_nn={self.lambda_nn:g} with nn.terms={self.nn.terms} leave no loss: nothing would be trained;"
                " raise one, or use objective 'none'"
            )
        if (self.objective == "released") != bool(self.checkpoint):
            raise ValueError(
                f"objective 'released' and a `checkpoint` go together, found objective {self.objective!r} and checkpoint {self.checkpoint!r}"
            )
        if self.objective == "statistics" and self.probe == "finetune":
            raise ValueError("objective 'statistics' has no encoder that probe 'finetune' could train; use probe 'forest'")

    @property
    def multimodal(self) -> bool:
        """Whether it cannot do without embeddings (as the IMU-only subsets of the objective can)."""
        if self.objective != "contrastive":
            return False
        neighbours = self.lambda_nn > 0 and self.nn.terms == "both"
        return self.lambda_mm > 0 or neighbours


@dataclass(frozen=True)
class TemperatureSettings:
    """Kind and initial value of the learned temperatures."""

    kind: TemperatureKind = "log_clamped"
    start: float = 0.1

    def __post_init__(self) -> None:
        if not self.start > 0 or (self.kind == "log_clamped" and not 0.01 <= self.start <= 1):
            raise ValueError(f"pretrain.temperature.start must lie in [0.01, 1] (or be > 0 with kind raw), found {self.start}")


@dataclass(frozen=True)
class NegativeSettings:
    """Which rows of a batch are contrasted (see `primus.losses.negatives` and `info_nce`).

    Attributes:
        exclude: false negatives that are taken out.
        shared_neighbours: rows that retrieved the same neighbour.
        absent: rows without a modality.
        scope, group: "local" contrasts only within groups of `group` rows, as devices do that do not share their negatives.
    """

    exclude: FalseNegatives = "overlap_and_same_text"
    shared_neighbours: SharedNeighbours = "exclude"
    absent: Absent = "leave"
    scope: Literal["global", "local"] = "global"
    group: int = 16

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ValueError(f"pretrain.negatives.group must be >= 2, found {self.group}")


@dataclass(frozen=True)
class EncoderSettings:
    """Options of `ImuEncoder`."""

    layout: Layout = "channels"
    input_norm: InputNorm = "published"
    head: HeadKind = "linear"
    feature_dim: int = 512

    def __post_init__(self) -> None:
        if not 1 <= self.feature_dim <= 4096:
            raise ValueError(f"pretrain.encoder.feature_dim must lie in 1..4096, found {self.feature_dim}")


def make_encoder(settings: EncoderSettings, projection_dim: int, inputs: InputContract, seed: int) -> ImuEncoder:
    """A fresh encoder; equal seeds give equal weights whatever the method, so that methods differ by their training alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "encoder"))
        return ImuEncoder(
            layout=settings.layout,
            input_norm=settings.input_norm,
            feature_dim=settings.feature_dim,
            head=settings.head,
            projection_dim=projection_dim,
            inputs=inputs,
        )


def make_objective(
    method: MethodSettings,
    temperature: TemperatureSettings,
    negatives: NegativeSettings,
    available: tuple[str, ...],
    feature_dim: int,
    seed: int,
) -> Objective | None:
    """The method's objective on the modalities the data have; None where nothing is trained.

    Raises:
        ValueError: settings that exclude each other.
    """
    if method.objective == "multitask":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "multitask heads"))
            return MultitaskObjective(MULTITASK, feature_dim)
    if method.objective != "contrastive":
        return None
    modalities = tuple(name for name in method.modalities if name in available)
    retrieval = method.nn.retrieval if method.nn.retrieval in modalities else "imu"
    return PrimusObjective(
        lambda_ss=method.lambda_ss,
        lambda_mm=method.lambda_mm,
        lambda_nn=method.lambda_nn,
        modalities=modalities,
        retrieval=retrieval,
        nn_terms=method.nn.terms,
        nn_exclude=method.nn.exclude,
        negatives_exclude=negatives.exclude,
        shared_neighbours=negatives.shared_neighbours,
        group=negatives.group if negatives.scope == "local" else 0,
        absent=negatives.absent,
        temperature=temperature.kind,
        temperature_start=temperature.start,
    )


def probed_representation(objective: Objective | None) -> str:
    """What downstream tasks use: f_mm where it is trained (as the paper does), else f_ss where it is, else the feature."""
    trained = objective.trained_projections if isinstance(objective, PrimusObjective) else ()
    return next((name for name in ("multimodal", "self_supervised") if name in trained), "feature")
