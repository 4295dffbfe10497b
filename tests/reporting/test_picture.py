"""Fig. 4 as a file of its own: well formed, every data set and method named, and what it is said on it."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from primus.reporting.picture import few_shot_picture
from primus.reporting.results import Results
from tests.reporting.made_figures import figures
from tests.reporting.made_results import results

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("simulated", [True, False])
def test_the_picture_stands_alone(simulated: bool) -> None:
    found = dataclasses.replace(results(), simulated=simulated)
    drawn = ET.fromstring(few_shot_picture(found))
    words = [element.text for element in drawn.iter(f"{SVG}text")]
    for method in found.methods:
        assert method in words
    for dataset in found.datasets:
        assert any((text or "").startswith(f"{dataset}: ") for text in words)
    assert any("SIMULATED" in (text or "") for text in words) == simulated
    assert len(drawn.findall(f"{SVG}svg")) == len(found.datasets)
    style = "".join(element.text or "" for element in drawn.iter(f"{SVG}style"))
    used = set(re.findall(r"var\((--[\w-]+)\)", ET.tostring(drawn, "unicode")))
    assert used <= set(re.findall(r"(--[\w-]+):", style)), "a colour that the file does not define"


@pytest.mark.parametrize("datasets", [1, 3])
@pytest.mark.parametrize("made", [results, figures])
def test_nothing_lies_outside_the_picture(made: Callable[[], Results], datasets: int) -> None:
    whole = made()
    found = dataclasses.replace(whole, datasets=dict(list(whole.datasets.items())[:datasets]))
    drawn = ET.fromstring(few_shot_picture(found))
    width, height = float(drawn.get("width", 0)), float(drawn.get("height", 0))
    for inner in drawn.findall(f"{SVG}svg"):
        x, y, wide, high = (float(inner.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= width - wide
        assert 0 <= y <= height - high
    words = [(node.text or "", float(node.get("x", 0)), float(node.get("y", 0))) for node in drawn.findall(f"{SVG}text")]
    assert all(x + 6.5 * len(text) <= width for text, x, _ in words), "legend and title wrap"
    assert {text for text, _, _ in words} >= set(found.methods)
    legend = max(y for text, _, y in words if text in found.methods)
    heading = min(y for text, _, y in words if text.split(":")[0] in found.datasets)
    assert legend + 12 < heading
    assert drawn.get("role") == "img"
    assert "Few-shot accuracy" in drawn.get("aria-label", "")
