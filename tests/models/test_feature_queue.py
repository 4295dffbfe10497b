"""The queue against a plain list: order, wrap-around, alignment, what is retrieved and what never is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from primus.models import feature_queue
from primus.models.feature_queue import FeatureQueue
from primus.models.rows import UNKNOWN, Rows, kinds
from tests.golden_values import distinct_rows

DIMS = {"imu": 3, "video": 4, "text": 2}


def vectors(count: int, seed: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, dim, generator=draw) for name, dim in DIMS.items()}


def rows_of(segments: list[int], per_take: int = 5) -> Rows:
    """Segments 0, 1, 2, ... of takes of `per_take`, each 5 s long and 1.1 s after the one before."""
    segment = torch.tensor(segments, dtype=torch.int64)
    start = segment % per_take * 1100
    return Rows(segment, segment // per_take, start, start + 5000, segment % 7, segment // 10, segment % 3)


@settings(max_examples=60, deadline=None)
@given(capacity=st.integers(1, 12), sizes=st.lists(st.integers(0, 30), max_size=8), seed=st.integers(0, 1000), by=st.sampled_from(sorted(DIMS)))
def test_is_the_list_of_the_last_rows(capacity: int, sizes: list[int], seed: int, by: str) -> None:
    queue, kept = FeatureQueue(capacity, DIMS), []
    number = 0
    for turn, size in enumerate(sizes):
        batch = vectors(size, seed + turn)
        queue.enqueue(batch, distinct_rows(size, number))
        kept += [(number + i, {name: normalize(value[i], dim=0) for name, value in batch.items()}) for i in range(size)]
        kept = kept[-capacity:]
        number += size
    assert len(queue) == len(kept)
    held = {int(queue.table[slot, 0]): slot for slot in range(len(queue))}
    assert sorted(held) == sorted(segment for segment, _ in kept)
    for segment, parts in kept:
        for name, vector in parts.items():
            assert torch.allclose(queue.vectors[name][held[segment]], vector, atol=1e-6), "modalities out of step"
    queries = vectors(6, seed + 99)[by]
    index, found = queue.nearest(queries, by, distinct_rows(6, 10_000))
    assert bool(found.all()) == bool(kept)
    for query, place in zip(queries, index, strict=True):
        if kept:
            best = max(kept, key=lambda entry: float(entry[1][by] @ query))
            assert float(queue.vectors[by][place] @ query) == pytest.approx(float(best[1][by] @ query), abs=1e-5)


@pytest.mark.parametrize("exclude", ["none", "self", "overlap", "take"])
def test_excluded_relations_are_never_retrieved(exclude: str) -> None:
    queue = FeatureQueue(40, DIMS)
    queue.enqueue(vectors(40, 0), rows_of(list(range(40))))
    queries, rows = vectors(40, 0), rows_of(list(range(40)))
    for part in (15, 4):  # the queries are the first rows of the queue: their nearest neighbour is themselves
        found = queue.retrieve({name: value[:part] for name, value in queries.items()}, {}, "imu", rows[:part], exclude)  # type: ignore[arg-type]
        assert bool(found.found.all())
        relation = kinds(rows[:part], found.rows)
        assert bool(relation["self"].all()) == (exclude == "none")
        if exclude != "none":
            assert not relation["self"].any()
        if exclude in ("overlap", "take"):
            assert not relation["overlap"].any()
        if exclude == "take":
            assert not relation["take"].any()


def test_excluding_equals_a_search_without_the_excluded_rows() -> None:
    queue = FeatureQueue(60, DIMS)
    queue.enqueue(vectors(60, 1), rows_of(list(range(60))))
    rows, queries = rows_of([3, 17, 44]), vectors(3, 2)["video"]
    index, _ = queue.nearest(queries, "video", rows, "take")
    for i in range(3):
        others = [j for j in range(60) if j // 5 != int(rows.take[i])]
        assert int(index[i]) == max(others, key=lambda j: float(queue.vectors["video"][j] @ queries[i]))


def test_nothing_to_retrieve_is_said() -> None:
    queue = FeatureQueue(8, DIMS)
    rows = rows_of([0, 1, 2])
    assert not queue.retrieve(vectors(3, 0), {}, "imu", rows).found.any()
    queue.enqueue({name: value[:2] for name, value in vectors(3, 0).items()}, rows[:2])
    assert not queue.retrieve(vectors(3, 0), {}, "imu", rows, "take").found.any()
    assert queue.retrieve(vectors(3, 0), {}, "imu", rows, "self").found.all()


def test_unfilled_rows_are_never_retrieved() -> None:
    queue = FeatureQueue(100, DIMS)
    queue.enqueue({name: -torch.ones(3, dim) for name, dim in DIMS.items()}, rows_of([0, 1, 2]))
    found = queue.retrieve({"imu": torch.ones(5, 3)}, {}, "imu", rows_of([10, 20, 30, 40, 50]))
    assert bool((found.index < 3).all()), "a zero row is nearer than an opposite one, but holds nothing"


def test_rows_without_the_modality_fall_back_to_imu() -> None:
    queue = FeatureQueue(30, DIMS)
    queue.enqueue(vectors(30, 3), rows_of(list(range(30))))
    queries, rows = vectors(6, 4), rows_of([100, 110, 120, 130, 140, 150])
    has = torch.tensor([True, False, True, True, False, False])
    mixed = queue.retrieve(queries, {"video": has}, "video", rows)
    by_video = queue.retrieve(queries, {"video": torch.ones(6, dtype=torch.bool)}, "video", rows)
    by_imu = queue.retrieve(queries, {}, "imu", rows)
    assert torch.equal(mixed.index, torch.where(has, by_video.index, by_imu.index))
    assert torch.equal(mixed.vectors["text"], queue.vectors["text"][mixed.index])
    assert torch.equal(mixed.rows.segment, queue.table[mixed.index, 0])


def test_search_in_chunks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = FeatureQueue(50, DIMS)
    queue.enqueue(vectors(50, 5), rows_of(list(range(50))))
    queries, rows = vectors(33, 6)["imu"], rows_of(list(range(33)))
    whole = queue.nearest(queries, "imu", rows, "overlap")
    monkeypatch.setattr(feature_queue, "SEARCH_CELLS", 170)
    assert all(torch.equal(left, right) for left, right in zip(queue.nearest(queries, "imu", rows, "overlap"), whole, strict=True))


def test_nothing_in_it_has_gradients() -> None:
    queue = FeatureQueue(8, DIMS)
    batch = {name: value.requires_grad_() for name, value in vectors(4, 7).items()}
    queue.enqueue(batch, rows_of([0, 1, 2, 3]))
    found = queue.retrieve(batch, {}, "imu", rows_of([50, 60, 70, 80]))
    assert not any(value.requires_grad for value in [*queue.vectors.values(), *found.vectors.values()])


@pytest.mark.parametrize("enqueued", [0, 5, 12, 17])
def test_state_goes_on_identically(enqueued: int) -> None:
    first, second = FeatureQueue(12, DIMS), FeatureQueue(12, DIMS)
    if enqueued:
        first.enqueue(vectors(enqueued, 0), rows_of(list(range(enqueued))))
    state = first.state()
    assert len(state["table"]) == min(enqueued, 12), "only filled rows are kept"
    second.load_state(state)
    for queue in (first, second):
        queue.enqueue(vectors(5, 1), rows_of([40, 41, 42, 43, 44]))
    assert all(torch.equal(first.vectors[name], second.vectors[name]) for name in DIMS)
    assert torch.equal(first.table, second.table)
    assert (first.cursor, first.filled) == (second.cursor, second.filled)


def test_wrong_use_is_named() -> None:
    queue = FeatureQueue(4, DIMS)
    with pytest.raises(ValueError, match="capacity must be >= 1"):
        FeatureQueue(0, DIMS)
    with pytest.raises(ValueError, match="at least one modality"):
        FeatureQueue(4, {})
    with pytest.raises(ValueError, match="the queue holds"):
        queue.enqueue({"imu": torch.zeros(1, 3)}, rows_of([0]))
    with pytest.raises(ValueError, match=r"text must be \(2, 2\)"):
        queue.enqueue(vectors(2, 0) | {"text": torch.zeros(2, 9)}, rows_of([0, 1]))
    with pytest.raises(ValueError, match="other settings"):
        FeatureQueue(4, {"imu": 3}).load_state(queue.state())
    with pytest.raises(ValueError, match="imu holds numbers that are not finite"):
        queue.enqueue(vectors(2, 0) | {"imu": torch.full_like(vectors(2, 0)["imu"], torch.nan)}, rows_of([0, 1]))
    assert len(queue) == 0
    queue.enqueue(vectors(4, 0), rows_of([0, 1, 2, 3]))
    for other in (FeatureQueue(2, DIMS), FeatureQueue(8, DIMS), FeatureQueue(4, DIMS | {"text": 1})):
        with pytest.raises(ValueError, match="other settings"):
            other.load_state(queue.state())
        assert len(other) == 0


def test_unknown_words_and_people_are_equal_to_nobody() -> None:
    rows = rows_of([0, 1])
    nameless = Rows(rows.segment, rows.take, rows.start_ms, rows.end_ms, *(torch.full((2,), UNKNOWN) for _ in range(3)))
    relation = kinds(nameless, nameless)
    assert not relation["participant"].any()
    assert not relation["label"].any()
    assert relation["self"].all()
    assert relation["take"].all()
