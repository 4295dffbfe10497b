"""A random forest (Breiman 2001, doi 10.1023/A:1010933404324): the usual head of hand-made statistics, indifferent to their scales."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from primus.evaluation.probes.probe import Preparation, ShotBatch
from primus.seeds import derived_seed


@dataclass(frozen=True)
class ForestProbe:
    """scikit-learn's forest of `trees` trees for each episode; scores are the log of its votes, with one more vote shared by all classes."""

    trees: int = 200
    seed: int = 0
    preparation: Preparation = "raw"

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        tests = test.expand(len(shots.features), -1, -1).numpy()
        scores = torch.empty(*tests.shape[:2], shots.classes, dtype=torch.float64)
        for number in range(len(tests)):
            own = shots.weights[number].numpy() > 0
            state = derived_seed(self.seed, "forest", number) % 2**32
            forest = RandomForestClassifier(self.trees, random_state=state, n_jobs=1)
            forest.fit(shots.features[number].numpy()[own], shots.labels[number].numpy()[own])
            votes = np.zeros(scores.shape[1:])
            votes[:, forest.classes_] = forest.predict_proba(tests[number]) * self.trees
            scores[number] = torch.from_numpy(np.log(votes + 1 / shots.classes))
        return scores
