"""Blocks scored together equal blocks scored one by one; what is drawn, joined and compared."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.episodes import draw_episodes
from primus.evaluation.fewshot import score_task
from primus.evaluation.probes.choose import choose_probe
from primus.evaluation.robustness import Block, chains, choose_tests, next_rows, retention, score_blocks
from primus.evaluation.statistics import Estimate
from primus.evaluation.tasks import build_tasks

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]
Features = Callable[..., np.ndarray]


@pytest.mark.parametrize("name", ["logistic", "prototype"])
def test_blocks_together_equal_blocks_one_by_one(corpus: Corpus, features_of: Features, name: str) -> None:
    segments, splits = corpus()
    (task,) = build_tasks(segments, splits)
    features = pd.DataFrame(features_of(segments), index=segments["segment_id"])
    pool, clean = (features.loc[table["segment_id"]].to_numpy() for table in (task.pool, task.test))
    rng = np.random.default_rng(0)
    part = np.sort(rng.permutation(len(clean))[:17])
    blocks = [
        Block("matched", np.arange(len(clean)), clean),
        Block("noisy", np.arange(len(clean)), clean + rng.standard_normal(clean.shape).astype(np.float32)),
        Block("part", part, clean[part] * 2 + 1),
    ]
    episodes = draw_episodes(task.pool, unit="nonoverlapping", episodes=3, most=5, seed=0, names=("walks", 0))
    probe = choose_probe(name, c=1.0, neighbours=3)  # type: ignore[arg-type]
    together, complete = score_blocks(task, pool, blocks, episodes=episodes, shots=5, probe=probe, standardise="pool")
    assert complete
    for block, counts in zip(blocks, together, strict=True):
        (alone,) = score_task(
            replace(task, test=task.test.iloc[block.rows].reset_index(drop=True)),
            pool,
            block.features,
            episodes=episodes,
            shots=(5,),
            probe=probe,
            standardise="pool",
        )
        np.testing.assert_array_equal(counts, alone.confusion)


def test_the_tested_part_is_even_over_classes_seeded_and_sorted(corpus: Corpus) -> None:
    (task,) = build_tasks(*corpus())
    part = choose_tests(task, 10, seed=0)
    assert sorted(part.test["label"].value_counts()) == [3, 3, 4]
    assert part.test["segment_id"].is_monotonic_increasing
    assert part.test.equals(choose_tests(task, 10, seed=0).test)
    assert not part.test.equals(choose_tests(task, 10, seed=1).test)
    assert choose_tests(task, None, seed=0) is task
    assert choose_tests(task, 10_000, seed=0) is task


def test_only_segments_of_one_take_and_class_without_a_gap_are_joined() -> None:
    of_a = [("a0", 0.0, "x"), ("a1", 5.0, "x"), ("a2", 10.0, "x"), ("a3", 15.004, "x"), ("a4", 20.5, "x"), ("a5", 25.5, "y")]
    of_b = [("b0", 0.0, "x"), ("b1", 4.0, "x")]
    rows = [(name, take, start, label) for take, of_take in (("A", of_a), ("B", of_b)) for name, start, label in of_take]
    table = pd.DataFrame(rows, columns=["segment_id", "take_uid", "start_s", "label"]).assign(dataset="d")
    following = next_rows(table.assign(end_s=table["start_s"] + 5), 0.01)
    assert following == {"a0": "a1", "a1": "a2", "a2": "a3"}
    assert chains(["a1", "a2", "a3"], following, 2) == {0: ["a1", "a2"], 1: ["a2", "a3"]}
    assert chains(["a0", "a1"], following, 4) == {0: ["a0", "a1", "a2", "a3"]}


def test_retention_is_the_paired_ratio_and_one_where_there_was_nothing_to_lose() -> None:
    matched = Estimate.of(0.8, np.array([0.8, 0.5, 0.0]))
    found = retention(Estimate.of(0.4, np.array([0.4, 0.5, 0.0])), matched)
    assert found.mean == pytest.approx(0.5)
    np.testing.assert_allclose(found.draws, [0.5, 1.0, 1.0])
