"""The page: well formed and escaped whatever data are called, every figure described and with its numbers, equal bytes from equal results."""

import dataclasses
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from primus.reporting.ablations import COLUMNS
from primus.reporting.composition import COLUMNS as COMPOSITION
from primus.reporting.html import anchor, contents, section, table
from primus.reporting.paper import claims
from primus.reporting.report import confusion_table, figure_tables, report_page
from primus.reporting.results import Results
from primus.reporting.verdicts import SMALLER
from tests.inspection.document import Document
from tests.reporting.made_results import METHODS, ablation, beside, results
from tests.reporting.test_claims import full

HOSTILE = "</svg><script>alert('1')</script>&\"<b>"


def everything(odd: str = "a class") -> Results:
    """Results with something in every section; `odd` names classes, a condition, a transformation and losses."""
    points = [("ego4d", method, "feature", label, 0.1 * n, 0.2, 0.3, 0.2, 99) for method in METHODS for n, label in enumerate(("a", odd, "b"))]
    robust = [
        {"dataset": "ego4d", "method": method, "condition": name, "kind": name, "severity": float("nan"), "shots": 20, "test_segments": 90}
        | {"retention": kept, "retention_lo": kept - 0.1, "retention_hi": kept + 0.9}
        for method in METHODS
        for name, kept in (("matched", 1.0), ("gyro_lost", 0.7), (odd, 0.4))
    ]
    metrics = ("r1", "r5", "r10", "median_rank", "mrr")
    tests = {
        "dataset": "ego4d",
        "shots": 20,
        "method": "primus",
        "other": "simclr",
        "n": 4,
        "difference": 0.1,
        "p": 0.1,
        "p_holm": 0.2,
        "least_p": 0.375,
        "family": 3,
        "effect": 1.0,
    }
    site = {"method": "primus", "shots": 20, "accuracy": 0.4, "accuracy_lo": 0.3, "accuracy_hi": 0.5, "chance": 0.1, "dataset": "ego4d"}
    spread = {f"accuracy_wording_{kind}": 0.1 for kind in ("sd", "min", "max")}
    scores = {f"{name}{end}": 0.4 for name in ("accuracy", "macro_f1") for end in ("", "_lo", "_hi")}
    runs = [
        ablation("losses", "SS", 0.4),
        ablation("losses", odd, 0.5),
        ablation("augmentations", odd, 0.6),
        ablation("augmentations", f"x-{odd}", 0.7),
    ]
    runs += [
        ablation("fraction_aligned", str(share), 0.5 + share / 10, x=share, method=name) for share in (0.1, 1.0) for name in ("primus", "imu2clip")
    ]
    made = results(
        beside=beside(
            composition=pd.DataFrame([(0, odd, "test", 3, 2, 1, 0.5, 90, 8, 0, 0)], columns=COMPOSITION),
            map=pd.DataFrame(points, columns=["dataset", "method", "representation", "label", "x", "y", "share_x", "share_y", "tested"]),
            zeroshot=pd.DataFrame([{"dataset": "ego4d", "method": "primus"} | scores | spread]),
            wordings={"ego4d": 3},
            retrieval=pd.DataFrame(
                [("primus", "imu_to_video", name, 0.5, 0.4, 0.6, 0.1) for name in metrics],
                columns=["method", "direction", "metric", "value", "lo", "hi", "chance"],
            ),
            gallery={"segments": 10, "folds": 2, "queries": 20, "participants": 4},
            robustness=pd.DataFrame(robust),
            sites=pd.DataFrame([site | {"check": "leave_site_out"}, site | {"check": "class_from_site", "method": ""}]),
            tests=pd.DataFrame([tests | {"margin": 0.02, "p_equivalent": 0.3}]),
            ablations=pd.DataFrame(runs, columns=COLUMNS),
        )
    )
    return dataclasses.replace(made, predictions=made.predictions.replace({"label": {"a": odd}}))


@pytest.mark.parametrize("odd", ["a class", HOSTILE])
def test_the_page_is_well_formed_loads_nothing_and_describes_every_figure(odd: str) -> None:
    page = report_page(everything(odd))
    document = Document(page)
    assert all(target.startswith("#") for target in document.loads)
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", document.words.lower()).split()
    figures = re.findall(r'<svg viewBox[^>]*class="figure".*?</svg>', page, flags=re.S)
    assert len(figures) >= 3 + 3 + 3 + 3 + 1 + 1 + 1 + 1 + 1
    for figure in figures:
        tree = ET.fromstring(figure)
        assert (tree.attrib["role"], tree[0].tag, tree[1].tag) == ("img", "title", "desc")
        assert tree.attrib["aria-label"].endswith(tree[1].text or "?")


