"""The section of sites: whether accuracy lasts where the tested site gave no shots, and whether features tell the site."""

import pandas as pd

from primus.reporting.html import paragraph, section, table
from primus.reporting.results import Results, interval_in
from primus.reporting.words import draws, percent, seeds_words, sizes


def sites(results: Results) -> str:
    """Accuracy when the tested site gave no shots, and whether features tell the site."""
    rows = results.beside.sites
    if rows.empty:
        return ""
    shots = sizes(rows.loc[rows["method"] != "", "shots"]) if (rows["method"] != "").any() else "no"
    words = (
        f"Where recording sites are known. Leave-site-out: each site tested with {shots} shots per class from the others. Site probe: how well "
        "the same features tell the site of people not seen before, with as many shots per site, against chance. Last column: what naming each "
        f"site's most frequent class would score. {draws(results)}, {seeds_words(results, rows['method'])}. "
        f"{sites_tested(results, rows)}"
    )
    shown = []
    for dataset, of_dataset in rows.groupby("dataset", sort=True):
        guess = of_dataset.loc[of_dataset["check"] == "class_from_site", "accuracy"]
        for method in (name for name in results.methods if name in set(of_dataset["method"])):
            cells = []
            for check in ("leave_site_out", "site_probe"):
                row = of_dataset[(of_dataset["check"] == check) & (of_dataset["method"] == method)]
                cells += [percent(interval_in(row.iloc[0].to_dict(), "accuracy")), f"{100 * row['chance'].iloc[0]:.1f}"] if len(row) else ["-", "-"]
            shown.append([f"{dataset}, {method}", *cells, f"{100 * guess.iloc[0]:.1f}" if len(guess) else "-"])
    header = ["data set, method", "leave-site-out", "chance", "site probe", "chance", "class from site"]
    return section("Sites", paragraph(words), table("Accuracy in %, 95 % interval", header, shown))


def sites_tested(results: Results, rows: pd.DataFrame) -> str:
    """How many segments, people and sites stand behind each check, by data set."""
    said = []
    for dataset, of_dataset in rows.groupby("dataset", sort=True):
        checks, parts = set(of_dataset["check"]), []
        counted, facts = results.beside.labelled_sites.get(str(dataset)), results.datasets.get(str(dataset))
        if counted and "leave_site_out" in checks:
            parts.append(f"leave-site-out on {counted.segments} labelled segments of {counted.people} people at {counted.sites} sites")
        if facts and "site_probe" in checks:
            tested = f"{facts.segments} test segments of {facts.participants} {'takes' if facts.by_take else 'people'}"
            parts.append(f"site probe on those of the {tested} whose site gave shots")
        said += [f"{dataset}: {'; '.join(parts)}."] if parts else []
    return " ".join(said)
