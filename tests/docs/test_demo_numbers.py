"""The README's table and picture of the demo are what the committed metrics say.

The report is made anew from `metrics/`, without `data/`. Committed there are all scores, to six digits; of the gains over the reference only the lead
method's, so of the others the README's own bounds are taken, and their means from the scores.
"""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import yaml

from primus.reporting.beside import Beside
from primus.reporting.picture import few_shot_picture
from primus.reporting.results import DatasetFacts, Results
from primus.reporting.terminal import summary_text
from tests.conftest import ROOT
from tests.reporting.made_results import results

METRICS = ROOT / "metrics"
GAIN = re.compile(r"^  (?P<method>\S+) .*\]  +[-+][\d.]+ \[(?P<lo>[-+][\d.]+), (?P<hi>[-+][\d.]+)\]$")


def table() -> str:
    """The README's block."""
    (block,) = re.findall(r"```\n(ego4d: .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(block)


def shown_bounds() -> dict[tuple[str, str], tuple[float, float]]:
    """(data set, method) -> bounds of the gain in the README, as shares."""
    found, dataset = {}, ""
    for line in table().splitlines():
        if line and not line.startswith(" ") and ": " in line:
            dataset = line.partition(":")[0]
        elif match := GAIN.match(line):
            found[dataset, match["method"]] = (float(match["lo"]) / 100, float(match["hi"]) / 100)
    return found


def committed() -> Results:
    """The report's results, as far as the demo's committed metrics hold them."""
    summary, fewshot = (json.loads((METRICS / f"{name}.json").read_text()) for name in ("summary", "fewshot"))
    assert summary["profile"] == "demo"
    scores = pd.read_csv(METRICS / "plots" / "fewshot.csv").assign(probed=True).astype({"complete": bool})
    methods = list(yaml.safe_load((ROOT / "params.yaml").read_text())["methods"])
    scores = scores.sort_values("method", key=lambda names: names.map(methods.index), kind="stable")
    headline, lead, reference = summary["shots"], ("egoexo4d", "primus"), "random"
    bounds = shown_bounds()
    bounds[lead] = (summary["gain_lo"], summary["gain_hi"])
    at = scores[scores["shots"] == headline].set_index(["dataset", "method"])["accuracy"]
    gains: list[dict[str, Any]] = [
        {"dataset": dataset, "method": method, "other": reference, "shots": headline, "metric": "accuracy"}
        | {"difference": at[dataset, method] - at[dataset, reference], "lo": bounds[dataset, method][0], "hi": bounds[dataset, method][1]}
        for dataset, method in at.index
        if method != reference
    ]
    sizes = ("classes", "test_participants", "test_segments", "folds")
    facts = {name: DatasetFacts(*(fewshot[name][size] for size in sizes)) for name in sorted(scores["dataset"].unique())}
    beside: Beside = replace(results().beside, zeroshot=pd.read_csv(METRICS / "plots" / "zeroshot.csv"))
    differences = pd.DataFrame(gains)
    return results(headline=headline, lead=lead, reference=reference, scores=scores, differences=differences, datasets=facts, beside=beside)


def test_the_readmes_table_is_what_the_metrics_say() -> None:
    text = summary_text(committed())
    assert table() in text + "\n", text


def test_the_readmes_picture_is_what_the_metrics_say() -> None:
    number = re.compile(r"-?\d+\.\d+")
    drawn, shown = few_shot_picture(committed()), (ROOT / "docs" / "images" / "few-shot.svg").read_text()
    assert number.sub("#", drawn) == number.sub("#", shown), "copy data/demo/report/few-shot.svg there"
    np.testing.assert_allclose([float(x) for x in number.findall(drawn)], [float(x) for x in number.findall(shown)], atol=0.011)
