"""The page beside a trained head: how well it did on people it had not seen, and what it takes for what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from primus.adapt.head import Head
from primus.artifacts import atomic_path
from primus.reporting.charts import matrix_chart
from primus.reporting.html import beside, bullets, page, paragraph, section, table

NAMES = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1"}


def percent(value: Mapping[str, float]) -> str:
    """ "81.2 % (75.0 to 86.1)"."""
    return f"{100 * value['mean']:.1f} % ({100 * value['lo']:.1f} to {100 * value['hi']:.1f})"


def points(value: Mapping[str, float]) -> str:
    """ "+3.1 points (-0.4 to +6.5)"."""
    return f"{100 * value['mean']:+.1f} points ({100 * value['lo']:+.1f} to {100 * value['hi']:+.1f})"


def score_lines(about: Mapping[str, Any]) -> list[str]:
    """The scores in words, for a terminal."""
    lines = [str(about["scored"])]
    if about["scores"] is None:
        return lines
    lines += [f"{NAMES[name].lower():18} {percent(value)}" for name, value in about["scores"].items()]
    if lonely := about["classes_of_one_group"]:
        lines.append(f"warning: one {about['trained']['group_kind']} alone has {', '.join(lonely)}; nothing can be known of others there")
    if baseline := about.get("baseline"):
        value = baseline["gain_over_it"]["macro_f1"]
        verdict = "ahead of" if value["lo"] > 0 else "behind" if value["hi"] < 0 else "not told apart from"
        lines.append(f"macro F1 {points(value)}: {verdict} {baseline['what']} on the same folds ({percent(baseline['scores']['macro_f1'])})")
    return lines


def write_report(path: Path, head: Head, title: str) -> None:
    """Write the page; it loads nothing."""
    about = head.about
    trained = about["trained"]
    facts = [f"{name}: {count} windows" for name, count in trained["windows_of_class"].items()]
    parts = [paragraph(str(about["scored"]) + ".")]
    if about["scores"] is not None:
        rows = [[NAMES[name], percent(value)] for name, value in about["scores"].items()]
        header = ["Metric", "Mean (95 % interval)"]
        if baseline := about.get("baseline"):
            header += [f"With {baseline['what']}", "Difference"]
            rows = [
                [*row, percent(baseline["scores"][name]), points(baseline["gain_over_it"][name])]
                for row, name in zip(rows, about["scores"], strict=True)
            ]
        counts = np.array(about["confusion"]["counts"], dtype=np.float64)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        names = list(about["confusion"]["classes"])
        described = f"Of {int(counts.sum())} windows, {int(np.trace(counts))} were recognised."
        chart = matrix_chart(
            "Confusion of classes", f"{described} Rows are the truth, columns the prediction, in percent of a row.", names, shares.tolist()
        )
        counted = [[name, *(str(int(count)) for count in row)] for name, row in zip(names, counts, strict=True)]
        parts += [section("Scores", table("On people or files that were not in training", header, rows))]
        if about["classes_of_one_group"]:
            said = ", ".join(about["classes_of_one_group"])
            parts.append(paragraph(f"One {trained['group_kind']} alone has {said}: where it is tested, nothing was learnt about them.", banner=True))
        parts.append(section("What is taken for what", beside(chart, table("Windows: truth in rows", ["", *names], counted))))
    left_out = [f"{count} left out: {reason}" for reason, count in trained["left_out"].items()]
    parts.append(section("Training", bullets([*trained["said"], *facts, *left_out])))
    with atomic_path(path) as temporary:
        temporary.write_text(page(title, *parts), encoding="utf-8")
