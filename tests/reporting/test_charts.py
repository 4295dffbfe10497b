import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primus.reporting.charts import Curve, curves_chart, intervals_chart, matrix_chart, nice_ticks
from primus.reporting.palette import looks, stylesheet
from primus.reporting.svg import element, label, marker


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6), most=st.integers(3, 10))
def test_ticks_are_inside_even_and_few(low: float, span: float, most: int) -> None:
    ticks = nice_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    gaps = [b - a for a, b in pairwise(ticks)]
    assert all(gap == pytest.approx(gaps[0]) for gap in gaps)


def test_text_and_attributes_are_escaped() -> None:
    drawn = ET.fromstring(element("g", label(1, 2, '<b> & "c"'), aria_label='a "quoted" <name>'))
    assert drawn.attrib["aria-label"] == 'a "quoted" <name>'
    assert drawn[0].text == '<b> & "c"'


def test_charts_are_well_formed_and_place_points_where_they_belong() -> None:
    seen = looks(["primus", "random"])
    curves = [
        Curve("primus", seen["primus"], [1, 10, 100], [0.2, 0.4, 0.6], [0.1, 0.3, 0.5], [0.3, 0.5, 0.7], [False, False, True]),
        Curve("random", seen["random"], [1, 10, 100], [0.2, 0.2, 0.2]),
    ]
    options = {
        "x_title": "shots",
        "y_title": "accuracy",
        "x_ticks": [1, 10, 100],
        "x_range": (1, 100),
        "log_x": True,
        "y_range": (0.0, 1.0),
        "percent": True,
    }
    tree = ET.fromstring(curves_chart("t", "d", curves, reference=("chance", 0.125), **options))  # type: ignore[arg-type]
    points = list(tree.iter("circle"))
    x = [float(node.attrib["cx"]) for node in points]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.02), "equal factors are equal steps on a logarithmic axis"
    y = [float(node.attrib["cy"]) for node in points]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.02)
    assert y[0] > y[1]
    assert points[2].attrib["fill"] == "var(--page)", "an incomplete point is hollow"
    ET.fromstring(intervals_chart("t", "d", [("primus", seen["primus"], 3.0, -1.0, 7.0)], x_title="gain"))
    ET.fromstring(matrix_chart("t", "d", ["a", "b"], [[1.0, 0.0], [0.25, 0.75]]))


def test_an_incomplete_point_differs_in_every_marker() -> None:
    for look in looks(["primus", *(f"other {number}" for number in range(9))]).values():
        assert marker(look.marker, 5, 5, hollow=True) != marker(look.marker, 5, 5)


def test_many_bands_are_fainter_than_few() -> None:
    options = {"x_title": "k", "y_title": "a", "x_ticks": [1, 10], "x_range": (1, 10), "log_x": True, "y_range": (0.0, 1.0), "percent": True}
    opacity = []
    for many in (3, 10):
        seen = looks([f"method {number}" for number in range(many)])
        curves = [Curve(name, look, [1, 10], [0.2, 0.3], [0.1, 0.2], [0.3, 0.4]) for name, look in seen.items()]
        drawn = curves_chart("t", "d", curves, **options)  # type: ignore[arg-type]
        opacity.append(float(re.search(r'fill-opacity="([\d.]+)"', drawn).group(1)))  # type: ignore[union-attr]
    assert opacity == [0.15, 0.05]


def test_methods_look_the_same_whoever_is_beside_them_and_never_alike() -> None:
    few, many = looks(["primus", "random"]), looks(["mine", "random", "yours", "primus", "simclr"])
    assert few["primus"] == many["primus"]
    assert few["random"] == many["random"]
    assert len({look.css for look in many.values()}) == 5
    assert len({(look.marker, look.dash) for look in many.values()}) == 5
    assert all(f".{look.css}{{color:{look.light}}}" in stylesheet() for look in many.values())
