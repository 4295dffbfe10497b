"""The sections of what is measured beside the sweep: tests, the map of features, zero-shot, retrieval, robustness."""

from collections.abc import Mapping
from typing import Any

from primus.reporting.charts import legend
from primus.reporting.dots import cloud_chart, grouped_chart, spread_of
from primus.reporting.html import beside, bullets, details, escape, paragraph, section, table
from primus.reporting.palette import class_looks, looks
from primus.reporting.results import Results, interval_in
from primus.reporting.words import draws, percent, seeds_words, size_of, sizes

DIRECTIONS = {
    "imu_to_video": "IMU to video",
    "video_to_imu": "video to IMU",
    "imu_to_text": "IMU to narration",
    "text_to_imu": "narration to IMU",
}
RECALLS = {"r1": "R@1", "r5": "R@5", "r10": "R@10"}


def tests(results: Results) -> str:
    """Every method against the reference and against the lead method at the headline: signed-rank test, effect size, equivalence."""
    rows = results.beside.tests
    rows = rows[rows["shots"] == results.headline]
    if rows.empty:
        return ""
    words = (
        f"Every method against {results.reference}, and {results.lead_method} against every method, at {results.headline} labelled segments per "
        "class, by test participant: Wilcoxon's signed-rank test with Holm's correction over these pairs of a data set, Cohen's d of the paired "
        f"differences (- where they do not vary), and two one-sided tests of equivalence within {100 * results.margin:g} points."
    )
    unreachable = [
        f"{dataset}: with {row['n']} people and {row['family']} pairs no p (Holm) can be below {row['least_p']:.2g}, so a difference, however large, "
        "cannot reach 5 %."
        for dataset, row in rows.groupby("dataset", sort=False).first().to_dict("index").items()
        if row["least_p"] > 0.05
    ]
    shown = [
        [
            f"{row['dataset']}, {row['method']} - {row['other']}",
            str(row["n"]),
            f"{100 * row['difference']:+.1f}",
            *(f"{row[name]:.3f}" for name in ("p", "p_holm")),
            f"{row['effect']:+.2f}" if row["effect"] == row["effect"] else "-",
            f"{row['p_equivalent']:.3f}",
        ]
        for row in rows.to_dict("records")
    ]
    header = ["data set, pair", "people", "points", "p", "p (Holm)", "d", "p (equal)"]
    return section("Method against method", paragraph(words), bullets(unreachable), table("Differences of accuracy by participant", header, shown))


def feature_map(results: Results) -> str:
    """Test segments by class, on the two principal components of their features."""
    points = results.beside.map
    if points.empty:
        return ""
    words = (
        "Features of test segments, at unit length, on the two directions in which they vary most (principal components of what is drawn). "
        "First pretraining seed and fold; nobody in the picture was seen in pretraining. Two dimensions of several hundred: classes that overlap "
        "here may still be told apart."
    )
    blocks = []
    for dataset, of_dataset in points.groupby("dataset", sort=True):
        seen = class_looks(sorted(of_dataset["label"].unique()))
        drawings, rows = [], []
        for method in dict.fromkeys(of_dataset["method"]):
            mine = of_dataset[of_dataset["method"] == method]
            clouds = {name: (look, list(zip(*(mine.loc[mine["label"] == name, axis] for axis in "xy"), strict=True))) for name, look in seen.items()}
            shares = [100 * mine[f"share_{axis}"].iloc[0] for axis in "xy"]
            size = f"{len(mine)} of {mine['tested'].iloc[0]} test segments"
            drawing = cloud_chart(
                f"{mine['representation'].iloc[0]} of {method} on {dataset}",
                f"{size}, {len(seen)} classes; the plane holds {sum(shares):.0f} percent of the variance",
                clouds,
                axes=(f"first component ({shares[0]:.0f} % of the variance)", f"second ({shares[1]:.0f} %)"),
            )
            drawings.append(paragraph(f"{method}, {mine['representation'].iloc[0]}: {size}") + drawing)
            for name, of_class in mine.groupby("label", sort=True):
                rows.append(
                    [f"{method}, {name}", str(len(of_class)), *(f"{of_class[axis].mean():+.3f} ± {of_class[axis].std(ddof=0):.3f}" for axis in "xy")]
                )
        keys = legend(list(seen.items()), lines=False)
        numbers = details("Numbers", table("Mean and deviation by class", ["method, class", "segments", "first", "second"], rows))
        blocks.append(f"<h3>{escape(str(dataset))}</h3>{keys}{beside(*drawings)}{numbers}")
    return section("Map of features", paragraph(words), *blocks)


