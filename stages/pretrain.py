"""Pretraining of one method, once per seed and fold: data/<profile>/models/<method>/seed<k>[-fold<f>]/ and its curves."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from primus.artifacts import atomic_folder, read_table, write_csv, write_json
from primus.errors import UserError
from primus.keyed_arrays import KeyedArrays
from primus.models.encoder import InputContract
from primus.params import Compute, load, load_value, profile_name
from primus.provenance import file_identity
from primus.run_folder import run_name, write_skipped
from primus.stage import StageLog, stage
from primus.training.distributed import World, launch, launched
from primus.training.distributed import world as distributed_world
from primus.training.given import write_released, write_statistics
from primus.training.loop import StepReport
from primus.training.method import MethodSettings
from primus.training.resident import load_segments, split_rows
from primus.training.run import Pretraining, PretrainSettings, Run
from primus.training.summary import history_table, metrics, plot_rows

PROGRESS_S = 5.0  # between progress lines
SAID_S = 1.0  # that the first process has to say what went wrong in all of them, before the others end and it is ended with them
ELSEWHERE = ("seeds", "checkpoint_every_s", "export", "device", "processes")  # told per model, or no part of what it became
SEGMENT_FILES = ("segments.parquet", "splits.parquet", "imu.h5")


class LiveCurves:
    """Curves of a run while it goes, written by dvclive below dvclive/<method>/<run>: one point per progress line.

    `dvc plots show dvclive/primus/seed0/plots/metrics/total.tsv` draws one. They are a view, no result: git and the DVC graph leave them out, a
    folder that cannot be written stops nothing, and a run too short for a progress line never loads dvclive.
    """

    def __init__(self, name: str) -> None:
        self.folder = Path("dvclive", *name.split(" "))
        self.live: Any = None
        self.broken = False

    def point(self, step: int, values: dict[str, float], resumed: bool) -> None:
        """Add one value of each curve."""
        if self.broken:
            return
        try:
            if self.live is None:
                from dvclive import Live  # seconds to import

                self.live = Live(str(self.folder), resume=resumed, report=None, save_dvc_exp=False, dvcyaml=None)
            self.live.step = step
            for name, value in values.items():
                self.live.log_metric(name, value)
            self.live.make_summary()
        except OSError as error:
            self.broken = True
            print(f"no live curves in {self.folder}: {error}", file=sys.stderr)


class Reporter:
    """A line every few seconds: loss terms, segments per second, time left; the same as live curves."""

    def __init__(self, name: str, log: StageLog) -> None:
        self.name, self.log, self.curves = name, log, LiveCurves(name)
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
        if report.step < report.total_steps or self.curves.live is not None:
            self.curves.point(report.step, report.terms | {"segments_per_s": rate}, resumed=self.first_step > 1)


def described(name: str, profile: str, settings: PretrainSettings, method: MethodSettings) -> dict[str, Any]:
    """What every model of this run tells of its origin; nothing that depends on the machine."""
    parameters = {key: value for key, value in asdict(settings).items() if key not in ELSEWHERE}
    simulated = load_value(f"profiles.{profile}.corpus") == "simulation"
    return {"method": name, "profile": profile, "simulated": simulated, "objective": asdict(method), "parameters": parameters}


def text_encoder(path: Path) -> dict[str, Any]:
    """The frozen encoder whose texts a model learnt to meet: without it nobody can compare the model's projections with words."""
    with KeyedArrays(path) as texts:
        return {"text_encoder": {name: str(texts.attrs[name]) for name in ("model", "weights_sha256")}}


def write_model(folder: Path, run: Run, choice: str, about: dict[str, Any]) -> None:
    """Write one encoder with what is needed to use it and to know where it comes from."""
    run.encoder.load_state_dict(run.result.best if choice == "best" else run.result.last)
    summary = metrics([run])
    with atomic_folder(folder) as target:
        facts: dict[str, Any] = {"seed": run.seed, "fold": run.fold, "exported": choice, "representation": run.representation}
        facts["metrics"] = summary["best"] if choice == "best" else summary["final"]
        run.encoder.save_pretrained(target, **facts, **run.result.facts, **about)
        write_csv(target / "history.csv", history_table(run.result))


