"""The table of ablations as Markdown: one table per group, data sets beside each other at one number of shots."""

import pandas as pd


def markdown(table: pd.DataFrame, shots: int, profile: str) -> dict[str, str]:
    """Group -> Markdown table of accuracies in %, with 95 % intervals and the paired difference from the reference.

    Args:
        table: metrics/ablations.csv.
        shots: labelled segments per class.
        profile: whose rows.
    """
    chosen = table[(table["shots"] == shots) & (table["profile"] == profile)]
    return {str(name): _group(rows) for name, rows in chosen.groupby("group", sort=False)}


def _group(rows: pd.DataFrame) -> str:
    datasets = list(dict.fromkeys(rows["dataset"]))
    reference = rows["reference"].iloc[0]
    several = rows["method"].nunique() > 1
    lines = [
        "| variant | " + ("method | " if several else "") + " | ".join(f"{name} | - {reference}" for name in datasets) + " | rank | seeds |",
        "|" + "---|" * (3 + several + 2 * len(datasets)),
    ]
    for (variant, method), own in rows.groupby(["variant", "method"], sort=False):
        by = own.set_index("dataset")
        cells = [str(variant), *([str(method)] if several else [])]
        for name in datasets:
            row = by.loc[name]
            cells += [interval(row["mean"], row["lo"], row["hi"]), interval(row["difference"], row["difference_lo"], row["difference_hi"], "+")]
        rank = own["effective_rank"].iloc[0]
        cells += ["" if pd.isna(rank) else f"{rank:.0f}" + ("!" if own["collapsed"].iloc[0] > 0 else ""), str(own["n_seeds"].iloc[0])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def interval(value: float, lo: float, hi: float, sign: str = "") -> str:
    """`58.4 [49.6, 65.8]` in %; `*` after a difference whose interval excludes 0, nothing where there is none."""
    if pd.isna(value):
        return ""
    told = "*" if sign and (lo > 0 or hi < 0) else ""
    return f"{100 * value:{sign}.1f} [{100 * lo:{sign}.1f}, {100 * hi:{sign}.1f}]{told}"
