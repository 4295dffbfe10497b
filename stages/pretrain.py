"""Pretraining of one method, once per seed and fold: data/<profile>/models/<method>/seed<k>[-fold<f>]/ and its curves."""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json
from primus.errors import UserError
from primus.models.encoder import ImuEncoder, InputContract
from primus.params import load, load_value, profile_name
from primus.provenance import file_identity
from primus.stage import StageLog, stage
from primus.training.checkpoint import Checkpoint
from primus.training.loop import StepReport, train, untrained
from primus.training.method import (
    EncoderSettings,
    MethodSettings,
    NegativeSettings,
    TemperatureSettings,
    make_encoder,
    make_objective,
    probed_representation,
)
from primus.training.resident import AlignedBy, ResidentSegments, load_segments, split_rows, thin_alignment
from primus.training.settings import TrainingSettings
from primus.training.summary import Run, history_table, metrics, plot_rows
from primus.work_cache import WorkCache

PROGRESS_S = 5.0  # between progress lines
SEGMENT_FILES = ("segments.parquet", "splits.parquet", "imu.h5")


@dataclass(frozen=True)
class PretrainParams(TrainingSettings):
    """Section `pretrain`: shared by every method, so that comparisons are of objectives alone.

    Attributes (beyond those of TrainingSettings):
        seeds: one run per seed and fold.
        encoder, temperature, negatives: see the classes.
        fraction_aligned, aligned_by: share of the training takes (or segments) that keep video and text.
        export: which weights leave the stage.
        device: "cpu", or "cuda" for the first GPU.
    """

    seeds: tuple[int, ...] = (0,)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    temperature: TemperatureSettings = field(default_factory=TemperatureSettings)
    negatives: NegativeSettings = field(default_factory=NegativeSettings)
    fraction_aligned: float = 1.0
    aligned_by: AlignedBy = "take"
    export: Literal["best", "last"] = "best"
    device: Literal["cpu", "cuda"] = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"pretrain.seeds must be different whole numbers >= 0, found {list(self.seeds)}")
        if not 0 < self.fraction_aligned <= 1:
            raise ValueError(f"pretrain.fraction_aligned must lie in (0, 1], found {self.fraction_aligned}")


