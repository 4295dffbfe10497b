"""A probe by name."""

from typing import Literal

from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.probes.nearest_neighbours import NearestNeighboursProbe
from primus.evaluation.probes.probe import Probe
from primus.evaluation.probes.prototype import PrototypeProbe

ProbeName = Literal["logistic", "knn", "prototype"]


def choose_probe(name: ProbeName, *, c: float, neighbours: int) -> Probe:
    """The probe called `name`; `c` matters to logistic regression only, `neighbours` to knn only."""
    if name == "logistic":
        return LogisticProbe(c=c)
    if name == "knn":
        return NearestNeighboursProbe(neighbours=neighbours)
    return PrototypeProbe()
