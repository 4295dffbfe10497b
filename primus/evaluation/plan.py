"""Which tasks a run consists of: data sets tested as they were split, site by site, or person by person. The stages that test share it."""

from dataclasses import dataclass

import pandas as pd

from primus.evaluation.people import FewPeople, leave_user_out
from primus.evaluation.protocols import Protocol
from primus.evaluation.sites import leave_site_out
from primus.evaluation.statistics import FEW_PARTICIPANTS
from primus.evaluation.tasks import Task, build_tasks


@dataclass(frozen=True)
class Plan:
    """The tasks of a run.

    Attributes:
        tasks: sorted by data set, then by fold, or by part where a data set is tested in parts; everybody tested is in one of them only.
        as_split: of every data set and fold as the segment stage split it.
        left: data set -> why it is tested as it was split although few people are tested in it and they were to be left out one by one.
    """

    tasks: list[Task]
    as_split: list[Task]
    left: dict[str, str]

    @property
    def folds(self) -> set[int]:
        """Folds whose encoders are tested."""
        return {task.fold for task in self.tasks}


def plan_tasks(segments: pd.DataFrame, splits: pd.DataFrame, protocol: Protocol, few_people: FewPeople = "as_split") -> Plan:
    """Plan the tasks of what a protocol made of segments and splits (`protocols.apply_protocol`).

    Under "leave_site_out" a data set whose sites are known has one task per site. Else, under "leave_user_out", one that would test fewer than
    FEW_PARTICIPANTS people has one per person, if it can (`people.leave_user_out`). Parts take the place of the tasks of all folds.

    Raises:
        UserError: as `build_tasks`.
    """
    as_split = build_tasks(segments, splits)
    tasks: list[Task] = []
    left: dict[str, str] = {}
    for dataset in sorted({task.dataset for task in as_split}):
        mine = [task for task in as_split if task.dataset == dataset]
        parts = leave_site_out(segments, splits, dataset) if protocol == "leave_site_out" else []
        if not parts and few_people == "leave_user_out" and len(mine[0].participants) < FEW_PARTICIPANTS:
            found = leave_user_out(segments, splits, dataset)
            if isinstance(found, str):
                left[dataset] = found
            else:
                parts = found
        tasks += parts or mine
    return Plan(tasks, as_split, left)


def size_of_tests(tasks: list[Task]) -> dict[str, int]:
    """What the tasks of one data set test, for metrics: `test_participants`, `test_segments`, `folds`, and `parts` where it is tested in parts."""
    sizes = {
        "test_participants": len(set[str]().union(*(task.test["group"] for task in tasks))),
        "test_segments": sum(len(task.test) for task in tasks),
        "folds": len({task.fold for task in tasks}),
    }
    return sizes | ({"parts": len(tasks)} if tasks[0].part else {})
