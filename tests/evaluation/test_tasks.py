from collections.abc import Callable

import pandas as pd
import pytest

from primus.errors import UserError
from primus.evaluation.leakage import assert_disjoint
from primus.evaluation.tasks import build_tasks

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def test_one_task_per_fold_and_every_person_is_tested_once(corpus: Corpus) -> None:
    segments, splits = corpus(people=6, folds=3)
    tasks = build_tasks(segments, splits)
    assert [task.fold for task in tasks] == [0, 1, 2]
    tested = [person for task in tasks for person in sorted(set(task.test["group"]))]
    assert sorted(tested) == sorted({f"pop/{person}" for person in range(6)}) == sorted(tasks[0].participants)
    for task in tasks:
        assert set(task.pool["segment_id"]).isdisjoint(task.test["segment_id"])
        assert len(task.pool) + len(task.test) == len(segments)
        assert [task.classes[number] for number in task.truth()] == task.test["label"].tolist()
        assert [task.participants[number] for number in task.testees()] == task.test["group"].tolist()


@pytest.mark.parametrize("split", ["train", "val", "shots"])
def test_a_tested_participant_seen_elsewhere_is_refused_also_across_data_sets(corpus: Corpus, split: str) -> None:
    segments, splits = corpus()
    leak = {"fold": 0, "dataset": "watches", "take_uid": "w", "participant": "pop/1", "split": split}
    with pytest.raises(UserError, match=rf"'test' and in '{split}' \(pop/1\)"):
        build_tasks(segments, pd.concat([splits, pd.DataFrame([leak])]))
    leak["participant"] = "pop/5"  # among the shots already: no harm
    build_tasks(segments, pd.concat([splits, pd.DataFrame([leak])]))


def test_where_the_participant_is_unknown_the_take_must_not_be_split() -> None:
    rows = [("a", "shots"), ("b", "test"), ("a", "test")]
    splits = pd.DataFrame([{"fold": 0, "dataset": "d", "take_uid": take, "participant": None, "split": split} for take, split in rows])
    with pytest.raises(UserError, match="take:d/a"):
        assert_disjoint(splits)
    assert_disjoint(splits.iloc[:2])


def test_trouble_is_named(corpus: Corpus) -> None:
    segments, splits = corpus()
    with pytest.raises(UserError, match="in no split"):
        build_tasks(segments, splits.iloc[1:])
    with pytest.raises(UserError, match="'shots' split"):
        build_tasks(segments[segments["participant"] < "pop/3"], splits)
    with pytest.raises(UserError, match="no label"):
        build_tasks(segments.assign(label=None), splits)
    with pytest.raises(UserError, match="purpose 'probe'"):
        build_tasks(segments.assign(purpose="pretrain"), splits)
