"""Rows of a capture to device time, exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.errors import Rejected
from primus.io.timesync import take_start_ns


@given(start=st.integers(0, 2**53 - 10**10), dropped=st.integers(0, 25), before=st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_the_start_is_exact_to_two_nanoseconds(tmp_path_factory, start, dropped, before):
    path = tmp_path_factory.mktemp("capture") / "timesync.csv"
    rows = start + np.round((np.arange(before + 40) - before) * 1e9 / 30).astype(np.int64)
    cells = ["" if before <= i < before + dropped else f"{stamp}.0" for i, stamp in enumerate(rows)]
    path.write_text("aria02_214-1_capture_timestamp_ns,x\n" + "".join(f"{cell},1\n" for cell in cells))
    for camera in ("aria02", None):
        assert abs(take_start_ns(path, camera, before, before + 40) - start) <= (1 if dropped else 0)


def test_another_stream_of_the_glasses_serves_where_rgb_is_absent(tmp_path):
    path = tmp_path / "timesync.csv"
    path.write_text("aria01_1201-1_capture_timestamp_ns\n1000\n33334333\n")
    assert take_start_ns(path, "aria01", 0, 2) == 1000


def test_a_row_that_is_one_empty_cell_still_counts(tmp_path):
    path = tmp_path / "timesync.csv"
    path.write_text("aria01_214-1_capture_timestamp_ns\n\n\n66666667\n100000000\n")
    assert take_start_ns(path, "aria01", 1, 4) == 33333334


def test_two_pairs_of_glasses_need_a_name(tmp_path):
    path = tmp_path / "timesync.csv"
    path.write_text("aria01_214-1_capture_timestamp_ns,aria02_214-1_capture_timestamp_ns\n1,2\n")
    assert take_start_ns(path, "aria02", 0, 1) == 2
    with pytest.raises(Rejected, match="no column"):
        take_start_ns(path, None, 0, 1)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (9, 3), (100, 200), (10**18, 10**19)])
def test_impossible_rows_are_refused(tmp_path, start, end):
    path = tmp_path / "timesync.csv"
    path.write_text("aria01_214-1_capture_timestamp_ns\n" + "".join(f"{round(i * 1e9 / 30)}\n" for i in range(20)))
    with pytest.raises(Rejected) as rejected:
        take_start_ns(path, "aria01", start, end)
    assert rejected.value.reason == "timesync_invalid"
