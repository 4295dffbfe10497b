"""Write the whole simulated corpus: three data sets in the form in which they are published, and the truth about their defects."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from primus.artifacts import write_json
from primus.engine import map_takes
from primus.engine_call import Outcome
from primus.errors import UserError
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


Task = tuple[Path, Job, Path | None]
Finished = Outcome[Task, Any]
Watch = Callable[[Iterator[Finished], int], Iterator[Finished]]


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
    work: list[Task] = [(folder / FOLDERS[name], job, cache_root) for name, jobs in parts.items() for job in jobs]
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


def _run(work: Sequence[Task], workers: int, watch: Watch | None) -> list[Any]:
    """Results in the order of `work`; the longest jobs start first."""
    order = sorted(range(len(work)), key=lambda index: -work[index][1].cost())
    outcomes = map_takes(_run_one, [work[index] for index in order], workers if workers > 1 else 0)  # it reads nothing that could crash it
    results: list[Any] = [None] * len(work)
    for index, outcome in zip(order, watch(outcomes, len(order)) if watch else outcomes, strict=True):
        if outcome.refused is not None:
            raise UserError(f"the corpus could not be written below {work[index][0]}: {outcome.refused.detail}; mend that and rerun")
        results[index] = outcome.value
    return results


def _run_one(task: Task) -> Any:
    root, job, cache_root = task
    return job.run(root, cache_root)
