"""Files and folders appear whole or not at all, and equal values are equal bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from primus.artifacts import atomic_folder, atomic_path, read_json, read_table, write_csv, write_json, write_table
from primus.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("died")
    assert read_json(target) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_failed_folder_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with atomic_folder(target) as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(RuntimeError), atomic_folder(target) as temporary:
        (temporary / "a").write_text("2")
        raise RuntimeError("died")
    assert (target / "a").read_text() == "1"
    with atomic_folder(target) as temporary:
        (temporary / "b").write_text("3")
    assert sorted(path.name for path in target.iterdir()) == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_json_is_sorted_rounded_and_finite(tmp_path: Path) -> None:
    write_json(tmp_path / "m.json", {"b": 1 / 3, "a": {"z": -1e-12, "y": True, "n": None}})
    text = (tmp_path / "m.json").read_text()
    assert json.loads(text) == {"a": {"n": None, "y": True, "z": 0.0}, "b": 0.333333}
    assert text.index('"a"') < text.index('"b"')
    with pytest.raises(ValueError, match=r"m\.json\.loss is nan"):
        write_json(tmp_path / "m.json", {"loss": float("nan")})


def test_table_round_trip_with_schema(tmp_path: Path) -> None:
    schema = pa.schema([("name", pa.string()), ("texts", pa.list_(pa.string())), ("value", pa.float64())])
    frame = pd.DataFrame({"value": [1.0, None], "name": ["a", None], "texts": [["x", "y"], []]})
    write_table(tmp_path / "t.parquet", frame, schema)
    back = read_table(tmp_path / "t.parquet")
    assert list(back.columns) == ["name", "texts", "value"]
    assert list(back["texts"][0]) == ["x", "y"]
    first = (tmp_path / "t.parquet").read_bytes()
    write_table(tmp_path / "t.parquet", frame, schema)
    assert (tmp_path / "t.parquet").read_bytes() == first


def test_broken_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "bad.json").write_text("{")
    for reader, name in ((read_table, "bad.parquet"), (read_json, "bad.json"), (read_table, "none.parquet"), (read_json, "none.json")):
        with pytest.raises(UserError, match=name):
            reader(tmp_path / name)


def test_csv_floats_have_six_decimals(tmp_path: Path) -> None:
    write_csv(tmp_path / "c.csv", pd.DataFrame({"x": [1 / 3], "n": [2]}))
    assert (tmp_path / "c.csv").read_bytes() == b"x,n\n0.333333,2\n"


def test_unwritable_folder_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot create the folder"):
        write_json(tmp_path / "file" / "x.json", {})


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_kept(tmp_path: Path) -> None:
    code = """
import os, sys
from primus.artifacts import atomic_folder
with atomic_folder(sys.argv[1]) as folder:
    (folder / "big").write_text("x")
    os._exit(9)
"""
    target = tmp_path / "raw"
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    (left,) = tmp_path.iterdir()
    living = tmp_path / left.name.replace(left.name.split("-")[-1].split(".")[0], str(os.getppid()))
    living.mkdir()
    with atomic_folder(target) as temporary:
        (temporary / "a").write_text("1")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["raw", living.name])


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", "\ud800"], ids=["deep", "digits", "cut", "no utf-8"])
def test_json_of_any_kind_of_damage_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(tmp_path)


@pytest.mark.parametrize("at", [4, 60, -5, -60], ids=["page", "data", "length", "footer"])
def test_a_damaged_table_is_refused_in_one_line(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.parquet"
    write_table(path, pa.table({"a": list(range(1000)), "b": ["text"] * 1000}))
    data = bytearray(path.read_bytes())
    data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    with pytest.raises(UserError, match="not a readable Parquet file") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
