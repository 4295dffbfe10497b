"""A probe on frozen features, by name."""

from typing import Literal

from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.probes.nearest_neighbours import NearestNeighboursProbe
from primus.evaluation.probes.probe import Probe
from primus.evaluation.probes.prototype import PrototypeProbe
from primus.evaluation.probes.sgd import SgdProbe, SgdSettings

ProbeName = Literal["logistic", "knn", "prototype", "sgd", "forest"]
HeadName = Literal["logistic", "knn", "prototype", "sgd", "forest", "finetune"]
"""Every head; "finetune" trains the encoder too and is no probe (see `primus.evaluation.finetune`)."""


def choose_probe(name: str, *, c: float, neighbours: int, trees: int = 200, sgd: SgdSettings | None = None, seed: int = 0) -> Probe:
    """The probe called `name`, with the settings that matter to it; raises ValueError for a name that is not a `ProbeName`."""
    if name == "logistic":
        return LogisticProbe(c=c)
    if name == "knn":
        return NearestNeighboursProbe(neighbours=neighbours)
    if name == "prototype":
        return PrototypeProbe()
    if name == "sgd":
        return SgdProbe(sgd or SgdSettings(), seed)
    if name == "forest":
        from primus.evaluation.probes.forest import ForestProbe  # scikit-learn takes a second to import

        return ForestProbe(trees, seed)
    raise ValueError(f"{name!r} is no probe on frozen features")
