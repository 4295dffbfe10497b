"""Cached work is found again, never stale, never corrupt."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
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


GROUP, FIRST, SECOND = 64_001, 64_011, 64_012


def _as_person(user: int, umask: int, work: Callable[[], None]) -> str:
    """Do the work as somebody else, in a child; what it raised, or "". Everything it needs is loaded before the child loses its rights."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            os.setgroups([])
            os.setgid(GROUP)
            os.setuid(user)
            os.umask(umask)
            work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as handle:
        said = handle.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two people")
def test_two_people_share_a_cache_when_their_umask_lets_the_group_write() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        os.chmod(name, 0o755)
        root = Path(name) / "cache"
        root.mkdir()
        os.chown(root, FIRST, GROUP)
        root.chmod(0o2775)
        array = {"x": np.arange(3)}

        def second() -> None:
            cache = WorkCache("work", root)
            found = cache.load("aa1")
            assert found is not None
            assert found[0]["x"].tolist() == [0, 1, 2]
            cache.store("aa2", array, {})  # in a folder the first person made
            cache.store("aa1", array, {"by": "second"})  # over the first person's entry

        def corrupt_and_mend() -> None:
            cache = WorkCache("work", root)
            (root / "work" / "aa" / "aa2.entry").write_bytes(b"damaged")
            assert cache.load("aa2") is None
            cache.store("aa2", array, {})

        assert _as_person(FIRST, 0o002, lambda: WorkCache("work", root).store("aa1", array, {})) == ""
        assert _as_person(SECOND, 0o002, second) == ""
        assert _as_person(FIRST, 0o002, corrupt_and_mend) == ""
        assert all(path.stat().st_gid == GROUP for path in root.rglob("*.entry"))
        assert _as_person(FIRST, 0o022, lambda: WorkCache("work", root).store("bb1", array, {})) == ""
        refused = _as_person(SECOND, 0o022, lambda: WorkCache("work", root).store("bb2", array, {}))
        assert refused.startswith("UserError: cannot write ")
        assert "make the folder writable" in refused
