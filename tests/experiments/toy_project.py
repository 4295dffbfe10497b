"""A git repository with a quick stage that writes what the few-shot stage writes, a report, and a list of experiments for it."""

import subprocess
from pathlib import Path

PARAMS = """\
data: toy
preset: ours
pretrain: {seeds: [0], steps: null, width: 1}
report: {lead: primus}
methods:
  primus: {section: loss}
  random: {section: baselines.random}
loss: {objective: contrastive, weight: 1}
baselines:
  random: {objective: none}
  extra: {objective: contrastive}
presets: {ours: {}}
profiles:
  toy: {pretrain: {steps: 3, batch_size: 2}, report: {headline_shots: 5}}
  other: {pretrain: {steps: 3}}
"""

STAGES = """\
stages:
  fewshot:
    cmd: python toy_stage.py
    deps: [toy_stage.py]
    params: [data, methods, pretrain, loss]
    outs:
    - data/${data}/fewshot
    - metrics/plots/fewshot.csv: {cache: false}
    metrics:
    - metrics/pretrain: {cache: false}
  report:
    cmd: python toy_report.py
    deps: [toy_report.py, metrics/plots, metrics/plots/fewshot.csv, metrics/kept.csv]
    params: [report]
    outs:
    - data/${data}/report
"""

REPORT = """\
from pathlib import Path

import pandas as pd
import yaml

out = Path("data", yaml.safe_load(Path("params.yaml").read_text())["data"], "report")
out.mkdir(parents=True, exist_ok=True)
(out / "index.html").write_text(" ".join(pd.read_csv("metrics/plots/fewshot.csv")["method"]) + Path("metrics/kept.csv").read_text())
"""

STAGE = """\
import json
import os
import time
from pathlib import Path

import pandas as pd
import yaml

params = yaml.safe_load(Path("params.yaml").read_text())
if params["loss"]["weight"] == 13:
    raise SystemExit("the toy stage dislikes 13")
if params["loss"]["weight"] == 3 and "TOY_STARTED" in os.environ:
    Path(os.environ["TOY_STARTED"]).touch()
    time.sleep(600)
print("3 segments/s")
out, metrics = Path("data", params["data"], "fewshot"), Path("metrics/pretrain")
for folder in (out, metrics, Path("metrics/plots")):
    folder.mkdir(parents=True, exist_ok=True)
right = 5 + params["loss"]["weight"]  # of ten segments per person and class
scores, counts = [], []
for method in params["methods"]:
    curve = {"dataset": "walks", "method": method, "representation": "multimodal", "head": "logistic", "shots": 5}
    scores.append(curve | {"accuracy": right / 10, "accuracy_lo": right / 10 - 0.1, "accuracy_hi": right / 10 + 0.1})
    for output in ("multimodal", "feature"):
        for seed in params["pretrain"]["seeds"]:
            for person in range(6):
                for label, other in (("a", "b"), ("b", "a")):
                    fit = curve | {"representation": output, "fold": 0, "seed": seed, "episode": 0, "participant": f"p{person}", "label": label}
                    counts += [fit | {"predicted": label, "count": right}, fit | {"predicted": other, "count": 10 - right}]
    health = {"multimodal": {"effective_rank": 3.0, "collapsed": 1.0}}
    (metrics / f"{method}.json").write_text(json.dumps({"final": {"health": health}}))
pd.DataFrame(scores).to_csv("metrics/plots/fewshot.csv", index=False)
pd.DataFrame(counts).to_parquet(out / "predictions.parquet")
"""

LIST = """\
every: {pretrain.seeds: [0, 1]}
on_profile:
  other: {pretrain.width: 2}
groups:
  weights:
    asks: how heavy
    methods: [primus]
    reference: one
    x: {one: 1, three: 3}
    variants:
      one: {}
      three: {loss.weight: 3}
  widths:
    asks: how wide
    methods: [primus]
    reference: narrow
    variants:
      narrow: {}
      odd: {loss.weight: 13}
    on_profile:
      other:
        methods: [primus, random]
        variants:
          narrow: {}
          wide: {pretrain.width: 3}
figures:
  methods: [primus, extra]
  set: {loss.weight: 2}
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git there; its output."""
    words = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def write_list(folder: Path) -> None:
    """params.yaml and experiments.yaml alone: enough to read and compose."""
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "experiments.yaml").write_text(LIST)


def build(folder: Path) -> None:
    """The whole repository, committed."""
    write_list(folder)
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "toy_stage.py").write_text(STAGE)
    (folder / "toy_report.py").write_text(REPORT)
    (folder / "metrics").mkdir()
    (folder / "metrics" / "kept.csv").write_text("kept")
    (folder / ".gitignore").write_text("/data\n/logs\n.cache\n")
    git(folder, "init", "-q", "-b", "main")
    subprocess.run(["dvc", "init", "-q"], cwd=folder, check=True)
    git(folder, "config", "user.name", "test")
    git(folder, "config", "user.email", "test@localhost")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a toy")
