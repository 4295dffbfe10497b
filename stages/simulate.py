"""Stage `simulate`: write the demo corpus of the chosen profile, or an empty marked one where the profile's recordings are real."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from primus.artifacts import atomic_folder
from primus.errors import UserError
from primus.params import Compute, load, load_value, profile_name
from primus.simulate.config import CorpusConfig, Ego4DConfig, EgoExo4DConfig, Link, RealWorldConfig
from primus.simulate.corpus import Finished, write_corpus, write_empty
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
    workers = load(Compute, "compute").workers
    profile = profile_name()
    if params.enabled and load_value(f"profiles.{profile}.corpus") != "simulation":
        raise UserError(f"profiles.{profile} simulates recordings and calls its corpus one of recordings, unsaid in reports; set corpus: simulation")
    raw = Path("data") / profile / "raw"
    for left_over in raw.parent.glob(f".{raw.name}.*"):
        # Of a run that was killed on another host, gigabytes perhaps: `atomic_folder` removes what this host left, and DVC lets one stage write here.
        if not left_over.name.startswith(f".{raw.name}.{socket.gethostname()}-"):
            shutil.rmtree(left_over, ignore_errors=True)
    with atomic_folder(raw) as folder:
        if not params.enabled:
            write_empty(folder)
            return
        config = CorpusConfig(params.seed, params.link, params.egoexo4d, params.ego4d, params.realworld)
        write_corpus(folder, config, workers, cache_root(), _progress)


def _progress(finished: Iterator[Finished], total: int) -> Iterator[Finished]:
    return progress(finished, "simulate", total=total, unit="recordings")


if __name__ == "__main__":
    typer.run(main)
