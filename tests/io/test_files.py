"""A dataset's files: nothing outside the root, and roots named in the environment."""

import pytest

from primus.errors import UserError
from primus.io.datasets import open_dataset
from primus.io.files import FileSet, resolve_root


def test_scan_lists_names_and_sizes(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/one.CSV").write_bytes(b"12345")
    (tmp_path / "two.mp4").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    files = FileSet.scan(tmp_path)
    assert dict(files.sizes) == {"a/b/one.CSV": 5, "two.mp4": 0}
    assert files.names(".csv") == ["a/b/one.CSV"]
    assert files.names((".mp4", ".csv"), under="a/b") == ["a/b/one.CSV"]
    assert files.size("a/b/one.CSV") == 5
    assert files.first(["nothing", "two.mp4"]) == "two.mp4"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "", "..\\outside", "a\0b"])
def test_names_cannot_leave_the_root(tmp_path, name):
    files = FileSet(tmp_path / "root", {name: 1})
    assert not files.has(name)
    with pytest.raises(UserError, match="outside"):
        files.path(name)


def test_an_unlisted_file_is_named(tmp_path):
    (tmp_path / "late.csv").touch()
    with pytest.raises(UserError, match=r"late\.csv.*manifest"):
        FileSet(tmp_path, {}).path("late.csv")


def test_roots_from_the_environment_are_relative_to_the_repository(tmp_path, monkeypatch):
    (tmp_path / "shared/data/sub").mkdir(parents=True)
    (tmp_path / "shared/data/sub/x").touch()
    monkeypatch.setenv("SAMPLES", "shared/data")
    assert resolve_root("$SAMPLES/sub", tmp_path) == tmp_path / "shared/data/sub"
    monkeypatch.setenv("SAMPLES", str(tmp_path / "shared"))
    assert resolve_root("${SAMPLES}/data", tmp_path / "elsewhere") == tmp_path / "shared/data"


def test_other_roots_are_relative_to_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").touch()
    monkeypatch.chdir(tmp_path)
    assert resolve_root("data", tmp_path / "elsewhere").resolve() == tmp_path / "data"


def test_a_missing_variable_a_missing_and_an_empty_root(tmp_path, monkeypatch):
    monkeypatch.delenv("EGOEXO4D_ROOT", raising=False)
    with pytest.raises(UserError, match="EGOEXO4D_ROOT is not set"):
        resolve_root("$EGOEXO4D_ROOT", tmp_path)
    monkeypatch.setenv("EGOEXO4D_ROOT", "absent")
    with pytest.raises(UserError, match=r"absent.*not a folder"):
        resolve_root("$EGOEXO4D_ROOT", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is empty"):
        resolve_root(str(tmp_path / "empty"), tmp_path)


def test_an_unknown_reader_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match="did you mean 'egoexo4d'"):
        open_dataset("x", {"reader": "egoexo"}, FileSet(tmp_path, {}))
