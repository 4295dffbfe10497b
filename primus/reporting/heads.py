"""The section of heads: what every method scores at the headline under each head that was fitted on its output."""

import pandas as pd

from primus.evaluation.metrics import METRICS
from primus.reporting.charts import legend
from primus.reporting.dots import grouped_chart, spread_of
from primus.reporting.how_judged import HEADS, listed
from primus.reporting.html import beside, bullets, details, escape, paragraph, section, table
from primus.reporting.palette import Look, looks
from primus.reporting.results import Interval, Results, interval_at
from primus.reporting.words import draws, percent, seeds_words, size_of

HEADING = "Heads"


def heads_table(results: Results) -> pd.DataFrame:
    """One row per data set, method and head at the headline, on the representation a method is judged by: metrics with bounds, `n_seeds`."""
    columns = [
        "dataset",
        "method",
        "representation",
        "head",
        "shots",
        "complete",
        *(f"{name}{end}" for name in METRICS for end in ("", "_lo", "_hi")),
    ]
    rows = results.scores[results.scores["shots"] == results.headline]
    own = [name == results.representation(method) for method, name in zip(rows["method"], rows["representation"], strict=True)]
    rows = rows.loc[own, columns].reset_index(drop=True)
    seeds = [results.seeds_of(method, head) for method, head in zip(rows["method"], rows["head"], strict=True)]
    return rows.assign(complete=rows["complete"].astype(int), n_seeds=seeds)


def heads(results: Results) -> str:
    """Methods by heads, drawn and as numbers; where nothing but the head that methods are judged by was fitted, what that is."""
    said = bullets([f"{name}: {HEADS.get(name, 'a head of this run')}." for name in heads_of(results)])
    if all(len(fitted(results, method)) == 1 for method in results.methods):
        words = (
            f"Each method was fitted with the one head it is judged by; its scores are those of Fig. 4 ({seeds_words(results)}). "
            "`-S 'fewshot.also=[knn, prototype]'` adds others, and `make figures` runs them all."
        )
        return section(HEADING, paragraph(words), said)
    seen = looks([*HEADS, *heads_of(results)])
    words = (
        f"The same outputs and the same draws of shots under every head, at {results.headline} labelled segments per class; "
        f"{draws(results)}; {seeds_words(results)}, fewer where the table says so. *: the head a method is judged by. "
        f"-: not fitted at this number of shots, or not for this method.{_own_alone(results)} Bars are 95 % intervals."
    )
    blocks = [_block(results, dataset, seen) for dataset in results.datasets]
    shown = [(name, seen[name]) for name in heads_of(results)]
    return section(HEADING, paragraph(words), said, legend(shown, lines=False), beside(*blocks))


def heads_of(results: Results) -> list[str]:
    """Heads that were fitted on anything, in the order of their descriptions."""
    found = list(dict.fromkeys(results.scores["head"]))
    return [name for name in HEADS if name in found] + [name for name in found if name not in HEADS]


def fitted(results: Results, method: str) -> list[str]:
    """The heads that were fitted on a method's output at any number of shots, in the order of the page."""
    scores = results.scores
    mine = set(scores.loc[(scores["method"] == method) & (scores["representation"] == results.representation(method)), "head"])
    return [name for name in heads_of(results) if name in mine]


def _own_alone(results: Results) -> str:
    alone = [method for method in results.methods if len(fitted(results, method)) == 1]
    return f" {listed(alone)} {'have' if len(alone) > 1 else 'has'} a head of {'their' if len(alone) > 1 else 'its'} own alone." if alone else ""


def _block(results: Results, dataset: str, seen: dict[str, Look]) -> str:
    """One data set: the chart, and its numbers."""
    found = {method: _scores(results, dataset, method) for method in results.methods}
    marks = [(method, [(seen[head], *at.percents) for head, at in scores.items()]) for method, scores in found.items()]
    best = max(((at.mean, method, head) for method, scores in found.items() for head, at in scores.items()), key=lambda one: one[0])
    drawing = grouped_chart(
        f"Heads on {dataset} at {results.headline} shots",
        f"Highest: {best[1]} under {best[2]} with {100 * best[0]:.1f} percent",
        marks,
        x_title="accuracy",
        x_range=spread_of(marks, 0, 100, 10),
        unit=" %",
        reference=100 / results.datasets[dataset].classes,
    )
    rows = []
    for method, scores in found.items():
        cells = [percent(scores.get(head)) + (" *" if head == results.head(method) else "") for head in heads_of(results)]
        rows.append([method, *cells, _seeds(results, method)])
    numbers = details("Numbers", table(f"{dataset}: accuracy in %, 95 % interval", ["method", *heads_of(results), "seeds"], rows))
    return f"<h3>{escape(dataset)}</h3>{paragraph(size_of(results, dataset) + ' (dashed line: chance)')}{drawing}{numbers}"


def _scores(results: Results, dataset: str, method: str) -> dict[str, Interval]:
    at = {head: interval_at(results.curve(dataset, method, head=head), results.headline) for head in fitted(results, method)}
    return {head: found for head, found in at.items() if found is not None}


def _seeds(results: Results, method: str) -> str:
    """`3`, or `3 (finetune: 1)` where a head was fitted on fewer."""
    own = results.seeds_of(method)
    others = [f"{head}: {number}" for head in fitted(results, method) if (number := results.seeds_of(method, head)) != own]
    return f"{own} ({', '.join(others)})" if others else str(own)
