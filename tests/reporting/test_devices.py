"""The section of devices: what it shows, with its numbers of people, segments and seeds, and that it is absent where there is nothing to show."""

import dataclasses

import pandas as pd

from primus.evaluation.devices import COLUMNS
from primus.reporting.devices import devices
from primus.reporting.report import report_page
from primus.reporting.results import Results
from tests.inspection.document import Document
from tests.reporting.made_results import beside, results

ODD = "Go<Pro> & co"


def measured() -> Results:
    rows = [
        ("ego4d", method, device, shots, value, value - 0.1, value + 0.1, people, 10 * people, 3)
        for method, value in (("random", 0.2), ("primus", 0.4))
        for device, people in ((ODD, 7), ("unknown", 2))
        for shots in (5, 20)
    ]
    return dataclasses.replace(results(seeds=3), beside=dataclasses.replace(beside(), devices=pd.DataFrame(rows, columns=COLUMNS)))


def test_every_device_has_its_accuracy_people_and_segments_at_the_headline() -> None:
    page = devices(measured())
    assert "<td>40.0 [30.0, 50.0]</td><td>7</td><td>70</td>" in page
    assert "3 pretraining seeds, 1 draws of shots" in page
    assert page.index("primus</th>") < page.index("random</th>"), "in the order of the methods"
    assert page.count("<tr>") == 1 + 4, "of one number of shots"
    assert ODD not in page


def test_the_page_holds_it_where_there_is_something_to_show() -> None:
    page = report_page(measured())
    assert "Go&lt;Pro&gt; &amp; co" in page
    assert "#devices" in Document(page).loads
    assert devices(results()) == ""
    assert 'id="devices"' not in report_page(results())
    other = dataclasses.replace(measured(), headline=50)
    assert devices(other) == ""