def pretrain(name: str, world: World, device: torch.device, settings: PretrainSettings, method: MethodSettings, threads: int) -> None:
    """Every fold and seed of one method; the first process writes."""
    profile, log = profile_name(), StageLog("pretrain")
    root = Path("data") / profile
    embeddings = {"video": root / "embeddings" / "video.h5", "text": root / "embeddings" / "text.h5"}
    data, table, attributes = load_segments(root / "segments", embeddings)
    splits = read_table(root / "segments" / "splits.parquet")
    inputs = InputContract(rate_hz=float(attributes["rate_hz"]), window_s=float(attributes["window_s"]))
    files = [*embeddings.values(), *(root / "segments" / file for file in SEGMENT_FILES)]
    pretraining = Pretraining(method, settings, data, inputs, tuple(file_identity(path, path.name, largest=sys.maxsize) for path in files), threads)

    folds = sorted(splits["fold"].unique().tolist())
    rows = {fold: split_rows(table, splits, fold) for fold in folds}
    wanted = set(method.modalities) if method.multimodal else set()
    served = [fold for fold in folds if not wanted or wanted & set(data.modalities_of(rows[fold]["train"]))]
    runs: dict[str, Run] = {}
    for fold in served:
        for seed in settings.seeds:
            label = run_name(seed, fold, len(folds))
            reporter = Reporter(f"{name} {label}", log) if world.rank == 0 else None
            runs[label] = pretraining.run(seed, fold, rows[fold], reporter, world, device)
    if world.rank > 0:
        return
    with atomic_folder(root / "models" / name) as out:
        for label, run in runs.items():
            about = described(name, profile, settings, method)
            if "text" in wanted & set(data.modalities_of(rows[run.fold]["train"])):
                about |= text_encoder(embeddings["text"])
            write_model(out / label, run, settings.export, about)
        if not served:
            reason = f"no training segment has {' or '.join(sorted(wanted))}"
            write_skipped(out, reason)
            print(f"{name}: skipped, {reason}", file=sys.stderr)
    head = {"skipped": 0, "skipped_folds": len(folds) - len(served)} if served else {"skipped": 1}
    write_json(f"metrics/pretrain/{name}.json", head | (metrics(list(runs.values())) if runs else {}))
    write_csv(f"metrics/plots/pretrain_{name}.csv", plot_rows(list(runs.values())))


def give(name: str, method: MethodSettings) -> None:
    """The outputs of a method in which nothing is trained."""
    segments, folder = Path("data") / profile_name() / "segments", Path("data") / profile_name() / "models" / name
    folds = sorted(read_table(segments / "splits.parquet", columns=["fold"])["fold"].unique().tolist())
    skipped = ""
    if method.objective == "statistics":
        write_statistics(folder, folds, method.probe)
    else:
        with KeyedArrays(segments / "imu.h5") as imu:
            inputs = InputContract(rate_hz=float(imu.attrs["rate_hz"]), window_s=float(imu.attrs["window_s"]))
        skipped = write_released(folder, method.checkpoint, folds, inputs, {"objective": asdict(method)})
    if skipped:
        print(f"{name}: skipped, {skipped}", file=sys.stderr)
    write_json(f"metrics/pretrain/{name}.json", {"skipped": 1} if skipped else {"skipped": 0, "skipped_folds": 0})
    write_csv(f"metrics/plots/pretrain_{name}.csv", plot_rows([]))


@stage("pretrain")
def main(name: Annotated[str, typer.Argument(metavar="METHOD", help="a name under `methods` in params.yaml")]) -> None:
    """Pretrain one encoder per seed and fold with METHOD, or write what it has instead of a trained one."""
    method, settings = load(MethodSettings, load_value(f"methods.{name}.section")), load(PretrainSettings, "pretrain")
    if method.objective in ("released", "statistics"):
        give(name, method)
        return
    threads = load(Compute, "compute").threads
    if settings.device == "cuda" and torch.cuda.device_count() < settings.processes:
        found = torch.cuda.device_count()
        raise UserError(f"pretrain.device is cuda with {settings.processes} process(es), but PyTorch sees {found} GPU(s); set pretrain.device=cpu")
    if settings.processes > 1 and not launched() and method.objective != "none":
        raise SystemExit(launch(settings.processes, "stages.pretrain", [name]))
    torch.set_num_threads(max(1, threads // settings.processes))
    with distributed_world(settings.device) as (world, device):
        try:
            pretrain(name, world, device, settings, method, threads)
        except UserError:
            if world.rank == 0:
                raise
            time.sleep(SAID_S)
            raise SystemExit(1) from None


if __name__ == "__main__":
    typer.run(main)