class Reporter:
    """A line every few seconds: loss terms, segments per second, time left."""

    def __init__(self, name: str, log: StageLog) -> None:
        self.name, self.log = name, log
        self.started = self.said = time.monotonic()
        self.first_step, self.segments = -1, 0

    def __call__(self, report: StepReport) -> None:
        now = time.monotonic()
        if self.first_step < 0:
            self.first_step, self.started = report.step, now  # the first step pays for warming up and is not timed
            return
        self.segments += report.segments
        if now - self.said < PROGRESS_S and report.step < report.total_steps:
            return
        self.said = now
        rate = self.segments / (now - self.started)
        left = (report.total_steps - report.step) * (now - self.started) / (report.step - self.first_step)
        terms = " ".join(f"{name} {value:.3f}" for name, value in report.terms.items())
        print(
            f"{self.name}: step {report.step}/{report.total_steps}  {terms}  {rate:.0f} segments/s, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )
        self.log.event("step", run=self.name, step=report.step, segments_per_s=round(rate, 1), **report.terms)


def write_model(folder: Path, encoder: ImuEncoder, run: Run, choice: str, about: dict[str, Any]) -> None:
    """Write one encoder with what is needed to use it and to know where it comes from."""
    encoder.cpu().load_state_dict(run.result.best if choice == "best" else run.result.last)
    with atomic_folder(folder) as target:
        encoder.save_pretrained(target, seed=run.seed, fold=run.fold, exported=choice, **run.result.facts, **about)
        write_csv(target / "history.csv", history_table(run.result))


@dataclass(frozen=True)
class Job:
    """What all runs of one method share."""

    name: str
    method: MethodSettings
    params: PretrainParams
    inputs: InputContract
    data: ResidentSegments
    identity: list[str]
    threads: int
    log: StageLog

    def checkpoint(self, seed: int, fold: int) -> Checkpoint:
        """Where the state of one run is kept: a place named by everything its weights depend on."""
        pretrain = {name: value for name, value in asdict(self.params).items() if name not in ("seeds", "checkpoint_every_s", "export")}
        settings = {"method": asdict(self.method), "pretrain": pretrain, "threads": self.threads, "seed": seed, "fold": fold}
        cache = WorkCache("pretrain")
        return Checkpoint(cache, cache.key(self.identity, settings, "primus.training.loop"))

    def run(self, seed: int, fold: int, label: str, rows: Mapping[str, np.ndarray], out: Path, profile: str) -> Run:
        """Train (or continue, or recall) one encoder and write its folder."""
        params, available = self.params, self.data.modalities_of(rows["train"])
        encoder = make_encoder(params.encoder, self.data.embedding_dim or 512, self.inputs, seed).to(params.device)
        objective = make_objective(self.method, params.temperature, params.negatives, available, params.encoder.feature_dim, seed)
        if objective is None:
            result = untrained(encoder, len(rows["train"]))
        else:
            data = thin_alignment(self.data, rows["train"], params.fraction_aligned, params.aligned_by, seed).to(torch.device(params.device))
            reporter = Reporter(f"{self.name} {label}", self.log)
            place = self.checkpoint(seed, fold)
            result = train(data, rows["train"], rows["val"], encoder, objective.to(params.device), params, seed, place, reporter)
        run = Run(seed, fold, result)
        about = {"method": self.name, "profile": profile, "representation": probed_representation(objective), "modalities": list(available)}
        write_model(out / label, encoder, run, params.export, about)
        return run


def write_results(name: str, runs: list[Run], head: dict[str, Any]) -> None:
    """Metrics and curves of one method."""
    write_json(f"metrics/pretrain/{name}.json", head | (metrics(runs) if runs else {}))
    write_csv(f"metrics/plots/pretrain_{name}.csv", plot_rows(runs))


@stage("pretrain")
def main(name: Annotated[str, typer.Argument(metavar="METHOD", help="a name under `methods` in params.yaml")]) -> None:
    """Pretrain one encoder per seed and fold with METHOD, or write untrained ones where its objective is "none"."""
    method, params = load(MethodSettings, load_value(f"methods.{name}.section")), load(PretrainParams, "pretrain")
    threads = int(load_value("compute.threads"))
    torch.set_num_threads(threads)
    if params.device == "cuda" and not torch.cuda.is_available():
        raise UserError("pretrain.device is cuda but PyTorch sees no GPU; set pretrain.device=cpu")
    profile = profile_name()
    root = Path("data") / profile
    embeddings = {"video": root / "embeddings" / "video.h5", "text": root / "embeddings" / "text.h5"}
    data, table, attributes = load_segments(root / "segments", embeddings)
    splits = read_table(root / "segments" / "splits.parquet")
    inputs = InputContract(rate_hz=float(attributes["rate_hz"]), window_s=float(attributes["window_s"]))
    files = [*embeddings.values(), *(root / "segments" / file for file in SEGMENT_FILES)]
    job = Job(name, method, params, inputs, data, [file_identity(path, path.name) for path in files], threads, StageLog("pretrain"))

    folds = sorted(splits["fold"].unique().tolist())
    rows = {fold: split_rows(table, splits, fold) for fold in folds}
    wanted = set(method.modalities) if method.multimodal else set()
    served = [fold for fold in folds if not wanted or wanted & set(data.modalities_of(rows[fold]["train"]))]
    with atomic_folder(root / "models" / name) as out:
        if not served:
            write_json(out / "skipped.json", {"reason": f"no training segment has {' or '.join(sorted(wanted))}"})
            print(f"{name}: skipped, no training segment has {' or '.join(sorted(wanted))}", file=sys.stderr)
        runs = []
        for fold in served:
            for seed in params.seeds:
                label = f"seed{seed}" + (f"-fold{fold}" if len(folds) > 1 else "")
                runs.append(job.run(seed, fold, label, rows[fold], out, profile))
    write_results(name, runs, {"skipped": 0, "skipped_folds": len(folds) - len(served)} if served else {"skipped": 1})


if __name__ == "__main__":
    typer.run(main)
