"""Charts of points: marks stand where their numbers say, and what leaves the chart is shown to go on."""

import re
import xml.etree.ElementTree as ET

import pytest

from primus.reporting.charts import Curve, ZeroPoint, curves_chart
from primus.reporting.dots import cloud_chart, grouped_chart, spread_of
from primus.reporting.heat import heat_chart
from primus.reporting.palette import class_looks, looks

LOOKS = looks(["primus", "random"])


def xs(node: ET.Element) -> list[float]:
    return [float(number) for number in re.findall(r"[ML](-?[\d.]+) ", node.attrib["d"])]


def test_intervals_are_to_scale_and_an_end_outside_becomes_an_arrow_head() -> None:
    rows = [("one", [(LOOKS["primus"], 50.0, 25.0, 75.0)]), ("two", [(LOOKS["primus"], 50.0, 0.0, 180.0), (LOOKS["random"], 100.0, 50.0, 100.0)])]
    tree = ET.fromstring(grouped_chart("t", "d", rows, x_title="x", x_range=(0, 100), unit=" %", reference=100))
    groups = tree.findall("g")
    assert [group.attrib["class"] for group in groups] == ["m0", "m0", "m2"]
    low, high = xs(groups[0].findall("path")[0])
    assert float(groups[0].findall("circle")[0].attrib["cx"]) == pytest.approx((low + high) / 2, abs=0.02)
    zero, hundred = xs(groups[1].findall("path")[0])
    assert (low - zero, high - zero) == (pytest.approx((hundred - zero) / 4, abs=0.02), pytest.approx(0.75 * (hundred - zero), abs=0.02))
    cap, arrow = (xs(path) for path in groups[1].findall("path")[1:3])
    assert len(set(cap)) == 1
    assert arrow[1] > arrow[0] == arrow[2]


def test_the_range_holds_every_interval_in_whole_steps_within_bounds() -> None:
    rows = [("a", [(LOOKS["primus"], 60.0, 41.0, 88.0)])]
    assert spread_of(rows, 0, 150, 25) == (25, 100)
    assert spread_of([("a", [(LOOKS["primus"], 1.0, -20.0, 400.0)])], 0, 150, 25) == (0, 150)
    assert spread_of([("a", [(LOOKS["primus"], 50.0, 50.0, 50.0)])], 0, 100, 10) == (50, 60)


def test_clouds_keep_distances_and_stay_inside() -> None:
    seen = class_looks(["a", "b"])
    tree = ET.fromstring(cloud_chart("t", "d", {"a": (seen["a"], [(0, 0), (1, 0), (0, 1)]), "b": (seen["b"], [(5, 2)])}, axes=("x", "y")))
    points = [(float(node.attrib["cx"]), float(node.attrib["cy"])) for node in tree.iter("circle")]
    right, up = points[1][0] - points[0][0], points[0][1] - points[2][1]
    assert right == pytest.approx(up, abs=0.02)
    assert right > 0
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    assert all(0 < x < width and 0 < y < height for x, y in points)
    ET.fromstring(cloud_chart("t", "d", {"a": (seen["a"], [(1, 1)])}, axes=("x", "y")))


def test_fifty_classes_differ_in_colour_or_marker() -> None:
    found = class_looks([f"class {number}" for number in range(50)])
    assert len({(look.css, look.marker) for look in found.values()}) == 50


def test_zero_shot_stands_apart_from_the_logarithmic_axis() -> None:
    curve = Curve("primus", LOOKS["primus"], [1, 10, 100], [0.2, 0.3, 0.4])
    options = {"x_title": "k", "y_title": "a", "x_ticks": [1, 10, 100], "x_range": (1, 100), "log_x": True, "y_range": (0.0, 1.0), "percent": True}
    zero = [ZeroPoint("primus", LOOKS["primus"], 0.3, 0.2, 0.4)]
    plain = ET.fromstring(curves_chart("t", "d", [curve], **options))  # type: ignore[arg-type]
    tree = ET.fromstring(curves_chart("t", "d", [curve], zero=zero, **options))  # type: ignore[arg-type]
    apart, first, second, third = tree.iter("circle")
    x = [float(node.attrib["cx"]) for node in (apart, first, second, third)]
    assert x[0] < x[1] - 20
    assert x[2] - x[1] == pytest.approx(x[3] - x[2], abs=0.02)
    assert apart.attrib["cy"] == second.attrib["cy"]
    assert [node.text for node in tree.iter("text")].count("0") == [node.text for node in plain.iter("text")].count("0") + 1


def test_a_heat_map_shades_from_least_to_most_and_leaves_gaps_empty() -> None:
    tree = ET.fromstring(heat_chart("t", "d", ["a", "b"], {("a", "a"): 0.2, ("a", "b"): 0.4, ("b", "a"): 0.3}))
    shades = [float(node.attrib["fill-opacity"]) for node in tree.iter("rect")]
    assert shades == [pytest.approx(0.06), pytest.approx(1.0), pytest.approx(0.53)]
    assert [node.text for node in tree.iter("text") if node.text and "." in node.text] == ["20.0", "40.0", "30.0"]
    ET.fromstring(heat_chart("t", "d", ["a"], {("a", "a"): 0.2}))
