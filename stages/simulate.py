"""Stage `simulate`: write the demo corpus of the chosen profile, or an empty marked one where the profile's recordings are real."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from primus.artifacts import atomic_folder
from primus.errors import UserError
from primus.params import load, load_value, profile_name
from primus.simulate.config import CorpusConfig, Ego4DConfig, EgoExo4DConfig, Link, RealWorldConfig
from primus.simulate.corpus import write_corpus, write_empty
from primus.stage import progress, stage
from primus.work_cache import cache_root


@dataclass(frozen=True)
class SimulateParams:
    """Section `simulate`: whether the profile is simulated at all, and the corpus' seed, link and sizes."""

    enabled: bool
    seed: int
    link: Link
    egoexo4d: EgoExo4DConfig
    ego4d: Ego4DConfig
    realworld: RealWorldConfig


@stage("simulate")
def main() -> None:
    """Write data/<profile>/raw."""
    params = load(SimulateParams, "simulate")
    workers = load_value("compute.workers")
    if not isinstance(workers, int) or workers < 1:
        raise UserError(f"params.yaml: compute.workers must be a whole number >= 1, found {workers!r}")
    with atomic_folder(Path("data") / profile_name() / "raw") as folder:
        if not params.enabled:
            write_empty(folder)
            return
        config = CorpusConfig(params.seed, params.link, params.egoexo4d, params.ego4d, params.realworld)

        def watch(finished: Any, total: int) -> Any:
            return progress(finished, "simulate", total=total, unit="recordings")

        write_corpus(folder, config, workers, cache_root(), watch)


if __name__ == "__main__":
    typer.run(main)
