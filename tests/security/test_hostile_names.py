"""Names and texts that come with recordings are data wherever they go: in paths, tables, messages and pages."""

from pathlib import Path

import numpy as np
import pytest

from primus.artifacts import read_table, write_csv, write_json, write_table
from primus.io.files import FileSet
from primus.reporting.html import paragraph, table
from primus.work_cache import WorkCache
from tests.fuzz.readers import read_dataset
from tests.io import test_table

NAMES = (
    "$(touch executed)", "`touch executed`", "a; touch executed", "a && touch executed", "| touch executed", "-rf", "--out", "<script>",
    "<img src=x onerror=alert(1)>", "'\"&", "=1+1", "a\nb", "a\tb", "\x1b[31mred", "\u202etxt", "%s%n", "{0.__class__}", "x" * 200,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_file_of_any_name_is_read_and_names_nothing_else(name: str, folder: Path) -> None:
    root = folder / "root"
    root.mkdir()
    recording = test_table.frame(300)
    sensors = [f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]
    recording[sensors] += np.random.default_rng(4).normal(0, 0.05, (300, 6))
    recording.assign(label=name.replace("\n", " "), participant=name).to_csv(root / f"{name}.csv", index=False)
    assert read_dataset("own_tables", root) > 0
    assert sorted(path.name for path in folder.iterdir()) == ["root"]
    assert not list(folder.rglob("executed"))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_texts_come_back_from_artifacts_as_they_went_in(name: str, folder: Path) -> None:
    import pandas as pd

    rows = pd.DataFrame({"take_uid": [name, "b"], "text": [f"C opens {name}", ""]})
    write_table(folder / "a.parquet", rows)
    assert read_table(folder / "a.parquet").equals(rows)
    write_csv(folder / "a.csv", rows)
    write_json(folder / "a.json", {name: name})
    cache = WorkCache("takes", folder / "cache")
    key = cache.key([name], {"name": name}, "primus.errors")
    assert len(key) == 64
    assert key.isalnum()
    cache.store(key, {}, {"name": name})
    assert cache.load(key) == ({}, {"name": name})
    assert not list(folder.rglob("executed"))


@pytest.mark.parametrize("name", [*NAMES, "</table><script>alert(1)</script>", "<svg onload=alert(1)>"], ids=repr)
def test_pages_show_text_as_text(name: str) -> None:
    page = table(name, [name], [[name, name]]) + paragraph(name)
    assert "<script" not in page
    assert "<img" not in page
    assert "<svg" not in page


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", "a/../../outside.csv", "a\0b"])
def test_annotations_cannot_name_files_outside(name: str, folder: Path) -> None:
    from primus.errors import Rejected, UserError

    (folder / "root").mkdir()
    (folder / "outside.csv").write_text("secret")
    with pytest.raises((Rejected, UserError)):
        FileSet.scan(folder / "root").path(name)
