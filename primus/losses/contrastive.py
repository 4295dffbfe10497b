"""InfoNCE between aligned rows: the one contrastive loss that every term is made of."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

Absent = Literal["leave", "negatives"]


def info_nce(
    queries: Tensor,
    keys: Tensor,
    temperature: float | Tensor,
    symmetric: bool = True,
    valid: Tensor | None = None,
    exclude: Tensor | None = None,
    absent: Absent = "leave",
) -> Tensor:
    """Mean over rows of -log softmax of the true key's cosine similarity among all keys (van den Oord et al., arXiv 1807.03748).

    With `symmetric` the keys-to-queries direction is added (a sum of two means, not their mean, as PRIMUS does).

    Args:
        queries, keys: (B, D) float, row i of one belongs to row i of the other; normalised here.
        temperature: positive scalar (a tensor of shape () may require a gradient).
        symmetric: add the second direction.
        valid: (B,) bool; False rows have no true pair. None means all.
        exclude: (B, B) bool; True at (i, j) means that key j is no negative of query i (nor query i of key j). The
            diagonal is ignored: a true pair always counts.
        absent: "leave" drops rows that are not valid as queries and as negatives; "negatives" keeps them in the denominators,
            as the released code does with its zero vectors.

    Returns:
        Scalar tensor; with no valid row, 0 that still has a gradient path to `queries`, `keys` and `temperature`.

    Raises:
        ValueError: shapes do not match, a mask is not bool, `absent` is neither word, or a temperature that is a plain number is not positive.
    """
    if queries.ndim != 2 or queries.shape != keys.shape:
        raise ValueError(f"queries and keys must both be (B, D), found {tuple(queries.shape)} and {tuple(keys.shape)}")
    rows = queries.shape[0]
    if valid is not None and valid.shape != (rows,):
        raise ValueError(f"valid must be ({rows},), found {tuple(valid.shape)}")
    if exclude is not None and exclude.shape != (rows, rows):
        raise ValueError(f"exclude must be ({rows}, {rows}), found {tuple(exclude.shape)}")
    for name, mask in (("valid", valid), ("exclude", exclude)):
        if mask is not None and mask.dtype != torch.bool:
            raise ValueError(f"{name} must be a bool tensor, found {mask.dtype}; compare with 0 to make one")
    if absent not in ("leave", "negatives"):
        raise ValueError(f"absent must be 'leave' or 'negatives', found {absent!r}")
    if not isinstance(temperature, Tensor) and not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")

    weight: Tensor | None = None
    if valid is not None:
        present = valid.nonzero().squeeze(1)
        if len(present) == 0:
            return queries[:0].sum() + keys[:0].sum() + 0.0 * temperature
        if len(present) < rows and absent == "leave":
            queries, keys = queries[present], keys[present]
            exclude = exclude[present][:, present] if exclude is not None else None
        elif len(present) < rows:
            weight = valid.to(queries.dtype) / len(present)
    elif rows == 0:
        return queries.sum() + keys.sum() + 0.0 * temperature

    logits = normalize(queries, dim=1) @ normalize(keys, dim=1).T / temperature  # (B, B): query i against key j
    positive = logits.diagonal()
    if exclude is not None:
        eye = torch.eye(len(exclude), dtype=torch.bool, device=exclude.device)
        logits = logits.masked_fill(exclude & ~eye, float("-inf"))
    loss = torch.logsumexp(logits, dim=1) - positive
    if symmetric:
        loss = loss + torch.logsumexp(logits, dim=0) - positive
    return loss.mean() if weight is None else (loss * weight).sum()
