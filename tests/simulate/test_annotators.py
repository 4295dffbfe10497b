"""Annotation passes look like those of the published files."""

import numpy as np
import pytest

from primus.seeds import generator
from primus.simulate.activities import EGOEXO4D
from primus.simulate.narrations import annotate
from primus.simulate.people import draw_person
from primus.simulate.performance import perform

FIELDS = {"text", "timestamp", "subject", "ego_visible", "unsure", "best_exo"}


@pytest.fixture(scope="module")
def takes() -> list[list[dict[str, object]]]:
    found = []
    for number in range(120):
        activity = list(EGOEXO4D.values())[number % len(EGOEXO4D)]
        rng = generator(0, "test", "narrations", number)
        performance = perform(activity, draw_person(0, "test", number % 12), 40.0, activity.things, rng)
        found.append(annotate(performance.events, 40.0, ("cam01", "cam02"), rng, rng))
    return found


def test_every_take_has_an_accepted_pass_and_rejected_ones_are_empty(takes: list) -> None:
    for passes in takes:
        assert any(not row["rejected"] for row in passes)
        for row in passes:
            assert bool(row["descriptions"]) != row["rejected"]
            assert (row["reject_reason"] is None) != row["rejected"]


def test_rates_match_the_published_file(takes: list) -> None:
    passes = [row for found in takes for row in found]
    rows = [description for row in passes for description in row["descriptions"]]
    gaps = np.concatenate([np.diff([d["timestamp"] for d in row["descriptions"]]) for row in passes])
    assert 0.1 < np.mean([row["rejected"] for row in passes]) < 0.22
    assert {len(found) for found in takes} >= {1, 2}
    assert 1.1 <= np.median(gaps) <= 2.0
    assert gaps.min() >= 0
    assert all(set(row) == FIELDS for row in rows)
    subjects = [row["subject"] for row in rows]
    assert 0.9 < subjects.count("C") / len(rows) < 0.99
    assert "O" in subjects
    assert None in [row["ego_visible"] for row in rows]
    assert None in [row["best_exo"] for row in rows]
    texts = [row["text"] for row in rows]
    assert 0.2 < 1 - len(set(texts)) / len(texts) < 0.6, "some texts repeat, not all"
    assert all(0 <= row["timestamp"] <= 40.0 for row in rows)
    assert not any("{" in text for text in texts)
