"""What is read of metrics/ablations.csv, and what is refused."""

from pathlib import Path

import pandas as pd
import pytest

from primus.errors import UserError
from primus.experiments.table import COLUMNS as WRITTEN
from primus.reporting.ablations import AT_90, COLUMNS, aligned_percent, augmentations_tried, pairs, read_ablations, terms_of
from tests.reporting.made_results import ablation

ROOT = Path(__file__).resolve().parents[2]


def write(path: Path, rows: list[tuple], columns: list[str] = COLUMNS) -> Path:
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def test_the_committed_file_has_the_columns_that_are_read() -> None:
    header = (ROOT / "metrics" / "ablations.csv").read_text().splitlines()[0].split(",")
    assert set(COLUMNS) <= set(header)
    assert header == list(WRITTEN), "what `make ablations` writes"


def test_rows_of_this_profile_are_read_with_their_types(tmp_path: Path) -> None:
    rows = [ablation("losses", "SS", 0.5), (*ablation("losses", "NA", 0.4)[:10], "other", "none", 0, 0, 0), ablation("unknown", "x", 0.3)]
    found = read_ablations(write(tmp_path / "a.csv", rows), "demo")
    assert found["variant"].tolist() == ["SS"]
    assert found.dtypes[["x", "mean", "shots"]].astype(str).tolist() == ["float64", "float64", "int64"]
    absent = read_ablations(tmp_path / "none.csv", "demo")
    assert absent.empty
    assert list(absent.columns) == [*COLUMNS, *AT_90]
    assert found[AT_90].isna().all(axis=None), "columns that earlier versions did not write"


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ([("losses", "SS")], ["group", "variant"], "has no column x, method"),
        ([(*ablation("losses", "SS", 0.5)[:6], "high", 0, 1, 1, "demo", "all", "", "", "")], COLUMNS, "mean is 'high' in row 1, expected a number"),
        ([ablation("losses", "SS", 52.0)], COLUMNS, "row 1 holds an accuracy outside"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, rows: list[tuple], columns: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read_ablations(write(tmp_path / "a.csv", rows, columns), "demo")
    assert "make ablations" in str(caught.value)


def test_the_heat_map_is_of_every_pair_where_these_were_run() -> None:
    chosen, every = ablation("augmentations", "a-b", 0.2), ablation("augmentation_pairs", "a-c", 0.3)
    shots = pd.DataFrame([chosen], columns=COLUMNS)["shots"].iloc[0]
    assert augmentations_tried(pd.DataFrame([chosen], columns=COLUMNS), shots)["variant"].tolist() == ["a-b"]
    assert augmentations_tried(pd.DataFrame([chosen, every], columns=COLUMNS), shots)["variant"].tolist() == ["a-c"]
    assert augmentations_tried(pd.DataFrame(columns=COLUMNS), shots).empty


@pytest.mark.parametrize(
    ("variant", "terms"),
    [
        ("ss-nn", {"ss", "nn"}), ("ss-nn-video", None),
        ("SS", {"ss"}), ("ss + nn", {"ss", "nn"}), ("L_SS+L_NN", {"ss", "nn"}), ("all", {"ss", "mm", "nn"}), ("MM only", {"mm"}),
        ("ss+nn video", None), ("", None), ("<script>", None),
    ],
)  # fmt: skip
def test_names_of_loss_subsets(variant: str, terms: set[str] | None) -> None:
    assert terms_of(variant) == (None if terms is None else frozenset(terms))


def test_shares_become_percents_and_no_share_stays_none() -> None:
    assert aligned_percent(pd.DataFrame({"x": [0.1, 1.0]})).tolist() == [10.0, 100.0]
    assert aligned_percent(pd.DataFrame({"x": [float("nan")]})).isna().all()


def test_a_pair_run_in_one_order_stands_for_both_and_in_two_for_itself() -> None:
    rows = [ablation("augmentations", name, value) for name, value in (("a", 0.1), ("a-b", 0.2), ("c-a", 0.3), ("a-c", 0.4))]
    found = {(row["first"], row["second"]): row["mean"] for row in pairs(pd.DataFrame(rows, columns=COLUMNS)).to_dict("records")}
    assert found == {("a", "a"): 0.1, ("a", "b"): 0.2, ("b", "a"): 0.2, ("c", "a"): 0.3, ("a", "c"): 0.4}
