"""k nearest neighbours among the shots, by Euclidean distance of standardised features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from primus.evaluation.probes.probe import Preparation, ShotBatch

TEST_ROWS = 1024
"""Test rows whose distances to all shots are held at once."""


@dataclass(frozen=True)
class NearestNeighboursProbe:
    """Majority vote of the `neighbours` nearest shots (all of them, where there are fewer); a tie goes to the class of the nearest.

    Scores are log votes, each class being given one vote shared by all beforehand, so that no class is impossible.
    """

    neighbours: int = 5
    preparation: Preparation = "standardised"

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        tests = test.expand(len(shots.features), -1, -1)
        blocks = [self._vote(shots, block) for block in tests.split(TEST_ROWS, dim=1)]
        return torch.cat(blocks, dim=1)

    def _vote(self, shots: ShotBatch, test: Tensor) -> Tensor:
        distance = torch.cdist(test, shots.features)
        distance = distance.masked_fill(shots.weights[:, None, :] == 0, torch.inf)
        count = min(self.neighbours, shots.features.shape[1])
        # A stable sort, so that equal distances are taken in the order of the shots.
        nearest, index = (part[..., :count] for part in torch.sort(distance, dim=2, stable=True))
        label = torch.gather(shots.labels[:, None, :].expand(-1, test.shape[1], -1), 2, index)
        rank = 0.5 ** torch.arange(2, count + 2, dtype=distance.dtype)  # sums to less than 1/2: it only breaks ties
        vote = torch.where(nearest.isinf(), 0.0, 1.0 + rank)
        votes = distance.new_full((*label.shape[:2], shots.classes), 1 / shots.classes).scatter_add_(2, label, vote)
        return votes.log()
