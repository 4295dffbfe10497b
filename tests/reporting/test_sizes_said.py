"""Every paragraph says on how much it rests: test segments, people, seeds; and ablations that are there in part, or not, are drawn as they are."""

import re
from pathlib import Path

import pandas as pd
import pytest

from primus.reporting.ablations import COLUMNS, GROUPS, read_ablations
from primus.reporting.beside import LabelledSites, labelled_sites
from primus.reporting.measured import robustness, zeroshot
from primus.reporting.paper import augmentations, fraction_aligned, loss_subsets
from primus.reporting.report import figure_tables, report_page
from primus.reporting.sites import sites
from tests.reporting.made_figures import figures
from tests.reporting.made_results import ablation, beside, results

ROOT = Path(__file__).resolve().parents[2]
SCORES = {f"{name}{end}": 0.4 for name in ("accuracy", "macro_f1") for end in ("", "_lo", "_hi")}
WORDINGS = {f"accuracy_wording_{kind}": 0.1 for kind in ("sd", "min", "max")}


def test_zero_shot_says_segments_people_and_seeds() -> None:
    rows = pd.DataFrame([{"dataset": "ego4d", "method": name} | SCORES | WORDINGS for name in ("primus", "released")])
    page = zeroshot(figures(beside=beside(zeroshot=rows)))
    assert "Tested: ego4d, 8 classes, chance 12.5 %, 1234 test segments of 6 participants." in page
    assert "Encoders: 3 pretraining seeds (released: 1)." in page


def test_sites_say_segments_people_sites_and_seeds() -> None:
    row = {"dataset": "ego4d", "shots": 20, "accuracy": 0.4, "accuracy_lo": 0.3, "accuracy_hi": 0.5, "chance": 0.1}
    checks = [("leave_site_out", "primus"), ("site_probe", "primus"), ("class_from_site", "")]
    rows = pd.DataFrame([row | {"check": check, "method": method} for check, method in checks])
    page = sites(figures(beside=beside(sites=rows, labelled_sites={"ego4d": LabelledSites(1130, 12, 4)})))
    assert "leave-site-out on 1130 labelled segments of 12 people at 4 sites" in page
    assert "the 1234 test segments of 6 people whose site gave shots" in page
    assert "with 20 shots per class" in page
    assert "1 draw of shots, 3 pretraining seeds." in page
    alone = sites(figures(beside=beside(sites=rows[1:], labelled_sites={"ego4d": LabelledSites(1130, 12, 4)})))
    assert "leave-site-out on" not in alone, "where nobody's site was left out"


def test_labelled_sites_count_what_can_be_tested() -> None:
    rows = [
        ("a", "probe", "p", "t0", "x"), ("a", "probe", "p", "t1", "y"), ("a", "probe", None, "t2", "y"), ("a", "pretrain", "q", "t3", "z"),
        ("b", "probe", "p", "t4", None),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["dataset", "purpose", "participant", "take_uid", "site"])
    assert labelled_sites(table) == {"a": LabelledSites(3, 2, 2)}


@pytest.mark.parametrize(("most", "says"), [(1, "1 pretraining seed per method"), (5, "3 pretraining seeds (released: 1) per method")])
def test_robustness_says_how_many_seeds_its_rows_have(most: int, says: str) -> None:
    rows = [
        {"dataset": "ego4d", "method": method, "condition": "gyro_lost", "kind": "gyro_lost", "severity": float("nan"), "shots": 20}
        | {"test_segments": 90, "retention": 0.7, "retention_lo": 0.6, "retention_hi": 0.8}
        for method in ("primus", "released")
    ]
    assert says in robustness(figures(beside=beside(robustness=pd.DataFrame(rows)), degraded_encoders=most))


def paired(variant: str, value: float, *difference: float) -> tuple:
    return (*ablation("losses", variant, value)[:11], "all", *difference)


def test_paired_differences_stand_in_the_table_of_fig_5() -> None:
    rows = [paired("all", 0.5, *[float("nan")] * 3), paired("ss", 0.38, -0.12, -0.17, -0.07), paired("nn", 0.2, *[float("nan")] * 3)]
    page = loss_subsets(results(beside=beside(ablations=pd.DataFrame(rows, columns=COLUMNS))))
    assert '<th scope="col">minus all</th>' in page
    assert '<th scope="row">egoexo4d, ss</th><td>38.0 [37.0, 39.0]</td><td>-12.0 [-17.0, -7.0]</td><td>1</td>' in page
    assert '<th scope="row">egoexo4d, all</th><td>50.0 [49.0, 51.0]</td><td>reference</td>' in page
    assert '<th scope="row">egoexo4d, nn</th><td>20.0 [19.0, 21.0]</td><td>-</td>' in page
    assert "differences from all are paired" in page
    assert "not paired" not in page


def test_without_paired_differences_the_page_says_so() -> None:
    rows = [ablation(group, "all", 0.5, x=0.1) for group in GROUPS]
    made = results(beside=beside(ablations=pd.DataFrame(rows, columns=COLUMNS)))
    for part in (loss_subsets, fraction_aligned, augmentations):
        assert "Separate runs: no row is paired with another." in part(made)


WHOLE = read_ablations(ROOT / "metrics" / "ablations.csv", "demo")
PARTS = {
    "nothing": WHOLE.iloc[:0],
    "losses alone": WHOLE[WHOLE["group"] == "losses"],
    "the reference of losses alone": WHOLE[(WHOLE["group"] == "losses") & (WHOLE["variant"] == "all")],
    "one variant without its reference": WHOLE[(WHOLE["group"] == "losses") & (WHOLE["variant"] == "ss")],
    "one data set": WHOLE[WHOLE["dataset"] == "realworld"],
    "imu2clip of Fig. 6 alone": WHOLE[WHOLE["variant"] == "imu2clip"],
    "one share of Fig. 6": WHOLE[(WHOLE["group"] == "fraction_aligned") & (WHOLE["variant"] == "0.1")],
    "other shots": WHOLE[WHOLE["shots"] != 20],
    "one augmentation": pd.DataFrame([ablation("augmentations", "a-b", 0.5)], columns=COLUMNS),
    "a data set that is no longer there": WHOLE.assign(dataset="gone"),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_ablations_is_drawn_as_far_as_it_goes(part: str) -> None:
    made = results(beside=beside(ablations=PARTS[part].reset_index(drop=True)))
    page = report_page(made)
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", page.lower()).split()
    whole = figure_tables(results(beside=beside(ablations=WHOLE)))
    for name, table in figure_tables(made).items():
        assert list(table.columns) == list(whole[name].columns)
    run = set(PARTS[part].loc[PARTS[part]["shots"] == 20, "group"])
    assert page.count("`make ablations` runs it") == 3 - len(run)
