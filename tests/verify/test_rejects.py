"""Every injected defect is found, by its reason, and nothing else is."""

import pandas as pd
import pytest

from tests.verify.workshop import Workshop

pytestmark = [pytest.mark.verify, pytest.mark.quick, pytest.mark.timeout(5400)]


def test_injected_equals_found(finished: Workshop) -> None:
    data = finished.folder / "data" / finished.profile
    injected = {(row["dataset"], row["take_uid"], row["reason"]) for row in finished.json(f"data/{finished.profile}/raw/injected.json")}
    rejects = pd.read_parquet(data / "segments" / "rejects.parquet")
    found = set(zip(rejects["dataset"], rejects["take_uid"], rejects["reason"], strict=True))
    assert injected, "the corpus must hold defects"
    assert found == injected, f"missed {sorted(injected - found)}, invented {sorted(found - injected)}"


def test_the_counts_in_the_metrics_are_those_of_the_table(finished: Workshop) -> None:
    rejects = pd.read_parquet(finished.folder / "data" / finished.profile / "segments" / "rejects.parquet")
    text = str(finished.json("metrics/segment.json"))
    for reason in rejects["reason"].unique():
        assert reason in text, f"metrics/segment.json does not count {reason}"
