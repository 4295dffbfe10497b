"""One recording in the dialects of CSV that programs write: every way of spelling the same numbers gives the same recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.errors import Rejected
from primus.io.csv_columns import as_numbers, as_texts
from primus.io.ego4d_imu import read_ego4d_csv
from primus.io.files import FileSet
from primus.io.labelled_csv import LabelledCsvDataset
from primus.io.recording import ImuRecording
from primus.io.table import read_imu_table

COLUMNS = ["timestamp", "x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "label"]


def rows(n: int = 300) -> list[list[str]]:
    draw = np.random.default_rng(0)
    values = np.column_stack((draw.normal(0, 1, (n, 3)) + [0, 9.81, 0], draw.normal(0, 1, (n, 3))))
    return [[str(1_657_533_977_813 + 10 * k), *(f"{value:.6f}" for value in values[k]), "WALKING"] for k in range(n)]


def plain(header: list[str], body: list[list[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in [header, *body]).encode()


def byte_order_mark(header: list[str], body: list[list[str]]) -> bytes:
    return b"\xef\xbb\xbf" + plain(header, body)


def carriage_returns(header: list[str], body: list[list[str]]) -> bytes:
    return plain(header, body).replace(b"\n", b"\r\n")


def other_order(header: list[str], body: list[list[str]]) -> bytes:
    order = [7, 3, 6, 0, 2, 5, 1, 4]
    return plain([header[k] for k in order], [[row[k] for k in order] for row in body])


def quoted(header: list[str], body: list[list[str]]) -> bytes:
    return plain([f'"{name}"' for name in header], [[f'"{cell}"' for cell in row] for row in body])


def spaces(header: list[str], body: list[list[str]]) -> bytes:
    return "".join(" , ".join(row) + " \n" for row in [header, *body]).encode()


def further_columns(header: list[str], body: list[list[str]]) -> bytes:
    return plain(["index", *header, "heart_rate"], [[str(k), *row, ""] for k, row in enumerate(body)])


def no_newline_at_the_end(header: list[str], body: list[list[str]]) -> bytes:
    return plain(header, body).rstrip(b"\n")


def blank_lines(header: list[str], body: list[list[str]]) -> bytes:
    return plain(header, body) + b"\n\n"


def exponents(header: list[str], body: list[list[str]]) -> bytes:
    return plain(header, [[row[0], *(f"{float(cell):.9E}" for cell in row[1:7]), row[7]] for row in body])


def quoted_decimal_commas(header: list[str], body: list[list[str]]) -> bytes:
    return plain(header, [[row[0], *(f'"{cell.replace(".", ",")}"' for cell in row[1:7]), row[7]] for row in body])


DIALECTS: list[Callable[[list[str], list[list[str]]], bytes]] = [
    plain, byte_order_mark, carriage_returns, other_order, quoted, spaces, further_columns, no_newline_at_the_end, blank_lines, exponents,
    quoted_decimal_commas,
]  # fmt: skip


def assert_whole(recording: ImuRecording) -> None:
    reference = rows()
    assert recording.gyro is not None
    np.testing.assert_array_equal(recording.timestamps_ns, [int(row[0]) * 1_000_000 for row in reference])
    np.testing.assert_allclose(recording.accel, [[float(cell) for cell in row[1:4]] for row in reference], atol=1e-9)
    np.testing.assert_allclose(recording.gyro, [[float(cell) for cell in row[4:7]] for row in reference], atol=1e-9)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_labelled_recording_in_every_dialect(tmp_path: Path, dialect: Callable[[list[str], list[list[str]]], bytes]) -> None:
    (tmp_path / "s77_01_sp.csv").write_bytes(dialect(COLUMNS, rows()))
    reader = LabelledCsvDataset("phone", {"spec": "sp-sw-har-phone"}, FileSet.scan(tmp_path))
    (take,), rejects = reader.takes()
    assert rejects == []
    assert take.label == "WALKING"
    assert_whole(reader.read_imu(take).recording)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_table_of_ones_own_in_every_dialect(tmp_path: Path, dialect: Callable[[list[str], list[list[str]]], bytes], separator: str) -> None:
    content = dialect(COLUMNS, rows())
    if separator != "," and dialect is not quoted_decimal_commas:
        content = content.replace(b",", separator.encode())
    (tmp_path / "walk.csv").write_bytes(content)
    assert_whole(read_imu_table(tmp_path / "walk.csv", units={"time": "ms", "accel": "m/s^2", "gyro": "rad/s"}))


def test_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    body = [[row[0], *(cell.replace(".", ",") for cell in row[1:7]), row[7]] for row in rows()]
    (tmp_path / "walk.csv").write_text("".join(";".join(row) + "\n" for row in [COLUMNS, *body]))
    assert_whole(read_imu_table(tmp_path / "walk.csv"))


def test_a_comma_that_is_no_decimal_one_is_no_number() -> None:
    np.testing.assert_array_equal(as_numbers(pd.Series(["9,81", "9", "-0,5e-1", None])), [9.81, 9.0, -0.05, np.nan])
    np.testing.assert_array_equal(as_numbers(pd.Series(["9,81", "9", "1,234,567"])), [np.nan, 9.0, np.nan])


def test_a_table_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "s77_01_sp.csv").write_bytes(plain(COLUMNS, rows()).decode().encode("utf-16"))
    takes, rejects = LabelledCsvDataset("phone", {"spec": "sp-sw-har-phone"}, FileSet.scan(tmp_path)).takes()
    assert takes == []
    assert rejects[0].reason == "unreadable_imu"
    assert "s77_01_sp.csv" in rejects[0].detail


def test_a_file_that_went_away_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"absent\.csv: cannot be read as a table"):
        read_ego4d_csv(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    "dialect", [plain, byte_order_mark, carriage_returns, spaces, further_columns, no_newline_at_the_end, blank_lines, exponents]
)
def test_an_ego4d_table_in_every_dialect(tmp_path: Path, dialect: Callable[[list[str], list[list[str]]], bytes]) -> None:
    header = ["canonical_timestamp_ms", "accl_x", "accl_y", "accl_z", "gyro_x", "gyro_y", "gyro_z", "component_idx"]
    body = [[str(10 * k), *row[1:7], "0"] for k, row in enumerate(rows())]
    (tmp_path / "a.csv").write_bytes(dialect(header, body))
    recording = read_ego4d_csv(tmp_path / "a.csv", 3.0)
    np.testing.assert_allclose(recording.accel, [[float(cell) for cell in row[1:4]] for row in rows()], atol=1e-9)
    assert recording.notes == {}


def test_cells_of_any_kind_are_numbers_or_missing() -> None:
    odd = pd.Series([1, "2.5", b"3", 10**400, None, [4], {"a": 1}, True], dtype=object)
    assert np.array_equal(as_numbers(odd)[:3], [1, 2.5, 3])
    assert not np.isfinite(as_numbers(odd)[3:7]).any()
    assert np.isnan(as_numbers(pd.Series([b"\xff\xfe"] * 3))).all()


def test_bytes_are_text() -> None:
    assert as_texts(pd.Series([b"walk ", b"\xff", "run", None], dtype=object)).tolist() == ["walk", "\ufffd", "run", ""]
