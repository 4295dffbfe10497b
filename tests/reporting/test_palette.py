"""Looks of methods: never one for two, in any of colour, marker and dash; colours that stand on their page, and apart for the colour-blind."""

from itertools import combinations

import numpy as np
import pytest

from primus.reporting.palette import PAGE, looks
from primus.reporting.svg import marker
from tests.reporting.made_figures import TEN

DEUTERANOPE = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
PROTANOPE = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
"""Linear RGB as seen without the green and the red cones: Machado et al. 2009, doi 10.1109/TVCG.2009.113, at severity 1."""


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    high, low = sorted((float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_ten_methods_of_figures_differ_in_colour_marker_and_dash() -> None:
    found = looks(TEN).values()
    assert len(TEN) == 10
    for part in ("css", "light", "dark", "marker", "dash"):
        assert len({getattr(look, part) for look in found}) == 10, part
    assert len({marker(look.marker, 0, 0) for look in found}) == 10, "no two markers are drawn alike"
    assert looks(["statistics"])["statistics"] == looks(TEN)["statistics"]


def test_more_methods_than_looks_still_differ() -> None:
    found = looks([*TEN, *(f"mine {number}" for number in range(40))])
    assert len({(look.css, look.marker, look.dash) for look in found.values()}) == 50


@pytest.mark.parametrize(("theme", "page"), [("light", "#ffffff"), ("dark", "#16181b")])
def test_colours_stand_out_from_their_page(theme: str, page: str) -> None:
    assert page[:4] in PAGE.lower()
    for method, look in looks(TEN).items():
        assert contrast(getattr(look, theme), page) >= 3, f"{method}: graphics need 3 to 1"


@pytest.mark.parametrize("eye", [np.eye(3), DEUTERANOPE, PROTANOPE], ids=["typical", "deuteranope", "protanope"])
def test_the_methods_of_the_demo_and_the_papers_baselines_differ_in_colour_for_every_eye(eye: np.ndarray) -> None:
    for theme in ("light", "dark"):
        seen = {name: eye @ linear(getattr(look, theme)) for name, look in looks(("primus", "simclr", "random", "imu2clip")).items()}
        for one, other in combinations(seen, 2):
            assert np.abs(seen[one] - seen[other]).max() > 0.03, f"{one} and {other} on a {theme} page"