def zeroshot(results: Results) -> str:
    """Classes by their prompts, without a label."""
    rows = results.beside.zeroshot
    if rows.empty:
        return section(
            "Zero-shot", paragraph("Not measured in this run: no method has a projection that was aligned with texts, or no data set has prompts.")
        )
    words = (
        "No label at all: a segment's class is the one whose prompts its multimodal projection is nearest to; these are the points at 0 in Fig. 4. "
        "The prompt files are frozen; the last columns say how much a score depends on their wording, each wording by itself."
    )
    measured = set(rows["dataset"])
    words += " Tested: " + "; ".join(f"{name}, {size_of(results, name)}" for name in results.datasets if name in measured)
    words += f". Encoders: {seeds_words(results, rows['method'])}."
    shown = [
        [
            f"{row['dataset']}, {row['method']}",
            percent(interval_in(row, "accuracy")),
            percent(interval_in(row, "macro_f1")),
            f"{100 / results.datasets[row['dataset']].classes:.1f}" if row["dataset"] in results.datasets else "-",
            str(results.beside.wordings.get(row["dataset"], 0)),
            f"{100 * row['accuracy_wording_min']:.1f} to {100 * row['accuracy_wording_max']:.1f}",
            f"{100 * row['accuracy_wording_sd']:.1f}",
        ]
        for row in rows.to_dict("records")
    ]
    header = ["data set, method", "accuracy", "macro-F1", "chance", "wordings", "accuracy by wording", "deviation"]
    return section("Zero-shot", paragraph(words), table("In %, 95 % interval", header, shown))


def retrieval(results: Results) -> str:
    """Ranks in a fixed gallery."""
    rows, gallery = results.beside.retrieval, results.beside.gallery
    heading = "Retrieval"
    if rows.empty:
        return section(heading, paragraph("Not measured in this run: the corpus gives no gallery, or no method has a projection that was aligned."))
    folds = "" if gallery["folds"] == 1 else f" in each of {gallery['folds']} folds"
    words = (
        f"A fixed gallery of {gallery['segments']} validation segments{folds}, {gallery['queries']} queries of "
        f"{gallery['participants']} participants, no two segments of a take overlapping; its size does not depend on the batch. "
        "Answers with the same embedding or the same narrations are all right. "
        "No encoder was trained on these segments; the epoch that is exported was chosen by their loss. "
        f"{seeds_words(results, rows['method'])}."
    )
    methods = [name for name in results.methods if name in set(rows["method"])]
    seen = looks(methods)
    found = {(row["method"], row["direction"], row["metric"]): row for row in rows.to_dict("records")}
    directions = [name for name in DIRECTIONS if name in set(rows["direction"])]
    shown = []
    for direction in directions:
        chance = {name: found[methods[0], direction, name]["chance"] for name in (*RECALLS, "median_rank", "mrr")}
        for method in methods:
            of_method = {name: found[method, direction, name] for name in chance}
            recalls = [percent(interval_in(of_method[name], "value", "lo", "hi")) for name in RECALLS]
            shown.append([f"{DIRECTIONS[direction]}, {method}", *recalls, rank(of_method["median_rank"]), reciprocal(of_method["mrr"])])
        guess = [f"{100 * chance[name]:.1f}" for name in RECALLS]
        shown.append([f"{DIRECTIONS[direction]}, by chance", *guess, f"{chance['median_rank']:g}", f"{chance['mrr']:.3f}"])
    drawings = []
    for direction in directions:
        marks = [
            (words_of, [(seen[method], *(100 * found[method, direction, name][end] for end in ("value", "lo", "hi"))) for method in methods])
            for name, words_of in RECALLS.items()
        ]
        first = found[methods[0], direction, "r10"]
        drawing = grouped_chart(
            f"Retrieval, {DIRECTIONS[direction]}",
            f"R@10 of {methods[0]} {100 * first['value']:.0f} percent, by chance {100 * first['chance']:.0f}",
            marks,
            x_title="share of queries answered",
            x_range=(0, 100),
            unit=" %",
        )
        drawings.append(f"<h3>{escape(DIRECTIONS[direction])}</h3>{drawing}")
    header = ["direction, method", *RECALLS.values(), "median rank", "MRR"]
    numbers = table("R@k in %, median rank, mean reciprocal rank; 95 % interval", header, shown)
    return section(heading, paragraph(words), legend(list(seen.items())), beside(*drawings), details("Numbers", numbers))


