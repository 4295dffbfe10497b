"""What the recording site gives away: scores at a site nobody gave shots at, how well features tell the site, and what the site alone tells.

Activities are not spread evenly over sites (in Ego-Exo4D 87 % of the climbing is one site's), so an encoder that has learned the place can pass for
one that has learned the activity. These numbers stand beside the scores of every data set whose sites are known.
"""

import dataclasses
from collections.abc import Iterator

import pandas as pd

from primus.evaluation.leakage import groups, unseen_fold
from primus.evaluation.tasks import Task


def known_sites(segments: pd.DataFrame, dataset: str) -> list[str]:
    """Sites of the labelled segments of a data set, sorted; empty unless every segment's site is known and there are two or more."""
    mine = segments.loc[(segments["dataset"] == dataset) & (segments["purpose"] == "probe"), "site"]
    sites = sorted(mine.dropna().astype(str).unique())
    return sites if len(sites) > 1 and mine.notna().all() else []


def leave_site_out(segments: pd.DataFrame, splits: pd.DataFrame, dataset: str) -> list[Task]:
    """One task per site of the data set: all its labelled segments are tested with shots from the other sites.

    People recorded at two sites give no shots where they are tested. Encoders are those of the first fold in which they have seen none of the data
    set's labelled people; without such a fold, or without known sites, there are no tasks.
    """
    sites = known_sites(segments, dataset)
    fold = unseen_fold(segments, splits, dataset)
    if not sites or fold is None:
        return []
    mine = segments[(segments["dataset"] == dataset) & (segments["purpose"] == "probe")].sort_values("segment_id")
    mine = mine.assign(group=groups(mine))
    classes, people = tuple(sorted(mine["label"].astype(str).unique())), tuple(sorted(mine["group"].unique()))
    tasks = []
    for site in sites:
        test = mine[mine["site"] == site]
        pool = mine[(mine["site"] != site) & ~mine["group"].isin(test["group"])]
        if not pool.empty:
            pool, test = pool[["segment_id", "take_uid", "start_s", "end_s", "label"]], test[["segment_id", "label", "group"]]
            tasks.append(Task(dataset, fold, classes, people, pool.reset_index(drop=True), test.reset_index(drop=True), site))
    return tasks


def site_task(task: Task, segments: pd.DataFrame) -> Task | None:
    """The same pool and test set with the site in the place of the class, of the sites that both have; None where that leaves fewer than two.

    Nobody is in both, so what is learned is the place and its equipment, not the person.
    """
    site_of = segments.set_index("segment_id")["site"]
    pool, test = (table.assign(label=site_of.loc[table["segment_id"]].to_numpy()) for table in (task.pool, task.test))
    shared = sorted(set(pool["label"].dropna()) & set(test["label"].dropna()))
    if len(shared) < 2:
        return None
    pool, test = (table[table["label"].isin(shared)].reset_index(drop=True) for table in (pool, test))
    return dataclasses.replace(task, classes=tuple(shared), pool=pool, test=test, part="site")


def class_from_site(task: Task, segments: pd.DataFrame) -> float:
    """Accuracy on the test set of naming each site's most frequent class in the pool (the most frequent class of all where the site is new)."""
    site_of = segments.set_index("segment_id")["site"]
    pool = task.pool.assign(site=site_of.loc[task.pool["segment_id"]].to_numpy())
    usual = pool["label"].mode().iloc[0]
    of_site = pool.groupby("site")["label"].agg(lambda labels: labels.mode().iloc[0])
    guessed = pd.Series(site_of.loc[task.test["segment_id"]].to_numpy()).map(of_site).fillna(usual)
    return float((guessed.to_numpy() == task.test["label"].to_numpy()).mean())


def site_tasks(tasks: list[Task], segments: pd.DataFrame, splits: pd.DataFrame) -> Iterator[tuple[str, Task]]:
    """("leave_site_out", task of one site) and ("site_probe", task) of every data set whose sites are known."""
    for dataset in sorted({task.dataset for task in tasks}):
        if not known_sites(segments, dataset):
            continue
        yield from (("leave_site_out", task) for task in leave_site_out(segments, splits, dataset))
        asked = [site_task(task, segments) for task in tasks if task.dataset == dataset]
        if all(task is not None for task in asked):
            yield from (("site_probe", task) for task in asked if task is not None)
