"""A deliberate leak is worth what it should be worth, and the pipeline refuses it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.errors import UserError
from primus.evaluation.feature_files import read_feature_files
from primus.evaluation.leaky import leak_table, leak_tables, leaky_pools
from primus.evaluation.probes.logistic import LogisticProbe
from primus.evaluation.tasks import build_tasks
from primus.keyed_arrays import KeyedWriter
from primus.seeds import generator

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def personal(segments: pd.DataFrame, habit: float) -> dict[str, np.ndarray]:
    """Features in which each person does each activity in a way of their own (`habit`), over a weak common way."""
    rng = generator(0, "habits")
    own = {key: habit * rng.normal(size=16) for key in sorted(set(zip(segments["participant"], segments["label"], strict=True)))}
    common = {label: 0.5 * rng.normal(size=16) for label in sorted(set(segments["label"]))}
    keys = zip(segments["segment_id"], segments["participant"], segments["label"], strict=True)
    return {name: (own[person, label] + common[label] + rng.normal(size=16)).astype(np.float32) for name, person, label in keys}


def table(corpus: Corpus, habit: float) -> pd.DataFrame:
    segments, splits = corpus(people=8, takes=4, each=10)
    (task,) = build_tasks(segments, splits)
    options = {"shots": 10, "episodes": 4, "probe": LogisticProbe(), "standardise": "pool", "replicates": 200, "seed": 0}
    return leak_table(task, segments, personal(segments, habit), **options).set_index("way")  # type: ignore[arg-type]


def test_shots_from_the_tested_people_inflate_the_score(corpus: Corpus) -> None:
    found = table(corpus, habit=2.0)
    assert found.index.tolist() == ["honest", "people", "windows"]
    assert found.loc["honest", ["inflation", "shared_people", "shared_takes"]].tolist() == [0.0, 0, 0]
    for way in ("people", "windows"):
        assert found.loc[way, "inflation_lo"] > 0.15, way
        assert found.loc[way, "shared_people"] == 4
    assert found.loc["people", "shared_takes"] == 0
    assert found.loc["windows", "shared_takes"] > 0


def test_where_people_do_not_differ_a_leak_is_worth_nothing(corpus: Corpus) -> None:
    found = table(corpus, habit=0.0)
    assert found.loc["people", "inflation_lo"] < 0 < found.loc["people", "inflation_hi"] + 0.05
    assert abs(found.loc["people", "inflation"]) < 0.1


def test_what_is_tested_never_gives_shots(corpus: Corpus) -> None:
    segments, splits = corpus(people=8, takes=4)
    (task,) = build_tasks(segments, splits)
    tested, pools = leaky_pools(task, segments, 0)
    for way, pool in pools.items():
        assert set(tested["segment_id"]).isdisjoint(pool["segment_id"]), way
    assert set(tested["label"]) == set(task.classes)


def test_every_fold_and_data_set_is_told_of_each_by_its_first_encoder(corpus: Corpus, tmp_path: Path) -> None:
    """Also where folds have files of their own, as on a profile that tests each person once."""
    segments, splits = corpus(people=6, takes=4, each=4, folds=3)
    folder = tmp_path / "features" / "primus"
    names = sorted(segments["segment_id"])
    for seed in (0, 1):
        for fold in (0, 1, 2):
            rows = personal(segments, 2.0 if seed == 0 else 0.0)
            attrs = {"seed": seed, "fold": fold, "representation": "feature"}
            with KeyedWriter(folder / f"seed{seed}_fold{fold}.h5", {"feature": ((16,), "float32")}, attrs) as writer:
                writer.append(names, {"feature": np.stack([rows[name] for name in names])})
    files = read_feature_files(tmp_path, "primus")
    assert not isinstance(files, str)
    found = leak_tables(files, segments, splits, shots=4, episodes=2, replicates=50)
    assert sorted(set(found["fold"])) == [0, 1, 2]
    first = [one for one in files if one.seed == 0]
    pd.testing.assert_frame_equal(found, leak_tables(first, segments, splits, shots=4, episodes=2, replicates=50))


def test_the_pipeline_refuses_the_leak(corpus: Corpus) -> None:
    """The splits that the ways `people` and `windows` amount to."""
    segments, splits = corpus(people=4, takes=2)
    by_take = splits.assign(split=["shots" if number % 2 else "test" for number in range(len(splits))])
    with pytest.raises(UserError, match="both in 'test' and in 'shots'"):
        build_tasks(segments, by_take)
    twice = pd.concat([splits, splits[splits["split"] == "test"].assign(split="shots")])
    with pytest.raises(UserError, match="both in 'test' and in 'shots'"):
        build_tasks(segments, twice)