def rank(row: Mapping[Any, Any]) -> str:
    """`13 [13, 14]`."""
    return f"{row['value']:g} [{row['lo']:g}, {row['hi']:g}]"


def reciprocal(row: Mapping[Any, Any]) -> str:
    """`0.152 [0.149, 0.155]`."""
    return f"{row['value']:.3f} [{row['lo']:.3f}, {row['hi']:.3f}]"


def condition_words(kind: str, severity: float | None) -> str:
    """A condition of the robustness stage as a reader would say it."""
    size = "" if severity is None else f"{severity:g}"
    known = {
        "rate": f"sampled at {size} Hz",
        "rotation": f"rotated by {size}°" if size else "rotated at random",
        "gyro_lost": "no gyroscope",
        "axis_permutation": "axes permuted",
        "gain": f"gain off by {size}",
        "bias": f"bias of {size} m/s²",
        "dropout": f"{100 * (severity or 0):g} % lost",
        "window": f"{size} s window",
    }
    return known.get(kind, f"{kind} {size}".strip())


def robustness(results: Results) -> str:
    """Share of the accuracy that remains on degraded windows."""
    rows = results.beside.robustness
    rows = rows[rows["kind"] != "matched"] if len(rows) else rows
    heading = "Robustness"
    if rows.empty:
        return section(heading, paragraph("Not measured in this run."))
    methods = [name for name in results.methods if name in set(rows["method"])]
    seen = looks(methods)
    shots = ", ".join(str(size) for size in sorted(rows["shots"].unique()))
    words = (
        f"A head fitted on clean windows, {shots} labelled segments per class ({draws(results)}), asked about the same test segments "
        f"degraded, with the encoders of {seeds_words(results, methods, most=results.degraded_encoders)} per method: the share of its "
        "accuracy that remains, with the 95 % interval of that ratio. Where the clean accuracy is near chance the ratio says little. "
        "Arrow heads: the interval goes on. Conditions are defined in primus/evaluation/degrade.py."
    )
    blocks = []
    for dataset in dict.fromkeys(rows["dataset"]):
        mine = rows[rows["dataset"] == dataset]
        marks, shown = [], []
        for condition in dict.fromkeys(mine["condition"]):
            of_condition = mine[mine["condition"] == condition]
            by_method = {row["method"]: row for row in of_condition.to_dict("records")}
            severity = of_condition["severity"].iloc[0]
            name = condition_words(str(of_condition["kind"].iloc[0]), None if severity != severity else float(severity))
            kept = {method: interval_in(by_method[method], "retention") for method in methods if method in by_method}
            marks.append((name, [(seen[method], *kept[method].percents) for method in kept]))
            shown.append([name, *(percent(kept[method]) if method in kept else "-" for method in methods), sizes(of_condition["test_segments"])])
        worst = min(marks, key=lambda mark: mark[1][0][1])
        drawing = grouped_chart(
            f"Accuracy kept on {dataset}",
            f"{methods[0]} keeps least when {worst[0]}: {worst[1][0][1]:.0f} percent",
            marks,
            x_title="accuracy kept",
            x_range=spread_of(marks, 0, 150, 25),
            unit=" %",
            reference=100,
        )
        numbers = details("Numbers", table(f"{dataset}: accuracy kept in %, 95 % interval", ["condition", *methods, "test segments"], shown))
        said = paragraph(f"{sizes(mine['test_segments'])} test segments")
        blocks.append(f"<h3>{escape(str(dataset))}</h3>{said}{drawing}{numbers}")
    return section(heading, paragraph(words), legend(list(seen.items())), beside(*blocks))
