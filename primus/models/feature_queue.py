"""The last segments' representations in every modality, aligned row by row, and the search for nearest neighbours among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from primus.models.products import product
from primus.models.rows import COLUMNS, Relation, Rows, related

SEARCH_CELLS = 16 * 2**20  # similarities held at once (64 MiB of float32)


@dataclass(frozen=True)
class Neighbours:
    """For B queries: `index` (B,) int64 into the queue, `found` (B,) bool, `rows` of the neighbours, and their unit vectors.

    Where `found` is False (empty queue, or every row excluded) the other fields hold row 0 and mean nothing.
    """

    index: Tensor
    found: Tensor
    rows: Rows
    vectors: Mapping[str, Tensor]


class FeatureQueue:
    """First in, first out store of unit vectors.

    Args:
        capacity: number of segments kept; older ones are overwritten.
        dims: width of each modality, for example {"imu": 512, "video": 512, "text": 512}.
        device: where it lives.

    Raises:
        ValueError: capacity below 1, or no modality.
    """

    def __init__(self, capacity: int = 8192, dims: Mapping[str, int] | None = None, device: torch.device | str = "cpu") -> None:
        if capacity < 1:
            raise ValueError(f"queue capacity must be >= 1, found {capacity}")
        dims = {"imu": 512, "video": 512, "text": 512} if dims is None else dict(dims)
        if not dims:
            raise ValueError("a queue needs at least one modality")
        self.capacity = capacity
        self.vectors = {name: torch.zeros(capacity, dim, device=device) for name, dim in dims.items()}
        self.table = torch.zeros(capacity, COLUMNS, dtype=torch.int64, device=device)
        self.filled = 0  # rows that hold something: 0 .. filled - 1
        self.cursor = 0  # where the next row goes

    def __len__(self) -> int:
        return self.filled

    @torch.no_grad()
    def enqueue(self, vectors: Mapping[str, Tensor], rows: Rows) -> None:
        """Append B rows, oldest first; of a batch larger than the capacity the last rows stay.

        Args:
            vectors: for every modality of the queue (B, dim) float; detached and normalised here.
            rows: their identities.

        Raises:
            ValueError: a modality is missing, unknown, of another length or width, or holds a number that is not finite.
        """
        if set(vectors) != set(self.vectors):
            raise ValueError(f"the queue holds {sorted(self.vectors)}, found {sorted(vectors)}")
        for name, value in vectors.items():
            if value.shape != (len(rows), self.vectors[name].shape[1]):
                raise ValueError(f"{name} must be ({len(rows)}, {self.vectors[name].shape[1]}), found {tuple(value.shape)}")
            if not bool(torch.isfinite(value).all()):
                raise ValueError(f"{name} holds numbers that are not finite; no query could find a neighbour beside them")
        skip = max(0, len(rows) - self.capacity)
        count = len(rows) - skip
        slots = (self.cursor + skip + torch.arange(count, device=self.table.device)) % self.capacity
        for name, value in vectors.items():
            bank = self.vectors[name]
            bank[slots] = normalize(value[skip:].detach().to(bank), dim=1)
        self.table[slots] = rows.stacked()[skip:].to(self.table.device)
        self.cursor = (self.cursor + len(rows)) % self.capacity
        self.filled = min(self.capacity, self.filled + len(rows))

    @torch.no_grad()
    def nearest(self, queries: Tensor, by: str, rows: Rows, exclude: Relation = "none") -> tuple[Tensor, Tensor]:
        """Most similar filled row of each query by cosine in modality `by`.

        Args:
            queries: (B, dim) float; need not be normalised.
            by: modality compared.
            rows: identities of the queries.
            exclude: relation to the query that a neighbour must not have.

        Returns:
            index (B,) int64 and found (B,) bool; False where no row may be retrieved (index 0 there).
        """
        index = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        found = torch.zeros(len(queries), dtype=torch.bool, device=queries.device)
        if self.filled == 0 or len(queries) == 0:
            return index, found
        bank, bank_rows = self.vectors[by][: self.filled], Rows.unstacked(self.table[: self.filled])
        chunk = max(1, SEARCH_CELLS // self.filled)
        for start in range(0, len(queries), chunk):
            part = slice(start, start + chunk)
            similarity = product(queries[part].detach().to(bank), bank)  # (chunk, filled); a query's length does not change its order
            forbidden = related(exclude, rows[part], bank_rows)
            if forbidden is not None:
                similarity.masked_fill_(forbidden, float("-inf"))
            best, index[part] = similarity.max(dim=1)
            found[part] = best > float("-inf")
        return torch.where(found, index, 0), found

    @torch.no_grad()
    def retrieve(self, queries: Mapping[str, Tensor], present: Mapping[str, Tensor], by: str, rows: Rows, exclude: Relation = "none") -> Neighbours:
        """Neighbours of B rows by modality `by`; rows without that modality are looked up by "imu" instead.

        Args:
            queries: (B, dim) float for "imu" and for `by`.
            present: (B,) bool for every modality that may be absent; "imu" is always there.
            by: "video", "text" or "imu".
            rows: identities of the queries.
            exclude: relation to the query that a neighbour must not have.
        """
        if by == "imu":
            index, found = self.nearest(queries["imu"], "imu", rows, exclude)
        else:
            index = torch.zeros(len(rows), dtype=torch.int64, device=self.table.device)
            found = torch.zeros(len(rows), dtype=torch.bool, device=self.table.device)
            for name, chosen in ((by, present[by]), ("imu", ~present[by])):
                at = chosen.nonzero().squeeze(1)
                if len(at):
                    index[at], found[at] = self.nearest(queries[name][at], name, rows[at], exclude)
        vectors = {name: bank[index] for name, bank in self.vectors.items()}
        return Neighbours(index, found, Rows.unstacked(self.table[index]), vectors)

    def state(self) -> dict[str, Tensor]:
        """Filled rows only, in place order, plus the cursor: what a checkpoint needs to go on identically."""
        tensors = {f"vectors.{name}": bank[: self.filled].clone() for name, bank in self.vectors.items()}
        return tensors | {"table": self.table[: self.filled].clone(), "cursor": torch.tensor(self.cursor), "capacity": torch.tensor(self.capacity)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned; ValueError where modalities, widths or capacity do not fit."""
        widths = {name.removeprefix("vectors."): value.shape[1] for name, value in state.items() if name.startswith("vectors.")}
        mine = {name: bank.shape[1] for name, bank in self.vectors.items()}
        filled, capacity = len(state["table"]), int(state["capacity"])
        if widths != mine or capacity != self.capacity:
            raise ValueError(
                f"the queue holds {self.capacity} rows of {dict(sorted(mine.items()))}, the state {capacity} rows of {dict(sorted(widths.items()))}:"
                " it was saved under other settings"
            )
        for name, bank in self.vectors.items():
            bank[:filled] = state[f"vectors.{name}"]
        self.table[:filled] = state["table"]
        self.filled, self.cursor = filled, int(state["cursor"])
