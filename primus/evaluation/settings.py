"""Sections `fewshot` and `zeroshot` of params.yaml."""

from dataclasses import dataclass, field

from primus.evaluation.episodes import ShotsUnit
from primus.evaluation.finetune import FinetuneSettings
from primus.evaluation.people import FewPeople
from primus.evaluation.probes.choose import HeadName
from primus.evaluation.probes.sgd import SgdSettings
from primus.evaluation.probes.standardise import Statistics
from primus.evaluation.protocols import Protocol


@dataclass(frozen=True)
class AlsoFinetuned:
    """How much is fine-tuned where `finetune` is a further head: each such fit trains an encoder, thousands of times the work of a probe.

    Attributes:
        shots: of `fewshot.shots`, increasing; None for all.
        encoders: most pretraining seeds per method and fold, the first ones.
        methods: those it is done for; None for all.
    """

    shots: tuple[int, ...] | None = None
    encoders: int = 1
    methods: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.shots is not None and (not self.shots or list(self.shots) != sorted(set(self.shots))):
            raise ValueError(f"fewshot.also_finetuned.shots must be increasing numbers of fewshot.shots, found {list(self.shots)}")
        if self.encoders < 1:
            raise ValueError(f"fewshot.also_finetuned.encoders must be >= 1, found {self.encoders}")


@dataclass(frozen=True)
class FewShotParams:
    """How few labels are given and what is made of them.

    Attributes:
        shots: labelled shots per class, increasing.
        shots_unit: what one shot is (segment | nonoverlapping | take).
        protocol: which labelled segments may be shots and which are tested (see `primus.evaluation.protocols`).
        few_people: what is done with a data set that serves the probe alone and would test fewer than ten people (as_split | leave_user_out: each
            person is tested in turn; see `primus.evaluation.people`).
        episodes: independent draws of shots.
        probe: the head that methods are judged by (a method may name its own).
        also: further heads; their rows carry their name in the column `head`.
        also_finetuned: how much of it where `finetune` is one of them; a method judged by fine-tuning is fine-tuned everywhere.
        c: inverse penalty of the head logistic, as in scikit-learn.
        neighbours: of the head knn.
        trees: of the head forest.
        sgd, finetune: settings of these heads.
        standardise: rows that mean and deviation come from (pool | shots | none).
        calibrate: fit a temperature on the shots and report calibration with it, too.
        site_shots: where sites are known, each is tested with so many shots per class from the others (or the next smaller number in `shots`), and
            features are asked for the site; 0 leaves these checks out.
        bootstrap: replicates of the intervals.
        margin: two methods whose accuracies differ by less than this count as equivalent.
        seed: of the draws of shots, of heads and of the bootstrap.
    """

    shots: tuple[int, ...]
    shots_unit: ShotsUnit
    protocol: Protocol
    episodes: int
    probe: HeadName
    c: float
    neighbours: int
    trees: int
    standardise: Statistics
    calibrate: bool
    site_shots: int
    bootstrap: int
    margin: float
    seed: int
    few_people: FewPeople = "as_split"
    also: tuple[HeadName, ...] = ()
    also_finetuned: AlsoFinetuned = field(default_factory=AlsoFinetuned)
    sgd: SgdSettings = field(default_factory=SgdSettings)
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)

    def __post_init__(self) -> None:
        if not self.shots or min(self.shots) < 1 or list(self.shots) != sorted(set(self.shots)):
            raise ValueError(f"fewshot.shots must be increasing whole numbers >= 1, found {list(self.shots)}")
        for name in ("episodes", "neighbours", "trees", "bootstrap"):
            if getattr(self, name) < 1:
                raise ValueError(f"fewshot.{name} must be >= 1, found {getattr(self, name)}")
        if strange := set(self.also_finetuned.shots or ()) - set(self.shots):
            raise ValueError(f"fewshot.also_finetuned.shots must be among fewshot.shots {list(self.shots)}, found {sorted(strange)} beside them")
        if self.site_shots < 0:
            raise ValueError(f"fewshot.site_shots must be >= 0 (0: no checks), found {self.site_shots}")
        if self.c <= 0:
            raise ValueError(f"fewshot.c must be > 0, found {self.c}")
        if not 0 < self.margin < 1:
            raise ValueError(f"fewshot.margin is a difference of accuracies in (0, 1), found {self.margin}")

    def heads(self, own: str) -> tuple[str, ...]:
        """The heads of a method, the one it is judged by first; `own` is the only head of a method that names one."""
        return (own,) if own else tuple(dict.fromkeys((self.probe, *self.also)))


@dataclass(frozen=True)
class ZeroShotParams:
    """Section `zeroshot` of params.yaml.

    Attributes:
        prompts: data set -> name of its prompt file in primus/evaluation/class_prompts; a data set that is not listed has one of its own name.
    """

    prompts: dict[str, str] = field(default_factory=dict)
