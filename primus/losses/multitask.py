"""MultitaskSSL (Saeed, Ozcelebi, Lukkien 2019, arXiv 1907.11879): say which transformation was applied to a window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

HIDDEN = 256


class MultitaskObjective(nn.Module):
    """One binary head per transformation on the encoder's feature; their cross entropies are summed.

    Each head is Linear(feature, 256), ReLU, Linear(256, 1) and answers "was my transformation applied to this window?".

    Args:
        tasks: names of the transformations.
        feature_dim: width of the encoder's feature.
    """

    def __init__(self, tasks: tuple[str, ...], feature_dim: int = 512) -> None:
        super().__init__()
        if not tasks:
            raise ValueError("multitask needs at least one transformation")
        self.tasks = tasks
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(feature_dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)) for _ in tasks)

    def forward(self, feature: Tensor, applied: Tensor) -> dict[str, Tensor]:
        """Terms by transformation name, and "total".

        Args:
            feature: (B, feature_dim).
            applied: (B,) int64, the number in `tasks` of the transformation applied to each window, -1 for none.
        """
        logits = torch.cat([head(feature) for head in self.heads], dim=1)  # (B, tasks)
        target = applied[:, None] == torch.arange(len(self.tasks), device=applied.device)
        losses = binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none").mean(dim=0)
        return dict(zip(self.tasks, losses.unbind(), strict=True)) | {"total": losses.sum()}
