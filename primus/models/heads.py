"""Projection heads: feature -> the space in which one loss compares rows."""

from __future__ import annotations

from typing import Literal

from torch import nn

HeadKind = Literal["linear", "mlp"]


def projection_head(kind: HeadKind, feature_dim: int, projection_dim: int) -> nn.Module:
    """A head mapping (B, feature_dim) to (B, projection_dim), not normalised.

    Args:
        kind: "linear" is what the released code of arXiv 2411.15127 trains; "mlp" is what the paper's
            text says (two layers with a ReLU between, hidden width = feature_dim).
        feature_dim: width of the encoder's feature.
        projection_dim: width of the space; must equal the width of the frozen embeddings it meets.
    """
    if kind == "linear":
        return nn.Linear(feature_dim, projection_dim)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(feature_dim, feature_dim), nn.ReLU(), nn.Linear(feature_dim, projection_dim))
    raise ValueError(f"head must be 'linear' or 'mlp', found {kind!r}")
