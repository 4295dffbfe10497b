"""Write the whole simulated corpus: three data sets in the form in which they are published, and the truth about their defects."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol

from primus.artifacts import write_json
from primus.simulate import ego4d, egoexo4d, realworld
from primus.simulate.config import TINY, CorpusConfig

__all__ = ["FOLDERS", "TINY", "CorpusConfig", "write_corpus", "write_empty"]

FOLDERS: Final = {"egoexo4d": "egoexo4d", "ego4d": "ego4d", "realworld": "realworld2016"}
"""Data set -> folder of the corpus that is its root."""


class Job(Protocol):
    """A piece of the corpus that can be made in any process, always with the same bytes."""

    def cost(self) -> float:
        """Roughly proportional to run time."""
        ...

    def run(self, root: Path, cache_root: Path | None) -> Any:
        """Write files below `root`; return what the metadata need."""
        ...


Watch = Callable[[Iterator[Any], int], Iterator[Any]]


def write_corpus(
    folder: Path, config: CorpusConfig, workers: int = 1, cache_root: Path | None = None, watch: Watch | None = None
) -> list[dict[str, Any]]:
    """Write the corpus that `config` describes into `folder` (created if need be).

    Args:
        folder: gets egoexo4d/, ego4d/, realworld2016/, simulation.json and injected.json.
        config: sizes, seed and link; equal configs give equal bytes, whatever the number of workers.
        workers: processes; 1 means this one.
        cache_root: where rendered videos are kept between runs (`primus.work_cache`); None keeps none.
        watch: wraps the iterator over finished jobs, for progress; called with it and their number.

    Returns:
        The injected defects, as written to injected.json: dataset, take_uid, reason, scope and, for a gap, start_s and end_s.
    """
    parts: dict[str, Sequence[Job]] = {"egoexo4d": egoexo4d.jobs(config), "ego4d": ego4d.jobs(config), "realworld": realworld.jobs(config)}
    work = [(folder / FOLDERS[name], job, cache_root) for name, jobs in parts.items() for job in jobs]
    for name in FOLDERS.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
    results = _run(work, workers, watch)
    found = {name: [results.pop(0) for _ in jobs] for name, jobs in parts.items()}
    injected = egoexo4d.write_metadata(folder / FOLDERS["egoexo4d"], config, egoexo4d.jobs(config), found["egoexo4d"])
    injected += ego4d.write_metadata(folder / FOLDERS["ego4d"], ego4d.jobs(config), found["ego4d"])
    write_json(folder / "injected.json", injected)
    write_json(
        folder / "simulation.json",
        {"simulated": True, "seed": config.seed, "link": config.link, "injected": len(injected), "recordings": len(work)},
    )
    return injected


def write_empty(folder: Path) -> None:
    """Write the marked, empty corpus of a profile whose recordings are real."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "injected.json", [])
    write_json(folder / "simulation.json", {"simulated": False})


def _run(work: Sequence[tuple[Path, Job, Path | None]], workers: int, watch: Watch | None) -> list[Any]:
    """Results in the order of `work`; the longest jobs start first."""
    order = sorted(range(len(work)), key=lambda index: -work[index][1].cost())
    tasks = [work[index] for index in order]
    results: list[Any] = [None] * len(work)
    if workers <= 1:
        _collect(map(_run_one, tasks), order, results, watch)
        return results
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            _collect(pool.map(_run_one, tasks), order, results, watch)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _run_one(task: tuple[Path, Job, Path | None]) -> Any:
    root, job, cache_root = task
    return job.run(root, cache_root)


def _collect(finished: Iterator[Any], order: Sequence[int], results: list[Any], watch: Watch | None) -> None:
    for index, result in zip(order, watch(finished, len(order)) if watch else finished, strict=True):
        results[index] = result
