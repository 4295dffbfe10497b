"""The summary that `dvc metrics diff` compares, and a page that opens without a network.

Writes metrics/summary.json, data/<profile>/report/{index.html,few-shot.svg,summary.txt,*.csv} and metrics/figures/*.csv (what DVC's plots draw and
no other stage writes); prints the summary table. Fig. 5, Fig. 6 and the heat map of augmentations are those that metrics/ablations.csv holds of this
profile.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from primus.artifacts import atomic_folder, read_json, read_table, write_csv, write_json
from primus.errors import UserError
from primus.params import load, load_value, profile_name, resolve
from primus.reporting.beside import read_beside
from primus.reporting.picture import few_shot_picture
from primus.reporting.report import figure_tables, report_page, report_tables
from primus.reporting.results import DatasetFacts, Results
from primus.reporting.summary import summary_metrics
from primus.reporting.terminal import summary_text
from primus.stage import stage


@dataclass(frozen=True)
class ReportParams:
    """Section `report` of params.yaml.

    Attributes:
        headline_shots: the number of shots that the summary is about; one of fewshot.shots.
        reference: the method that gains are measured against.
        lead_method, lead_dataset: whose accuracy and gain stand at the top of the summary, where `dvc exp show` lists them.
    """

    headline_shots: int
    reference: str
    lead_method: str
    lead_dataset: str


def facts_of(metrics: dict[str, Any], datasets: list[str], composition: pd.DataFrame) -> dict[str, DatasetFacts]:
    """Sizes of the labelled sets as the few-shot stage counted them; `composition` (Table I) tells where it counted takes for people."""
    tested, trained = (composition[composition["split"] == split] for split in ("test", "train"))
    unnamed = set(tested.groupby("dataset")["participants"].sum().loc[lambda people: people == 0].index)
    forgotten = set(trained["dataset"]) if metrics["protocol"] == "code" else set()
    facts = {}
    for name in datasets:
        found, by_take = metrics[name], name in unnamed | forgotten
        sizes = (found["classes"], found["test_participants"], found["test_segments"], found["folds"])
        facts[name] = DatasetFacts(*sizes, shared=found.get("shared_participants", 0), by_take=by_take)
    return facts


def curves_of(method: str) -> pd.DataFrame:
    """Curves of pretraining; a method that was not trained has none."""
    path = Path("metrics/plots") / f"pretrain_{method}.csv"
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run `dvc repro pretrain@{method}`") from None


@stage("report")
def main() -> None:
    """Read the results of this profile, write the report, print the table."""
    params, profile = load(ReportParams, "report"), profile_name()
    root = Path("data") / profile
    methods = list(load_value("methods"))
    if params.reference not in methods:
        raise UserError(f"report.reference is {params.reference!r}, which is not among the methods ({', '.join(methods)})")
    fewshot = read_json("metrics/fewshot.json")
    tables = {name: read_table(root / "fewshot" / f"{name}.parquet") for name in ("scores", "differences", "areas", "rows", "predictions")}
    tables["scores"] = tables["scores"].sort_values("method", key=lambda names: names.map(methods.index), kind="stable")
    shown = [name for name in dict.fromkeys((params.lead_method, params.reference)) if name in set(tables["scores"]["method"])]
    beside = read_beside(root, profile, shown, fewshot["protocol"], int(resolve("fewshot.seed")))
    results = Results(
        profile=profile,
        simulated=load_value(f"profiles.{profile}.corpus") == "simulation",
        random_embeddings=resolve("embed.encoder.weights") == "fixed-random",
        headline=params.headline_shots,
        reference=params.reference,
        lead=(params.lead_dataset, params.lead_method),
        scores=tables["scores"],
        differences=tables["differences"],
        areas=tables["areas"],
        rows=tables["rows"],
        predictions=tables["predictions"],
        datasets=facts_of(fewshot, sorted(tables["scores"]["dataset"].unique()), beside.composition),
        skipped=tuple(fewshot["skipped"]),
        pretraining={method: read_json(f"metrics/pretrain/{method}.json") for method in methods},
        losses={method: curves_of(method) for method in methods},
        segments=read_json("metrics/segment.json"),
        beside=beside,
        margin=float(resolve("fewshot.margin")),
        protocol=fewshot["protocol"],
        degraded_encoders=int(resolve("robustness.encoders")),
    )
    with atomic_folder(root / "report") as out:
        (out / "index.html").write_text(report_page(results), encoding="utf-8")
        (out / "few-shot.svg").write_text(few_shot_picture(results), encoding="utf-8")
        (out / "summary.txt").write_text(summary_text(results), encoding="utf-8")
        for name, table in report_tables(results).items():
            write_csv(out / name, table)
    for name, table in figure_tables(results).items():
        write_csv(Path("metrics") / "figures" / f"{name}.csv", table)
    write_json("metrics/summary.json", summary_metrics(results))
    print(summary_text(results), end="")
    print(f"\nFigures and tables: {root / 'report' / 'index.html'}")


if __name__ == "__main__":
    typer.run(main)
