"""Commands that run the experiments listed in experiments.yaml, and collect them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from primus.errors import UserError

if TYPE_CHECKING:
    from primus.experiments.listing import Group
    from primus.experiments.repository import Repository

Profile = Annotated[str | None, typer.Option(help="Profile of params.yaml. Default: the one it chooses.")]
Again = Annotated[bool, typer.Option("--again", help="Run finished ones again, too: for input that changed outside the repository.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would run, and the DVC commands.")]
LOGS = Path("logs")


def ablations(
    group: Annotated[list[str] | None, typer.Option(help="Only this group of experiments.yaml; may be repeated.")] = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    collect: Annotated[bool, typer.Option("--collect", help="Run nothing: collect what is finished.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Run and collect nothing: print metrics/ablations.csv as Markdown tables.")] = False,
    again: Again = False,
) -> None:
    """Run the ablations that are not finished, each as a DVC experiment, and collect all into metrics/ablations.csv.

    Run it in the repository. It says beforehand how long it takes; interrupted or killed, the same command continues. The workspace stays as it is.
    """
    from primus.experiments.listing import experiments_of, read_groups
    from primus.experiments.repository import STAGES
    from primus.experiments.running import Plan, run
    from primus.params import profile_name

    profile = profile or profile_name()
    groups = read_groups(profile)
    unknown = [name for name in group or [] if name not in {known.name for known in groups}]
    if unknown:
        raise UserError(f"no group {', '.join(unknown)} for profile {profile}; experiments.yaml has {', '.join(known.name for known in groups)}")
    groups = [known for known in groups if not group or known.name in group]
    if show:
        _show(groups, profile)
        return
    repository = _repository()
    failed: list[str] = []
    if not collect:
        plan = Plan.of(experiments_of(groups), repository, STAGES[-1], again)
        print(f"ablations of {profile}: {plan.said(repository, LOGS)}", flush=True)
        if dry_run:
            print("\n".join(_typed(repository.command(experiment, STAGES[-1])) for experiment in plan.pending))
            return
        failed = run(plan, repository, STAGES[-1], LOGS)
    _collect(groups, repository)
    if failed:
        raise UserError(f"{len(failed)} experiment(s) failed: {', '.join(failed)}; their output is in {LOGS}/experiments/")


def figures(profile: Profile = None, dry_run: DryRun = False, again: Again = False) -> None:
    """Run every method with every head as the DVC experiment `figures`, and put its report into data/<profile>/figures/.

    Run it in the repository. It says beforehand how long it takes; interrupted or killed, the same command continues. The workspace stays as it is:
    `dvc exp apply figures` takes the metrics over.
    """
    from primus.experiments.listing import read_figures
    from primus.experiments.running import Plan, run
    from primus.params import profile_name

    profile = profile or profile_name()
    experiment, repository = read_figures(profile), _repository()
    plan = Plan.of([experiment], repository, None, again)
    print(f"figures of {profile}: {plan.said(repository, LOGS)}", flush=True)
    if dry_run:
        print("\n".join(_typed(repository.command(pending, None)) for pending in plan.pending))
        return
    if run(plan, repository, None, LOGS):
        raise UserError(f"the experiment {experiment.name} failed; its output is in {LOGS}/experiments/{experiment.name}.log")
    found = repository.finished(experiment, None)
    if found is None:
        raise UserError(f"the experiment {experiment.name} ended without a result; see {LOGS}/experiments/{experiment.name}.log")
    out = Path("data") / profile / "figures"
    repository.folder(found.commit, f"data/{profile}/report", out)
    print(f"report   {out}/index.html")


def _repository() -> "Repository":
    from primus.experiments.repository import Repository
    from primus.params import read_params

    return Repository(Path.cwd(), read_params())


def _typed(words: list[str]) -> str:
    """A command line as one would type it."""
    import shlex

    return " ".join(map(shlex.quote, words))


def _collect(groups: "list[Group]", repository: "Repository") -> None:
    from functools import cache

    from primus.artifacts import write_csv
    from primus.experiments.listing import Experiment
    from primus.experiments.table import TABLE, Measured, group_rows, merged, read_measured

    @cache
    def read(experiment: Experiment) -> Measured | None:
        found = repository.finished(experiment)
        return None if found is None else read_measured(experiment, found.commit, repository.origin(found), repository.text, repository.table)

    tables = [group_rows(group, read) for group in groups]
    table = merged(Path(TABLE), tables, {group.name: [variant.name for variant in group.variants] for group in groups})
    write_csv(TABLE, table)
    for group, rows in zip(groups, tables, strict=True):
        kept = set(table.loc[(table["group"] == group.name) & (table["profile"] == group.reference.experiment.profile), "variant"])
        earlier: list[str] = []
        absent: list[str] = []
        for variant in group.variants:
            if variant.name not in set(rows["variant"]):
                (earlier if variant.name in kept else absent).append(variant.name)
        line = f"{group.name:18} {len(group.variants) - len(absent)} of {len(group.variants)} variants"
        line += f"; of an earlier run: {', '.join(earlier)}" if earlier else ""
        print(line + (f"; not run: {', '.join(absent)}" if absent else ""))
    print(f"table    {TABLE}")


def _show(groups: "list[Group]", profile: str) -> None:
    import pandas as pd

    from primus.experiments.table import TABLE
    from primus.experiments.words import markdown
    from primus.params import layered, read_params

    if not Path(TABLE).exists():
        raise UserError(f"{TABLE} does not exist; run `make ablations`")
    shots = int(layered(read_params() | {"data": profile}, "report.headline_shots"))
    found = markdown(pd.read_csv(TABLE, dtype={"variant": str}), shots, profile)
    for group in groups:
        print(f"\n### {group.name}: {group.asks}\n\n{found.get(group.name, 'Not run.')}")
