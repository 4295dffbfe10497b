"""The words follow what was run: frozen or fine-tuned, which protocol, how many seeds."""

import dataclasses
from typing import Any

import pandas as pd
import pytest

from primus.reporting.composition import COLUMNS as COMPOSITION
from primus.reporting.how_judged import HEADS, how_judged, what_is_scored
from primus.reporting.picture import few_shot_picture
from primus.reporting.report import report_page
from primus.reporting.results import DatasetFacts, Results
from primus.reporting.terminal import summary_text
from primus.reporting.words import seeds_words, size_of
from tests.inspection.document import Document
from tests.reporting.made_figures import TEN, figures
from tests.reporting.made_results import METHODS, beside, results


def finetuned() -> Results:
    """A run with `-S fewshot.probe=finetune`: every encoder is scored on the one output it is judged by."""
    made = results()
    changed = {name: getattr(made, name).assign(head="finetune", representation="multimodal") for name in ("scores", "rows", "predictions", "areas")}
    return dataclasses.replace(made, **changed)


def test_a_run_of_fine_tuned_encoders_is_reported_with_a_dash_where_there_is_no_curve() -> None:
    made = finetuned()
    words = Document(report_page(made)).words
    assert "ego4d, primus multimodal 69.5 [64.5, 74.5] -" in " ".join(words.split())
    assert "frozen" not in how_judged(made)
    assert "with fine-tuned encoders" in summary_text(made)
    assert "frozen features" not in summary_text(made) + few_shot_picture(made)


def test_methods_that_are_fine_tuned_are_named_beside_those_that_are_frozen() -> None:
    assert what_is_scored(results()) == "frozen features"
    assert "standard" not in how_judged(results())
    made = figures()
    assert what_is_scored(made) == "frozen features (standard: fine-tuned)"
    said = how_judged(made)
    assert said.startswith("The features of all methods but standard were frozen")
    assert "(logistic regression; a random forest for statistics)" in said
    assert "The encoder of standard was fine-tuned" in said
    text = summary_text(made)
    assert max(map(len, text.splitlines()[:2])) <= 80
    for page in (text, report_page(made), few_shot_picture(made)):
        assert "standard: fine-tuned" in " ".join(page.split()) or "(standard:" in page
        assert "frozen encoders" not in page
    few = dataclasses.replace(made, scores=made.scores[made.scores["method"].isin(["standard", "statistics"])])
    assert what_is_scored(few) == "frozen features (standard: fine-tuned)"
    assert "features of statistics were frozen" in how_judged(few)
    assert "Every other encoder was fine-tuned" in how_judged(few)


def test_every_head_has_a_description() -> None:
    from typing import get_args

    from primus.evaluation.probes.choose import HeadName

    assert set(HEADS) == set(get_args(HeadName))


def test_seeds_are_those_of_the_trained_methods_and_exceptions_are_named() -> None:
    made = figures()
    assert made.trained == [name for name in TEN if name not in ("standard", "random", "released", "statistics")]
    assert made.seeds == 3
    assert seeds_words(made) == "3 pretraining seeds (released and statistics: 1)"
    assert seeds_words(made, ["primus", "random"]) == "3 pretraining seeds"
    assert seeds_words(made, ["released"]) == "1 pretraining seed"
    assert seeds_words(made, most=1) == "1 pretraining seed"
    text = " ".join(summary_text(made).split())
    assert "One pretraining seed" not in text
    assert "One seed of released and statistics: the intervals there do not contain the variation" in text
    assert "seed(s)" not in report_page(made)
    only = made.rows[(made.rows["seed"] == 0)]
    assert "One pretraining seed: the intervals" in " ".join(summary_text(dataclasses.replace(made, rows=only)).split())


def under(protocol: str, shared: int = 0, by_take: bool = False) -> Results:
    made = results(participants=12, seeds=3)
    parts = [(0, "egoexo4d", split, 3, 2, 0, 0.5, 90, 8, 0, 0) for split in ("train", "shots", "test")] + [
        (0, "ego4d", "test", 3, 2, 0, 0.5, 90, 8, 0, 0)
    ]
    facts = dict(made.datasets) | {"egoexo4d": DatasetFacts(8, 12, 99, 1, shared, by_take)}
    whole: Any = {"datasets": facts, "protocol": protocol, "beside": beside(composition=pd.DataFrame(parts, columns=COMPOSITION))}
    return dataclasses.replace(made, **whole)


NOBODY = ("nobody in it was seen in pretraining or among the shots", "Nobody is both among the shots")


def test_by_default_nobody_tested_gave_shots() -> None:
    page = report_page(under("ours"))
    assert all(words in page for words in NOBODY)
    assert "Protocol" not in page


@pytest.mark.parametrize(
    ("protocol", "says"), [("code", "labelled takes of egoexo4d were cut"), ("table1", "egoexo4d takes its shots from the recordings that encoders")]
)
def test_under_other_protocols_the_page_says_who_is_on_both_sides(protocol: str, says: str) -> None:
    made = under(protocol, shared=5, by_take=protocol == "code")
    page, text = report_page(made), " ".join(summary_text(made).split())
    assert not any(words in page for words in NOBODY)
    assert says in page
    assert says in text
    assert page.count("People who give shots and are tested: 5 in egoexo4d.") == 2, "Table I and Fig. 4"
    assert "People who gave shots are tested, too (5 in egoexo4d)" in text
    assert ("99 test segments of 12 takes" in size_of(made, "egoexo4d")) == (protocol == "code")
    assert ("12 takes tested" in few_shot_picture(made)) == (protocol == "code")
    assert "People who give shots and are tested: none." in report_page(under(protocol))


def test_sites_left_out_are_said() -> None:
    page = report_page(under("leave_site_out"))
    assert page.count("where sites are known, each is tested with shots from the others") == 3
    assert "Nobody tested was seen in pretraining" in page


def test_methods_without_known_training_all_count() -> None:
    assert results().trained == list(METHODS)
