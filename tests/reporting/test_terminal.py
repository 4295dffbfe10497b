import dataclasses

import numpy as np
import pytest

from primus.errors import UserError
from primus.reporting.report import report_page
from primus.reporting.summary import summary_metrics
from primus.reporting.terminal import chosen_shots, summary_text
from tests.reporting.made_results import METHODS, results


def test_text_fits_eighty_columns_and_says_what_it_must() -> None:
    text = summary_text(results())
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("chance 12.5 %") == 3
    assert "69.5 [64.5, 74.5]" in text
    assert "+40.0 [-1.0, +41.0]" in text
    assert "SIMULATED" in text
    assert "69.8*" in text, "an incomplete number of shots is marked"
    words = " ".join(text.split())
    assert "One pretraining seed" in words
    assert "Fewer than 10 test participants in egoexo4d, ego4d, realworld" in words
    assert "at 50 shots (marked *) all segments of climb rock were used" in words


def test_caveats_go_when_their_cause_goes() -> None:
    text = summary_text(dataclasses.replace(results(participants=12, seeds=3, shots=(1, 20)), simulated=False))
    assert "SIMULATED" not in text
    assert "untrained random network" in " ".join(text.split()), "real recordings with the demo's frozen encoder"
    assert "Fewer than" not in text
    assert "One pretraining seed" not in text
    assert "marked" not in text


def test_many_shots_are_thinned_but_keep_ends_and_headline() -> None:
    shots = (1, 2, 5, 10, 20, 40, 50, 100, 200, 300, 400, 500)
    chosen = chosen_shots(results(shots))
    assert chosen[0] == 1
    assert chosen[-1] == 500
    assert 20 in chosen
    assert len(chosen) <= 9


def test_summary_stays_small() -> None:
    def count(tree: dict[str, object]) -> int:
        return sum(count(value) if isinstance(value, dict) else 1 for value in tree.values())

    assert count(summary_metrics(results())) <= 45  # three sets x three methods x four scores, and the head


def test_a_headline_that_was_not_run_is_refused() -> None:
    with pytest.raises(UserError, match=r"headline_shots is 20, .* \(1, 2\)"):
        results(shots=(1, 2))


def test_a_report_of_one_method_on_one_point_still_draws() -> None:
    whole = results(shots=(20,))
    only = dataclasses.replace(
        whole,
        scores=whole.scores[whole.scores["method"] == "random"],
        rows=whole.rows[whole.rows["method"] == "random"],
        differences=whole.differences.iloc[:0],
    )
    page = report_page(only)
    assert "nan" not in page.lower().replace("nanmean", "")
    assert "Gain over" not in page
    assert np.isfinite(only.score("ego4d", "random").mean)


def test_the_lead_stands_at_the_top_of_the_summary() -> None:
    found = summary_metrics(results())
    assert found["accuracy"] == found["egoexo4d"]["primus"]["accuracy"]
    assert found["gain"] == pytest.approx(0.2 * (METHODS.index("random") - METHODS.index("primus")), abs=1e-4)
    assert {"accuracy_lo", "accuracy_hi", "gain_lo", "gain_hi"} <= found.keys()
    without = dataclasses.replace(results(), lead=("egoexo4d", "released"))
    assert "accuracy" not in summary_metrics(without)