def test_names_from_data_are_escaped_everywhere() -> None:
    page = report_page(everything(HOSTILE))
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("&lt;script&gt;") >= 8


def test_every_section_with_a_figure_says_what_was_run_and_holds_the_numbers() -> None:
    page = report_page(everything())
    parts = re.split(r"<h2 ", page)[1:]
    headings = [re.search(r">(.*?)</h2>", part).group(1) for part in parts]  # type: ignore[union-attr]
    for name in (
        "Table I",
        "Fig. 4",
        "The paper&#x27;s claims",
        "Map of features",
        "Zero-shot",
        "Retrieval",
        "Robustness",
        "Fig. 5",
        "Fig. 6",
        "Pairs",
    ):
        assert any(heading.startswith(name) for heading in headings), name
    for heading, part in zip(headings, parts, strict=True):
        assert "<p>" in part, heading
        if 'class="figure"' in part:
            assert "<details><summary>Numbers</summary><div" in part, heading
    assert [f"#{name}" for name in re.findall(r'<h2 id="([^"]*)"', page)] == Document(page).loads, "the contents name every section"


def test_tests_that_cannot_reach_5_percent_are_said_and_an_effect_without_a_size_is_a_dash() -> None:
    made = everything()
    tests = made.beside.tests
    assert "ego4d: with 4 people and 3 pairs no p (Holm) can be below 0.38" in report_page(made)
    enough = tests.assign(n=15, least_p=3 * 2.0**-14, effect=float("nan"))
    page = report_page(dataclasses.replace(made, beside=dataclasses.replace(made.beside, tests=enough)))
    assert "no p (Holm) can be below" not in page
    assert "<td>0.200</td><td>-</td><td>0.300</td>" in page


def test_what_was_not_run_is_said() -> None:
    page = report_page(results())
    assert page.count("Not measured in this run") >= 3
    assert page.count("`make ablations` runs it") == 3
    assert "not measured in this run" in page


def test_equal_results_are_equal_bytes() -> None:
    assert report_page(everything()) == report_page(everything())
    for name, found in figure_tables(everything()).items():
        pd.testing.assert_frame_equal(found, figure_tables(everything())[name])


def test_tables_for_dvc_keep_their_columns_without_rows() -> None:
    empty, full = figure_tables(results()), figure_tables(everything())
    assert {name: list(table.columns) for name, table in empty.items()} == {name: list(table.columns) for name, table in full.items()}
    assert {"losses", "fraction_aligned", "augmentations", "feature_map", "table1"} == {name for name, table in empty.items() if table.empty}
    assert {"accuracy", "accuracy_lo", "accuracy_hi"} <= set(full["fraction_aligned"].columns)
    assert full["fraction_aligned"]["aligned_percent"].tolist() == [10.0, 10.0, 100.0, 100.0]


def test_confusion_is_that_of_the_head_a_method_is_judged_by() -> None:
    made = results()
    other = made.predictions.assign(head="knn", predicted="a", count=1000)
    mixed = dataclasses.replace(made, predictions=pd.concat([made.predictions, other]))
    pd.testing.assert_frame_equal(confusion_table(mixed, ["primus"]), confusion_table(made, ["primus"]))


def test_contents_link_to_headings() -> None:
    assert anchor("Fig. 4: accuracy by <k>") == "fig-4-accuracy-by-k"
    assert '<a href="#a-b">A &amp; b</a>' in contents([section("A & b", "")])


def test_the_page_words_a_smaller_gain_and_its_rule() -> None:
    made = full()
    small = made.differences.assign(**{name: made.differences[name] / 3 for name in ("difference", "lo", "hi")})
    page = claims(dataclasses.replace(made, differences=small))
    assert f'<td data-label="verdict">{SMALLER}</td>' in page
    assert "less a margin of 2 points" in page


def test_a_table_that_scrolls_can_be_reached_by_keyboard_and_has_a_name() -> None:
    drawn = ET.fromstring(table('a "b"', ["x"], [["y"]]))
    assert (drawn.get("role"), drawn.get("tabindex"), drawn.get("aria-label")) == ("region", "0", 'a "b"')
