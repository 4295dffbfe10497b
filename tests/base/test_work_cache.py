"""Cached work is found again, never stale, never corrupt."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import primus.provenance
from primus.errors import UserError
from primus.provenance import code_digest, file_identity, import_closure
from primus.work_cache import WorkCache


def test_round_trip_and_empty_arrays(tmp_path: Path) -> None:
    cache = WorkCache("segments", tmp_path)
    key = cache.key(["a|1"], {"window_s": 5.0}, "primus.artifacts")
    assert cache.load(key) is None
    cache.store(key, {"imu": np.zeros((0, 6, 250), np.float32), "x": np.arange(3)}, {"rows": [{"a": 1}]})
    arrays, meta = cache.load(key)  # type: ignore[misc]
    assert arrays["imu"].shape == (0, 6, 250)
    assert list(arrays["x"]) == [0, 1, 2]
    assert meta == {"rows": [{"a": 1}]}


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damage_is_noticed_and_the_entry_removed(tmp_path: Path, damage: str) -> None:
    cache = WorkCache("x", tmp_path)
    cache.store("ab" * 32, {"x": np.arange(100)}, {})
    (entry,) = tmp_path.rglob("*.entry")
    content = entry.read_bytes()
    flipped = content[:300] + bytes([content[300] ^ 1]) + content[301:]
    entry.write_bytes({"flip": flipped, "truncate": content[:-5], "empty": b""}[damage])
    assert cache.load("ab" * 32) is None
    assert cache.corrupt == 1
    assert not entry.exists()


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file; set PRIMUS_CACHE"):
        WorkCache("x", tmp_path / "file")


def test_the_key_follows_inputs_params_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = WorkCache("x", tmp_path)
    base = cache.key(["a"], {"w": 1}, "primus.artifacts")
    assert cache.key(["b"], {"w": 1}, "primus.artifacts") != base
    assert cache.key(["a"], {"w": 2}, "primus.artifacts") != base
    assert cache.key(["a"], {"w": 1}, "primus.seeds") != base
    assert cache.key(["a"], {"w": 1}, "primus.artifacts") == base


def test_closure_follows_every_import_and_a_changed_source_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {path.name for path in import_closure("primus.work_cache")}
    assert {"work_cache.py", "artifacts.py", "provenance.py", "errors.py", "schema.py", "__init__.py"} == names
    package = tmp_path / "primus_probe"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from primus_probe import b\n    return b\n")
    (package / "b.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(primus.provenance, "_imported", lambda path, pkg, root, by_name: _imported(path, pkg, "primus_probe", by_name))
    assert [path.name for path in import_closure("primus_probe.a")] == ["__init__.py", "a.py", "b.py"]
    before = code_digest("primus_probe.a")
    (package / "b.py").write_text("x = 2\n")
    code_digest.cache_clear()
    assert code_digest("primus_probe.a") != before


_imported = primus.provenance._imported


def test_digest_is_the_same_wherever_the_code_lies(tmp_path: Path) -> None:
    """`dvc exp run --temp` runs a copy of the code in a folder of its own; what was kept before must be found there."""
    source = Path(primus.provenance.__file__).parent
    digests = set()
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        shutil.copytree(source, tmp_path / folder / "primus", ignore=shutil.ignore_patterns("__pycache__"))
        command = "import primus.provenance as p; print(p.__file__, p.code_digest('primus.embeddings.frames'))"
        done = subprocess.run([sys.executable, "-c", command], cwd=tmp_path / folder, capture_output=True, text=True, check=True)
        where, digest = done.stdout.split()
        assert Path(where).is_relative_to(tmp_path / folder)
        digests.add(digest)
    assert digests == {code_digest("primus.embeddings.frames")}


def test_modules_that_a_registry_names_count_only_where_asked() -> None:
    plain = {path.name for path in import_closure("primus.io.datasets")}
    named = {path.name for path in import_closure("primus.io.datasets", by_name=True)}
    assert "egoexo4d.py" not in plain
    assert {"egoexo4d.py", "ego4d.py", "labelled_csv.py", "action_camera.py"} <= named
    assert "encoder.py" not in named


def test_identity_of_small_files_is_their_content(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert file_identity(one, "n") == file_identity(two, "n") != file_identity(one, "m")
    two.write_bytes(b"other")
    assert file_identity(one, "n") != file_identity(two, "n")
