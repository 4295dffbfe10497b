"""A random forest (Breiman 2001, doi 10.1023/A:1010933404324): the usual head of hand-made statistics, indifferent to their scales."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from primus.evaluation.probes.probe import Preparation, ShotBatch
from primus.seeds import generator


@dataclass(frozen=True)
class ForestProbe:
    """For each episode `trees` of scikit-learn's trees, each grown on a bootstrap of the shots and looking at sqrt(D) features a split.

    Scores are the log of the trees' votes, with one more vote shared by all classes. (scikit-learn's own forest hands its trees to a pool of
    workers through global state, which the threads of a sweep would share.)
    """

    trees: int = 200
    seed: int = 0
    preparation: Preparation = "raw"

    def __call__(self, shots: ShotBatch, test: Tensor) -> Tensor:
        tests = test.expand(len(shots.features), -1, -1).numpy().astype(np.float32)
        votes = np.full((*tests.shape[:2], shots.classes), 1 / shots.classes)
        for number in range(len(tests)):
            own = shots.weights[number].numpy() > 0
            features, labels = shots.features[number].numpy()[own].astype(np.float32), shots.labels[number].numpy()[own]
            for draw in generator(self.seed, "forest", number).spawn(self.trees):
                rows = draw.integers(len(labels), size=len(labels))
                tree = DecisionTreeClassifier(max_features="sqrt", random_state=int(draw.integers(2**31)))
                tree.fit(features[rows], labels[rows], check_input=False)
                votes[number][:, tree.classes_] += tree.predict_proba(tests[number], check_input=False)
        return torch.from_numpy(np.log(votes))
