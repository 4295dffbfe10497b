"""The PRIMUS objective: self-supervision, multimodal supervision and nearest-neighbour supervision, weighted and added.

`L = lambda_ss L_SS + lambda_mm L_MM + lambda_nn L_NN` (arXiv 2411.15127). SimCLR, the IMU2CLIP variants and every subset of the three
losses are settings of it; a weight of 0 removes a term and everything computed only for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from primus.losses.contrastive import Absent, info_nce
from primus.losses.negatives import FalseNegatives, SharedNeighbours, in_batch, of_neighbours
from primus.losses.temperature import Temperature, TemperatureKind
from primus.models.encoder import EncoderOutput
from primus.models.feature_queue import FeatureQueue, Neighbours
from primus.models.rows import Relation, Rows

Modality = Literal["video", "text"]
Retrieval = Literal["video", "text", "imu"]
NeighbourTerms = Literal["both", "coupled"]


class PrimusObjective(nn.Module):
    """Weighted sum of contrastive terms, each returned by name.

    Args:
        lambda_ss, lambda_mm, lambda_nn: weights of the three losses, >= 0, not all 0.
        modalities: embeddings the multimodal terms use.
        retrieval: modality in which neighbours are looked up; rows without it fall back to "imu".
        nn_terms: "both" uses the IMU and the multimodal neighbour terms; "coupled" (released code) uses the first only with
            lambda_ss > 0 and the second only with lambda_mm > 0, and without lambda_mm retrieves by "imu".
        nn_exclude: relation to the query that a neighbour must not have.
        negatives_exclude: pairs that are not contrasted (`primus.losses.negatives`).
        shared_neighbours: whether rows that retrieved the same neighbour are contrasted with it.
        group: contrast within groups of this many rows; 0 means the whole batch.
        absent: what rows without a modality are to its term (`info_nce`).
        temperature, temperature_start: kind and initial value of the two learned temperatures, tau_ss (IMU against IMU) and tau_mm
            (IMU against video and text).

    Raises:
        ValueError: a weight is negative, all are 0, an option is not one of its words, or retrieval asks for a modality that is not used.
    """

    def __init__(
        self,
        lambda_ss: float = 1.0,
        lambda_mm: float = 1.0,
        lambda_nn: float = 1.0,
        modalities: tuple[Modality, ...] = ("video", "text"),
        retrieval: Retrieval = "video",
        nn_terms: NeighbourTerms = "both",
        nn_exclude: Relation = "overlap",
        negatives_exclude: FalseNegatives = "overlap_and_same_text",
        shared_neighbours: SharedNeighbours = "exclude",
        group: int = 0,
        absent: Absent = "leave",
        temperature: TemperatureKind = "log_clamped",
        temperature_start: float = 0.1,
    ) -> None:
        super().__init__()
        for name, weight in (("lambda_ss", lambda_ss), ("lambda_mm", lambda_mm), ("lambda_nn", lambda_nn)):
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{name} must be >= 0 and finite, found {weight}")
        words: dict[str, tuple[str, object]] = {
            "retrieval": (retrieval, Retrieval),
            "nn_terms": (nn_terms, NeighbourTerms),
            "nn_exclude": (nn_exclude, Relation),
            "negatives_exclude": (negatives_exclude, FalseNegatives),
            "shared_neighbours": (shared_neighbours, SharedNeighbours),
            "absent": (absent, Absent),
        }
        for name, (value, known) in words.items():
            if value not in get_args(known):
                raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(known)))}, found {value!r}")
        self.lambda_ss, self.lambda_mm, self.lambda_nn = lambda_ss, lambda_mm, lambda_nn
        coupled = nn_terms == "coupled"
        self.imu_neighbours = lambda_nn > 0 and (not coupled or lambda_ss > 0)
        self.multimodal_neighbours = lambda_nn > 0 and (not coupled or lambda_mm > 0)
        if not (lambda_ss or lambda_mm or self.uses_queue):
            raise ValueError("no term is left with these weights (coupled neighbour terms need lambda_ss or lambda_mm): nothing would be trained")
        self.retrieval: Retrieval = "imu" if coupled and lambda_mm == 0 else retrieval
        self.modalities = modalities
        if lambda_nn > 0 and self.retrieval != "imu" and self.retrieval not in modalities:
            raise ValueError(f"nn.retrieval is {self.retrieval!r} but the modalities in use are {list(modalities)}; use one of them or 'imu'")
        if lambda_mm > 0 and not modalities:
            raise ValueError("lambda_mm > 0 needs at least one modality")
        self.nn_exclude: Relation = nn_exclude
        self.negatives_exclude: FalseNegatives = negatives_exclude
        self.shared_neighbours: SharedNeighbours = shared_neighbours
        self.group = group
        self.absent: Absent = absent
        self.tau_ss = Temperature(temperature, temperature_start)
        self.tau_mm = Temperature(temperature, temperature_start)

    @property
    def uses_second_view(self) -> bool:
        """Whether an augmented view has to be encoded at all."""
        return self.lambda_ss > 0

    @property
    def uses_queue(self) -> bool:
        """Whether neighbours have to be retrieved and a queue kept."""
        return self.imu_neighbours or self.multimodal_neighbours

    @property
    def trained_projections(self) -> tuple[str, ...]:
        """Names of the encoder's projections that some term trains."""
        trained = {"self_supervised": self.lambda_ss > 0 or self.imu_neighbours, "multimodal": self.lambda_mm > 0 or self.multimodal_neighbours}
        return tuple(name for name, is_trained in trained.items() if is_trained)

    @property
    def weights(self) -> dict[str, float]:
        """Weight of every term in use, by name."""
        found = {"ss": self.lambda_ss} | {f"mm_{name}": self.lambda_mm for name in self.modalities}
        found |= {"nn_imu": self.lambda_nn * self.imu_neighbours} | {
            f"nn_{name}": self.lambda_nn * self.multimodal_neighbours for name in self.modalities
        }
        return {name: weight for name, weight in found.items() if weight > 0}

    def make_queue(self, capacity: int, projection_dim: int, embedding_dim: int, device: torch.device | str = "cpu") -> FeatureQueue:
        """An empty queue of the modalities this objective reads."""
        return FeatureQueue(capacity, {"imu": projection_dim} | dict.fromkeys(self.modalities, embedding_dim), device)

    def retrieve(
        self, queue: FeatureQueue, first: EncoderOutput, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor], rows: Rows
    ) -> Neighbours:
        """Neighbours of the batch in `queue`, without gradients; arguments as in `forward`."""
        assert first.self_supervised is not None
        return queue.retrieve({"imu": first.self_supervised, **embeddings}, present, self.retrieval, rows, self.nn_exclude)

    def enqueue(self, queue: FeatureQueue, first: EncoderOutput, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor], rows: Rows) -> None:
        """Append to `queue` the rows of the batch that have every modality; arguments as in `forward`."""
        assert first.self_supervised is not None
        complete = torch.ones(len(rows), dtype=torch.bool, device=rows.segment.device)
        for name in self.modalities:
            complete &= present[name]
        at = complete.nonzero().squeeze(1)
        queue.enqueue({"imu": first.self_supervised[at]} | {name: embeddings[name][at] for name in self.modalities}, rows[at])

    def forward(
        self,
        first: EncoderOutput,
        second: EncoderOutput | None,
        embeddings: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        rows: Rows,
        neighbours: Neighbours | None = None,
    ) -> dict[str, Tensor]:
        """All terms in use, unweighted, and their weighted sum.

        Args:
            first, second: the encoder's output on the plain and on the augmented windows; `second` may be None without lambda_ss.
            embeddings: for every modality (B, D); what absent rows hold has no influence.
            present: for every modality (B,) bool.
            rows: identities of the batch.
            neighbours: what `retrieve` returned, needed where `uses_queue`.

        Returns:
            Scalars "ss", "mm_video", "mm_text", "nn_imu", "nn_video", "nn_text" (those in use) and "total".

        Raises:
            ValueError: the encoder has no projection heads, or a term in use lacks its second view or its neighbours.
        """
        if first.self_supervised is None or first.multimodal is None:
            raise ValueError("the objective needs both projections; make the encoder with heads=True")
        tau_ss, tau_mm = self.tau_ss(), self.tau_mm()
        excluded = in_batch(rows, self.negatives_exclude, self.group)
        terms: dict[str, Tensor] = {}
        if self.lambda_ss > 0:
            if second is None or second.self_supervised is None:
                raise ValueError("lambda_ss > 0 needs the encoder's output on the augmented windows: `second`")
            terms["ss"] = info_nce(first.self_supervised, second.self_supervised, tau_ss, exclude=excluded)
        if self.lambda_mm > 0:
            for name in self.modalities:
                given = embeddings[name] if self.absent == "leave" else embeddings[name].masked_fill(~present[name][:, None], 0.0)
                terms[f"mm_{name}"] = info_nce(first.multimodal, given, tau_mm, valid=present[name], exclude=excluded, absent=self.absent)
        if self.uses_queue:
            if neighbours is None:
                raise ValueError("lambda_nn > 0 needs `neighbours`: what `retrieve` returned")
            found = neighbours.found
            excluded = of_neighbours(rows, neighbours, self.negatives_exclude, self.shared_neighbours, excluded)
            if self.imu_neighbours:
                terms["nn_imu"] = info_nce(first.self_supervised, neighbours.vectors["imu"], tau_ss, valid=found, exclude=excluded)
            if self.multimodal_neighbours:
                for name in self.modalities:
                    terms[f"nn_{name}"] = info_nce(first.multimodal, neighbours.vectors[name], tau_mm, valid=found, exclude=excluded)
        total = torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum()
        return terms | {"total": total}

    def covered(self, present: Mapping[str, Tensor], neighbours: Neighbours | None, size: int) -> dict[str, int]:
        """Of how many of the `size` rows each term of `forward` is a mean."""
        found = 0 if neighbours is None else int(neighbours.found.sum())
        counts = {name: int(present[name].sum()) for name in self.modalities}
        own = (
            {"ss": size, "nn_imu": found}
            | {f"mm_{name}": count for name, count in counts.items()}
            | {f"nn_{name}": found for name in self.modalities}
        )
        return {name: own[name] for name in self.weights}
