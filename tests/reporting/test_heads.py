"""The sections of heads, of label efficiency and of calibration, for ten methods and five heads."""

import dataclasses
import re

import pandas as pd
import pytest

from primus.reporting.efficiency import area_of, calibration_of, efficiency_and_calibration
from primus.reporting.heads import heads, heads_table
from primus.reporting.how_judged import HEADS
from primus.reporting.report import figure_tables, report_page
from tests.inspection.document import Document
from tests.reporting.made_figures import TEN, accuracy, figures
from tests.reporting.made_results import DATASETS, results


def rows_of(section: str, dataset: str) -> dict[str, list[str]]:
    """Method -> cells of the table whose caption starts with the data set."""
    table = next(found for found in re.findall(r"<table>.*?</table>", section, flags=re.S) if f"<caption>{dataset}:" in found)
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    return {method: re.findall(r"<td>(.*?)</td>", cells) for method, cells in found}


def test_heads_are_a_table_of_methods_by_heads_with_intervals_and_seeds() -> None:
    made = figures()
    page = heads(made)
    for dataset in DATASETS:
        rows = rows_of(page, dataset)
        assert list(rows) == list(TEN)
        value = 100 * accuracy(dataset, "primus", "knn", 20)
        logistic, knn, _, _, forest, finetune, seeds = rows["primus"]
        assert knn == f"{value:.1f} [{value - 5:.1f}, {value + 6:.1f}]"
        assert logistic.endswith("] *"), "the head it is judged by"
        assert forest == "-"
        assert finetune.endswith("]")
        assert seeds == "3 (finetune: 1)"
        assert rows["statistics"][:6] == ["-"] * 4 + [rows["statistics"][4], "-"]
        assert rows["standard"][-2].endswith("*")
        assert rows["standard"][-1] == "3"
    words = Document(page).words
    assert all(f"{name}: {HEADS[name]}." in words for name in ("logistic", "knn", "prototype", "sgd", "finetune", "forest"))
    assert "1 draw of shots; 3 pretraining seeds (released and statistics: 1)" in words
    assert words.count("1234 test segments of 6 participants") == 3
    assert "standard and statistics have a head of their own alone" in words
    assert page.count('class="figure"') == 3


def test_a_head_that_was_not_fitted_at_the_headline_is_a_dash() -> None:
    made = dataclasses.replace(figures(), headline=10)
    assert rows_of(heads(made), "ego4d")["primus"][5] == "-"
    assert rows_of(heads(made), "ego4d")["standard"][5] != "-"


def test_where_one_head_was_fitted_the_page_says_which_and_how_to_get_more() -> None:
    page = heads(results())
    assert "logistic: logistic regression" in page
    assert "make figures" in page
    assert "<table>" not in page


def test_the_plot_of_heads_reads_rows_at_the_headline_alone() -> None:
    table = heads_table(figures())
    assert set(table["shots"]) == {20}
    assert len(table) == len(DATASETS) * (8 * 5 + 2)
    assert not table.duplicated(["dataset", "method", "head"]).any()
    assert {"accuracy", "accuracy_lo", "accuracy_hi", "n_seeds"} <= set(table.columns)
    assert set(table.loc[(table["method"] == "primus") & (table["head"] == "finetune"), "n_seeds"]) == {1}
    pd.testing.assert_frame_equal(figure_tables(figures())["heads"], table)


def test_areas_and_calibration_stand_with_their_intervals() -> None:
    made = figures()
    page = efficiency_and_calibration(made)
    rows = rows_of(page, "egoexo4d")
    area, shots, error, scaled, loss, scaled_loss = rows["primus"]
    assert area_of(made, "egoexo4d", "primus") is not None
    assert re.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", area)
    assert shots == "1 to 20"
    found = calibration_of(made, "egoexo4d", "primus")
    assert found["ece"] is not None
    assert error.startswith(f"{100 * found['ece'].mean:.1f} [")
    assert scaled == "6.0 [4.8, 7.8]"
    assert loss.startswith("2.")
    assert scaled_loss.startswith("0.30 [")
    assert rows["standard"][3] == "-", "no temperature for an encoder that is fine-tuned"
    assert "3 pretraining seeds" in page
    assert "the log loss of knowing nothing is 2.08" in page
    assert page.count('class="figure"') == 6


def test_without_areas_or_calibration_dashes_stand() -> None:
    made = results(shots=(20,))
    page = efficiency_and_calibration(dataclasses.replace(made, areas=made.areas.iloc[:0]))
    assert rows_of(page, "ego4d")["primus"] == ["-"] * 6
    assert 'class="figure"' not in page


@pytest.mark.parametrize("name", ["heads", "label-efficiency-and-calibration"])
def test_the_page_has_both_sections_and_describes_their_figures(name: str) -> None:
    page = report_page(figures())
    assert f'<h2 id="{name}">' in page
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", Document(page).words.lower()).split()
