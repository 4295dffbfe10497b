"""The command that puts two runs of the pipeline beside each other."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from primus.commands.options import AsJson
from primus.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from primus.evaluation.run_comparison import Sweep

PREDICTIONS = "predictions.parquet"
RUN_HELP = "a folder of a profile (data/demo) or its fewshot folder, a DVC experiment or git revision, or a metrics file (.json)."


def compare(
    a: Annotated[str, typer.Argument(help=f"One run: {RUN_HELP}")],
    b: Annotated[str, typer.Argument(help="The other, likewise.")],
    data: Annotated[Path | None, typer.Option(help="Profile within a revision, e.g. data/demo. Default: the one that params.yaml chooses.")] = None,
    metric: Annotated[str, typer.Option(help="accuracy, balanced_accuracy or macro_f1; --json gives all.")] = "macro_f1",
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
    replicates: Annotated[int, typer.Option(help="Of the bootstrap.", min=100, max=100_000)] = 1000,
    as_json: AsJson = False,
) -> None:
    """Say by how much A is ahead of B: few-shot scores with 95 % intervals of the paired difference, on the people that both tested.

    Two metrics files (.json) are compared number by number, without intervals: they do not say what belongs together.
    """
    from primus.evaluation.metrics import METRICS
    from primus.evaluation.run_comparison import compare_numbers, compare_sweeps

    if metric not in METRICS:
        raise UserError(f"--metric is {metric}; expected {', '.join(METRICS)}")
    files = [name.endswith(".json") for name in (a, b)]
    if all(files):
        from primus.artifacts import read_json

        _say_numbers(compare_numbers(read_json(a), read_json(b), (a, b)), as_json)
        return
    if any(files):
        raise UserError(f"{a} and {b} are of different kinds; give two metrics files, or two runs")
    table = compare_sweeps(_sweep(a, data), _sweep(b, data), replicates)
    if method is not None:
        if method not in set(table["method"]):
            raise UserError(f"--method is {method}; both have {', '.join(sorted(set(table['method'])))}")
        table = table[table["method"] == method]
    if as_json:
        print(json.dumps(table.round(6).to_dict(orient="records"), indent=1))
        return
    print(f"{metric}, A {a}, B {b}; 95 % intervals of the paired difference")
    for row in table[table["metric"] == metric].to_dict(orient="records"):
        told = "*" if row["lo"] > 0 or row["hi"] < 0 else " "
        where = f"{row['dataset']:12} {row['method']:12} {row['representation']:12} {row['head']:10} {row['shots']:5} shots"
        a_value, b_value, apart, lo, hi = (100 * row[name] for name in ("a", "b", "difference", "lo", "hi"))
        print(f"{where}  {a_value:6.2f} {b_value:6.2f}  {apart:+6.2f} ({lo:+.2f} to {hi:+.2f}) {told}")
    few = int(table["participants"].min())
    print(f"* told apart; {few} or more test participants" + ("; fewer than 10, so the intervals are too narrow" if few < 10 else ""))


def _say_numbers(table: "pd.DataFrame", as_json: bool) -> None:
    if as_json:
        print(json.dumps(table.round(6).to_dict(orient="records"), indent=1))
        return
    for row in table[table["difference"] != 0].to_dict(orient="records"):
        print(f"{row['name']:60} {row['a']:12.6g} {row['b']:12.6g} {row['difference']:+12.6g}")
    same = int((table["difference"] == 0).sum())
    print(f"{same} of {len(table)} numbers are equal; metrics files say nothing of pairs, so there is no interval")


def _sweep(run: str, data: Path | None) -> "Sweep":
    import pandas as pd

    from primus.artifacts import read_table
    from primus.evaluation.run_comparison import Sweep

    folder = Path(run)
    if folder.exists():
        found = next((path for path in (folder / PREDICTIONS, folder / "fewshot" / PREDICTIONS) if path.is_file()), None)
        if found is None:
            raise UserError(f"{run} holds no fewshot/{PREDICTIONS}; run `dvc repro fewshot` there, or give an experiment's name")
        return Sweep(run, read_table(found))
    if data is None:
        from primus.params import profile_name

        data = Path("data") / profile_name()
    name = (data / "fewshot" / PREDICTIONS).as_posix()
    return Sweep(run, pd.read_parquet(io.BytesIO(_of_revision(name, run))))


def _of_revision(name: str, revision: str) -> bytes:
    """A file of the pipeline as a git revision or experiment had it, from DVC's cache.

    Raises:
        UserError: there is no such revision, or its file is not in the cache.
    """
    import dvc.api  # type: ignore[import-untyped]

    try:
        content = dvc.api.read(name, rev=revision, mode="rb")
    except Exception as error:  # DVC and the packages below it raise kinds that share no class
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{revision} is neither a folder nor a revision with {name} in DVC's cache ({said}); "
            "`dvc exp show` lists the experiments, and `dvc repro fewshot` (or `dvc pull`) fills the cache of a fresh clone"
        ) from None
    assert isinstance(content, bytes)
    return content
